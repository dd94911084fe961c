// SPDX-License-Identifier: GPL-2.0-or-later
// Applies guest TLB maintenance to an address space.
//
// To apply an operation on everything, or on an ASID, is either to drop its entries, and each
// access pays for its own again; or to walk again for all of them, and only those that changed are
// written (policy/flush_choice.h). Walking is right only for the space that is current: other
// tables may have been freed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/filled_windows.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/walks.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Flusher {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;
  using Memo = typename Guest::Memo;
  using Space = AddressSpace<Guest>;
  using SoftEntry = typename SoftTlbOf<Va>::Entry;

  Flusher(const MmuCosts& costs, const Walks<Guest>& walks, const GuestFlushLog<Guest>& log, const PageIdsOf<Va>& ids,
          CodePages& code, FlushChoice& choice, SharedWindows<Guest>& shared, HybridPolicy& hybrid,
          const FilledWindows<Guest>& windows, Statistics& statistics)
      : costs_(costs),
        walks_(walks),
        log_(log),
        ids_(ids),
        code_(code),
        choice_(choice),
        shared_(shared),
        hybrid_(hybrid),
        windows_(windows),
        statistics_(statistics) {}

  // All that the space, which is current and of `regime`, and what it shares have missed of the
  // log.
  void apply(Space& space, const Regime& regime);

 private:
  WindowEntry rewalk(bool privileged, const Regime& regime, Memo& memo, Va va, WindowEntry old);
  void flush_page(Space& space, const Regime& regime, Va va, bool global_only);
  void apply_lodged(Space& space, const Regime& regime);
  uint32_t flush_filled(Space& space);
  uint32_t flush_window_page(WindowMap& window, bool privileged, const Regime& regime, Va va, bool global_only);
  void refresh(Space& space, const Regime& regime, bool nonglobal_only);
  void refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const Regime& regime, bool nonglobal_only);
  bool choose_eager(FlushChoice::Kind kind, bool privileged, Reuse& reuse, uint32_t entries, double walk_ns,
                    double refill_ns) {
    const bool eager = choice_.eager(kind, privileged, reuse, entries, walk_ns, refill_ns);
    (eager ? statistics_.refreshes_eager : statistics_.refreshes_lazy)++;
    return eager;
  }

  const MmuCosts& costs_;
  const Walks<Guest>& walks_;
  const GuestFlushLog<Guest>& log_;
  const PageIdsOf<Va>& ids_;
  CodePages& code_;
  FlushChoice& choice_;
  SharedWindows<Guest>& shared_;
  HybridPolicy& hybrid_;
  const FilledWindows<Guest>& windows_;
  Statistics& statistics_;
  // For the window of the current space, if its provider fills it.
  struct {
    std::vector<WindowFlush> batch;
    bool eager = false;
    uint32_t pages = 0;  // of the batch, those of one address
  } filled_;
};

template <GuestArchitecture Guest>
void Flusher<Guest>::apply(Space& space, const Regime& regime) {
  if (!space.key.mmu_enabled()) {  // a flat map, which no flush can change
    space.applied.flushes = log_.end();
    return;
  }
  if (space.lodges) return apply_lodged(space, regime);
  bool check = false;
  log_.apply(
      space.applied.flushes, [&](typename Guest::Asid asid) { return asid == space.key.asid; },
      [&](bool nonglobal_only) {
        refresh(space, regime, nonglobal_only);
        check = true;
      },
      [&](Va va, bool global_only) {
        flush_page(space, regime, va, global_only);
        if (va >= space.shared_from && !shared_.same_root(space, va)) check = true;
      });
  if (!space.windowed) return;
  if (space.window->filling()) {
    flush_filled(space);
    return;
  }
  if (check) shared_.check(space);
  if (space.shared) {
    // Its non-global entries are those of every ASID that has used it.
    SharedWindow<Guest>& shared = *space.shared;
    const bool privileged = space.key.privileged;
    log_.apply(
        shared.applied.flushes, [](typename Guest::Asid) { return true; },
        [&](bool nonglobal_only) { refresh_window(*shared.map, shared.reuse, privileged, regime, nonglobal_only); },
        [&](Va va, bool global_only) {
          if (va < space.shared_from) return;
          const uint32_t removed = flush_window_page(*shared.map, privileged, regime, va, global_only);
          if (removed != 0 && space.history) hybrid_.flushed_shared(space);
          statistics_.entries_removed += removed;
        });
  }
  space.window->window().commit();
}

