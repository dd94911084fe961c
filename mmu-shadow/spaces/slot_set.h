// SPDX-License-Identifier: GPL-2.0-or-later Bookkeeping for a direct-mapped table of translations
// indexed by low VA page bits: which slots are in use, which of them are non-global, and which come
// from entries larger than a page. A flush then costs what it removes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>

#include "mmu-shadow/base/filters.h"

namespace crosswalk::mmu {

template <uint32_t kSlots>
class SlotSet {
 public:
  static constexpr uint32_t kWords = kSlots / 64;

  template <typename Va>
  static uint32_t slot_of(Va va) {
    return static_cast<uint32_t>(va >> kPageBits) & (kSlots - 1);
  }

  // In line: each refill does it.
  template <typename Va>
  [[gnu::always_inline]] void set(uint32_t slot, Va va, bool ng, uint32_t size_class) {
    const uint32_t w = slot >> 6;
    const uint64_t bit = uint64_t{1} << (slot & 63);
    if (valid_[w] & bit) uncount(ng_[w] & bit);
    count_++;
    ng_count_ += ng;
    valid_[w] |= bit;
    ng_[w] = ng ? ng_[w] | bit : ng_[w] & ~bit;
    large_[w] = size_class ? large_[w] | bit : large_[w] & ~bit;
    class_[slot] = static_cast<uint8_t>(size_class);
    if (size_class) filter_.add(va, size_class);
    any_ = true;
  }

  // Each remover calls drop(slot) for each slot that it frees, and returns how many.
  template <typename Drop>
  uint32_t remove_all(Drop drop) {
    if (!any_) return 0;
    const uint32_t removed = count_;
    for (uint32_t w = 0; w < kWords; w++) {
      visit_bits(w, valid_[w], drop);
      valid_[w] = 0;
    }
    filter_.clear();
    any_ = false;
    count_ = ng_count_ = 0;
    return removed;
  }

  template <typename Drop>
  uint32_t remove_nonglobal(Drop drop) {
    const uint32_t removed = ng_count_;
    if (removed == 0) return 0;
    for (uint32_t w = 0; w < kWords; w++) {
      const uint64_t bits = valid_[w] & ng_[w];
      visit_bits(w, bits, drop);
      valid_[w] &= ~bits;
    }
    count_ -= removed;
    ng_count_ = 0;
    return removed;
  }

  // The slots (non-global ones only, if so asked) for which remove(slot, ng, size class) says so.
  template <typename Remove, typename Drop>
  [[gnu::always_inline]] uint32_t remove_if(bool nonglobal_only, Remove remove, Drop drop) {
    if (count(nonglobal_only) == 0) return 0;
    uint32_t removed = 0;
    for (uint32_t w = 0; w < kWords; w++) {
      for (uint64_t bits = valid_[w] & (nonglobal_only ? ng_[w] : ~uint64_t{0}); bits != 0; bits &= bits - 1) {
        const uint32_t s = w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        if (!remove(s, (ng_[w] >> (s & 63) & 1) != 0, class_[s])) continue;
        valid_[w] &= ~(bits & -bits);
        uncount(ng_[w] & bits & -bits);
        drop(s);
        removed++;
      }
    }
    return removed;
  }
  uint32_t count(bool nonglobal_only) const { return nonglobal_only ? ng_count_ : count_; }

  // Everything that belongs to an entry which covers `va`: the slot of its page, and the pieces of
  // a larger entry. va_of(slot) is the page's VA.
  template <typename Va, typename VaOf, typename Drop>
  uint32_t remove_va(Va va, bool global_only, VaOf va_of, Drop drop) {
    uint32_t removed = 0;
    const uint32_t slot = slot_of(va), w = slot >> 6;
    const uint64_t bit = uint64_t{1} << (slot & 63);
    if ((valid_[w] & bit) && !(global_only && (ng_[w] & bit)) && ((va_of(slot) ^ va) >> kPageBits) == 0) {
      valid_[w] &= ~bit;
      uncount(ng_[w] & bit);
      drop(slot);
      removed++;
    }
    if (!filter_.covers(va)) return removed;
    for (uint32_t i = 0; i < kWords; i++) {
      uint64_t bits = valid_[i] & large_[i] & (global_only ? ~ng_[i] : ~uint64_t{0});
      for (; bits != 0; bits &= bits - 1) {
        const uint32_t s = i * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        if (!same_entry(va_of(s), va, class_[s])) continue;
        valid_[i] &= ~(bits & -bits);
        uncount(ng_[i] & bits & -bits);
        drop(s);
        removed++;
      }
    }
    return removed;
  }

  uint32_t size_class(uint32_t slot) const { return class_[slot]; }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t w = 0; w < kWords; w++) visit_bits(w, valid_[w], visit);
  }

 private:
  template <typename Visit>
  static void visit_bits(uint32_t w, uint64_t bits, Visit& visit) {
    for (; bits != 0; bits &= bits - 1) visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
  }
  // A slot that was in use, and is non-global if the bit is set.
  void uncount(uint64_t ng) {
    count_--;
    ng_count_ -= ng != 0;
  }

  uint64_t valid_[kWords] = {}, ng_[kWords] = {}, large_[kWords] = {};
  uint8_t class_[kSlots] = {};
  LargeFilter filter_;
  // Kept rather than counted: every flush asks for them.
  uint32_t count_ = 0, ng_count_ = 0;
  bool any_ = false;
};

}  // namespace crosswalk::mmu
