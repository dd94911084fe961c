// SPDX-License-Identifier: GPL-2.0-or-later
// Calls and returns through a register, which are linked to the target that they had first.
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(GuessedTargets);

constexpr uint32_t kRoutine = kCode + 0x2000, kOther = kCode + 0x3000;
constexpr uint32_t kRounds = 50;

// The same jump goes to three places in turn, of two pages and both instruction sets.
TEST_P(GuessedTargets, ReturnsToManyPlaces) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  g->words(kOther, {mov(8, 14)});
  Asm other(kOther + 4);
  other.bl(kRoutine)({add_imm(1, 1, 3), bx(8)});
  g->code(other, kOther + 4);
  // Thumb: ADDS R2, #5; BX R8
  g->words(kOther + 0x100, {0x47403205});
  Asm a(kCode);
  a({mov_imm(0, 0), mov_imm(1, 0), mov_imm(2, 0), mov_imm(9, kRounds)}).set(10, kOther + 0x101).set(11, kRoutine);
  const uint32_t loop = a.here();
  a.bl(kRoutine).bl(kOther)({blx(11)});
  a.set(8, a.here() + 16)({mov(14, 10)}).b(kRoutine)({subs_imm(9, 9, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[0], 4 * kRounds);
  EXPECT_EQ(g->cpu.r[1], 3 * kRounds);
  EXPECT_EQ(g->cpu.r[2], 5 * kRounds);
}

// Where there is one target, the run loop is not needed again.
TEST_P(GuessedTargets, AreLinked) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  Asm a(kCode);
  a({mov_imm(0, 0), mov_imm(9, kRounds)}).set(11, kRoutine);
  const uint32_t loop = a.here();
  a({blx(11), subs_imm(9, 9, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  const uint64_t links = g->engine_statistics().links;
  EXPECT_EQ(g->cpu.r[0], kRounds);
  if (GetParam().chain) {
    EXPECT_EQ(links, GetParam().guess_targets ? 4u : 1u);
  }
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], kRounds);
  if (GetParam().mode != mmu::Mode::Hybrid) {
    EXPECT_EQ(g->engine_statistics().links, links);
  }
}

// What is returned to changes: by a store, and because its page is another one.
TEST_P(GuessedTargets, OtherCodeAtTheGuess) {
  for (const bool remapped : {false, true}) {
    auto g = make_guest();
    g->map(kVa, kOther);
    g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
    g->map(kVa + 0x1000, kRoutine);
    Asm first(kVa), second(kVa);
    first({mov(8, 14)}).bl(kVa + 0x1000)({add_imm(1, 1, 3), bx(8)});
    second({mov(8, 14)}).bl(kVa + 0x1000)({add_imm(1, 1, 7), bx(8)});
    g->code(first, kOther);
    g->code(second, kOther + 0x1000);
    Asm a(kCode);
    a({mov_imm(1, 0), mov_imm(9, 4)}).set(11, kVa).set(5, kOther + 8).set(6, add_imm(1, 1, 7));
    a.set(3, g->entry(kVa)).set(7, Guest::page(kOther + 0x1000));
    const uint32_t loop = a.here();
    a({blx(11), blx(11)});
    if (remapped)
      a({str(7, 3), kDsb, tlbiall(2), kDsb, kIsb});
    else
      a({str(6, 5), kDsb, iciallu(2), kIsb});
    a({subs_imm(9, 9, 1)}).b(loop, kNe)({kHvc});
    g->code(a, kCode);
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None) << remapped;
    EXPECT_EQ(g->cpu.r[1], 2u * 3 + 6 * 7) << remapped;
  }
}

// A copy of a block guesses for itself.
TEST_P(GuessedTargets, OfCopiedBlocks) {
  auto g = make_guest();
  constexpr uint32_t kStep = 0x11000;
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  for (uint32_t i = 0; i < 4; i++) g->map(kVa + i * kStep, kRoutine);
  Asm a(kCode);
  a({mov_imm(0, 0)}).set(11, kVa).set(10, kStep);
  for (uint32_t i = 0; i < 4; i++) a({blx(11), blx(11), add(11, 11, 10)});
  a({kHvc});
  g->code(a, kCode);
  for (uint32_t i = 1; i < 4; i++) {
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[0], 8u);
  }
}

// A return loads its target from memory, and writes the base back.
TEST_P(GuessedTargets, LoadedReturns) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), 0xe49df004});  // LDR PC, [SP], #4
  Asm a(kCode);
  a({mov_imm(0, 0), mov_imm(9, kRounds)}).set(13, kCode + 0x1800);
  const uint32_t loop = a.here();
  for (int i = 0; i < 2; i++) {
    a.set(14, a.here() + 16)({0xe52de004}).b(kRoutine);  // STR LR, [SP, #-4]!
  }
  a({subs_imm(9, 9, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[0], 2 * kRounds);
  EXPECT_EQ(g->cpu.r[13], kCode + 0x1800);
}

}  // namespace
}  // namespace crosswalk::test
