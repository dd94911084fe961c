// SPDX-License-Identifier: GPL-2.0-or-later
// How handlers are defined:
//
//   HANDLER(NAME) { statements }
//
// Here `t` is the Translator, and `f` the fields of the rows that name this handler: f['d'] where
// all of them have the letter d, f.get('n', 13) where only some have n. The compiler works both
// sets out from the patterns, and refuses other letters (fields.h). c of an A32 row is its
// condition, with which the driver has dealt.
#pragma once

#include "translator/arm32/decoder/row_letters.h"
#include "translator/arm32/frontend/translator.h"

namespace crosswalk::frontend {

using decoder::Fields;

#define HANDLER(name)                                                              \
  using name##_fields = Fields<decoder::letters_of(#name)>;                        \
  static void name##_with(Translator& t, name##_fields f);                         \
  void name(Translator& t, const Decoded& d) { name##_with(t, name##_fields(d)); } \
  static void name##_with([[maybe_unused]] Translator& t, [[maybe_unused]] name##_fields f)

}  // namespace crosswalk::frontend
