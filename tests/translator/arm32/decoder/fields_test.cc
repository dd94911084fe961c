// SPDX-License-Identifier: GPL-2.0-or-later
// Letters that are checked while compiling: what compiles and what does not, and that the check
// reads the patterns as the decoder does.
#include "translator/arm32/decoder/fields.h"

#include <gtest/gtest.h>

#include <concepts>

#include "translator/arm32/decoder/row_letters.h"

namespace crosswalk::decoder {
namespace {

template <char>
struct Constant {};
// Whether f['x'] compiles, and f.get('x', 0).
template <class F, char letter>
concept Reads = requires {
  typename Constant<(typename F::Letter(letter)).letter>;
};
template <class F, char letter>
concept Gets = requires {
  typename Constant<(typename F::OptionalLetter(letter)).letter>;
};

using Example = Fields<"dn?mS">;
static_assert(Reads<Example, 'd'> && Reads<Example, 'n'>);
static_assert(!Reads<Example, 'm'> && !Reads<Example, 'S'>, "some rows lack these");
static_assert(!Reads<Example, 's'> && !Reads<Example, 'D'> && !Reads<Fields<>, 'd'>);
static_assert(Gets<Example, 'm'> && Gets<Example, 'S'>);
static_assert(!Gets<Example, 'd'> && !Gets<Example, 'x'>);

// A function may ask for fewer letters than its caller has, not for more.
static_assert(std::convertible_to<Example, Fields<"n">> && std::convertible_to<Example, Fields<>>);
static_assert(std::convertible_to<Example, Fields<"d?nx">>);
static_assert(!std::convertible_to<Example, Fields<"dm">> && !std::convertible_to<Fields<>, Fields<"d">>);
// Nor can the check be left out by accident.
static_assert(!std::convertible_to<Decoded, Example> && !std::convertible_to<Example, Decoded>);

// Handlers of one row, of rows that differ, and with a register field that is never 1111. Only A32
// rows have a condition, c.
static_assert(letters_of("CBZ") == KnownLetters("in"));
static_assert(letters_of("SETEND") == KnownLetters("E"));
static_assert(letters_of("UMAAL") == KnownLetters("hlmn?c"));
static_assert(letters_of("MUL") == KnownLetters("dn?Scm"));
static_assert(letters_of("BFI") == KnownLetters("dlmn?c"));
static_assert(letters_of("NOP") == KnownLetters("?Uchimn"));

TEST(Fields, LettersAreThoseOfTheDecoder) {
  for (const Row& r : rows()) {
    Letters letters;
    for (unsigned i = 0; i < r.field_count; i++) letters.add(r.fields[i].letter);
    EXPECT_EQ(letters, letters_in(r.isa, r.pattern)) << r.name << " " << r.pattern;
  }
}

TEST(Fields, ReadWhatTheRowHas) {
  const Decoded mul_t16 = decode_t16(0x4351);  // muls r1, r2
  ASSERT_STREQ(mul_t16.row->name, "MUL");
  const Fields<"dn?m"> t16(mul_t16);
  EXPECT_EQ(t16['d'], 1u);
  EXPECT_EQ(t16['n'], 2u);
  EXPECT_FALSE(t16.has('m'));
  EXPECT_EQ(t16.get('m', 7), 7u);
  const Fields<"dn?m"> a32(decode_a32(0xe0010392));  // mul r1, r2, r3
  EXPECT_TRUE(a32.has('m'));
  EXPECT_EQ(a32.get('m', 7), 3u);
  const Fields<"i"> branch(decode_t16(0xe7fe));
  EXPECT_EQ(branch.sx('i'), -2);
}

}  // namespace
}  // namespace crosswalk::decoder
