// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/decoder/decoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "translator/frontend/translator.h"

namespace crosswalk::decoder {
namespace {

constexpr Row make_row(Isa isa, const char* handler_name, const char* name, const char* pattern, Handler handler) {
  Row r{isa, handler_name, name, pattern, handler};
  const size_t n = std::string_view(pattern).size();
  for (size_t i = 0; i < n; i++) {
    const uint32_t bit = 1u << (n - 1 - i);
    if (pattern[i] == '0' || pattern[i] == '1') r.mask |= bit, r.fixed_bits++;
    if (pattern[i] == '1') r.value |= bit;
  }
  r.conditional = std::string_view(pattern).substr(0, 4) == "cccc";
  return r;
}

constexpr Row kRows[] = {
#define INST(isa, handler, name, pattern) make_row(Isa::isa, #handler, name, pattern, &frontend::handler),
#include "translator/decoder/all_rows.inc"
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
  Fields find(uint32_t word, bool unconditional) const {
    for (const Row* r : buckets_[word >> shift_ & (buckets_.size() - 1)])
      if ((word & r->mask) == r->value && !(unconditional && r->conditional)) return {r, word};
    return {nullptr, word};
  }

 private:
  uint32_t shift_;
  std::vector<std::vector<const Row*>> buckets_;
};

}  // namespace

std::span<const Row> rows() { return kRows; }

Fields decode_a32(uint32_t word) {
  static const Index index({Isa::A32, Isa::Vfp, Isa::Simd}, 20, 8);
  return index.find(word, word >> 28 == 15);
}

Fields decode_t32(uint32_t word) {
  static const Index index({Isa::T32}, 20, 8);
  if (const Fields f = index.find(word, false); f.row) return f;
  // VFP and Advanced SIMD have the A32 layout but for the top byte (DDI 0406C, A7.3, A7.5, A7.7).
  static const Index shared({Isa::Vfp, Isa::Simd}, 20, 8);
  uint32_t a32;
  if ((word >> 24 & 0xef) == 0xef) a32 = 0xf2000000 | (word >> 28 & 1) << 24 | (word & 0xffffff);      // data processing
  else if (word >> 24 == 0xf9) a32 = 0xf4000000 | (word & 0xffffff);                                    // element/structure load/store
  else if (word >> 28 == 0xe || word >> 28 == 0xf) a32 = word;                                          // VFP; 0xf.. unconditional VFP
  else return {nullptr, word};
  Fields f = shared.find(a32, a32 >> 28 == 15);
  return f;
}

Fields decode_t16(uint16_t half) {
  static const Index index({Isa::T16}, 8, 8);
  return index.find(half, false);
}

uint32_t Fields::operator[](char letter) const {
  uint32_t v = 0;
  const size_t n = std::strlen(row->pattern);
  for (size_t i = 0; i < n; i++)
    if (row->pattern[i] == letter) v = v << 1 | (word >> (n - 1 - i) & 1);
  return v;
}

bool Fields::has(char letter) const { return std::strchr(row->pattern, letter) != nullptr; }

int32_t Fields::sx(char letter) const {
  const auto width = std::count(row->pattern, row->pattern + std::strlen(row->pattern), letter);
  return static_cast<int32_t>((*this)[letter] << (32 - width)) >> (32 - width);
}

}  // namespace crosswalk::decoder