// What it lodges in has non-global entries of every ASID. What the space has beside that is mostly
// as far in the log, and treated alike then.
template <GuestArchitecture Guest>
void Flusher<Guest>::apply_lodged(Space& space, const Regime& regime) {
  using Asid = typename Guest::Asid;
  SharedWindow<Guest>& shared = *space.shared;
  const bool privileged = space.key.privileged, together = space.applied.flushes == shared.applied.flushes;
  if (!together)
    log_.apply(
        space.applied.flushes, [&](Asid asid) { return asid == space.key.asid; },
        [&](bool nonglobal_only) { refresh(space, regime, nonglobal_only); },
        [&](Va va, bool global_only) { flush_page(space, regime, va, global_only); });
  log_.apply(
      shared.applied.flushes, [](Asid) { return true; },
      [&](bool nonglobal_only) {
        if (together) refresh(space, regime, nonglobal_only);
        refresh_window(*shared.map, shared.reuse, privileged, regime, nonglobal_only);
      },
      [&](Va va, bool global_only) {
        if (together) flush_page(space, regime, va, global_only);
        flush_window_page(*shared.map, privileged, regime, va, global_only);
      });
  space.applied.flushes = shared.applied.flushes;
  shared.changed |= flush_filled(space) != 0;
}

// The entry that a walk for `va` gives now in place of `old`: of the same size and nG, or none.
template <GuestArchitecture Guest>
WindowEntry Flusher<Guest>::rewalk(bool privileged, const Regime& regime, Memo& memo, Va va, WindowEntry old) {
  const uint32_t size_class = old.size_class();
  const Result& r = walks_.walk(regime, va, AccessKind::Load, privileged, memo);
  if (!walks_.enterable(r) || class_of(r.log2_size) != size_class || r.ng != old.ng()) return {};
  const uint32_t page = walks_.ram_page_of(r.pa);
  const bool writable = Guest::allows_store(r, privileged) && code_.may_write(page);
  return WindowEntry::make(page, writable, old.ng(), size_class);
}

// Of single pages.
template <GuestArchitecture Guest>
void Flusher<Guest>::flush_page(Space& space, const Regime& regime, Va va, bool global_only) {
  uint32_t removed = space.instruction_pages.remove_va(va, global_only);
  if (!space.windowed)
    removed += space.soft->remove_va(va, global_only);
  else if (!space.lodges)
    removed += flush_window_page(*space.window, space.key.privileged, regime, va, global_only);
  if (removed != 0 && space.history) hybrid_.flushed(space, window_offset(va));
  statistics_.entries_removed += removed;
}

// A page that is mapped again already is walked for: its entry has to be written in either case.
// Returns how many entries went.
template <GuestArchitecture Guest>
uint32_t Flusher<Guest>::flush_window_page(WindowMap& window, bool privileged, const Regime& regime, Va va,
                                           bool global_only) {
  const uint32_t at = window_offset(va);
  if (window.filling()) {
    if (!window.filling()->may_hold(at)) return 0;
    if (filled_.batch.empty()) filled_.eager = choice_.rewrites_pages();
    filled_.batch.push_back({global_only ? WindowFlush::GlobalPage : WindowFlush::Page, at});
    filled_.pages++;
    return 0;
  }
  const WindowEntry e = window.pages().entry(at);
  if (!choice_.rewrites_pages() || !e.valid() || (global_only && e.ng()) || window.pages().large().covers(at))
    return window.remove_va(at, global_only);
  Memo memo{};
  uint32_t kept = 0, rewritten = 0;
  const uint32_t removed = window.revalidate_page(
      at, kept, rewritten, [&](uint32_t page, WindowEntry old) { return rewalk(privileged, regime, memo, page, old); });
  statistics_.entries_kept += kept;
  statistics_.entries_rewritten += rewritten;
  return removed;
}

