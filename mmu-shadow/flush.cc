// SPDX-License-Identifier: GPL-2.0-or-later
// Guest TLB maintenance, and filling an address space without faults.
//
// Each operation goes into a log. The current space applies it at once; the others cannot be accessed before they
// become current, and apply what they missed then. A process that has ended never pays.
//
// To apply TLBIALL or TLBIASID to a space is either to drop its entries, and each access pays for its own again; or to
// walk again for all of them, and only those that changed are written. Walking is right only for the space that is
// current: other tables may have been freed.
#include <algorithm>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

// With FlushPolicy::Auto, some flushes are applied by dropping whatever the costs say, to see what comes back: at most
// one in so many, and so seldom that it adds at most this part to what walking costs.
constexpr double kExplore = 32, kExploreShare = 0.05;
constexpr double kLearningRate = 0.125;

}  // namespace

class GuestMmu::SlotWalker {
 public:
  SlotWalker(GuestMmu& mmu, const cw_regime& regime, AccessKind kind, bool privileged)
      : mmu_(mmu), regime_(regime), kind_(kind), privileged_(privileged) {}
  const cw_result& operator()(uint32_t va) {
    return mmu_.walk(regime_, va, kind_, privileged_, memos_[va >> 20 & (kMemos - 1)]);
  }

 private:
  static constexpr uint32_t kMemos = 16;
  GuestMmu& mmu_;
  const cw_regime& regime_;
  const AccessKind kind_;
  const bool privileged_;
  cw_memo memos_[kMemos] = {};
};

void GuestMmu::flush_all(CpuState& cpu) {
  statistics_.flush_all++;
  flush(cpu, {FlushRecord::All, 0, 0});
}

void GuestMmu::flush_asid(CpuState& cpu, uint8_t asid) {
  statistics_.flush_asid++;
  flush(cpu, {FlushRecord::Asid, asid, 0});
}

void GuestMmu::flush_mva(CpuState& cpu, uint32_t va, uint8_t asid) {
  statistics_.flush_mva++;
  flush(cpu, {FlushRecord::Mva, asid, va});
}

void GuestMmu::flush_mva_all_asids(CpuState& cpu, uint32_t va) {
  statistics_.flush_mvaa++;
  flush(cpu, {FlushRecord::MvaAllAsids, 0, va});
}

void GuestMmu::flush(const CpuState& cpu, FlushRecord record) {
  const TracedFlush traced(cpu, statistics_, static_cast<trace::FlushKind>(record.kind), record.va, record.asid);
  flush_log_[flush_log_end_++ % kFlushLog] = record;
  changes_++;
  if (!current_) return;
  const uint64_t start = upkeep_clock();
  apply_flushes(*current_, current_regime(cpu));
  note_upkeep(start);
}

// What happened since `position`, for something whose non-global entries belong to the ASIDs that covers(asid) says.
template <typename Covers, typename Refresh, typename FlushPage>
void GuestMmu::apply_log(uint64_t& position, Covers covers, Refresh refresh, FlushPage flush_page) {
  const uint64_t from = position;
  position = flush_log_end_;
  bool all = flush_log_end_ - from > kFlushLog, nonglobal = false;
  for (uint64_t i = from; i != flush_log_end_ && !all; i++) {
    const FlushRecord& r = flush_log_[i % kFlushLog];
    all = r.kind == FlushRecord::All;
    nonglobal |= r.kind == FlushRecord::Asid && covers(r.asid);
  }
  if (all || nonglobal) refresh(!all);
  for (uint64_t i = from; i != flush_log_end_ && !all; i++) {
    const FlushRecord& r = flush_log_[i % kFlushLog];
    if (r.kind == FlushRecord::Mva)
      flush_page(r.va, !covers(r.asid));
    else if (r.kind == FlushRecord::MvaAllAsids)
      flush_page(r.va, false);
  }
}

