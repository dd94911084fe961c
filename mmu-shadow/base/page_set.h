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
    uint64_t& word = word_of(va);
    if (word & bit_of(va)) return false;
    word |= bit_of(va);
    count_++;
    return true;
  }
  void remove(uint32_t va) {
    const uint32_t leaf = va >> kLeafBits;
    if (!(used_[leaf / 64] >> leaf % 64 & 1)) return;
    uint64_t& word = word_of(va);
    if (word & bit_of(va)) count_--;
    word &= ~bit_of(va);
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
  uint64_t& word_of(uint32_t va) { return leaves_[va >> kLeafBits].bits[(va >> 12 & (kLeafPages - 1)) / 64]; }
  static uint64_t bit_of(uint32_t va) { return uint64_t{1} << (va >> 12) % 64; }
  uint64_t used_[kLeaves / 64] = {};  // leaves that hold anything; the others have no value
  uint32_t count_ = 0;
  std::unique_ptr<Leaf[]> leaves_ = std::make_unique_for_overwrite<Leaf[]>(kLeaves);
};

}  // namespace crosswalk::mmu
