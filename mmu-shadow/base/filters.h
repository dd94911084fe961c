// SPDX-License-Identifier: GPL-2.0-or-later
// Entry sizes, and the bitmaps that answer "can anything that covers this VA be installed?" without
// a search. They may say yes wrongly, never no.
#pragma once

#include <bit>
#include <cstdint>

namespace crosswalk::mmu {

inline constexpr uint32_t kPageBits = 12;
inline constexpr uint32_t kPageSize = 1u << kPageBits;
template <typename Va>
constexpr Va page_of(Va va) {
  return va & ~Va{kPageSize - 1};
}
template <typename Va>
constexpr uint32_t page_offset(Va va) {
  return static_cast<uint32_t>(va & (kPageSize - 1));
}

// The sizes of ARM entries, as a class number that fits three bits: 4 KiB and 64 KiB pages,
// sections, 2 MiB blocks, supersections, 1 GiB blocks.
inline constexpr uint8_t kClassBits[6] = {12, 16, 20, 21, 24, 30};
inline constexpr uint32_t class_of(unsigned log2_size) {
  switch (log2_size) {
    case 16: return 1;
    case 20: return 2;
    case 21: return 3;
    case 24: return 4;
    case 30: return 5;
    default: return 0;  // 4 KiB, and MMU-off
  }
}
// Whether the entry of class `c` that covers `a` also covers `b`.
template <typename Va>
bool same_entry(Va a, Va b, uint32_t c) {
  return ((a ^ b) >> kClassBits[c]) == 0;
}

// Where entries larger than 4 KiB are installed. Of a VA of more than 32 bits, the lowest ones
// count.
class LargeFilter {
 public:
  template <typename Va>
  void add(Va va, uint32_t size_class) {
    any_ = true;
    switch (size_class) {
      case 1:
      case 2: set(megabytes_, va >> 20 & 4095); break;
      case 3: megabytes_[va >> 26 & 63] |= uint64_t{3} << (va >> 20 & 62); break;
      case 4: set(sixteen_, va >> 24 & 255); break;
      default: gigabytes_ |= 1u << (va >> 30 & 31); break;
    }
  }
  template <typename Va>
  bool covers(Va va) const {
    return any_ && (test(megabytes_, va >> 20 & 4095) || sixteen(va) || gigabyte(va));
  }
  template <typename Va>
  bool sixteen(Va va) const {
    return test(sixteen_, va >> 24 & 255);
  }
  template <typename Va>
  bool gigabyte(Va va) const {
    return gigabytes_ >> (va >> 30 & 31) & 1;
  }
  void clear() {
    if (any_) *this = LargeFilter{};
  }

 private:
  static void set(uint64_t* bits, uint64_t i) { bits[i >> 6] |= uint64_t{1} << (i & 63); }
  static bool test(const uint64_t* bits, uint64_t i) { return bits[i >> 6] >> (i & 63) & 1; }

  uint64_t megabytes_[64] = {};
  uint64_t sixteen_[4] = {};
  uint32_t gigabytes_ = 0;
  bool any_ = false;
};

}  // namespace crosswalk::mmu
