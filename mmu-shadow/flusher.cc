// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/flusher.h"

namespace crosswalk::mmu {
void Flusher::apply(AddressSpace& space, const cw_regime& regime) {
  if (!space.key.mmu_enabled()) {  // a flat map, which no flush can change
    space.applied.flushes = log_.end();
    return;
  }
  bool check = false;
  log_.apply(
      space.applied.flushes, [&](uint8_t asid) { return asid == space.key.asid; },
      [&](bool nonglobal_only) {
        refresh(space, regime, nonglobal_only);
        check = true;
      },
      [&](uint32_t va, bool global_only) {
        flush_page(space, regime, va, global_only);
        if (va >= space.shared_from && !shared_.same_root(space, va)) check = true;
      });
  if (!space.windowed) return;
  if (check) shared_.check(space);
  if (space.shared) {
    // Its non-global entries are those of every ASID that has used it.
    SharedWindow& shared = *space.shared;
    const bool privileged = space.key.privileged;
    log_.apply(
        shared.applied.flushes, [](uint8_t) { return true; },
        [&](bool nonglobal_only) { refresh_window(*shared.map, shared.reuse, privileged, regime, nonglobal_only); },
        [&](uint32_t va, bool global_only) {
          if (va < space.shared_from) return;
          const uint32_t removed = flush_window_page(*shared.map, privileged, regime, va, global_only);
          if (removed != 0 && space.history) hybrid_.flushed_shared(space);
          statistics_.entries_removed += removed;
        });
  }
  space.window->window().commit();
}

// The entry that a walk for `va` gives now in place of `old`: of the same size and nG, or none.
WindowEntry Flusher::rewalk(bool privileged, const cw_regime& regime, cw_memo& memo, uint32_t va, WindowEntry old) {
  const uint32_t size_class = old.size_class();
  const cw_result& r = walks_.walk(regime, va, AccessKind::Load, privileged, memo);
  if (!walks_.enterable(r) || class_of(r.log2_size) != size_class || r.ng != old.ng()) return {};
  const uint32_t page = walks_.ram_page_of(r.pa);
  const bool writable = Guest::allows_store(r, privileged) && code_.may_write(page);
  return WindowEntry::make(page, writable, old.ng(), size_class);
}

// TLBIMVA and TLBIMVAA.
void Flusher::flush_page(AddressSpace& space, const cw_regime& regime, uint32_t va, bool global_only) {
  uint32_t removed = space.instruction_pages.remove_va(va, global_only);
  if (space.windowed)
    removed += flush_window_page(*space.window, space.key.privileged, regime, va, global_only);
  else
    removed += space.soft->remove_va(va, global_only);
  if (removed != 0 && space.history) hybrid_.flushed(space, va);
  statistics_.entries_removed += removed;
}

// A page that is mapped again already is walked for: its entry has to be written in either case.
// Returns how many entries went.
uint32_t Flusher::flush_window_page(WindowMap& window, bool privileged, const cw_regime& regime, uint32_t va,
                                    bool global_only) {
  const WindowEntry e = window.entry(va);
  if (!choice_.rewrites_pages() || !e.valid() || (global_only && e.ng()) || window.in_large_entry(va))
    return window.remove_va(va, global_only);
  cw_memo memo{};
  uint32_t kept = 0, rewritten = 0;
  const uint32_t removed = window.revalidate_page(
      va, kept, rewritten, [&](uint32_t page, WindowEntry old) { return rewalk(privileged, regime, memo, page, old); });
  statistics_.entries_kept += kept;
  statistics_.entries_rewritten += rewritten;
  return removed;
}

// TLBIALL and TLBIASID.
void Flusher::refresh(AddressSpace& space, const cw_regime& regime, bool nonglobal_only) {
  const bool privileged = space.key.privileged;
  uint32_t kept = 0, removed = 0;
  const auto eager_walker = [&](AccessKind kind) { return SlotWalker<Guest>(walks_, regime, kind, privileged); };
  if (const uint32_t n = space.instruction_pages.count(nonglobal_only)) {
    if (choose_eager(FlushChoice::Fetch, privileged, space.fetch_reuse, n, costs_.walk_apart, costs_.fetch_refill)) {
      SlotWalker<Guest> walk = eager_walker(AccessKind::Fetch);
      removed += space.instruction_pages.revalidate(nonglobal_only, kept,
                                                    [&](uint32_t va, uint32_t id, bool ng, uint32_t size_class) {
                                                      const cw_result& r = walk(va);
                                                      return Guest::mapped(r) && walks_.ram().contains(r.pa) &&
                                                             walks_.ram_page_of(r.pa) == ids_.record(id).ram_page &&
                                                             r.ng == ng && class_of(r.log2_size) == size_class;
                                                    });
    } else {
      removed += nonglobal_only ? space.instruction_pages.remove_nonglobal() : space.instruction_pages.remove_all();
    }
  }
  if (const uint32_t n = space.soft ? space.soft->count(nonglobal_only) : 0) {
    if (choose_eager(FlushChoice::Data, privileged, space.data_reuse, n, costs_.walk_apart, costs_.soft_refill)) {
      SlotWalker<Guest> walk = eager_walker(AccessKind::Load);
      removed +=
          space.soft->revalidate(nonglobal_only, kept, [&](uint32_t va, SoftTlbEntry& e, bool ng, uint32_t size_class) {
            const cw_result& r = walk(va);
            if (!walks_.enterable(r) || reinterpret_cast<uint64_t>(walks_.ram().at(r.pa)) != e.addend + va ||
                r.ng != ng || class_of(r.log2_size) != size_class)
              return false;
            if (!Guest::allows_store(r, privileged)) e.tag_store = kNoTag;
            return true;
          });
    } else {
      removed += nonglobal_only ? space.soft->remove_nonglobal() : space.soft->remove_all();
    }
  }
  statistics_.entries_kept += kept;
  statistics_.entries_removed += removed;
  if (space.window) refresh_window(*space.window, space.data_reuse, privileged, regime, nonglobal_only);
}

void Flusher::refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const cw_regime& regime,
                             bool nonglobal_only) {
  const uint32_t n = window.count(nonglobal_only);
  if (n == 0) return;
  uint32_t kept = 0, rewritten = 0, removed = 0;
  if (choose_eager(FlushChoice::Data, privileged, reuse, n, costs_.walk, costs_.window_fault)) {
    cw_memo memo{};
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
