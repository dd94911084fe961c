// SPDX-License-Identifier: GPL-2.0-or-later
// Bookkeeping for a direct-mapped table of translations indexed by low VA page bits: which slots
// are in use, which of them are non-global, and which come from entries larger than a page. A flush
// then costs what it removes, however large the table is.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include "mmu-shadow/base/filters.h"

namespace crosswalk::mmu {

class SlotSet {
 public:
  static constexpr uint32_t kMostSlots = 1 << 16;

  // `slots`: a power of two from 64 to kMostSlots.
  explicit SlotSet(uint32_t slots) : mask_(slots - 1), words_(new Word[slots / 64]()), class_(new uint8_t[slots]()) {}

  uint32_t slots() const { return mask_ + 1; }
  template <typename Va>
  uint32_t slot_of(Va va) const {
    return static_cast<uint32_t>(va >> kPageBits) & mask_;
  }
  bool uses(uint32_t slot) const { return words_[slot >> 6].valid >> (slot & 63) & 1; }

  // In line: each refill does it.
  template <typename Va>
  [[gnu::always_inline]] void set(uint32_t slot, Va va, bool ng, uint32_t size_class) {
    const uint32_t w = slot >> 6;
    Word& word = words_[w];
    const uint64_t bit = uint64_t{1} << (slot & 63);
    if (word.valid & bit) uncount(word.ng & bit);
    count_++;
    ng_count_ += ng;
    word.valid |= bit;
    word.ng = ng ? word.ng | bit : word.ng & ~bit;
    word.large = size_class ? word.large | bit : word.large & ~bit;
    class_[slot] = static_cast<uint8_t>(size_class);
    if (size_class) filter_.add(va, size_class);
    in_use_[w >> 6] |= uint64_t{1} << (w & 63);
  }

  // Each remover calls drop(slot) for each slot that it frees, and returns how many.
  template <typename Drop>
  uint32_t remove_all(Drop drop) {
    const uint32_t removed = count_;
    each_word([&](uint32_t w, Word& word) {
      visit_bits(w, word.valid, drop);
      word.valid = 0;
    });
    filter_.clear();
    count_ = ng_count_ = 0;
    return removed;
  }

  template <typename Drop>
  uint32_t remove_nonglobal(Drop drop) {
    const uint32_t removed = ng_count_;
    if (removed == 0) return 0;
    each_word([&](uint32_t w, Word& word) {
      const uint64_t bits = word.valid & word.ng;
      visit_bits(w, bits, drop);
      word.valid &= ~bits;
    });
    count_ -= removed;
    ng_count_ = 0;
    return removed;
  }

  // The slots (non-global ones only, if so asked) for which remove(slot, ng, size class) says so.
  template <typename Remove, typename Drop>
  [[gnu::always_inline]] uint32_t remove_if(bool nonglobal_only, Remove remove, Drop drop) {
    if (count(nonglobal_only) == 0) return 0;
    uint32_t removed = 0;
    each_word([&](uint32_t w, Word & word) __attribute__((always_inline)) {
      for (uint64_t bits = word.valid & (nonglobal_only ? word.ng : ~uint64_t{0}); bits != 0; bits &= bits - 1) {
        const uint32_t s = w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        if (!remove(s, (word.ng >> (s & 63) & 1) != 0, class_[s])) continue;
        word.valid &= ~(bits & -bits);
        uncount(word.ng & bits & -bits);
        drop(s);
        removed++;
      }
    });
    return removed;
  }
  uint32_t count(bool nonglobal_only) const { return nonglobal_only ? ng_count_ : count_; }

  // Everything that belongs to an entry which covers `va`: the slot of its page, and the pieces of
  // a larger entry. va_of(slot) is the page's VA.
  template <typename Va, typename VaOf, typename Drop>
  uint32_t remove_va(Va va, bool global_only, VaOf va_of, Drop drop) {
    uint32_t removed = 0;
    const uint32_t slot = slot_of(va);
    Word& own = words_[slot >> 6];
    const uint64_t bit = uint64_t{1} << (slot & 63);
    if ((own.valid & bit) && !(global_only && (own.ng & bit)) && ((va_of(slot) ^ va) >> kPageBits) == 0) {
      own.valid &= ~bit;
      uncount(own.ng & bit);
      drop(slot);
      removed++;
    }
    if (!filter_.covers(va)) return removed;
    each_word([&](uint32_t w, Word& word) {
      for (uint64_t bits = word.valid & word.large & (global_only ? ~word.ng : ~uint64_t{0}); bits != 0;
           bits &= bits - 1) {
        const uint32_t s = w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        if (!same_entry(va_of(s), va, class_[s])) continue;
        word.valid &= ~(bits & -bits);
        uncount(word.ng & bits & -bits);
        drop(s);
        removed++;
      }
    });
    return removed;
  }

  bool is_nonglobal(uint32_t slot) const { return words_[slot >> 6].ng >> (slot & 63) & 1; }
  uint32_t size_class(uint32_t slot) const { return class_[slot]; }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t i = 0; i <= mask_ / (64 * 64); i++)
      for (uint64_t words = in_use_[i]; words != 0; words &= words - 1) {
        const uint32_t w = i * 64 + static_cast<uint32_t>(std::countr_zero(words));
        visit_bits(w, words_[w].valid, visit);
      }
  }

 private:
  struct Word {  // of 64 slots
    uint64_t valid, ng, large;
  };
  static constexpr uint32_t kSummary = kMostSlots / 64 / 64;

  // visit(number, word) of each word that has a slot in use, and may free some.
  template <typename Visit>
  [[gnu::always_inline]] void each_word(Visit visit) {
    for (uint32_t i = 0; i <= mask_ / (64 * 64); i++)
      for (uint64_t words = in_use_[i]; words != 0; words &= words - 1) {
        const uint32_t w = i * 64 + static_cast<uint32_t>(std::countr_zero(words));
        visit(w, words_[w]);
        if (words_[w].valid == 0) in_use_[i] &= ~(words & -words);
      }
  }
  template <typename Visit>
  static void visit_bits(uint32_t w, uint64_t bits, Visit& visit) {
    for (; bits != 0; bits &= bits - 1) visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
  }
  // A slot that was in use, and is non-global if the bit is set.
  void uncount(uint64_t ng) {
    count_--;
    ng_count_ -= ng != 0;
  }

  uint32_t mask_;
  // Kept rather than counted: every flush asks for them.
  uint32_t count_ = 0, ng_count_ = 0;
  std::unique_ptr<Word[]> words_;
  std::unique_ptr<uint8_t[]> class_;
  uint64_t in_use_[kSummary] = {};  // a bit for each word; one without slots in use may have it too
  LargeFilter filter_;
};

}  // namespace crosswalk::mmu
