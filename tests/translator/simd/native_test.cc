// SPDX-License-Identifier: GPL-2.0-or-later
// Vector opcodes and their SSE code give what the element-wise helpers give, in values and in
// FPSCR, for random operands of every data-processing row.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/translator/simd/machine.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::simd_test {
namespace {

constexpr int kWordsPerRow = 400;

struct Variant {
  const char* name;
  bool optimise;
  bool all_features;  // of the host, or none
  Machine::Options options(bool native) const {
    return {.native = native,
            .optimise = optimise,
            .flags = {},
            .features = all_features ? x64::host_features() : x64::HostFeatures{}};
  }
};
class Native : public testing::TestWithParam<Variant> {};

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
      const bool defined = machine.run(*a, {word}, GetParam().options(true));
      ASSERT_EQ(defined, machine.run(*b, {word}, GetParam().options(false)));
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
    ASSERT_TRUE(machine.run(*a, words, GetParam().options(true)));
    for (const uint32_t word : words)
      ASSERT_TRUE(machine.run(*b, {word}, {.native = false, .optimise = false, .flags = {}}));
    std::string text;
    for (const uint32_t word : words) text += std::string(decoder::decode_a32(word).row->name) + ", ";
    ASSERT_TRUE(std::memcmp(a->vreg, b->vreg, sizeof a->vreg) == 0 && arm::read_fpscr(*a) == arm::read_fpscr(*b))
        << text << "\n"
        << describe_registers(*initial, *a, *b);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Native,
                         testing::Values(Variant{"Optimised", true, true}, Variant{"Plain", false, true},
                                         Variant{"WithoutAvx", true, false}),
                         [](const testing::TestParamInfo<Variant>& info) { return info.param.name; });

// Runs a word natively and by its helper, on the same registers.
class Comparison {
 public:
  void compare(uint32_t word, const x64::HostFeatures& features = x64::host_features()) {
    *native_ = *initial;
    *helper_ = *initial;
    ASSERT_TRUE(machine_.run(*native_, {word}, {.native = true, .optimise = true, .flags = {}, .features = features}));
    ASSERT_TRUE(machine_.run(*helper_, {word}, {.native = false, .optimise = true, .flags = {}}));
    ASSERT_TRUE(std::memcmp(native_->vreg, helper_->vreg, sizeof native_->vreg) == 0 &&
                arm::read_fpscr(*native_) == arm::read_fpscr(*helper_))
        << decoder::decode_a32(word).row->name << std::hex << " word " << word << "; columns: before, native, helper\n"
        << describe_registers(*initial, *native_, *helper_);
  }
  void set_q(unsigned q, const void* v) { std::memcpy(initial->vreg + 16 * q, v, 16); }

  const std::unique_ptr<CpuState> initial = make_state();

 private:
  Machine machine_;
  const std::unique_ptr<CpuState> native_ = make_state(), helper_ = make_state();
};

// VSHL, VRSHL, VQSHL and VQRSHL by each amount that the low byte can hold, with anything above it.
TEST(NativeShift, EveryAmount) {
  Comparison c;
  Random random(9);
  for (const uint32_t operation : {0xf2000440u, 0xf2000540u, 0xf2000450u, 0xf2000550u}) {
    for (unsigned size = 0; size < 4; size++) {
      const unsigned lanes = 16u >> size;
      for (unsigned first = 0; first < 256; first += lanes) {
        uint64_t value[2] = {}, amounts[2] = {};
        for (unsigned i = 0; i < lanes; i++) {
          const unsigned at = i * 8 << size;
          value[at / 64] |= interesting(random, size) << at % 64;
          const uint64_t amount = (random() << 8 | (first + i)) & (~uint64_t{0} >> (64 - (8u << size)));
          amounts[at / 64] |= amount << at % 64;
        }
        c.set_q(1, amounts);
        c.set_q(2, value);
        for (const uint32_t u : {0u, 1u << 24})
          for (const uint32_t q : {0u, 1u << 6})
            // d = 0, n = 2, m = 4
            ASSERT_NO_FATAL_FAILURE(c.compare((operation & ~0x40u) | u | q | size << 20 | 0x00020004));
      }
    }
  }
}