void GuestMmu::apply_flushes(AddressSpace& space, const cw_regime& regime) {
  if (!space.key.mmu_enabled()) {  // a flat map, which no flush can change
    space.flush_position = flush_log_end_;
    return;
  }
  bool check = false;
  apply_log(
      space.flush_position, [&](uint8_t asid) { return asid == space.key.asid; },
      [&](bool nonglobal_only) {
        refresh(space, regime, nonglobal_only);
        check = true;
      },
      [&](uint32_t va, bool global_only) {
        flush_page(space, regime, va, global_only);
        if (va >= space.shared_from && !same_root(space, va)) check = true;
      });
  if (!space.windowed) return;
  if (check) check_roots(space);
  if (space.shared) {
    // Its non-global entries are those of every ASID that has used it.
    SharedWindow& shared = *space.shared;
    const bool privileged = space.key.privileged;
    apply_log(
        shared.flush_position, [](uint8_t) { return true; },
        [&](bool nonglobal_only) { refresh_window(shared.map, shared.reuse, privileged, regime, nonglobal_only); },
        [&](uint32_t va, bool global_only) {
          if (va < space.shared_from) return;
          const uint32_t removed = flush_window_page(shared.map, privileged, regime, va, global_only);
          if (removed != 0 && space.hybrid) space.hybrid->flushes++;
          statistics_.entries_removed += removed;
        });
  }
  space.window->window().commit();
}

// The entry that a walk for `va` gives now in place of `old`: of the same size and nG, or none.
WindowEntry GuestMmu::rewalk(bool privileged, const cw_regime& regime, cw_memo& memo, uint32_t va, WindowEntry old) {
  const uint32_t size_class = old.size_class();
  const cw_result& r = walk(regime, va, AccessKind::Load, privileged, memo);
  if (!enterable(r) || class_of(r.log2_size) != size_class || r.ng != old.ng()) return {};
  const uint32_t page = ram_page_of(r.pa);
  const bool writable = (r.permissions & cw_needed_permission(CW_STORE, privileged)) && !is_code_[page];
  if (writable) maybe_writable_[page] = 1;
  return WindowEntry::make(page, writable, old.ng(), size_class);
}

// TLBIMVA and TLBIMVAA.
void GuestMmu::flush_page(AddressSpace& space, const cw_regime& regime, uint32_t va, bool global_only) {
  uint32_t removed = space.instruction_pages.remove_va(va, global_only);
  if (space.windowed)
    removed += flush_window_page(*space.window, space.key.privileged, regime, va, global_only);
  else
    removed += space.soft->remove_va(va, global_only);
  if (removed != 0 && space.hybrid && !resting(space)) {
    space.hybrid->flushes++;
    space.hybrid->seen.remove(va);
  }
  statistics_.entries_removed += removed;
}

