// SPDX-License-Identifier: GPL-2.0-or-later
// The windows of all address spaces together: where they come from, and what they may take. Those
// used least recently are emptied for the current one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/windows/window.h"
#include "mmu-shadow/windows/window_map.h"
#include "translator/base/guest_ram.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class WindowPool {
 public:
  using Space = AddressSpace<Guest>;

  // `backend` may be null: then no window can be made.
  WindowPool(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, const Spaces<Guest>& spaces,
             Statistics& statistics);

  bool exists() const { return backend_ != nullptr; }
  bool can_share() const { return backend_->can_share(); }
  // Whether windows fill themselves.
  bool fills() const { return backend_ && backend_->filler(); }
  // Null when there is no room.
  std::unique_ptr<WindowMap> create();

  // Takes everything out of the space's window, and out of what it shares if `current` does not
  // share it. If it is `current` itself, out of that too.
  void clear(Space& space, const Space* current);
  // Clears the window used least recently that is not the current one's. False: there is none with
  // anything in it.
  bool clear_another(const Space* current);

  // Makes room for another leaf in the window of `current`.
  void keep_leaf_budget(Space& current);
  // The same of windows that their provider fills: now and then, since each fault of theirs may
  // take another leaf. `current` may be null.
  void keep_filled_budget(Space* current);
  // What is installed is resident only when it has been touched, which nobody tells: the kernel's
  // sections, which are installed in pieces of 2 MiB in each of its windows, hardly are. So the
  // host is asked now and then. That the guest can reach more within the time between is part of
  // the limit. `current` may be null.
  void keep_resident_budget(Space* current) {
    if (resident_check_ticks_ != 0 && leaves_.pages > max_resident_pages_ && current) check_resident(*current);
  }
  // Something was installed.
  void note_most();

 private:
  // With fewer, one window with what it shares would not do.
  static constexpr uint32_t kMinLeaves = 16;

  void check_resident(Space& current);

  WindowBackend* const backend_;
  const uint64_t ram_base_;
  const Spaces<Guest>& spaces_;
  Statistics& statistics_;
  LeafPool leaves_;
  const uint64_t max_resident_pages_;
  const uint32_t max_leaves_;            // that host page tables may exist for
  const uint64_t resident_check_ticks_;  // 0: never
  uint64_t resident_checked_at_ = 0;
};

template <GuestArchitecture Guest>
WindowPool<Guest>::WindowPool(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend,
                              const Spaces<Guest>& spaces, Statistics& statistics)
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

template <GuestArchitecture Guest>
std::unique_ptr<WindowMap> WindowPool<Guest>::create() {
  if (WindowFiller* const filler = backend_->filler()) {
    auto window = filler->create_filling_window();
    return window ? std::make_unique<WindowMap>(std::move(window), leaves_) : nullptr;
  }
  auto window = backend_->create_window();
  return window ? std::make_unique<WindowMap>(std::move(window), ram_base_, leaves_) : nullptr;
}

template <GuestArchitecture Guest>
void WindowPool<Guest>::clear(Space& space, const Space* current) {
  if (space.lodges) {
    space.shared->map->clear();
    return;
  }
  bool changed = space.window->clear();
  if (space.shared && (&space == current || space.shared != current->shared)) changed |= space.shared->map->clear();
  if (changed) space.window->window().commit();
}

template <GuestArchitecture Guest>
bool WindowPool<Guest>::clear_another(const Space* current) {
  Space* const space = spaces_.least_recently_used([&](const Space& s) {
    if (s.lodges) return s.shared != current->shared && s.shared->map->touched();
    if (&s == current || !s.window) return false;
    return s.window->touched() || (s.shared && s.shared != current->shared && s.shared->map->touched());
  });
  if (space) clear(*space, current);
  return space != nullptr;
}

template <GuestArchitecture Guest>
void WindowPool<Guest>::keep_leaf_budget(Space& current) {
  while (leaves_.touched >= max_leaves_) {
    statistics_.spaces_over_budget++;
    if (clear_another(&current)) continue;
    clear(current, &current);
    return;
  }
}

template <GuestArchitecture Guest>
void WindowPool<Guest>::keep_filled_budget(Space* current) {
  if (!fills() || !current) return;
  const auto count = [&](auto of) {
    uint64_t sum = 0;
    for (auto& s : spaces_.all()) {
      if (s->window) sum += of(*s->window);
      if (s->lodges && (s->shared->lodger == s.get() || !s->shared->lodger)) sum += of(*s->shared->map);
    }
    return sum;
  };
  const auto leaves = [&] { return count([](const WindowMap& w) { return w.filling()->stretches(); }); };
  statistics_.most_window_pages =
      std::max(statistics_.most_window_pages, count([](const WindowMap& w) { return w.count(); }));
  statistics_.most_window_leaves = std::max(statistics_.most_window_leaves, leaves());
  while (leaves() >= max_leaves_) {
    statistics_.spaces_over_budget++;
    if (clear_another(current)) continue;
    if (current->windowed) clear(*current, current);
    return;
  }
}

template <GuestArchitecture Guest>
void WindowPool<Guest>::check_resident(Space& current) {
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

template <GuestArchitecture Guest>
void WindowPool<Guest>::note_most() {
  statistics_.most_window_pages = std::max(statistics_.most_window_pages, leaves_.pages);
  statistics_.most_window_leaves = std::max<uint64_t>(statistics_.most_window_leaves, leaves_.touched);
}

}  // namespace crosswalk::mmu