// VCVT between half and single precision: each half, and singles that are near one.
TEST(NativeHalf, EveryNumber) {
  Comparison c;
  Random random(10);
  for (const uint32_t fpscr : {0u, uint32_t{arm::kFpscrAhp}, uint32_t{arm::kFpscrFz}}) {
    for (uint32_t half = 0; half < 0x10000; half += fpscr == 0 ? 4 : 68) {
      arm::write_fpscr(*c.initial, fpscr);
      const uint16_t halves[8] = {static_cast<uint16_t>(half), static_cast<uint16_t>(half + 1),
                                  static_cast<uint16_t>(half + 2), static_cast<uint16_t>(half + 3)};
      c.set_q(2, halves);
      ASSERT_NO_FATAL_FAILURE(c.compare(0xf3b60704));  // VCVT.F32.F16 q0, d4
      if (fpscr == 0 && half % 32 != 0) continue;
      // Singles with the exponents that halves have, and some beyond on either side; the first bits
      // that are cut off decide how they are rounded.
      uint32_t singles[4];
      for (uint32_t& v : singles) {
        v = static_cast<uint32_t>(random());
        const uint32_t exponent = 127 - 27 + v % 45;
        v = (v & 0x807fe000) | exponent << 23 | (v >> 8 & 1 ? 0x1000 : 0) | (v >> 9 & 1);
      }
      c.set_q(2, singles);
      ASSERT_NO_FATAL_FAILURE(c.compare(0xf3b60604));  // VCVT.F16.F32 d0, q2
    }
  }
}

// VRECPE and VRSQRTE: each exponent with some fractions, each index of the tables.
TEST(NativeEstimate, EveryIndex) {
  Comparison c;
  Random random(13);
  for (uint32_t i = 0; i < 0x10000; i += 20) {
    uint32_t v[4];
    // bits 31:16 in an order that has neighbours of one kind in a register, mostly
    for (uint32_t k = 0; k < 4; k++) v[k] = (i + k) << 16 | (i * 0x9e37u & 0xffff);
    c.set_q(2, v);
    // VRECPE.F32 and VRSQRTE.F32 of q2 and of d4
    constexpr uint32_t kWords[] = {0xf3bb0544, 0xf3bb05c4, 0xf3bb0504, 0xf3bb0584};
    ASSERT_NO_FATAL_FAILURE(c.compare(kWords[random() % 4]));
  }
}

// The same of integers, whose upper 9 bits matter.
TEST(NativeEstimate, EveryInteger) {
  Comparison c;
  Random random(12);
  for (uint32_t i = 0; i < 512; i += 4) {
    uint32_t v[4];
    for (uint32_t k = 0; k < 4; k++) v[k] = (i + k) << 23 | (static_cast<uint32_t>(random()) & 0x7fffff);
    c.set_q(2, v);
    ASSERT_NO_FATAL_FAILURE(c.compare(0xf3bb0444));  // VRECPE.U32 q0, q2
    ASSERT_NO_FATAL_FAILURE(c.compare(0xf3bb04c4));  // VRSQRTE.U32 q0, q2
  }
}

// No row calls C++ but where the operation leaves its line for what is rare.
TEST(NativeCalls, None) {
  Random random(11);
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd) continue;
    bool calls = false;
    for (int i = 0; i < 300; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row) continue;
      const unsigned n = (word >> 3 & 16) | (word >> 16 & 15);
      // UNPREDICTABLE: a table that reaches beyond D31
      if (std::string_view(row.handler_name).starts_with("SimdVTB") && n + (word >> 8 & 3) + 1 > 32) continue;
      ir::Block block;
      frontend::Translator t(block, {}, {.max_instructions = 1});
      t.translate(0x8000, false, 0, [&](uint32_t, uint32_t, uint32_t& out) {
        out = word;
        return true;
      });
      if (block.insts.back().op == ir::Opcode::ExitException) continue;
      bool left = false;  // by the check that Advanced SIMD is enabled
      for (const ir::Inst& inst : block.insts) {
        calls |= left && (ir::info(inst.op).attributes & ir::C);
        left |= inst.op == ir::Opcode::Label;
      }
    }
    EXPECT_FALSE(calls) << row.name << " " << row.pattern;
  }
}

}  // namespace
}  // namespace crosswalk::simd_test
