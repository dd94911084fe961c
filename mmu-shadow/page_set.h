// SPDX-License-Identifier: GPL-2.0-or-later
// A set of 4 KiB pages of the 4 GiB of VA, cheap to clear.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>

namespace crosswalk::mmu {

class PageSet {
 public:
  // Returns whether the page of `va` is new in the set.
  bool add(uint32_t va) {
    const uint32_t leaf = va >> kLeafBits;
    uint64_t& used = used_[leaf / 64];
    if (!(used >> leaf % 64 & 1)) {
      used |= uint64_t{1} << leaf % 64;
      std::fill(std::begin(leaves_[leaf].bits), std::end(leaves_[leaf].bits), 0);
    }
    const uint32_t page = va >> 12 & (kLeafPages - 1);
    uint64_t& word = leaves_[leaf].bits[page / 64];
    const uint64_t bit = uint64_t{1} << page % 64;
    if (word & bit) return false;
    word |= bit;
    count_++;
    return true;
  }
  void remove(uint32_t va) {
    const uint32_t leaf = va >> kLeafBits, page = va >> 12 & (kLeafPages - 1);
    if (!(used_[leaf / 64] >> leaf % 64 & 1)) return;
    uint64_t& word = leaves_[leaf].bits[page / 64];
    const uint64_t bit = uint64_t{1} << page % 64;
    if (word & bit) count_--;
    word &= ~bit;
  }
  uint32_t count() const { return count_; }
  void clear() {
    std::fill(std::begin(used_), std::end(used_), 0);
    count_ = 0;
  }

 private:
  static constexpr uint32_t kLeafBits = 21, kLeafPages = 1 << (kLeafBits - 12), kLeaves = 1 << (32 - kLeafBits);
  struct Leaf {
    uint64_t bits[kLeafPages / 64];
  };
  uint64_t used_[kLeaves / 64] = {};  // leaves that hold anything; the others have no value
  uint32_t count_ = 0;
  std::unique_ptr<Leaf[]> leaves_ = std::make_unique_for_overwrite<Leaf[]>(kLeaves);
};

}  // namespace crosswalk::mmu
