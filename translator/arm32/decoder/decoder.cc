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
  for (size_t i = 0; i < n; i++) {
    const char letter = pattern[i];
    if (!is_letter(letter)) continue;
    if (is_not_pc_field(isa, bits, i)) {
      const uint32_t mask = 0xfu << (n - 4 - i);
      r.not_ones[r.not_ones[0] != 0] = mask;
      r.fields[r.field_count++] = {to_small(letter), mask};
      i += 3;
      continue;
    }
    unsigned k = 0;
    while (k < r.field_count && r.fields[k].letter != letter) k++;
    // a thirteenth field does not compile
    if (k == r.field_count) r.fields[r.field_count++] = {letter, 0};
    r.fields[k].mask |= 1u << (n - 1 - i);
  }
  return r;
}

constexpr Row kRows[] = {
#define INST(isa, handler, name, pattern) make_row(Isa::isa, #handler, name, pattern),
#include "translator/arm32/decoder/all_rows.inc"
#undef INST
};

// Rows of one instruction set, most specific first, bucketed by bits that most patterns fix.
class Index {
 public:
  Index(std::initializer_list<Isa> isas, uint32_t shift, uint32_t bits) : shift_(shift), buckets_(1u << bits) {
    std::vector<const Row*> rows;
    for (const Row& r : kRows)
      if (std::find(isas.begin(), isas.end(), r.isa) != isas.end()) rows.push_back(&r);
    std::stable_sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->fixed_bits > b->fixed_bits; });
    for (const Row* r : rows)
      for (uint32_t b = 0; b < buckets_.size(); b++)
        if ((((b << shift_) ^ r->value) & r->mask & ((buckets_.size() - 1) << shift_)) == 0) buckets_[b].push_back(r);
  }
  Decoded find(uint32_t word, bool unconditional) const {
    for (const Row* r : buckets_[word >> shift_ & (buckets_.size() - 1)])
      if (r->matches(word) && !(unconditional && r->conditional)) return {r, word};
    return {nullptr, word};
  }

 private:
  uint32_t shift_;
  std::vector<std::vector<const Row*>> buckets_;
};

}  // namespace

std::span<const Row> rows() { return kRows; }

Decoded decode_a32(uint32_t word) {
  static const Index index({Isa::A32, Isa::Vfp, Isa::Simd}, 20, 8);
  return index.find(word, word >> 28 == 15);
}

Decoded decode_t32(uint32_t word) {
  // VFP and Advanced SIMD have the A32 layout but for the top byte (DDI 0406C, A7.3, A7.5, A7.7).
  static const Index shared({Isa::Vfp, Isa::Simd}, 20, 8);
  static const Index index({Isa::T32}, 20, 8);
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
  static const Index index({Isa::T16}, 8, 8);
  return index.find(half, false);
}

uint32_t Decoded::get(char letter, uint32_t otherwise) const {
  const uint32_t mask = row->field_mask(letter);
  if (mask == 0) return otherwise;
  const int low = std::countr_zero(mask);
  // most are in one piece
  if (const uint32_t ones = mask >> low; (ones & (ones + 1)) == 0) return word >> low & ones;
  uint32_t v = 0, n = 0;
  for (uint32_t m = mask; m; m &= m - 1) v |= (word >> std::countr_zero(m) & 1) << n++;
  return v;
}

bool Decoded::has(char letter) const { return row->field_mask(letter) != 0; }

int32_t Decoded::sx(char letter) const {
  const int width = std::popcount(row->field_mask(letter));
  return static_cast<int32_t>((*this)[letter] << (32 - width)) >> (32 - width);
}

}  // namespace crosswalk::decoder
