// SPDX-License-Identifier: GPL-2.0-or-later
// How handlers are defined:
//
//   HANDLER(NAME) { statements }
//
// Here `t` is the TranslateContext, and `f` the fields of the rows that name this handler: f['d']
// where all of them have the letter d, f.get('n', 13) where only some have n. The compiler works
// both sets out from the patterns, and refuses other letters (fields.h). c of an A32 row is its
// condition, with which the driver (Translator) has dealt.
#pragma once

#include "translator/arm32/decoder/row_letters.h"
#include "translator/arm32/frontend/translate_context.h"

namespace crosswalk::frontend {

using decoder::Decoded;
using decoder::Fields;

using Handler = void (*)(TranslateContext&, const Decoded&);
// Of the row that the word matches; d.row is not null.
Handler handler_of(const Decoded& d);

// Every handler named in the tables; a missing one is a link error.
#define INST(isa, handler, name, pattern) void handler(TranslateContext& t, const Decoded& d);
#include "translator/arm32/decoder/all_rows.inc"
#undef INST

#define HANDLER(name)                                                                    \
  using name##_fields = Fields<decoder::letters_of(#name)>;                              \
  static void name##_with(TranslateContext& t, name##_fields f);                         \
  void name(TranslateContext& t, const Decoded& d) { name##_with(t, name##_fields(d)); } \
  static void name##_with([[maybe_unused]] TranslateContext& t, [[maybe_unused]] name##_fields f)

}  // namespace crosswalk::frontend
