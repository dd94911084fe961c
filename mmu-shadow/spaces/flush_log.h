// SPDX-License-Identifier: GPL-2.0-or-later Guest TLB maintenance in order. The current address
// space applies each operation at once; the others cannot be accessed before they become current,
// and apply then what they missed, from their position in the log on.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/base/tlb_flush.h"

namespace crosswalk::mmu {

template <typename Va, typename Asid>
class FlushLog {
 public:
  using Record = TlbFlush<Va, Asid>;

  void add(Record record) { records_[end_++ % kSize] = record; }
  // The position behind the last operation.
  uint64_t end() const { return end_; }

  // Applies what happened since `position`, and moves it to the end. Entries that are not global
  // belong to the ASIDs for which covers(asid). First refresh(nonglobal_only), at most once: all
  // entries are covered, or all that are not global; then flush_page(va, global_only) for each
  // single page. An operation that is so old that the log has forgotten it counts as one on
  // everything.
  template <typename Covers, typename Refresh, typename FlushPage>
  void apply(uint64_t& position, Covers covers, Refresh refresh, FlushPage flush_page) const {
    const uint64_t from = position;
    position = end_;
    bool all = end_ - from > kSize, nonglobal = false;
    for (uint64_t i = from; i != end_ && !all; i++) {
      const Record& r = records_[i % kSize];
      all = r.kind == Record::All;
      nonglobal |= r.kind == Record::OfAsid && covers(r.asid);
    }
    if (all || nonglobal) refresh(!all);
    for (uint64_t i = from; i != end_ && !all; i++) {
      const Record& r = records_[i % kSize];
      if (r.kind == Record::Page)
        flush_page(r.va, !covers(r.asid));
      else if (r.kind == Record::PageOfAllAsids)
        flush_page(r.va, false);
    }
  }

 private:
  static constexpr uint32_t kSize = 256;
  std::vector<Record> records_ = std::vector<Record>(kSize);
  uint64_t end_ = 0;
};

}  // namespace crosswalk::mmu
