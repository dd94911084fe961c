// SPDX-License-Identifier: GPL-2.0-or-later
// Random cases from the decoder's own rows.
#pragma once

#include <random>
#include <span>
#include <vector>

#include "tests/translator/differential/exclusions.h"
#include "tests/translator/differential/guest_case.h"

namespace crosswalk::differential {

class Generator {
 public:
  // `thumb` chooses the form of VFP and Advanced SIMD instructions; the others have one.
  // With `gaps`, words that have no row, as if of a row with the handler's name UNALLOCATED.
  Generator(decoder::Isa isa, bool thumb, uint64_t seed, std::span<const Exclusion> exclusions, bool gaps = false);
  // A case at `pc`. `random_row_only`: a row's handler name, to try just that (empty: all).
  Case next(uint32_t pc, const char* only_handler);
  // `count` instructions one after the other, without branches, system instructions and IT blocks:
  // one block to the engine, so that what its passes do across instructions is tested.
  Case next_sequence(uint32_t pc, unsigned count, const char* only_handler);
  // The data area's content before each case.
  void fill(uint8_t* data, size_t bytes);
  std::span<const decoder::Row* const> row_list() const { return rows_; }
  size_t rows() const { return rows_.size(); }

 private:
  uint32_t u32() { return static_cast<uint32_t>(random_()); }
  bool chance(unsigned percent) { return u32() % 100 < percent; }
  uint32_t word_of(const decoder::Row& row);
  uint32_t register_number();
  uint32_t register_value();
  uint64_t fp_register_value();
  bool usable(const Case& c, const decoder::Decoded& f) const;
  void prepare_state(Case& c, const decoder::Decoded& f);
  void prepare_prefix(Case& c, const decoder::Decoded& f);

  decoder::Isa isa_;
  bool thumb_;
  bool gaps_;
  std::mt19937_64 random_;
  std::span<const Exclusion> exclusions_;
  std::vector<const decoder::Row*> rows_;
};

// The word as fetched of a VFP or Advanced SIMD instruction in A32 form, for Thumb state.
uint32_t to_thumb(uint32_t a32);

}  // namespace crosswalk::differential
