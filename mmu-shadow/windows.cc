// SPDX-License-Identifier: GPL-2.0-or-later
// Window faults: what to install around the page that faulted, and how to get room for it.
#include <algorithm>
#include <bit>
#include <stdexcept>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

constexpr uint32_t kAroundPages = 16;  // pages looked at around a 4 KiB entry: one naturally aligned 64 KiB
// A stretch is installed in as many pieces as it has runs of equal write access. More than this many, and a
// smaller stretch is taken, so that translated code scattered over RAM does not cost a mapping per page.
constexpr uint32_t kMaxRuns = 4;

}  // namespace

std::unique_ptr<WindowMap> GuestMmu::create_window() {
  auto window = backend_->create_window();
  return window ? std::make_unique<WindowMap>(std::move(window), ram_.base, leaves_) : nullptr;
}

void GuestMmu::install_flat() {
  auto space = std::make_unique<AddressSpace>();
  space->window = create_window();
  if (!space->window) throw std::runtime_error("no host address space for a window of 4 GiB");
  space->windowed = true;
  const uint64_t end = std::min(ram_.base + ram_.size, kWindowSize);
  if (ram_.base < end) {
    if (!space->window->window().install(static_cast<uint32_t>(ram_.base), ram_.base, end - ram_.base, true))
      throw std::runtime_error("cannot map guest RAM");
    for (uint64_t pa = ram_.base; pa < end;) {
      const uint64_t here = std::min<uint64_t>(end, (pa | ((1u << kLeafBits) - 1)) + 1) - pa;
      space->window->record(static_cast<uint32_t>(pa), static_cast<uint32_t>(here >> kPageBits), ram_page_of(pa), true,
                            false, 0);
      pa += here;
    }
    std::fill(maybe_writable_.begin(), maybe_writable_.end(), 1);
  }
  spaces_.push_back(std::move(space));
  statistics_.spaces_created++;
}

FaultOutcome GuestMmu::window_fault(CpuState& cpu, int64_t offset, uint32_t bytes, bool write,
                                    Translation& translation) {
  if (offset < 0 || offset >= static_cast<int64_t>(kWindowSize)) {
    statistics_.window_faults_split++;
    return FaultOutcome::Split;
  }
  const uint64_t start = upkeep_clock();
  const uint32_t va = static_cast<uint32_t>(offset);
  const bool privileged = is_privileged(static_cast<crosswalk::Mode>(cpu.mode));
  const cw_regime regime = current_regime(cpu);
  cw_result result;
  walk(regime, va, write ? AccessKind::Store : AccessKind::Load, privileged, result);
  translation = to_translation(va, result);
  // The memory type's check of alignment comes before those of domain and permission.
  if (!translation.ok && translation.normal_memory) {
    statistics_.window_faults_guest++;
    if (config_.install_on_return) aborted_ = {current_, va, write ? AccessKind::Store : AccessKind::Load, 0};
    note_fault(start);
    return FaultOutcome::GuestFault;
  }
  if (!translation.host) {
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }

  bool was_code = false;
  if (write && is_code_[ram_page_of(translation.pa)]) {
    statistics_.window_faults_code++;
    const uint64_t to_end = kPageSize - (va & (kPageSize - 1));
    if (!code_written(translation.pa, std::min<uint64_t>(std::max(bytes, 1u), to_end))) return FaultOutcome::Once;
    was_code = true;
  }
  if (translation.watched || !enterable(result)) {
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }
  const WindowEntry old = current_->window_at(va).entry(va);
  const bool spurious = old.valid() && old.ram_page() == ram_page_of(translation.pa) && (old.writable() || !write);
  const bool installed = install(*current_, regime, va, result);
  note_fault(start);
  if (!installed) return FaultOutcome::Once;
  if (was_code) return FaultOutcome::CodeWrite;
  if (spurious)
    statistics_.window_faults_spurious++;
  else
    statistics_.window_faults_installed++;
  return FaultOutcome::Installed;
}

// The space of the abort is current again: on the way through its handler, or back. Nothing tells the two apart, so a
// page that is not mapped yet gets a few tries.
void GuestMmu::install_aborted(const cw_regime& regime) {
  constexpr uint32_t kTries = 4;
  const uint32_t va = aborted_.va;
  cw_result result;
  walk(regime, va, aborted_.kind, current_->key.privileged, result);
  if (result.fault != CW_FAULT_NONE) {
    if (++aborted_.tries == kTries) aborted_.space = nullptr;
    return;
  }
  aborted_.space = nullptr;
  if (!current_->windowed || !enterable(result)) return;
  // A store to translated code faults, to be told.
  if (is_code_[ram_page_of(result.pa)]) return;
  if (const WindowEntry e = current_->window_at(va).entry(va);
      e.valid() && e.ram_page() == ram_page_of(result.pa) && (e.writable() || aborted_.kind == AccessKind::Load))
    return;
  if (install(*current_, regime, va, result)) statistics_.installed_on_return++;
}

