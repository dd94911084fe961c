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
  void drop();
  uint64_t count() const { return records_.size(); }

 private:
  static constexpr uint32_t kMaxRecords = 1 << 20;
  void grow(uint32_t slots);
  static uint32_t hash(const Record& r);

  std::vector<Record> records_;  // by number - first_
  std::vector<uint32_t> slots_;  // open addressing: index into records_ + 1, or 0
  uint32_t first_ = 1;
};

}  // namespace crosswalk::mmu
