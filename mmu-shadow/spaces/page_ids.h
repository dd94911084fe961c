// SPDX-License-Identifier: GPL-2.0-or-later
// Interned numbers for (VA page, RAM page, code flags). Translated code is linked by these numbers,
// so between two drops one number never means two things, and the same triple gets the same number
// again after a flush.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

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
  explicit PageIdsOf(uint32_t max_records) : max_records_(max_records) { drop(); }

  // The number of a triple; never 0.
  uint32_t intern(const Record& record);
  // Precondition: `id` was returned since the last drop.
  const Record& record(uint32_t id) const { return records_[id - 1]; }

  // The next intern() of an unknown triple would exceed the limit. Whatever holds a number has to
  // be forgotten first, instruction-page tables and all translated code: then drop(), after which
  // numbers begin at 1 again.
  bool full() const { return records_.size() >= max_records_; }
  // The number of a triple if it has one, else 0.
  uint32_t find(const Record& record) const { return slots_[slot_of(record)]; }
  // What translating the code of this page has cost so far, in nanoseconds. The code may have been
  // dropped since.
  double translation_ns(uint32_t id) const { return id == 0 ? 0 : translation_ns_[id - 1]; }
  void add_translation(uint32_t id, double ns) { translation_ns_[id - 1] += static_cast<float>(ns); }
  void drop() {
    records_.clear();
    translation_ns_.clear();
    slots_.assign(8192, 0);
  }
  uint64_t count() const { return records_.size(); }

 private:
  void grow(uint32_t slots);
  // The slot that holds the triple, or the free one where it belongs.
  uint32_t slot_of(const Record& record) const;
  static uint32_t hash(const Record& r) {
    uint64_t h = (std::rotl(uint64_t{r.va_page}, 32) ^ r.ram_page) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ r.flags) * 0xc2b2ae3d27d4eb4fu;
    return static_cast<uint32_t>(h >> 32);
  }

  const uint32_t max_records_;
  std::vector<Record> records_;        // by number - 1
  std::vector<float> translation_ns_;  // the same
  std::vector<uint32_t> slots_;        // open addressing: numbers, or 0
};

template <typename Va>
void PageIdsOf<Va>::grow(uint32_t slots) {
  slots_.assign(slots, 0);
  for (uint32_t i = 0; i < records_.size(); i++) {
    uint32_t s = hash(records_[i]) & (slots - 1);
    while (slots_[s] != 0) s = (s + 1) & (slots - 1);
    slots_[s] = i + 1;
  }
}

template <typename Va>
uint32_t PageIdsOf<Va>::slot_of(const Record& record) const {
  const uint32_t mask = static_cast<uint32_t>(slots_.size()) - 1;
  uint32_t s = hash(record) & mask;
  while (slots_[s] != 0 && !(records_[slots_[s] - 1] == record)) s = (s + 1) & mask;
  return s;
}

template <typename Va>
uint32_t PageIdsOf<Va>::intern(const Record& record) {
  const uint32_t s = slot_of(record);
  if (slots_[s] != 0) return slots_[s];
  records_.push_back(record);
  translation_ns_.push_back(0);
  slots_[s] = static_cast<uint32_t>(records_.size());
  const uint32_t id = slots_[s];
  if (records_.size() * 2 > slots_.size()) grow(static_cast<uint32_t>(slots_.size()) * 2);
  return id;
}

}  // namespace crosswalk::mmu
