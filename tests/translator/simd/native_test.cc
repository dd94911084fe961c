// SPDX-License-Identifier: GPL-2.0-or-later
// Vector opcodes and their SSE code give what the element-wise helpers give, in values and in
// FPSCR, for random operands of every data-processing row.
#include <gtest/gtest.h>

#include <string>

#include "tests/translator/simd/machine.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::simd_test {
namespace {

constexpr int kWordsPerRow = 400;

class Native : public testing::TestWithParam<bool> {};

TEST_P(Native, EqualsTheHelpers) {
  Machine machine;
  Random random(7);
  const auto initial = make_state(), a = make_state(), b = make_state();
  int failures = 0;
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd || is_load_store(row)) continue;
    int executed = 0;
    for (int i = 0; i < kWordsPerRow && failures < 10; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row) continue;
      fill_interesting(random, *initial);
      arm::write_fpscr(*initial, i % 2 ? static_cast<uint32_t>(random()) : 0);
      *a = *initial;
      *b = *initial;
      const bool defined = machine.run(*a, {word}, {.native = true, .optimise = GetParam(), .flags = {}});
      ASSERT_EQ(defined, machine.run(*b, {word}, {.native = false, .optimise = GetParam(), .flags = {}}));
      executed += defined;
      if (std::memcmp(a->vreg, b->vreg, sizeof a->vreg) != 0 || arm::read_fpscr(*a) != arm::read_fpscr(*b)) {
        failures++;
        ADD_FAILURE() << row.name << std::hex << " word " << word << "; columns: before, native, helper\n"
                      << describe_registers(*initial, *a, *b);
      }
    }
    EXPECT_GT(executed, kWordsPerRow / 64) << row.name << " " << row.pattern;
  }
}

// Values stay in SSE registers from one instruction to the next here.
TEST_P(Native, EqualsTheHelpersInSequences) {
  Machine machine;
  Random random(8);
  std::vector<const decoder::Row*> rows;
  for (const decoder::Row& row : decoder::rows())
    if (row.isa == decoder::Isa::Simd && !is_load_store(row)) rows.push_back(&row);
  const auto initial = make_state(), a = make_state(), b = make_state();
  for (int i = 0; i < 2000; i++) {
    std::vector<uint32_t> words;
    while (words.size() < 12) {
      // Registers 0-7 mostly, so that results are used.
      const decoder::Row& row = *rows[random() % rows.size()];
      const uint32_t word = random_word(random, row) & ~((0x004800a8u & ~row.mask) & 0x00480028u);
      if (decoder::decode_a32(word).row != &row || !machine.run(*a, {word}, {})) continue;
      words.push_back(word);
    }
    fill_interesting(random, *initial);
    *a = *initial;
    *b = *initial;
    ASSERT_TRUE(machine.run(*a, words, {.native = true, .optimise = GetParam(), .flags = {}}));
    for (const uint32_t word : words)
      ASSERT_TRUE(machine.run(*b, {word}, {.native = false, .optimise = false, .flags = {}}));
    std::string text;
    for (const uint32_t word : words) text += std::string(decoder::decode_a32(word).row->name) + ", ";
    ASSERT_TRUE(std::memcmp(a->vreg, b->vreg, sizeof a->vreg) == 0 && arm::read_fpscr(*a) == arm::read_fpscr(*b))
        << text << "\n"
        << describe_registers(*initial, *a, *b);
  }
}

INSTANTIATE_TEST_SUITE_P(Passes, Native, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) { return info.param ? "Optimised" : "Plain"; });

}  // namespace
}  // namespace crosswalk::simd_test
