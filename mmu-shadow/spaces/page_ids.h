// SPDX-License-Identifier: GPL-2.0-or-later
// Interned numbers for (VA page, RAM page, code flags). Translated code is linked by these numbers,
// so between two drops one number never means two things, and the same triple gets the same number
// again after a flush. All CPUs of a machine have the same numbers.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "translator/base/quick_lock.h"

namespace crosswalk::mmu {

// `Va` is the guest's virtual address.
template <typename Va>
class PageIdsOf {
 public:
  struct Record {
    Va va_page;
    uint32_t ram_page, flags;
    bool operator==(const Record&) const = default;
  };

  // Precondition: max_records > 0.
  explicit PageIdsOf(uint32_t max_records)
      : max_records_(max_records),
        // Not cleared, so that it takes memory as it is used. CPUs that intern at the same time may
        // each exceed the limit by their one.
        records_(new Entry[max_records + kBeyond]) {
    drop();
  }

  // The number of a triple; never 0.
  uint32_t intern(const Record& record);
  // Precondition: `id` was returned since the last drop.
  const Record& record(uint32_t id) const { return records_[id - 1].record; }

  // The next intern() of an unknown triple would exceed the limit. Whatever holds a number has to
  // be forgotten first, instruction-page tables and all translated code: then drop(), after which
  // numbers begin at 1 again. Precondition of drop(): no other CPU runs.
  bool full() const { return count() >= max_records_; }
  // The number of a triple if it has one, else 0.
  uint32_t find(const Record& record) const {
    const std::lock_guard lock(lock_);
    return slots_[slot_of(record)];
  }
  // What translating the code of this page has cost so far, in nanoseconds. The code may have been
  // dropped since.
  double translation_ns(uint32_t id) const {
    return id == 0 ? 0 : std::atomic_ref(records_[id - 1].translation_ns).load(std::memory_order_relaxed);
  }
  void add_translation(uint32_t id, double ns) {
    const std::atomic_ref sum(records_[id - 1].translation_ns);
    sum.store(sum.load(std::memory_order_relaxed) + static_cast<float>(ns), std::memory_order_relaxed);
  }
  void drop() {
    const std::lock_guard lock(lock_);
    count_ = 0;
    slots_.assign(8192, 0);
  }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kBeyond = 64;
  struct Entry {
    Record record;
    float translation_ns;
  };

  void grow(uint32_t slots);
  // The slot that holds the triple, or the free one where it belongs.
  uint32_t slot_of(const Record& record) const;
  static uint32_t hash(const Record& r) {
    uint64_t h = (std::rotl(uint64_t{r.va_page}, 32) ^ r.ram_page) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ r.flags) * 0xc2b2ae3d27d4eb4fu;
    return static_cast<uint32_t>(h >> 32);
  }

  const uint32_t max_records_;
  mutable QuickLock lock_;                  // of what follows, but for records that have a number
  const std::unique_ptr<Entry[]> records_;  // by number - 1
  std::atomic<uint32_t> count_{0};
  std::vector<uint32_t> slots_;  // open addressing: numbers, or 0
};

template <typename Va>
void PageIdsOf<Va>::grow(uint32_t slots) {
  slots_.assign(slots, 0);
  for (uint32_t i = 0; i < count(); i++) {
    uint32_t s = hash(records_[i].record) & (slots - 1);
    while (slots_[s] != 0) s = (s + 1) & (slots - 1);
    slots_[s] = i + 1;
  }
}

template <typename Va>
uint32_t PageIdsOf<Va>::slot_of(const Record& record) const {
  const uint32_t mask = static_cast<uint32_t>(slots_.size()) - 1;
  uint32_t s = hash(record) & mask;
  while (slots_[s] != 0 && !(records_[slots_[s] - 1].record == record)) s = (s + 1) & mask;
  return s;
}

template <typename Va>
uint32_t PageIdsOf<Va>::intern(const Record& record) {
  const std::lock_guard lock(lock_);
  const uint32_t s = slot_of(record);
  if (slots_[s] != 0) return slots_[s];
  const auto at = static_cast<uint32_t>(count());
  records_[at].record = record;
  records_[at].translation_ns = 0;
  const uint32_t id = slots_[s] = at + 1;
  count_.store(id, std::memory_order_relaxed);
  if (uint64_t{id} * 2 > slots_.size()) grow(static_cast<uint32_t>(slots_.size()) * 2);
  return id;
}

}  // namespace crosswalk::mmu
