// SPDX-License-Identifier: GPL-2.0-or-later
// What to install in a window when a page of it is needed: neighbours too, in as few pieces as
// their write access allows, and room for it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/shootdown.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/walks.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"
#include "translator/base/result.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Installer {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;
  using Memo = typename Guest::Memo;
  using Space = AddressSpace<Guest>;

  Installer(const MmuConfig& config, const Walks<Guest>& walks, CodePages& code, const Watchpoints<Guest>& watch,
            WindowPool<Guest>& pool, SharedWindows<Guest>& shared, Shootdown<Guest>& shootdown, Statistics& statistics)
      : config_(config),
        walks_(walks),
        ram_(walks.ram()),
        code_(code),
        watch_(watch),
        pool_(pool),
        shared_(shared),
        shootdown_(shootdown),
        statistics_(statistics) {}

  // Installs the page of `va`, for which `result` is what a walk gives, in the window of the space
  // that is current: one of RAM, or one of flash for loads. False: it must not be installed, or the
  // backend is at its limit.
  bool install(Space& space, const Regime& regime, Va va, const Result& result);
  // All of RAM, at VAs that are its PAs (Form::Flat).
  crosswalk::Result<bool> install_flat(Space& space);

  // The guest got an abort in the space, which its handler most likely mends: the access follows on
  // return.
  void aborted(Space& space, Va va, AccessKind kind) {
    // Where windows fill themselves, a fault costs no more than a call that installs the page.
    if (config_.install_on_return && !space.filling()) aborted_ = {&space, va, kind, 0};
  }
  bool awaits(const Space& space) const { return aborted_.space == &space; }
  // The space of the abort is current again.
  void returned(const Regime& regime);
  void forget(const Space& space) {
    if (awaits(space)) aborted_.space = nullptr;
  }

 private:
  // pages looked at around a 4 KiB entry: one naturally aligned 64 KiB
  static constexpr uint32_t kAroundPages = 16;
  // A stretch is installed in as many pieces as it has runs of equal write access. More than this
  // many, and a smaller stretch is taken, so that translated code scattered over RAM does not cost
  // a mapping per page.
  static constexpr uint32_t kMaxRuns = 4;

  // A stretch of VA that reaches consecutive pages of RAM or flash (Walks::window_page_of).
  struct Stretch {
    Va va;
    uint32_t pages, ram_page;
  };
  struct Aborted {
    Space* space = nullptr;
    Va va = 0;
    AccessKind kind = AccessKind::Load;
    uint32_t tries = 0;
  };

  Stretch stretch_to_install(const Regime& regime, const Space& space, Va va, const Result& result, bool writable);
  Stretch stretch_of_flash(Va va, const Result& result) const;
  Stretch contiguous_pages(const Regime& regime, bool privileged, Va va, const Result& result);
  bool install_stretch(Space& space, Stretch stretch, uint32_t size_class, bool ng, bool writable);

  const MmuConfig& config_;
  const Walks<Guest>& walks_;
  const GuestRam& ram_;
  CodePages& code_;
  const Watchpoints<Guest>& watch_;
  WindowPool<Guest>& pool_;
  SharedWindows<Guest>& shared_;
  Shootdown<Guest>& shootdown_;
  Statistics& statistics_;
  Aborted aborted_;
};

template <GuestArchitecture Guest>
crosswalk::Result<bool> Installer<Guest>::install_flat(Space& space) {
  space.window = pool_.create();
  if (!space.window) return Error{"no host address space for a window of 4 GiB"};
  space.windowed = true;
  if (space.window->filling()) return true;
  const uint64_t end = std::min(ram_.base + ram_.size, kWindowSize);
  if (ram_.base < end) {
    if (!space.window->window().install(static_cast<uint32_t>(ram_.base), ram_.base, end - ram_.base, true))
      return Error{"cannot map guest RAM"};
    for (uint64_t pa = ram_.base; pa < end;) {
      const uint64_t here = std::min<uint64_t>(end, (pa | ((1u << kLeafBits) - 1)) + 1) - pa;
      space.window->record(static_cast<uint32_t>(pa), static_cast<uint32_t>(here >> kPageBits), walks_.ram_page_of(pa),
                           true, false, 0);
      pa += here;
    }
    code_.all_installed_writable();
  }
  return true;
}

// The space of the abort is current again: on the way through its handler, or back. Nothing tells
// the two apart, so a page that is not mapped yet gets a few tries.
template <GuestArchitecture Guest>
void Installer<Guest>::returned(const Regime& regime) {
  constexpr uint32_t kTries = 4;
  Space& space = *aborted_.space;
  const Va va = aborted_.va;
  Result result;
  walks_.walk(regime, va, aborted_.kind, space.key.privileged, result);
  if (!Guest::mapped(result)) {
    if (++aborted_.tries == kTries) aborted_.space = nullptr;
    return;
  }
  aborted_.space = nullptr;
  if (!space.windowed || !walks_.enterable(result) || (!result.ng && shootdown_.surprises(space, va))) return;
  // A store to translated code faults, to be told.
  if (code_.holds(walks_.ram_page_of(result.pa))) return;
  if (const WindowEntry e = space.window_at(va).pages().entry(window_offset(va));
      e.valid() && e.ram_page() == walks_.ram_page_of(result.pa) && (e.writable() || aborted_.kind == AccessKind::Load))
    return;
  if (install(space, regime, va, result)) statistics_.installed_on_return++;
}

