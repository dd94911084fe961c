// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/installer.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace crosswalk::mmu {
namespace {

// pages looked at around a 4 KiB entry: one naturally aligned 64 KiB
constexpr uint32_t kAroundPages = 16;
// A stretch is installed in as many pieces as it has runs of equal write access. More than this
// many, and a smaller stretch is taken, so that translated code scattered over RAM does not cost a
// mapping per page.
constexpr uint32_t kMaxRuns = 4;

}  // namespace

void Installer::install_flat(AddressSpace& space) {
  space.window = pool_.create();
  if (!space.window) throw std::runtime_error("no host address space for a window of 4 GiB");
  space.windowed = true;
  const uint64_t end = std::min(ram_.base + ram_.size, kWindowSize);
  if (ram_.base < end) {
    if (!space.window->window().install(static_cast<uint32_t>(ram_.base), ram_.base, end - ram_.base, true))
      throw std::runtime_error("cannot map guest RAM");
    for (uint64_t pa = ram_.base; pa < end;) {
      const uint64_t here = std::min<uint64_t>(end, (pa | ((1u << kLeafBits) - 1)) + 1) - pa;
      space.window->record(static_cast<uint32_t>(pa), static_cast<uint32_t>(here >> kPageBits), walks_.ram_page_of(pa),
                           true, false, 0);
      pa += here;
    }
    code_.all_installed_writable();
  }
}

// The space of the abort is current again: on the way through its handler, or back. Nothing tells
// the two apart, so a page that is not mapped yet gets a few tries.
void Installer::returned(const cw_regime& regime) {
  constexpr uint32_t kTries = 4;
  AddressSpace& space = *aborted_.space;
  const uint32_t va = aborted_.va;
  cw_result result;
  walks_.walk(regime, va, aborted_.kind, space.key.privileged, result);
  if (!Guest::mapped(result)) {
    if (++aborted_.tries == kTries) aborted_.space = nullptr;
    return;
  }
  aborted_.space = nullptr;
  if (!space.windowed || !walks_.enterable(result)) return;
  // A store to translated code faults, to be told.
  if (code_.holds(walks_.ram_page_of(result.pa))) return;
  if (const WindowEntry e = space.window_at(va).entry(va);
      e.valid() && e.ram_page() == walks_.ram_page_of(result.pa) && (e.writable() || aborted_.kind == AccessKind::Load))
    return;
  if (install(space, regime, va, result)) statistics_.installed_on_return++;
}

// The neighbours of a 4 KiB page that are valid, allowed, alike and continue it in RAM.
Installer::Stretch Installer::contiguous_pages(const cw_regime& regime, bool privileged, uint32_t va,
                                               const cw_result& result) {
  const uint32_t page = va & ~(kPageSize - 1), low = page & ~(kAroundPages * kPageSize - 1);
  const uint64_t pa = result.pa & ~uint64_t{kPageSize - 1};
  cw_memo memo{};
  const auto continues = [&](uint32_t other) {
    const cw_result& r = walks_.walk(regime, other, AccessKind::Load, privileged, memo);
    return walks_.enterable(r) && r.log2_size == result.log2_size && r.permissions == result.permissions &&
           r.ng == result.ng && r.pa == pa + other - page;
  };
  uint32_t first = page, last = page;
  while (first != low && ram_.contains(pa + (first - kPageSize) - page) && continues(first - kPageSize))
    first -= kPageSize;
  while (last != low + (kAroundPages - 1) * kPageSize && continues(last + kPageSize)) last += kPageSize;
  return {first, (last - first) / kPageSize + 1, walks_.ram_page_of(pa - (page - first))};
}

Installer::Stretch Installer::stretch_to_install(const cw_regime& regime, const AddressSpace& space, uint32_t va,
                                                 const cw_result& result, bool writable) {
  const Stretch one{va & ~(kPageSize - 1), 1, walks_.ram_page_of(result.pa)};
  if (!config_.fill_around) return one;
  const unsigned largest = static_cast<unsigned>(std::countr_zero(config_.fill_bytes));
  const auto stretch_of = [&](unsigned bits) -> Stretch {
    const uint32_t mask = (1u << bits) - 1;
    const uint64_t start = result.pa - (va & mask);
    if (result.pa < (va & mask) || !ram_.contains(start, uint64_t{1} << bits)) return one;
    return {va & ~mask, 1u << (bits - kPageBits), walks_.ram_page_of(start)};
  };
  const auto good = [&](const Stretch& s) {
    const uint32_t first = s.va >> kPageBits;
    return s.pages > 1 && (!writable || code_.count_runs(s.ram_page, s.pages, kMaxRuns) <= kMaxRuns) &&
           !watch_.covers(first, first + s.pages - 1);
  };

  if (result.log2_size == kPageBits) {
    if (largest < 16) return one;
    const Stretch s = contiguous_pages(regime, space.key.privileged, va, result);
    return good(s) ? s : one;
  }
  if (result.log2_size == 20 && largest >= 21) {  // two sections that continue each other
    cw_result r;
    const uint32_t other = va ^ (1u << 20);
    walks_.walk(regime, other, AccessKind::Load, space.key.privileged, r);
    if (walks_.enterable(r) && r.log2_size == 20 && r.permissions == result.permissions && r.ng == result.ng &&
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
bool Installer::install_stretch(AddressSpace& space, Stretch stretch, uint32_t size_class, bool ng, bool writable) {
  WindowMap& window = space.window_at(stretch.va);
  for (uint32_t done = 0; done < stretch.pages;) {
    const uint32_t va = stretch.va + done * kPageSize, ram_page = stretch.ram_page + done;
    const bool run_writable = writable && !code_.holds(ram_page);
    const uint32_t left = stretch.pages - done, pages = writable ? code_.run_length(ram_page, left) : left;
    const uint64_t bytes = uint64_t{pages} << kPageBits;
    if (!window.window().install(va, ram_.base + (uint64_t{ram_page} << kPageBits), bytes, run_writable)) return false;
    window.record(va, pages, ram_page, run_writable, ng, size_class);
    pool_.note_most();
    statistics_.pages_installed += pages;
    if (run_writable) code_.installed_writable(ram_page, pages);
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

bool Installer::install(AddressSpace& space, const cw_regime& regime, uint32_t va, const cw_result& result) {
  if (watch_.covers(va) || (va >= space.shared_from && !shared_.follow_root(space, va))) return false;
  const bool writable = Guest::allows_store(result, space.key.privileged);
  const uint32_t size_class = class_of(result.log2_size);
  const bool ng = result.ng;
  const Stretch stretch = stretch_to_install(regime, space, va, result, writable);
  statistics_.pages_filled_around += stretch.pages - 1;
  Reuse& reuse = va >= space.shared_from ? space.shared->reuse : space.data_reuse;
  reuse.refilled += stretch.pages;  // counted as used again, all of them: a fault brought them back
  pool_.keep_leaf_budget(space);
  pool_.keep_resident_budget(&space);
  if (install_stretch(space, stretch, size_class, ng, writable)) return true;
  while (pool_.clear_another(&space)) {
    statistics_.spaces_cleared++;
    if (install_stretch(space, stretch, size_class, ng, writable)) return true;
  }
  // Only this window is left: empty it, and take no more than the page that is needed.
  pool_.clear(space, &space);
  statistics_.spaces_cleared++;
  const Stretch one{va & ~(kPageSize - 1), 1, walks_.ram_page_of(result.pa)};
  return install_stretch(space, one, size_class, ng, writable);
}

}  // namespace crosswalk::mmu