// What was collected for a window that its provider fills, in one call. Returns how many pages were
// rewritten.
template <GuestArchitecture Guest>
uint32_t Flusher<Guest>::flush_filled(Space& space) {
  if (filled_.batch.empty()) return 0;
  const FillingWindow::Flushed done = space.filling()->flush(filled_.batch, filled_.eager);
  statistics_.entries_removed += done.removed;
  statistics_.entries_kept += done.kept;
  statistics_.entries_rewritten += done.rewritten;
  if (space.history) space.history->flushes += std::min(done.removed, filled_.pages);
  filled_.batch.clear();
  filled_.pages = 0;
  return done.rewritten;
}

// Of everything, or of an ASID.
template <GuestArchitecture Guest>
void Flusher<Guest>::refresh(Space& space, const Regime& regime, bool nonglobal_only) {
  const bool privileged = space.key.privileged;
  uint32_t kept = 0, removed = 0;
  const auto eager_walker = [&](AccessKind kind) { return SlotWalker<Guest>(walks_, regime, kind, privileged); };
  if (const uint32_t n = space.instruction_pages.count(nonglobal_only)) {
    if (choose_eager(FlushChoice::Fetch, privileged, space.fetch_reuse, n, costs_.walk_apart, costs_.fetch_refill)) {
      SlotWalker<Guest> walk = eager_walker(AccessKind::Fetch);
      removed += space.instruction_pages.revalidate(nonglobal_only, kept,
                                                    [&](Va va, uint32_t id, bool ng, uint32_t size_class) {
                                                      const Result& r = walk(va);
                                                      return Guest::mapped(r) && walks_.ram().contains(r.pa) &&
                                                             walks_.ram_page_of(r.pa) == ids_.record(id).ram_page &&
                                                             r.ng == ng && class_of(r.log2_size) == size_class;
                                                    });
    } else {
      removed += nonglobal_only ? space.instruction_pages.remove_nonglobal() : space.instruction_pages.remove_all();
    }
  }
  if (const uint32_t n = space.soft ? space.soft->count(nonglobal_only) : 0) {
    const uint32_t used = space.soft->count(false);
    if (choose_eager(FlushChoice::Data, privileged, space.data_reuse, n, costs_.walk_apart, costs_.soft_refill)) {
      SlotWalker<Guest> walk = eager_walker(AccessKind::Load);
      removed += space.soft->revalidate(nonglobal_only, kept, [&](Va va, SoftEntry& e, bool ng, uint32_t size_class) {
        const Result& r = walk(va);
        if (!walks_.enterable(r) || reinterpret_cast<uint64_t>(walks_.ram().at(r.pa)) != e.addend + va || r.ng != ng ||
            class_of(r.log2_size) != size_class)
          return false;
        if (!Guest::allows_store(r, privileged)) e.tag_store = SoftTlbOf<Va>::kNoTag;
        return true;
      });
    } else {
      removed += nonglobal_only ? space.soft->remove_nonglobal() : space.soft->remove_all();
    }
    statistics_.soft_tlb_resizes += space.soft->flushed(used);
  }
  statistics_.entries_kept += kept;
  statistics_.entries_removed += removed;
  if (space.windowed && !space.lodges)
    refresh_window(*space.window, space.data_reuse, privileged, regime, nonglobal_only);
}

template <GuestArchitecture Guest>
void Flusher<Guest>::refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const Regime& regime,
                                    bool nonglobal_only) {
  const uint32_t n = window.count(nonglobal_only);
  if (n == 0) return;
  if (window.filling()) {
    if (reuse.dropped != 0) reuse.refilled = n;  // all of them since then
    filled_.batch.push_back({nonglobal_only ? WindowFlush::NonGlobal : WindowFlush::All, 0});
    filled_.eager =
        choose_eager(FlushChoice::Data, privileged, reuse, n, costs_.walk, windows_.page_ns(costs_.window_fault));
    return;
  }
  uint32_t kept = 0, rewritten = 0, removed = 0;
  if (choose_eager(FlushChoice::Data, privileged, reuse, n, costs_.walk, costs_.window_fault)) {
    Memo memo{};
    removed = window.revalidate(nonglobal_only, kept, rewritten, [&](uint32_t va, WindowEntry old) {
      return rewalk(privileged, regime, memo, va, old);
    });
  } else {
    removed = nonglobal_only ? window.remove_nonglobal() : window.remove_all();
  }
  statistics_.entries_kept += kept;
  statistics_.entries_rewritten += rewritten;
  statistics_.entries_removed += removed;
}

}  // namespace crosswalk::mmu
