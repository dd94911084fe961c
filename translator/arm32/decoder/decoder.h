// SPDX-License-Identifier: GPL-2.0-or-later
// The instruction table and its decoder. One row per encoding, with the Arm manual's bit pattern
// and name:
//
//   INST(isa, handler, "NAME (form)", "pattern")
//
// In a pattern 0 and 1 are fixed bits, '-' and '+' are ignored (should be zero, should be one), a
// letter names a field; bits that share a letter are concatenated, most significant first. Where
// two rows match, the one with more fixed bits wins; a test checks that overlapping rows are always
// ordered like that (one strictly more specific). In A32 a pattern that starts with "cccc" never
// matches condition 1111. NNNN, TTTT, DDDD and AAAA in A32 and T32 rows are the register fields n,
// t, d and a where the manual says "if Rn == '1111' then SEE ...": they never match 1111. T16
// patterns have 16 characters, the others 32; T32 words carry the first halfword in bits 31:16. VFP
// and Advanced SIMD rows are in A32 form and serve T32 too (see decode_t32).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace crosswalk::decoder {

enum class Isa : uint8_t { A32, T32, T16, Vfp, Simd };

struct Row;

// A decoded word, whose fields are read by letter. The letters are looked up at run time; handlers
// have them checked while compiling (fields.h).
struct Decoded {
  const Row* row = nullptr;
  uint32_t word = 0;
  // Value of a field, or `otherwise` when the row has no such letter.
  uint32_t get(char letter, uint32_t otherwise) const;
  uint32_t operator[](char letter) const { return get(letter, 0); }
  bool has(char letter) const;
  // Sign-extended value of a field that the row has.
  int32_t sx(char letter) const;

 private:
  uint32_t in_pieces(uint32_t mask) const;  // the bits of `mask`, next to each other
};

// Whether a register field that never matches 1111 starts at pattern[first]: NNNN, TTTT, DDDD or
// AAAA. Its letter is the small one.
constexpr bool is_not_pc_field(Isa isa, std::string_view pattern, size_t first) {
  const char c = pattern[first];
  if ((isa != Isa::A32 && isa != Isa::T32) || (c != 'N' && c != 'T' && c != 'D' && c != 'A')) return false;
  const std::string_view field = pattern.substr(first, 4);
  return field.size() == 4 && field.find_first_not_of(c) == field.npos;
}
constexpr char to_small(char capital) { return static_cast<char>(capital - 'A' + 'a'); }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// A letter as a number below 52.
constexpr unsigned letter_number(char c) { return static_cast<unsigned>(c >= 'a' ? c - 'a' : c - 'A' + 26); }

struct RowField {
  char letter;
  uint32_t mask;
  // Where it is in one piece, as most are: word >> low & ones. Else `ones` is 0.
  uint8_t low = 0;
  uint32_t ones = 0;
};

struct Row {
  Isa isa;
  const char* handler_name;
  const char* name;
  const char* pattern;
  uint32_t mask = 0, value = 0;  // word & mask == value
  uint8_t fixed_bits = 0;
  bool conditional = false;  // pattern starts with cccc
  uint8_t field_count = 0;
  RowField fields[12] = {};
  uint8_t field_numbers[52] = {};  // by letter_number(): 1 + the field's index; 0: the row has none
  uint32_t not_ones[2] = {};       // masks of fields that are never all ones; 0 when there is none

  // Null when there is none.
  constexpr const RowField* field(char letter) const {
    const uint8_t n = field_numbers[letter_number(letter)];
    return n == 0 ? nullptr : &fields[n - 1];
  }
  constexpr uint32_t field_mask(char letter) const {
    const RowField* const f = field(letter);
    return f ? f->mask : 0;
  }
  constexpr bool matches(uint32_t word) const {
    return (word & mask) == value && (!not_ones[0] || (word & not_ones[0]) != not_ones[0]) &&
           (!not_ones[1] || (word & not_ones[1]) != not_ones[1]) &&
           !(conditional && isa == Isa::A32 && word >> 28 == 15);
  }
};

inline uint32_t Decoded::get(char letter, uint32_t otherwise) const {
  const RowField* const f = row->field(letter);
  if (!f) return otherwise;
  return f->ones != 0 ? word >> f->low & f->ones : in_pieces(f->mask);
}
inline bool Decoded::has(char letter) const { return row->field(letter) != nullptr; }

// All rows, in table order.
std::span<const Row> rows();

// The row for an instruction word, or row == nullptr: an undefined instruction.
Decoded decode_a32(uint32_t word);
Decoded decode_t32(uint32_t word);  // first halfword in bits 31:16
Decoded decode_t16(uint16_t half);
// True when `half` is the first halfword of a 32-bit T32 instruction.
inline bool is_t32(uint16_t half) { return (half >> 11) >= 0x1d; }

}  // namespace crosswalk::decoder
