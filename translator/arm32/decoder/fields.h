// SPDX-License-Identifier: GPL-2.0-or-later
// Fields of a decoded word whose letters are checked while compiling.
//
// Fields<"dn?mS"> is a word whose row has the fields d and n, and may have m and S. f['d'] is a
// field that the row has; f.get('m', 15) is one that it may lack, with what stands for it then. Any
// other letter does not compile.
#pragma once

#include <cstdint>
#include <string_view>

#include "translator/arm32/decoder/decoder.h"

namespace crosswalk::decoder {

// A set of letters.
struct Letters {
  uint64_t bits = 0;

  constexpr Letters() = default;
  constexpr Letters(std::string_view letters) {
    for (char c : letters) add(c);
  }
  static constexpr uint64_t bit(char c) { return uint64_t{1} << letter_number(c); }
  constexpr void add(char c) { bits |= bit(c); }
  constexpr bool has(char c) const { return (bits & bit(c)) != 0; }
  constexpr bool contains(Letters others) const { return (others.bits & ~bits) == 0; }
  bool operator==(const Letters&) const = default;
};

// What is known of a row's letters: it has `always`, and may have `sometimes`. In a string, the
// latter are behind a '?'.
struct KnownLetters {
  Letters always, sometimes;

  constexpr KnownLetters(Letters always, Letters sometimes) : always(always), sometimes(sometimes) {}
  constexpr KnownLetters(const char* letters) {
    const std::string_view s = letters;
    const size_t mark = s.find('?');
    always = s.substr(0, mark);
    if (mark != s.npos) sometimes = s.substr(mark + 1);
  }
  bool operator==(const KnownLetters&) const = default;
};

// These have no definition: an error names them.
void some_row_lacks_this_letter();
void this_letter_is_not_optional();

template <KnownLetters kLetters = "">
class Fields : Decoded {
 public:
  using Decoded::row;
  using Decoded::word;

  // Precondition: the row has the letters.
  explicit Fields(const Decoded& d) : Decoded(d) {}
  // For a function that asks for less than its caller knows. Optional letters need not be known.
  template <KnownLetters kMore>
  requires(kMore.always.contains(kLetters.always)) Fields(const Fields<kMore>& f) : Decoded{f.row, f.word} {}

  struct Letter {
    char letter;
    consteval Letter(char c) : letter(c) {
      if (!kLetters.always.has(c)) some_row_lacks_this_letter();
    }
  };
  struct OptionalLetter {
    char letter;
    consteval OptionalLetter(char c) : letter(c) {
      if (!kLetters.sometimes.has(c)) this_letter_is_not_optional();
    }
  };

  uint32_t operator[](Letter l) const { return Decoded::operator[](l.letter); }
  int32_t sx(Letter l) const { return Decoded::sx(l.letter); }  // sign-extended
  bool has(OptionalLetter l) const { return Decoded::has(l.letter); }
  uint32_t get(OptionalLetter l, uint32_t otherwise) const { return Decoded::get(l.letter, otherwise); }
};

}  // namespace crosswalk::decoder
