// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/window_pool.h"

#include <algorithm>
#include <utility>

namespace crosswalk::mmu {
namespace {

// With fewer, one window with what it shares would not do.
constexpr uint32_t kMinLeaves = 16;

}  // namespace

WindowPool::WindowPool(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, const Spaces& spaces,
                       Statistics& statistics)
    : backend_(backend),
      ram_base_(ram.base),
      spaces_(spaces),
      statistics_(statistics),
      max_resident_pages_(config.max_resident_pages ? config.max_resident_pages
                                                    : 2 * (ram.size >> kPageBits) + kResidentBeyondRam),
      max_leaves_(config.max_window_leaves ? std::max(config.max_window_leaves, kMinLeaves)
                                           : kWindowLeaves + static_cast<uint32_t>(ram.size >> kLeafBits) * 8),
      resident_check_ticks_(backend ? static_cast<uint64_t>(backend->resident_check_ns() * config.costs.ticks_per_ns)
                                    : 0) {}

std::unique_ptr<WindowMap> WindowPool::create() {
  auto window = backend_->create_window();
  return window ? std::make_unique<WindowMap>(std::move(window), ram_base_, leaves_) : nullptr;
}

void WindowPool::clear(AddressSpace& space, const AddressSpace* current) {
  bool changed = space.window->clear();
  if (space.shared && (&space == current || space.shared != current->shared)) changed |= space.shared->map->clear();
  if (changed) space.window->window().commit();
}

bool WindowPool::clear_another(const AddressSpace* current) {
  AddressSpace* const space = spaces_.least_recently_used([&](const AddressSpace& s) {
    if (&s == current || !s.window) return false;
    return s.window->touched() || (s.shared && s.shared != current->shared && s.shared->map->touched());
  });
  if (space) clear(*space, current);
  return space != nullptr;
}

void WindowPool::keep_leaf_budget(AddressSpace& current) {
  while (leaves_.touched >= max_leaves_) {
    statistics_.spaces_over_budget++;
    if (clear_another(&current)) continue;
    clear(current, &current);
    return;
  }
}

void WindowPool::check_resident(AddressSpace& current) {
  const uint64_t now = __builtin_ia32_rdtsc();
  if (now - resident_checked_at_ < resident_check_ticks_) return;
  resident_checked_at_ = now;
  uint64_t resident = backend_->resident_pages();
  statistics_.most_resident_pages = std::max(statistics_.most_resident_pages, resident);
  if (resident <= max_resident_pages_) return;
  // Some more than need be, so as not to be here again at once.
  while (resident > max_resident_pages_ / 4 * 3) {
    if (!clear_another(&current)) {
      if (!current.window) return;
      clear(current, &current);
      statistics_.spaces_over_budget++;
      return;
    }
    statistics_.spaces_over_budget++;
    resident = backend_->resident_pages();
  }
}

void WindowPool::note_most() {
  statistics_.most_window_pages = std::max(statistics_.most_window_pages, leaves_.pages);
  statistics_.most_window_leaves = std::max<uint64_t>(statistics_.most_window_leaves, leaves_.touched);
}

}  // namespace crosswalk::mmu