// Runs of equal write access in [ram_page, ram_page + pages), counted up to kMaxRuns + 1.
uint32_t GuestMmu::count_runs(uint32_t ram_page, uint32_t pages) const {
  const uint8_t* p = is_code_.data() + ram_page;
  const uint8_t* const end = p + pages;
  uint32_t runs = 0;
  while (p != end && runs <= kMaxRuns) {
    runs++;
    p = std::find(p, end, static_cast<uint8_t>(*p ^ 1));
  }
  return runs;
}

// The neighbours of a 4 KiB page that are valid, allowed, alike and continue it in RAM.
GuestMmu::Stretch GuestMmu::contiguous_pages(const cw_regime& regime, bool privileged, uint32_t va,
                                             const cw_result& result) {
  const uint32_t page = va & ~(kPageSize - 1), low = page & ~(kAroundPages * kPageSize - 1);
  const uint64_t pa = result.pa & ~uint64_t{kPageSize - 1};
  cw_memo memo{};
  const auto continues = [&](uint32_t other) {
    const cw_result& r = walk(regime, other, AccessKind::Load, privileged, memo);
    return enterable(r) && r.log2_size == result.log2_size && r.permissions == result.permissions &&
           r.ng == result.ng && r.pa == pa + other - page;
  };
  uint32_t first = page, last = page;
  while (first != low && ram_.contains(pa + (first - kPageSize) - page) && continues(first - kPageSize))
    first -= kPageSize;
  while (last != low + (kAroundPages - 1) * kPageSize && continues(last + kPageSize)) last += kPageSize;
  return {first, (last - first) / kPageSize + 1, ram_page_of(pa - (page - first))};
}

GuestMmu::Stretch GuestMmu::stretch_to_install(const cw_regime& regime, const AddressSpace& space, uint32_t va,
                                               const cw_result& result, bool writable) {
  const Stretch one{va & ~(kPageSize - 1), 1, ram_page_of(result.pa)};
  if (!config_.fill_around) return one;
  const unsigned largest = static_cast<unsigned>(std::countr_zero(config_.fill_bytes));
  const auto stretch_of = [&](unsigned bits) -> Stretch {
    const uint32_t mask = (1u << bits) - 1;
    const uint64_t start = result.pa - (va & mask);
    if (result.pa < (va & mask) || !ram_.contains(start, uint64_t{1} << bits)) return one;
    return {va & ~mask, 1u << (bits - kPageBits), ram_page_of(start)};
  };
  const auto good = [&](const Stretch& s) {
    const uint32_t first = s.va >> kPageBits;
    return s.pages > 1 && (!writable || count_runs(s.ram_page, s.pages) <= kMaxRuns) &&
           !is_watched(first, first + s.pages - 1);
  };

  if (result.log2_size == kPageBits) {
    if (largest < 16) return one;
    const Stretch s = contiguous_pages(regime, space.key.privileged, va, result);
    return good(s) ? s : one;
  }
  if (result.log2_size == 20 && largest >= 21) {  // two sections that continue each other
    cw_result r;
    const uint32_t other = va ^ (1u << 20);
    walk(regime, other, AccessKind::Load, space.key.privileged, r);
    if (enterable(r) && r.log2_size == 20 && r.permissions == result.permissions && r.ng == result.ng &&
        r.pa == result.pa + other - va) {
      const Stretch s = stretch_of(21);
      if (good(s)) return s;
    }
  }
  const unsigned natural = std::min<unsigned>(largest, result.log2_size);
  for (const unsigned bits : {natural, 16u}) {
    if (bits > natural) continue;
    const Stretch s = stretch_of(bits);
    if (good(s)) return s;
  }
  return one;
}

