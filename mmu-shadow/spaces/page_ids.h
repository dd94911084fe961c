// SPDX-License-Identifier: GPL-2.0-or-later Interned numbers for (VA page, RAM page, code flags).
// Translated code is linked by these numbers, so between two drops one number never means two
// things, and the same triple gets the same number again after a flush.
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

  // Precondition: max_records > 0.
  explicit PageIds(uint32_t max_records);

  // The number of a triple; never 0.
  uint32_t intern(const Record& record);
  // Precondition: `id` was returned since the last drop.
  const Record& record(uint32_t id) const { return records_[id - 1]; }

  // The next intern() of an unknown triple would exceed the limit. Whatever holds a number has to
  // be forgotten first, instruction-page tables and all translated code: then drop(), after which
  // numbers begin at 1 again.
  bool full() const { return records_.size() >= max_records_; }
  // The number of a triple if it has one, else 0.
  uint32_t find(const Record& record) const;
  // What translating the code of this page has cost so far, in nanoseconds. The code may have been
  // dropped since.
  double translation_ns(uint32_t id) const { return id == 0 ? 0 : translation_ns_[id - 1]; }
  void add_translation(uint32_t id, double ns) { translation_ns_[id - 1] += static_cast<float>(ns); }
  void drop();
  uint64_t count() const { return records_.size(); }

 private:
  void grow(uint32_t slots);
  // The slot that holds the triple, or the free one where it belongs.
  uint32_t slot_of(const Record& record) const;
  static uint32_t hash(const Record& r);

  const uint32_t max_records_;
  std::vector<Record> records_;        // by number - 1
  std::vector<float> translation_ns_;  // the same
  std::vector<uint32_t> slots_;        // open addressing: numbers, or 0
};

}  // namespace crosswalk::mmu
