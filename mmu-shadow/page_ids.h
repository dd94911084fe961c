// SPDX-License-Identifier: GPL-2.0-or-later
// Interned numbers for (VA page, RAM page, code flags). Translated code is linked by these numbers, so one number never
// means two things, and the same triple gets the same number again after a flush.
#pragma once

#include <cstdint>
#include <vector>

namespace crosswalk::mmu {

class PageIds {
 public:
  struct Record {
    uint32_t va_page, ram_page, flags;
    bool operator==(const Record&) const = default;
  };

  PageIds();

  // The number of a triple; never 0.
  uint32_t intern(const Record& record);
  // Precondition: `id` was returned since the last drop.
  const Record& record(uint32_t id) const { return records_[id - first_]; }

  // The next intern() of an unknown triple would exceed kMaxRecords: the owner empties every instruction-page table and
  // calls drop(). Numbers go on from where they were, so that no old link matches by accident.
  bool full() const { return records_.size() >= kMaxRecords; }
  // The number of a triple if it has one, else 0.
  uint32_t find(const Record& record) const;
  // What translating the code of this page has cost so far, in nanoseconds. The code may have been dropped since.
  double translation_ns(uint32_t id) const { return id == 0 ? 0 : translation_ns_[id - first_]; }
  void add_translation(uint32_t id, double ns) { translation_ns_[id - first_] += static_cast<float>(ns); }
  void drop();
  uint64_t count() const { return records_.size(); }

 private:
  static constexpr uint32_t kMaxRecords = 1 << 20;
  void grow(uint32_t slots);
  // The slot that holds the triple, or the free one where it belongs.
  uint32_t slot_of(const Record& record) const;
  static uint32_t hash(const Record& r);

  std::vector<Record> records_;        // by number - first_
  std::vector<float> translation_ns_;  // the same
  std::vector<uint32_t> slots_;        // open addressing: index into records_ + 1, or 0
  uint32_t first_ = 1;
};

}  // namespace crosswalk::mmu
