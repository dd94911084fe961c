// SPDX-License-Identifier: GPL-2.0-or-later
// The letters of the rows that share a handler, from the instruction table.
#pragma once

#include "translator/arm32/decoder/fields.h"

namespace crosswalk::decoder {

constexpr Letters letters_in(Isa isa, std::string_view pattern) {
  Letters letters;
  for (size_t i = 0; i < pattern.size(); i++) {
    if (!is_letter(pattern[i])) continue;
    const bool not_pc = is_not_pc_field(isa, pattern, i);
    letters.add(not_pc ? to_small(pattern[i]) : pattern[i]);
    if (not_pc) i += 3;
  }
  return letters;
}

struct HandledPattern {
  size_t name_length;  // compared first: these loops are much of what a handler takes to compile
  const char* handler_name;
  Isa isa;
  const char* pattern;
};
inline constexpr HandledPattern kPatterns[] = {
#define INST(isa, handler, name, pattern) {sizeof(#handler) - 1, #handler, Isa::isa, pattern},
#include "translator/arm32/decoder/all_rows.inc"
#undef INST
};

void no_row_has_this_handler();  // has no definition: an error names it

// The letters that all rows of a handler have, and those that only some of them have.
consteval KnownLetters letters_of(std::string_view handler_name) {
  Letters all, any;
  bool found = false;
  const size_t length = handler_name.size();
  for (const HandledPattern& row : kPatterns) {
    if (row.name_length != length || row.handler_name != handler_name) continue;
    const Letters letters = letters_in(row.isa, row.pattern);
    all.bits = found ? all.bits & letters.bits : letters.bits;
    any.bits |= letters.bits;
    found = true;
  }
  if (!found) no_row_has_this_handler();
  any.bits &= ~all.bits;
  return {all, any};
}

}  // namespace crosswalk::decoder
