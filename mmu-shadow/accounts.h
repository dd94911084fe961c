// SPDX-License-Identifier: GPL-2.0-or-later
// What happened under each ASID (--stats-by-asid), and the trace events of the MMU.
//
// All that Statistics counts happens to the current address space. So what it grew by between two
// switches belongs to the ASID in between: one subtraction at a switch, and nothing anywhere else.
// Totals survive the spaces themselves.
#pragma once

#include <cstdint>
#include <vector>

#include "mmu-shadow/base/statistics.h"
#include "translator/base/counter.h"
#include "translator/base/trace.h"

namespace crosswalk::mmu {

struct AsidTotals {
  uint64_t ticks_user = 0, ticks_privileged = 0;  // TSC
  uint64_t switches = 0;                          // to this ASID, from another one
  uint64_t faults = 0;                            // window faults of any outcome
  uint64_t soft_misses = 0;
  // the guest's own faults, alignment faults among them
  uint64_t data_aborts = 0;
  uint64_t installed = 0, removed = 0, kept = 0, rewritten = 0;  // entries
  // guest operations executed under it
  uint64_t flushes = 0;
  uint64_t walks = 0;
};

// Columns of --stats-by-asid.
inline constexpr Counter<AsidTotals> kAsidCounters[] = {
    {"user s", &AsidTotals::ticks_user, CounterUnit::Ticks},
    {"privileged s", &AsidTotals::ticks_privileged, CounterUnit::Ticks},
    {"switches", &AsidTotals::switches},
    {"window faults", &AsidTotals::faults},
    {"soft misses", &AsidTotals::soft_misses},
    {"data aborts", &AsidTotals::data_aborts},
    {"installed", &AsidTotals::installed},
    {"removed", &AsidTotals::removed},
    {"kept", &AsidTotals::kept},
    {"rewritten", &AsidTotals::rewritten},
    {"flushes", &AsidTotals::flushes},
    {"walks", &AsidTotals::walks},
};

class AsidAccounts {
 public:
  // `asids`: how many the guest has.
  explicit AsidAccounts(uint32_t asids) : totals_(asids), since_(trace::ticks()) {}
  uint32_t asids() const { return static_cast<uint32_t>(totals_.size()); }
  // The space to come is of this ASID and privilege.
  void switch_to(const Statistics& now, uint32_t asid, bool privileged) {
    settle(now);
    totals_[asid].switches += asid != asid_;
    asid_ = asid;
    privileged_ = privileged;
  }
  // Charges everything up to now to the current ASID.
  void settle(const Statistics& now) {
    AsidTotals& t = totals_[asid_];
    const uint64_t time = trace::ticks();
    (privileged_ ? t.ticks_privileged : t.ticks_user) += time - since_;
    since_ = time;
    t.faults += faults(now) - faults(last_);
    t.soft_misses += now.soft_misses - last_.soft_misses;
    t.installed += now.pages_installed - last_.pages_installed;
    t.removed += now.entries_removed - last_.entries_removed;
    t.kept += now.entries_kept - last_.entries_kept;
    t.rewritten += now.entries_rewritten - last_.entries_rewritten;
    t.flushes += flushes(now) - flushes(last_);
    t.walks += now.walks - last_.walks;
    if (data_aborts_) {
      t.data_aborts += *data_aborts_ - last_data_aborts_;
      last_data_aborts_ = *data_aborts_;
    }
    last_ = now;
  }
  // Where the engine counts them: the MMU sees some twice and others never. Outlives the run.
  void watch_data_aborts(const uint64_t* counter) {
    data_aborts_ = counter;
    last_data_aborts_ = *counter;
  }
  // The CPU slept so long: not time that a space ran.
  void slept(uint64_t ticks) { since_ += ticks; }
  const AsidTotals& of(uint32_t asid) const { return totals_[asid]; }

 private:
  static uint64_t faults(const Statistics& s) {
    return s.window_faults_installed + s.window_faults_guest + s.window_faults_device + s.window_faults_code +
           s.window_faults_spurious + s.window_faults_split + s.window_faults_filled;
  }
  static uint64_t flushes(const Statistics& s) { return s.flush_all + s.flush_asid + s.flush_mva + s.flush_mvaa; }

  std::vector<AsidTotals> totals_;
  Statistics last_;
  uint64_t since_;
  const uint64_t* data_aborts_ = nullptr;
  uint64_t last_data_aborts_ = 0;
  uint32_t asid_ = 0;
  bool privileged_ = true;
};

// The CPU goes on in another address space. Call before anything is counted for it.
inline void note_space_switch(trace::Ring* ring, AsidAccounts* accounts, const Statistics& statistics, uint16_t asid,
                              bool privileged, uint64_t number) {
  if (__builtin_expect(accounts != nullptr, 0)) accounts->switch_to(statistics, asid, privileged);
  if (__builtin_expect(ring != nullptr, 0)) ring->switch_space(asid, privileged, number);
}

// Traces what is done with entries from here to the end of the scope.
class TracedFlush {
 public:
  TracedFlush(trace::Ring* ring, const Statistics& statistics, trace::FlushKind kind, uint64_t va = 0,
              uint16_t asid = 0)
      : ring_(ring), statistics_(statistics) {
    if (__builtin_expect(ring_ == nullptr, 1)) return;
    kind_ = kind;
    va_ = va;
    asid_ = asid;
    removed_ = statistics.entries_removed;
    kept_ = statistics.entries_kept;
    rewritten_ = statistics.entries_rewritten;
    start_ = trace::ticks();
  }
  ~TracedFlush() {
    trace::end(ring_, trace::Kind::Flush, start_, va_, asid_, static_cast<uint32_t>(kind_), 0,
               {statistics_.entries_removed - removed_, statistics_.entries_kept - kept_,
                statistics_.entries_rewritten - rewritten_});
  }
  TracedFlush(const TracedFlush&) = delete;
  TracedFlush& operator=(const TracedFlush&) = delete;

 private:
  trace::Ring* const ring_;
  const Statistics& statistics_;
  trace::FlushKind kind_{};
  uint64_t va_ = 0;
  uint16_t asid_ = 0;
  uint64_t removed_ = 0, kept_ = 0, rewritten_ = 0, start_ = 0;
};

}  // namespace crosswalk::mmu
