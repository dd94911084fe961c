// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/decoder/decoder.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace crosswalk::decoder {
namespace {

constexpr Row make_row(Isa isa, const char* handler_name, const char* name, const char* pattern) {
  Row r{isa, handler_name, name, pattern};
  const std::string_view bits(pattern);
  const size_t n = bits.size();
  for (size_t i = 0; i < n; i++) {
    const uint32_t bit = 1u << (n - 1 - i);
    if (pattern[i] == '0' || pattern[i] == '1') r.mask |= bit, r.fixed_bits++;
    if (pattern[i] == '1') r.value |= bit;
  }
  r.conditional = bits.substr(0, 4) == "cccc";
  // The field of a letter; a thirteenth does not compile.
  const auto field = [&r](char letter) -> RowField& {
    uint8_t& number = r.field_numbers[letter_number(letter)];
    if (number == 0) r.fields[(number = ++r.field_count) - 1].letter = letter;
    return r.fields[number - 1];
  };
  for (size_t i = 0; i < n; i++) {
    const char letter = pattern[i];
    if (!is_letter(letter)) continue;
    if (is_not_pc_field(isa, bits, i)) {
      const uint32_t mask = 0xfu << (n - 4 - i);
      r.not_ones[r.not_ones[0] != 0] = mask;
      field(to_small(letter)).mask = mask;
      i += 3;
      continue;
    }
    field(letter).mask |= 1u << (n - 1 - i);
  }
  for (unsigned k = 0; k < r.field_count; k++) {
    RowField& f = r.fields[k];
    f.low = static_cast<uint8_t>(std::countr_zero(f.mask));
    if (const uint32_t ones = f.mask >> f.low; (ones & (ones + 1)) == 0) f.ones = ones;
  }
  return r;
}

constexpr Row kRows[] = {
#define INST(isa, handler, name, pattern) make_row(Isa::isa, #handler, name, pattern),
#include "translator/arm32/decoder/all_rows.inc"
#undef INST
};

// Rows of one instruction set, most specific first, by twelve bits that most patterns fix: those of
// a word's bits shift + 7 to shift, and its bits 7 to 4.
class Index {
 public:
  Index(std::initializer_list<Isa> isas, uint32_t shift) : shift_(shift) {
    std::vector<const Row*> rows;
    for (const Row& r : kRows)
      if (std::find(isas.begin(), isas.end(), r.isa) != isas.end()) rows.push_back(&r);
    std::stable_sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->fixed_bits > b->fixed_bits; });
    // f(key of the words that the row may match), for each
    const auto for_each_key = [&](const Row& r, auto f) {
      const uint32_t any = ~key(r.mask) & (kKeys - 1);
      for (uint32_t bits = any;; bits = (bits - 1) & any) {
        f(key(r.value) | bits);
        if (bits == 0) break;
      }
    };
    for (const Row* r : rows) for_each_key(*r, [&](uint32_t k) { begins_[k + 1]++; });
    for (uint32_t k = 0; k < kKeys; k++) begins_[k + 1] += begins_[k];
    entries_.resize(begins_[kKeys]);
    std::vector<uint32_t> ends = begins_;
    for (const Row* r : rows) for_each_key(*r, [&](uint32_t k) { entries_[ends[k]++] = {r->mask, r->value, r}; });
  }
  Decoded find(uint32_t word, bool unconditional) const {
    const uint32_t k = key(word);
    const Entry* const end = entries_.data() + begins_[k + 1];
    for (const Entry* e = entries_.data() + begins_[k]; e != end; e++)
      if ((word & e->mask) == e->value && e->row->matches(word) && !(unconditional && e->row->conditional))
        return {e->row, word};
    return {nullptr, word};
  }

 private:
  static constexpr uint32_t kKeys = 1 << 12;
  uint32_t key(uint32_t word) const { return (word >> shift_ & 0xff) << 4 | (word >> 4 & 15); }

  uint32_t shift_;
  std::vector<uint32_t> begins_ = std::vector<uint32_t>(kKeys + 1);  // by key: where in rows_
  struct Entry {
    uint32_t mask, value;  // the row's: most that do not match are not looked at
    const Row* row;
  };
  std::vector<Entry> entries_;
};

}  // namespace

std::span<const Row> rows() { return kRows; }

Decoded decode_a32(uint32_t word) {
  static const Index index({Isa::A32, Isa::Vfp, Isa::Simd}, 20);
  return index.find(word, word >> 28 == 15);
}

Decoded decode_t32(uint32_t word) {
  // VFP and Advanced SIMD have the A32 layout but for the top byte (DDI 0406C, A7.3, A7.5, A7.7).
  static const Index shared({Isa::Vfp, Isa::Simd}, 20);
  static const Index index({Isa::T32}, 20);
  const uint32_t top = word >> 24;
  uint32_t a32 = 0;
  if ((top & 0xef) == 0xef)  // Advanced SIMD data processing
    a32 = 0xf2000000 | (word >> 28 & 1) << 24 | (word & 0xffffff);
  else if (top == 0xf9)  // Advanced SIMD element and structure loads and stores
    a32 = 0xf4000000 | (word & 0xffffff);
  else if ((top & 0xec) == 0xec && (word >> 9 & 7) == 5)  // coprocessors 10 and 11
    a32 = word;
  if (a32)
    if (const Decoded d = shared.find(a32, a32 >> 28 == 15); d.row) return d;
  return index.find(word, false);
}

Decoded decode_t16(uint16_t half) {
  static const Index index({Isa::T16}, 8);
  return index.find(half, false);
}

uint32_t Decoded::in_pieces(uint32_t mask) const {
  uint32_t v = 0, n = 0;
  for (; mask; mask &= mask - 1) v |= (word >> std::countr_zero(mask) & 1) << n++;
  return v;
}

int32_t Decoded::sx(char letter) const {
  const int width = std::popcount(row->field_mask(letter));
  return static_cast<int32_t>((*this)[letter] << (32 - width)) >> (32 - width);
}

}  // namespace crosswalk::decoder