// A page that is mapped again already is walked for: its entry has to be written in either case. Returns how many
// entries went.
uint32_t GuestMmu::flush_window_page(WindowMap& window, bool privileged, const cw_regime& regime, uint32_t va,
                                     bool global_only) {
  const WindowEntry e = window.entry(va);
  if (config_.flush == FlushPolicy::Lazy || !e.valid() || (global_only && e.ng()) || window.in_large_entry(va))
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
void GuestMmu::refresh(AddressSpace& space, const cw_regime& regime, bool nonglobal_only) {
  const bool privileged = space.key.privileged;
  uint32_t kept = 0, removed = 0;
  const auto eager_walker = [&](AccessKind kind) { return SlotWalker(*this, regime, kind, privileged); };
  if (const uint32_t n = space.instruction_pages.count(nonglobal_only)) {
    if (choose_eager(fetch_history_[privileged], space.fetch_reuse, n, config_.costs.walk_apart,
                     config_.costs.fetch_refill)) {
      SlotWalker walk = eager_walker(AccessKind::Fetch);
      removed += space.instruction_pages.revalidate(
          nonglobal_only, kept, [&](uint32_t va, uint32_t id, bool ng, uint32_t size_class) {
            const cw_result& r = walk(va);
            return r.fault == CW_FAULT_NONE && ram_.contains(r.pa) && ram_page_of(r.pa) == ids_.record(id).ram_page &&
                   r.ng == ng && class_of(r.log2_size) == size_class;
          });
    } else {
      removed += nonglobal_only ? space.instruction_pages.remove_nonglobal() : space.instruction_pages.remove_all();
    }
  }
  if (const uint32_t n = space.soft ? space.soft->count(nonglobal_only) : 0) {
    if (choose_eager(data_history_[privileged], space.data_reuse, n, config_.costs.walk_apart,
                     config_.costs.soft_refill)) {
      SlotWalker walk = eager_walker(AccessKind::Load);
      removed +=
          space.soft->revalidate(nonglobal_only, kept, [&](uint32_t va, SoftTlbEntry& e, bool ng, uint32_t size_class) {
            const cw_result& r = walk(va);
            if (!enterable(r) || reinterpret_cast<uint64_t>(ram_.at(r.pa)) != e.addend + va || r.ng != ng ||
                class_of(r.log2_size) != size_class)
              return false;
            if (!(r.permissions & cw_needed_permission(CW_STORE, privileged))) e.tag_store = kNoTag;
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

void GuestMmu::refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const cw_regime& regime,
                              bool nonglobal_only) {
  const uint32_t n = window.count(nonglobal_only);
  if (n == 0) return;
  uint32_t kept = 0, rewritten = 0, removed = 0;
  if (choose_eager(data_history_[privileged], reuse, n, config_.costs.walk, config_.costs.window_fault)) {
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

// Dropping `entries` costs refill_cost for each one that is used again; walking costs `walk` for each.
bool GuestMmu::choose_eager(ReuseHistory& history, Reuse& reuse, uint32_t entries, double walk, double refill_cost) {
  if (reuse.dropped != 0) {
    const double observed = std::min(1.0, static_cast<double>(reuse.refilled) / reuse.dropped);
    history.rate += kLearningRate * (observed - history.rate);
  }
  bool eager = config_.flush == FlushPolicy::Eager;
  if (config_.flush == FlushPolicy::Auto) {
    const double drop = history.rate * refill_cost;
    const bool explore = ++history.since_dropped > std::max(kExplore, drop / (walk * kExploreShare));
    eager = !explore && walk < drop;
    if (!eager) history.since_dropped = 0;
  }
  reuse = eager ? Reuse{} : Reuse{entries, 0};
  if (eager)
    statistics_.refreshes_eager++;
  else
    statistics_.refreshes_lazy++;
  return eager;
}

// A new space gets the instruction pages and the software TLB that its predecessor has, as far as its own tables say
// the same: a forked process runs the same code, and the kernel is everywhere. Windows are not filled so: entering what
// a child may not use before it ends cost more than the faults it spared (docs/findings.md).
void GuestMmu::prefill(AddressSpace& space, const cw_regime& regime) {
  const AddressSpace* const from = predecessor_of(space);
  if (!from) return;
  const bool privileged = space.key.privileged;
  uint64_t pages = 0;
  SlotWalker fetch(*this, regime, AccessKind::Fetch, privileged);
  from->instruction_pages.for_each([&](uint32_t va, uint32_t id) {
    if (space.instruction_pages.id_at(va) != 0) return;
    const cw_result& r = fetch(va);
    PageIds::Record record = ids_.record(id);
    if (r.fault != CW_FAULT_NONE || !ram_.contains(r.pa) || ram_page_of(r.pa) != record.ram_page) return;
    if (space.windowed != from->windowed) {
      if (ids_.full()) return;
      record.flags ^= kCodeFlagWindow;
      id = ids_.intern(record);
    }
    space.instruction_pages.install(va, id, r.ng, class_of(r.log2_size));
    pages++;
  });
  statistics_.instruction_pages_prefilled += pages;
  const double reuse = data_history_[privileged].rate;
  if (!space.windowed && from->soft && config_.costs.walk_apart < reuse * config_.costs.soft_refill) {
    SlotWalker load(*this, regime, AccessKind::Load, privileged);
    from->soft->for_each([&](uint32_t va, uint32_t) {
      if (space.soft->holds(va) || is_watched(va)) return;
      const cw_result& r = load(va);
      if (!enterable(r)) return;
      const uint32_t page = ram_page_of(r.pa);
      const bool writable = (r.permissions & cw_needed_permission(CW_STORE, privileged)) && !is_code_[page];
      if (writable) maybe_writable_[page] = 1;
      space.soft->install(va, ram_.at(r.pa), writable, r.ng, class_of(r.log2_size));
      statistics_.pages_installed++;
      pages++;
    });
  }
  statistics_.pages_prefilled += pages;
  statistics_.spaces_prefilled++;
}

}  // namespace crosswalk::mmu
