// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's TLB maintenance, in order, of all CPUs of a machine. Of each CPU, the current address
// space applies what concerns it at once, or when the CPU polls; the others cannot be accessed
// before they become current, and apply then what they missed, from their position in the log on.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "mmu-shadow/base/running_cpus.h"
#include "translator/base/quick_lock.h"
#include "translator/base/tlb_flush.h"

namespace crosswalk::mmu {

// The log itself. Any thread.
template <typename Va, typename Asid>
class FlushRecords {
 public:
  struct Record : TlbFlush<Va, Asid> {
    uint8_t cpu;  // whose operation it is; it concerns the others if it is broadcast
  };
  static constexpr uint32_t kSize = 256;

  // Returns the position behind it.
  uint64_t add(const TlbFlush<Va, Asid>& operation, uint8_t cpu) {
    const std::lock_guard lock(lock_);
    return append(operation, cpu, std::memory_order_seq_cst);
  }
  // The same, while nobody else adds or reads any.
  uint64_t add_alone(const TlbFlush<Va, Asid>& operation, uint8_t cpu) {
    return append(operation, cpu, std::memory_order_relaxed);
  }
  // The position behind the last operation.
  uint64_t end() const { return end_.load(std::memory_order_acquire); }
  // Copies the records of [from, to), kSize at most, to `out`. False: the log has forgotten some.
  bool copy(uint64_t from, uint64_t to, Record* out) const {
    const std::lock_guard lock(lock_);
    if (end_.load(std::memory_order_relaxed) - from > kSize) return false;
    for (uint64_t i = from; i != to; i++) *out++ = (*this)[i];
    return true;
  }
  // While nobody else adds any.
  const Record& operator[](uint64_t position) const { return records_[position % kSize]; }

 private:
  [[gnu::always_inline]] uint64_t append(const TlbFlush<Va, Asid>& operation, uint8_t cpu, std::memory_order order) {
    const uint64_t at = end_.load(std::memory_order_relaxed);
    records_[at % kSize] = {operation, cpu};
    end_.store(at + 1, order);
    return at + 1;
  }

  mutable QuickLock lock_;
  std::vector<Record> records_ = std::vector<Record>(kSize);
  std::atomic<uint64_t> end_{0};
};

// The log as one CPU sees it: without what other CPUs did for themselves alone.
template <typename Va, typename Asid>
class FlushLog {
 public:
  using Records = FlushRecords<Va, Asid>;
  using Record = TlbFlush<Va, Asid>;

  // All outlive this.
  FlushLog(Records& records, const RunningCpus& cpus, RunningCpus::Index cpu)
      : records_(records), cpus_(cpus), cpu_(static_cast<uint8_t>(cpu)) {}

  uint64_t add(const Record& operation) {
    return cpus_.several() ? records_.add(operation, cpu_) : records_.add_alone(operation, cpu_);
  }
  uint64_t end() const { return records_.end(); }

  // Applies what happened since `position`, and moves it to the end. Entries that are not global
  // belong to the ASIDs for which covers(asid). First refresh(nonglobal_only), at most once: all
  // entries are covered, or all that are not global; then flush_page(va, global_only) for each
  // single page. An operation that is so old that the log has forgotten it counts as one on
  // everything.
  template <typename Covers, typename Refresh, typename FlushPage>
  [[gnu::always_inline]] void apply(uint64_t& position, Covers covers, Refresh refresh, FlushPage flush_page) const {
    const uint64_t from = position, end = records_.end();
    position = end;
    if (end - from > Records::kSize) return refresh(false);
    if (!cpus_.several()) {
      // Most often one page.
      if (const auto& r = records_[from]; end - from == 1 && r.kind >= Record::Page)
        return flush_page(r.va, r.kind == Record::Page && !covers(r.asid));
      return apply(
          end - from, [&](uint64_t i) -> const auto& { return records_[from + i]; }, covers, refresh, flush_page);
    }
    if (copy_.empty()) copy_.resize(Records::kSize);
    if (!records_.copy(from, end, copy_.data())) return refresh(false);
    apply(
        end - from, [&](uint64_t i) -> const auto& { return copy_[i]; }, covers, refresh, flush_page);
  }

 private:
  template <typename Get, typename Covers, typename Refresh, typename FlushPage>
  [[gnu::always_inline]] void apply(uint64_t count, Get get, Covers& covers, Refresh& refresh,
                                    FlushPage& flush_page) const {
    bool all = false, nonglobal = false;
    for (uint64_t i = 0; i != count && !all; i++) {
      const typename Records::Record& r = get(i);
      if (!concerns(r)) continue;
      all = r.kind == Record::All;
      nonglobal |= r.kind == Record::OfAsid && covers(r.asid);
    }
    if (all || nonglobal) refresh(!all);
    for (uint64_t i = 0; i != count && !all; i++) {
      const typename Records::Record& r = get(i);
      if (r.kind >= Record::Page && concerns(r)) flush_page(r.va, r.kind == Record::Page && !covers(r.asid));
    }
  }
  bool concerns(const typename Records::Record& r) const { return r.broadcast || r.cpu == cpu_; }

  Records& records_;
  const RunningCpus& cpus_;
  const uint8_t cpu_;
  mutable std::vector<typename Records::Record> copy_;  // apply() reads it when there are several CPUs
};

}  // namespace crosswalk::mmu
