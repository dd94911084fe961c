// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's TLB maintenance, in order, of all CPUs of a machine. Of each CPU, the current address
// space applies what concerns it at once, or when the CPU polls; the others cannot be accessed
// before they become current, and apply then what they missed, from their position in the log on.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

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
    const uint64_t at = end_.load(std::memory_order_relaxed);
    records_[at % kSize] = {operation, cpu};
    end_.store(at + 1);
    return at + 1;
  }
  // The position behind the last operation.
  uint64_t end() const { return end_.load(std::memory_order_acquire); }
  // Copies the records of [from, to), kSize at most, to `out`. False: the log has forgotten some.
  bool copy(uint64_t from, uint64_t to, Record* out) const {
    const std::lock_guard lock(lock_);
    if (end_.load(std::memory_order_relaxed) - from > kSize) return false;
    for (uint64_t i = from; i != to; i++) *out++ = records_[i % kSize];
    return true;
  }

 private:
  mutable std::mutex lock_;
  std::vector<Record> records_ = std::vector<Record>(kSize);
  std::atomic<uint64_t> end_{0};
};

// The log as one CPU sees it: without what other CPUs did for themselves alone.
template <typename Va, typename Asid>
class FlushLog {
 public:
  using Records = FlushRecords<Va, Asid>;
  using Record = TlbFlush<Va, Asid>;

  // `records` outlive this.
  FlushLog(Records& records, uint8_t cpu) : records_(records), cpu_(cpu) {}

  uint64_t add(const Record& operation) { return records_.add(operation, cpu_); }
  uint64_t end() const { return records_.end(); }

  // Applies what happened since `position`, and moves it to the end. Entries that are not global
  // belong to the ASIDs for which covers(asid). First refresh(nonglobal_only), at most once: all
  // entries are covered, or all that are not global; then flush_page(va, global_only) for each
  // single page. An operation that is so old that the log has forgotten it counts as one on
  // everything.
  template <typename Covers, typename Refresh, typename FlushPage>
  void apply(uint64_t& position, Covers covers, Refresh refresh, FlushPage flush_page) const {
    const uint64_t from = position, end = records_.end();
    position = end;
    if (from == end) return;
    typename Records::Record few[8];
    std::vector<typename Records::Record> many;
    auto* records = few;
    if (end - from > std::size(few)) {
      many.resize(std::min<uint64_t>(end - from, Records::kSize));
      records = many.data();
    }
    bool all = end - from > Records::kSize || !records_.copy(from, end, records), nonglobal = false;
    const auto* const last = records + (all ? 0 : end - from);
    for (const auto* r = records; r != last && !all; r++) {
      if (!concerns(*r)) continue;
      all = r->kind == Record::All;
      nonglobal |= r->kind == Record::OfAsid && covers(r->asid);
    }
    if (all || nonglobal) refresh(!all);
    for (const auto* r = records; r != last && !all; r++) {
      if (!concerns(*r)) continue;
      if (r->kind == Record::Page)
        flush_page(r->va, !covers(r->asid));
      else if (r->kind == Record::PageOfAllAsids)
        flush_page(r->va, false);
    }
  }

 private:
  bool concerns(const typename Records::Record& r) const { return r.broadcast || r.cpu == cpu_; }

  Records& records_;
  const uint8_t cpu_;
};

}  // namespace crosswalk::mmu