// False when the backend is at its limit.
bool GuestMmu::install_stretch(AddressSpace& space, Stretch stretch, uint32_t size_class, bool ng, bool writable) {
  WindowMap& window = space.window_at(stretch.va);
  for (uint32_t done = 0; done < stretch.pages;) {
    const uint8_t* const flags = is_code_.data() + stretch.ram_page + done;
    const bool run_writable = writable && *flags == 0;
    uint32_t pages = stretch.pages - done;
    if (writable)
      pages = static_cast<uint32_t>(std::find(flags, flags + pages, static_cast<uint8_t>(*flags ^ 1)) - flags);
    const uint32_t va = stretch.va + done * kPageSize, ram_page = stretch.ram_page + done;
    const uint64_t bytes = uint64_t{pages} << kPageBits;
    if (!window.window().install(va, ram_.base + (uint64_t{ram_page} << kPageBits), bytes, run_writable)) return false;
    window.record(va, pages, ram_page, run_writable, ng, size_class);
    statistics_.most_window_pages = std::max(statistics_.most_window_pages, leaves_.pages);
    statistics_.most_window_leaves = std::max<uint64_t>(statistics_.most_window_leaves, leaves_.touched);
    statistics_.pages_installed += pages;
    if (run_writable) std::fill_n(maybe_writable_.begin() + ram_page, pages, 1);
    if (bytes >= 2 << 20)
      statistics_.entries_2m++;
    else if (bytes >= 1 << 20)
      statistics_.entries_1m++;
    else if (bytes >= 64 << 10)
      statistics_.entries_64k++;
    else
      statistics_.entries_4k += pages;
    done += pages;
  }
  return true;
}

// Takes everything out of the space's window, and out of what it shares if the current space does not share it. If it
// is the current one itself, out of that too.
void GuestMmu::clear_windows(AddressSpace& space) {
  bool changed = space.window->clear();
  if (space.shared && (&space == current_ || space.shared != current_->shared)) changed |= space.shared->map.clear();
  if (changed) space.window->window().commit();
}

// Makes room for another leaf. The space is the current one.
void GuestMmu::keep_leaf_budget(AddressSpace& space) {
  while (leaves_.touched >= max_window_leaves_) {
    AddressSpace* const victim = least_recently_used_window();
    clear_windows(victim ? *victim : space);
    statistics_.spaces_over_budget++;
    if (!victim) return;
  }
}

// What is installed is resident only when it has been touched, which nobody tells: the kernel's sections, which are
// installed in pieces of 2 MiB in each of its windows, hardly are. So the host is asked now and then. That the guest
// can reach more within the time between is part of the limit.
void GuestMmu::keep_resident_budget() {
  if (resident_check_ticks_ == 0 || leaves_.pages <= max_resident_pages_ || !current_) return;
  const uint64_t now = __builtin_ia32_rdtsc();
  if (now - resident_checked_at_ < resident_check_ticks_) return;
  resident_checked_at_ = now;
  uint64_t resident = backend_->resident_pages();
  statistics_.most_resident_pages = std::max(statistics_.most_resident_pages, resident);
  if (resident <= max_resident_pages_) return;
  // Some more than need be, so as not to be here again at once.
  while (resident > max_resident_pages_ / 4 * 3) {
    AddressSpace* const victim = least_recently_used_window();
    if (!victim && !current_->window) return;
    clear_windows(victim ? *victim : *current_);
    statistics_.spaces_over_budget++;
    if (!victim) return;
    resident = backend_->resident_pages();
  }
}

bool GuestMmu::install(AddressSpace& space, const cw_regime& regime, uint32_t va, const cw_result& result) {
  if (is_watched(va) || (va >= space.shared_from && !follow_root(space, va))) return false;
  const bool writable = result.permissions & cw_needed_permission(CW_STORE, space.key.privileged);
  const uint32_t size_class = class_of(result.log2_size);
  const bool ng = result.ng;
  const Stretch stretch = stretch_to_install(regime, space, va, result, writable);
  statistics_.pages_filled_around += stretch.pages - 1;
  Reuse& reuse = va >= space.shared_from ? space.shared->reuse : space.data_reuse;
  reuse.refilled += stretch.pages;  // counted as used again, all of them: a fault brought them back
  keep_leaf_budget(space);
  keep_resident_budget();
  if (install_stretch(space, stretch, size_class, ng, writable)) return true;
  while (AddressSpace* victim = least_recently_used_window()) {
    clear_windows(*victim);
    statistics_.spaces_cleared++;
    if (install_stretch(space, stretch, size_class, ng, writable)) return true;
  }
  // Only this window is left: empty it, and take no more than the page that is needed.
  clear_windows(space);
  statistics_.spaces_cleared++;
  const Stretch one{va & ~(kPageSize - 1), 1, ram_page_of(result.pa)};
  return install_stretch(space, one, size_class, ng, writable);
}

}  // namespace crosswalk::mmu
