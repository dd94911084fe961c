// SPDX-License-Identifier: GPL-2.0-or-later
// The instruction tables: well-formed, unambiguous, and right about a list of words an assembler
// made.
#include "translator/arm32/decoder/decoder.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "translator/arm32/decoder/coverage.h"

namespace crosswalk::decoder {
namespace {

bool share_a_table(Isa a, Isa b) {
  const auto is_shared = [](Isa i) { return i == Isa::Vfp || i == Isa::Simd; };
  return a == b || (is_shared(a) && (is_shared(b) || b == Isa::A32)) || (is_shared(b) && a == Isa::A32);
}

// Whether some word matches both.
bool overlap(const Row& a, const Row& b) {
  if ((a.value ^ b.value) & a.mask & b.mask) return false;
  const uint32_t mask = a.mask | b.mask, value = a.value | b.value;
  for (const Row* r : {&a, &b})
    for (uint32_t ones : r->not_ones)
      if (ones && (mask & ones) == ones && (value & ones) == ones) return false;
  const bool unconditional = (mask & value) >> 28 == 15 && mask >> 28 == 15;
  const bool a32_form = a.isa != Isa::T32 && a.isa != Isa::T16;
  return !(a32_form && unconditional && (a.conditional || b.conditional));
}

// All words that match `a` match `b` too, and not the other way round.
bool more_specific(const Row& a, const Row& b) { return (a.mask & b.mask) == b.mask && a.fixed_bits > b.fixed_bits; }

std::string describe(const Row& r) { return std::string(r.name) + " " + r.pattern; }

TEST(Decoder, PatternsHaveTheRightLength) {
  for (const Row& r : rows()) {
    EXPECT_EQ(std::string_view(r.pattern).size(), r.isa == Isa::T16 ? 16u : 32u) << describe(r);
  }
}

TEST(Decoder, OverlappingRowsAreOrdered) {
  for (const Row& a : rows()) {
    for (const Row& b : rows()) {
      if (&a >= &b || !share_a_table(a.isa, b.isa) || !overlap(a, b)) continue;
      EXPECT_TRUE(more_specific(a, b) || more_specific(b, a)) << describe(a) << "\n" << describe(b);
    }
  }
}

// Every row is found by some word: none is hidden by others.
TEST(Decoder, EveryRowIsReachable) {
  std::mt19937 random(1);
  for (const Row& r : rows()) {
    bool found = false;
    for (int i = 0; i < 4000 && !found; i++) {
      uint32_t word = (static_cast<uint32_t>(random()) & ~r.mask) | r.value;
      if (r.isa == Isa::T16)
        word &= 0xffff;
      else if (r.isa != Isa::T32 && r.conditional)
        word = (word & 0x0fffffff) | 0xe0000000;
      const Decoded f = r.isa == Isa::T32   ? decode_t32(word)
                        : r.isa == Isa::T16 ? decode_t16(static_cast<uint16_t>(word))
                                            : decode_a32(word);
      found = f.row == &r;
    }
    EXPECT_TRUE(found) << describe(r);
  }
}

TEST(Decoder, FieldsAreConcatenatedFromTheTop) {
  const Decoded movw = decode_t32(0xf64a31cd);  // movw r1, #0xabcd
  ASSERT_NE(movw.row, nullptr);
  EXPECT_STREQ(movw.row->name, "MOV (immediate, 16-bit)");
  EXPECT_EQ(movw['j'] << 12 | movw['i'], 0xabcdu);
  EXPECT_EQ(movw['d'], 1u);
  EXPECT_FALSE(movw.has('S'));
  const Decoded b = decode_t16(0xe7fe);
  ASSERT_NE(b.row, nullptr);
  EXPECT_EQ(b.sx('i'), -2);
}

struct Known {
  Isa isa;
  uint32_t word;
  const char* name;  // nullptr: undefined
};

constexpr Known kKnown[] = {
    {Isa::A32, 0xe0810002, "ADD (register)"},
    {Isa::A32, 0xe1a00001, "MOV (register)"},
    {Isa::A32, 0xe1a00061, "RRX"},
    {Isa::A32, 0xe1a00211, "LSL (register)"},
    {Isa::A32, 0xe28f0004, "ADR (after)"},
    {Isa::A32, 0xe3001234, "MOV (immediate, 16-bit)"},
    {Isa::A32, 0xe0010392, "MUL"},
    {Isa::A32, 0xe0c10392, "SMULL"},
    {Isa::A32, 0xe59f1000, "LDR (literal)"},
    {Isa::A32, 0xe4b10004, "LDRT (immediate)"},
    {Isa::A32, 0xe0c100d0, "LDRD (immediate)"},
    {Isa::A32, 0xe1910f9f, "LDREX"},
    {Isa::A32, 0xe92d4010, "PUSH"},
    {Isa::A32, 0xe8bd8010, "POP"},
    {Isa::A32, 0xe8fd8003, "LDM (exception return)"},
    {Isa::A32, 0xe8d06000, "LDM (User registers)"},
    {Isa::A32, 0xe7e010d1, "UBFX"},
    {Isa::A32, 0xe7df001f, "BFC"},
    {Isa::A32, 0xe6ef0071, "UXTB"},
    {Isa::A32, 0xe6e10072, "UXTAB"},
    {Isa::A32, 0xf57ff05b, "DMB"},
    {Isa::A32, 0xf10c0080, "CPS"},
    {Isa::A32, 0xe320f003, "WFI"},
    {Isa::A32, 0xe10f0000, "MRS"},
    {Isa::A32, 0xe129f000, "MSR (register)"},
    {Isa::A32, 0xe1400070, "HVC"},
    {Isa::A32, 0xe7f000f0, "UDF"},
    {Isa::A32, 0xfa000000, "BLX (immediate)"},
    {Isa::A32, 0xee1d0f70, "MRC"},
    {Isa::A32, 0xec510f1e, "MRRC"},
    {Isa::A32, 0xf5d0f000, "PLD, PLDW (immediate)"},
    {Isa::A32, 0xf96d0513, "SRS"},
    {Isa::A32, 0xf8b10a00, "RFE"},
    {Isa::A32, 0xe6ff1f32, "RBIT"},
    {Isa::A32, 0xe16f1f12, "CLZ"},
    {Isa::A32, 0xe711f312, "SDIV"},
    {Isa::A32, 0xe1200070, "BKPT"},
    {Isa::A32, 0xe10f0070, "HLT"},
    {Isa::A32, 0xe6000010, nullptr},
    {Isa::A32, 0xe7f001f0, "UDF"},
    {Isa::A32, 0xff000000, nullptr},
    {Isa::T16, 0x4770, "BX"},
    {Isa::T16, 0xbf08, "IT"},
    {Isa::T16, 0xbf00, "NOP"},
    {Isa::T16, 0xb510, "PUSH"},
    {Isa::T16, 0xbd10, "POP"},
    {Isa::T16, 0x0008, "MOV (register)"},
    {Isa::T16, 0x4608, "MOV (register, high registers)"},
    {Isa::T16, 0xde00, "UDF"},
    {Isa::T16, 0xdf00, "SVC (previously SWI)"},
    {Isa::T16, 0xb100, "CBZ"},
    {Isa::T16, 0xb672, "CPS"},
    {Isa::T16, 0xbac0, "REVSH"},
    {Isa::T16, 0xba80, "HLT"},
    {Isa::T16, 0xbabc, "HLT"},
    {Isa::T16, 0xb600, nullptr},
    {Isa::T32, 0xeb000001, "ADD (register)"},
    {Isa::T32, 0xea5f0071, "ROR (immediate)"},
    {Isa::T32, 0xea4f0031, "RRX"},
    {Isa::T32, 0xf04f0001, "MOV (immediate)"},
    {Isa::T32, 0xf0100f01, "TST (immediate)"},
    {Isa::T32, 0xf8d01004, "LDR (immediate, 12-bit)"},
    {Isa::T32, 0xf8501c04, "LDR (immediate)"},
    {Isa::T32, 0xf8500e04, "LDRT"},
    {Isa::T32, 0xf85f0004, "LDR (literal)"},
    {Isa::T32, 0xf89ff004, "PLD (literal)"},
    {Isa::T32, 0xf890f004, "PLD (immediate, 12-bit)"},
    {Isa::T32, 0xf8b0f004, "PLDW (immediate, 12-bit)"},
    {Isa::T32, 0xe8bd8010, "POP"},
    {Isa::T32, 0xe8dff000, "TBB"},
    {Isa::T32, 0xe8d00f4f, "LDREXB"},
    {Isa::T32, 0xe8d0017f, "LDREXD"},
    {Isa::T32, 0xe8500f00, "LDREX"},
    {Isa::T32, 0xe9d00100, "LDRD (immediate)"},
    {Isa::T32, 0xf3af8003, "WFI"},
    {Isa::T32, 0xf3bf8f6f, "ISB"},
    {Isa::T32, 0xf3ef8000, "MRS"},
    {Isa::T32, 0xf3de8f00, "SUBS PC, LR (and ERET)"},
    {Isa::T32, 0xf000f800, "BL (immediate)"},
    {Isa::T32, 0xf000e800, "BLX (immediate)"},
    {Isa::T32, 0xf0008000, "B (conditional)"},
    {Isa::T32, 0xf7f0a000, "UDF"},
    {Isa::T32, 0xfa91f081, "REV"},
    {Isa::T32, 0xfb91f0f2, "SDIV"},
    {Isa::T32, 0xfbe10362, "UMAAL"},
    {Isa::T32, 0xee1d0f70, "MRC"},
    {Isa::T32, 0xf8f00000, nullptr},
};

TEST(Decoder, KnownWords) {
  for (const Known& k : kKnown) {
    const Decoded f = k.isa == Isa::T32   ? decode_t32(k.word)
                      : k.isa == Isa::T16 ? decode_t16(static_cast<uint16_t>(k.word))
                                          : decode_a32(k.word);
    const std::string found = f.row ? f.row->name : "(undefined)";
    EXPECT_EQ(found, k.name ? k.name : "(undefined)") << std::hex << k.word;
  }
}

TEST(Coverage, ReportCountsEveryRow) {
  const std::string report = coverage_report();
  EXPECT_NE(report.find("| A32 |"), std::string::npos);
  EXPECT_NE(report.find("ENTERX"), std::string::npos);
  size_t total = 0;
  for (Isa isa : {Isa::A32, Isa::T32, Isa::T16, Isa::Vfp, Isa::Simd}) total += count_rows(isa);
  EXPECT_EQ(total, rows().size());
}

// docs/coverage.md is the report. With CROSSWALK_WRITE_COVERAGE set, it is written anew.
TEST(Coverage, DocumentIsTheReport) {
  const std::string expected =
      "# Instruction coverage\n\nGenerated by `CROSSWALK_WRITE_COVERAGE=1 build/tests/translator-arm32-decoder`; a "
      "test "
      "compares.\nAn encoding that no row matches raises Undefined Instruction.\n\n" +
      coverage_report();
  const char* const path = "docs/coverage.md";
  if (std::getenv("CROSSWALK_WRITE_COVERAGE")) std::ofstream(path) << expected;
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << "no " << path << " here: tests run from the repository's root";
  const std::string found((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(found, expected);
}

// A reason that names no row is left over from a change.
TEST(Coverage, EveryReasonHasRows) {
  for (const UndefinedByChoice& u : undefined_by_choice()) {
    bool used = false;
    for (const Row& r : rows()) used |= std::string_view(r.handler_name) == u.handler_name;
    EXPECT_TRUE(used) << u.handler_name;
  }
}

}  // namespace
}  // namespace crosswalk::decoder
