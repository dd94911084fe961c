// SPDX-License-Identifier: GPL-2.0-or-later
// The parallel additions and subtractions, SEL, USAD8 and USADA8 in line give what the functions
// give that work lane by lane (ARM DDI 0406C, A4.4.7), in values and GE. The differential test
// compares both with Unicorn.
#include <gtest/gtest.h>

#include <string>

#include "tests/translator/simd/machine.h"

namespace crosswalk::simd_test {
namespace {

bool is_parallel(const decoder::Row& row) {
  const uint32_t group = row.value >> 20 & 0xff;
  return row.isa == decoder::Isa::A32 &&
         ((group >= 0x61 && group <= 0x67 && group != 0x64) || group == 0x78 || std::string_view(row.name) == "SEL") &&
         (row.value >> 4 & 1);
}

// Bytes and halfwords at their limits, mostly.
uint32_t lanes(Random& random) {
  uint32_t v = 0;
  const unsigned size = random() % 3;
  for (unsigned i = 0; i < 4u >> size; i++) v |= static_cast<uint32_t>(interesting(random, size)) << (i * 8 << size);
  return v;
}

TEST(Parallel, EqualsTheFunctions) {
  Machine machine;
  Random random(1);
  const auto initial = make_state(), a = make_state(), b = make_state();
  int rows = 0;
  for (const decoder::Row& row : decoder::rows()) {
    if (!is_parallel(row)) continue;
    rows++;
    for (int i = 0; i < 1000; i++) {
      const uint32_t word = (random_word(random, row) & 0x0fffffff) | 0xe0000000;
      if (decoder::decode_a32(word).row != &row) continue;
      for (uint32_t& r : initial->r) r = lanes(random);
      write_ge(*initial, static_cast<uint32_t>(random() & 15));
      *a = *initial;
      *b = *initial;
      const bool defined = machine.run(*a, {word}, {.native = true, .optimise = i % 2 == 0, .flags = {}});
      ASSERT_EQ(defined, machine.run(*b, {word}, {.native = false, .optimise = true, .flags = {}}));
      for (int r = 0; r < 15; r++) ASSERT_EQ(a->r[r], b->r[r]) << row.name << std::hex << " " << word << " r" << r;
      ASSERT_EQ(a->ge_mask, b->ge_mask) << row.name << std::hex << " " << word;
    }
  }
  EXPECT_EQ(rows, 36 + 3);
}

// Each of the four bits by itself.
TEST(Parallel, GeBits) {
  Machine machine;
  const auto cpu = make_state();
  for (uint32_t ge = 0; ge < 16; ge++) {
    write_ge(*cpu, ge);
    EXPECT_EQ(read_ge(*cpu), ge);
    EXPECT_EQ(read_cpsr(*cpu) >> 16 & 15, ge);
    uint32_t ones = 0, halves = 0;
    for (unsigned i = 0; i < 4; i++) ones |= (ge >> i & 1) << 8 * i;
    for (unsigned i = 0; i < 2; i++) halves |= (ge >> (2 * i) & 1) << 16 * i;
    cpu->r[0] = 0x44332211;
    cpu->r[1] = 0x88776655;
    cpu->r[2] = ones;
    cpu->r[3] = 0xffffffff;
    ASSERT_TRUE(machine.run(*cpu, {0xe6804fb1}, {}));  // SEL r4, r0, r1
    for (unsigned i = 0; i < 32; i += 8) EXPECT_EQ(cpu->r[4] >> i & 255, cpu->r[ge >> i / 8 & 1 ? 0 : 1] >> i & 255);
    ASSERT_TRUE(machine.run(*cpu, {0xe6525f93}, {}));  // UADD8 r5, r2, r3
    EXPECT_EQ(read_ge(*cpu), ge);
    ASSERT_TRUE(machine.run(*cpu, {0xe6515ff1}, {}));  // USUB8 r5, r1, r1
    EXPECT_EQ(read_ge(*cpu), 15u);
    cpu->r[2] = halves;
    ASSERT_TRUE(machine.run(*cpu, {0xe6525f13}, {}));  // UADD16 r5, r2, r3
    EXPECT_EQ(read_ge(*cpu), (ge & 1) * 3 | (ge >> 2 & 1) * 12);
  }
}

// GE goes from one instruction to the next without memory here; conditional instructions, and an
// access that may fault, between them.
TEST(Parallel, Sequences) {
  Machine machine;
  Random random(2);
  std::vector<const decoder::Row*> rows;
  for (const decoder::Row& row : decoder::rows())
    if (is_parallel(row)) rows.push_back(&row);
  const auto initial = make_state(), a = make_state(), b = make_state();
  for (int i = 0; i < 3000; i++) {
    std::vector<uint32_t> words;
    while (words.size() < 10) {
      // MRS r9, CPSR; MSR CPSR_f, r4
      if (random() % 8 == 0) words.push_back(random() % 2 ? 0xe10f9000 : 0xe128f004);
      if (random() % 8 == 0) words.push_back(0xe5989000);  // LDR r9, [r8]
      const decoder::Row& row = *rows[random() % rows.size()];
      const uint32_t condition = random() % 4 == 0 ? static_cast<uint32_t>(random() % 14) : 14;
      // registers 0 to 7
      const uint32_t word = (random_word(random, row) & 0x0fff7fff & ~(~row.mask & 0x00088808)) | condition << 28;
      if (decoder::decode_a32(word).row == &row) words.push_back(word);
    }
    for (uint32_t& r : initial->r) r = lanes(random);
    initial->r[8] = Machine::kMemory;
    write_ge(*initial, static_cast<uint32_t>(random() & 15));
    write_nzcv(*initial, static_cast<uint32_t>(random()));
    *a = *initial;
    *b = *initial;
    ASSERT_TRUE(machine.run(*a, words, {}));
    for (const uint32_t word : words)
      ASSERT_TRUE(machine.run(*b, {word}, {.native = false, .optimise = false, .flags = {}}));
    for (int r = 0; r < 15; r++) ASSERT_EQ(a->r[r], b->r[r]) << "r" << r << " of block " << i;
    ASSERT_EQ(read_cpsr(*a), read_cpsr(*b));
  }
}

}  // namespace
}  // namespace crosswalk::simd_test