// The neighbours of a 4 KiB page that are valid, allowed, alike and continue it in RAM.
template <GuestArchitecture Guest>
typename Installer<Guest>::Stretch Installer<Guest>::contiguous_pages(const Regime& regime, bool privileged, Va va,
                                                                      const Result& result) {
  const Va page = page_of(va), low = page & ~Va{kAroundPages * kPageSize - 1};
  const uint64_t pa = result.pa & ~uint64_t{kPageSize - 1};
  Memo memo{};
  const auto continues = [&](Va other) {
    const Result& r = walks_.walk(regime, other, AccessKind::Load, privileged, memo);
    return walks_.enterable(r) && r.log2_size == result.log2_size && r.permissions == result.permissions &&
           r.ng == result.ng && r.pa == pa + other - page;
  };
  Va first = page, last = page;
  while (first != low && ram_.contains(pa + (first - kPageSize) - page) && continues(first - kPageSize))
    first -= kPageSize;
  while (last != low + (kAroundPages - 1) * kPageSize && continues(last + kPageSize)) last += kPageSize;
  return {first, static_cast<uint32_t>((last - first) >> kPageBits) + 1, walks_.ram_page_of(pa - (page - first))};
}

template <GuestArchitecture Guest>
typename Installer<Guest>::Stretch Installer<Guest>::stretch_of_flash(Va va, const Result& result) const {
  unsigned bits = static_cast<unsigned>(std::countr_zero(config_.fill_bytes));
  bits = config_.fill_around ? std::min<unsigned>(bits, result.log2_size) : kPageBits;
  for (; bits > kPageBits; bits--) {
    const Va mask = (Va{1} << bits) - 1;
    const uint64_t start = result.pa - (va & mask);
    if (result.pa >= (va & mask) && ram_.is_flash(start, uint64_t{1} << bits) &&
        !watch_.covers((va & ~mask) >> kPageBits, (va | mask) >> kPageBits))
      return {va & ~mask, 1u << (bits - kPageBits), walks_.window_page_of(start)};
  }
  return {page_of(va), 1, walks_.window_page_of(result.pa)};
}

template <GuestArchitecture Guest>
typename Installer<Guest>::Stretch Installer<Guest>::stretch_to_install(const Regime& regime, const Space& space, Va va,
                                                                        const Result& result, bool writable) {
  if (!ram_.contains(result.pa)) return stretch_of_flash(va, result);
  const Stretch one{page_of(va), 1, walks_.ram_page_of(result.pa)};
  if (!config_.fill_around) return one;
  const unsigned largest = static_cast<unsigned>(std::countr_zero(config_.fill_bytes));
  const auto stretch_of = [&](unsigned bits) -> Stretch {
    const Va mask = (Va{1} << bits) - 1;
    const uint64_t start = result.pa - (va & mask);
    if (result.pa < (va & mask) || !ram_.contains(start, uint64_t{1} << bits)) return one;
    return {va & ~mask, 1u << (bits - kPageBits), walks_.ram_page_of(start)};
  };
  const auto good = [&](const Stretch& s) {
    const Va first = s.va >> kPageBits;
    return s.pages > 1 && (!writable || code_.count_runs(s.ram_page, s.pages, kMaxRuns) <= kMaxRuns) &&
           !watch_.covers(first, first + s.pages - 1);
  };

  if (result.log2_size == kPageBits) {
    if (largest < 16) return one;
    const Stretch s = contiguous_pages(regime, space.key.privileged, va, result);
    return good(s) ? s : one;
  }
  if (result.log2_size == 20 && largest >= 21) {  // two sections that continue each other
    Result r;
    const Va other = va ^ (Va{1} << 20);
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
template <GuestArchitecture Guest>
bool Installer<Guest>::install_stretch(Space& space, Stretch stretch, uint32_t size_class, bool ng, bool writable) {
  WindowMap& window = space.window_at(stretch.va);
  for (uint32_t done = 0; done < stretch.pages;) {
    const uint32_t at = window_offset(stretch.va + done * kPageSize), ram_page = stretch.ram_page + done;
    const uint32_t left = stretch.pages - done, pages = writable ? code_.run_length(ram_page, left) : left;
    const bool run_writable = writable && code_.may_write(ram_page, pages);
    const uint64_t bytes = uint64_t{pages} << kPageBits;
    if (!window.window().install(at, walks_.pa_of_window_page(ram_page), bytes, run_writable)) return false;
    window.record(at, pages, ram_page, run_writable, ng, size_class);
    pool_.note_most();
    statistics_.pages_installed += pages;
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

template <GuestArchitecture Guest>
bool Installer<Guest>::install(Space& space, const Regime& regime, Va va, const Result& result) {
  if (watch_.covers(va) || (va >= space.shared_from && !shared_.follow_root(space, va))) return false;
  const bool writable = Guest::allows_store(result, space.key.privileged) && ram_.contains(result.pa);
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
  const Stretch one{page_of(va), 1, walks_.window_page_of(result.pa)};
  return install_stretch(space, one, size_class, ng, writable);
}

}  // namespace crosswalk::mmu
