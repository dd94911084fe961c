// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD as IR: T32 encodings, alignment, what a fault leaves behind, and big-endian data.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/translator/simd/machine.h"

namespace crosswalk::simd_test {
namespace {

struct Mode {
  bool thumb = false, native = true;
  frontend::CodeFlags flags = {};
};

ir::Block translate(uint32_t word, const Mode& mode) {
  ir::Block block;
  frontend::TranslateConfig config;
  config.max_instructions = 1;
  config.native_simd = mode.native;
  frontend::Translator t(block, mode.flags, config);
  t.translate(0x8000, mode.thumb, 0, [&](uint32_t va, uint32_t bytes, uint32_t& out) {
    out = bytes == 4 ? word : va & 2 ? word & 0xffff : word >> 16;
    return true;
  });
  return block;
}

bool is_undefined(const ir::Block& block) { return block.insts.back().op == ir::Opcode::ExitException; }

// A7.4, A7.7: T32 has 111U1111 where A32 has 1111001U, and 11111001 where A32 has 11110100.
uint32_t to_t32(uint32_t word) {
  if (word >> 24 == 0xf4) return 0xf9000000 | (word & 0xffffff);
  return 0xef000000 | (word & 0x01000000) << 4 | (word & 0xffffff);
}

TEST(SimdTranslation, T32IsTheSame) {
  Random random(31);
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd) continue;
    for (int i = 0; i < 40; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row) continue;
      const ir::Block a32 = translate(word, {}), t32 = translate(to_t32(word), {.thumb = true});
      ASSERT_EQ(is_undefined(a32), is_undefined(t32)) << row.name;
      if (is_undefined(a32)) continue;  // the exception's return address differs
      ASSERT_EQ(a32.insts.size(), t32.insts.size()) << row.name << std::hex << " " << word;
      for (size_t j = 0; j + 1 < a32.insts.size(); j++) {  // the last is the jump to what follows
        const ir::Inst &x = a32.insts[j], &y = t32.insts[j];
        ASSERT_TRUE(x.op == y.op && x.imm == y.imm && x.aux == y.aux && std::equal(x.args, x.args + 4, y.args))
            << row.name;
      }
    }
  }
}

bool is_memory_access(const ir::Inst& inst) { return ir::info(inst.op).attributes & ir::M; }

TEST(SimdTranslation, Alignment) {
  // Assembled; the bytes each must be aligned to, and with SCTLR.A set.
  struct Case {
    uint32_t word;
    unsigned plain, strict;
  };
  const Case cases[] = {
      {0xf421071f, 8, 8},    // vld1.8 {d0}, [r1:64]
      {0xf421027f, 32, 32},  // vld1.16 {d0-d3}, [r1:256]
      {0xf4210aad, 16, 16},  // vld1.32 {d0, d1}, [r1:128]!
      {0xf42107cf, 1, 8},    // vld1.64 {d0}, [r1]
      {0xf421084f, 1, 2},    // vld2.16 {d0, d1}, [r1]
      {0xf421041f, 8, 8},    // vld3.8 {d0-d2}, [r1:64]
      {0xf40100bf, 32, 32},  // vst4.32 {d0-d3}, [r1:256]
      {0xf4a1045f, 2, 2},    // vld1.16 {d0[1]}, [r1:16]
      {0xf4a108bf, 4, 4},    // vld1.32 {d0[1]}, [r1:32]
      {0xf4a1013f, 2, 2},    // vld2.8 {d0[1], d1[1]}, [r1:16]
      {0xf4a1099f, 8, 8},    // vld2.32 {d0[1], d1[1]}, [r1:64]
      {0xf4a1033f, 4, 4},    // vld4.8 {d0[1]-d3[1]}, [r1:32]
      {0xf4a1075f, 8, 8},    // vld4.16 {d0[1]-d3[1]}, [r1:64]
      {0xf4a10b9f, 8, 8},    // vld4.32 {d0[1]-d3[1]}, [r1:64]
      {0xf4810baf, 16, 16},  // vst4.32 {d0[1]-d3[1]}, [r1:128]
      {0xf4a10c9f, 4, 4},    // vld1.32 {d0[]}, [r1:32]
      {0xf4a10d5f, 4, 4},    // vld2.16 {d0[], d1[]}, [r1:32]
      {0xf4a10f5f, 8, 8},    // vld4.16 {d0[]-d3[]}, [r1:64]
      {0xf4a10f9f, 8, 8},    // vld4.32 {d0[]-d3[]}, [r1:64]
      {0xf4a10fdf, 16, 16},  // vld4.32 {d0[]-d3[]}, [r1:128]
      {0xf421000f, 1, 1},    // vld4.8 {d0-d3}, [r1]
  };
  for (const Case& c : cases) {
    for (int mode = 0; mode < 8; mode++) {
      const bool strict = mode & 1;
      const ir::Block block = translate(
          c.word, {.native = (mode & 2) != 0, .flags = {.big_endian = (mode & 4) != 0, .strict_alignment = strict}});
      const auto first = std::find_if(block.insts.begin(), block.insts.end(), is_memory_access);
      ASSERT_NE(first, block.insts.end());
      EXPECT_EQ(1u << ir::MemAccess::unpack(first->imm).align_log2, strict ? c.strict : c.plain) << std::hex << c.word;
    }
  }
}

// An access may fault: no register has been written before the last one.
TEST(SimdTranslation, FaultsLeaveRegistersAlone) {
  Random random(32);
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd || !is_load_store(row)) continue;
    int checked = 0;
    for (int i = 0; i < 400; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row) continue;
      const ir::Block block =
          translate(word, {.native = i % 2 == 0, .flags = {.big_endian = i % 4 < 2, .strict_alignment = false}});
      if (is_undefined(block)) continue;
      checked++;
      bool written = false;
      for (const ir::Inst& inst : block.insts) {
        using enum ir::Opcode;
        written |= inst.op == SetReg || inst.op == SetD || inst.op == SetQ || inst.op == SetS;
        if (is_memory_access(inst)) {
          ASSERT_FALSE(written) << row.name << "\n" << ir::print(block);
        }
      }
    }
    EXPECT_GT(checked, 0) << row.name << " " << row.pattern;
  }
}

// Bytes of the elements that a load or store transfers: that many bytes are in memory order.
unsigned element_bytes(const decoder::Row& row, uint32_t word) {
  const std::string name = row.name;
  if (name.find("multiple") != std::string::npos) return 1u << (word >> 6 & 3);
  if (name.find("all lanes") != std::string::npos) return std::min(4u, 1u << (word >> 6 & 3));
  return 1u << (word >> 10 & 3);
}

void reverse_elements(uint8_t* memory, unsigned bytes) {
  for (uint32_t at = 0; at < 0x2000; at += bytes) std::reverse(memory + at, memory + at + bytes);
}

// Big-endian data is little-endian data with the bytes of each element reversed.
TEST(SimdTranslation, BigEndian) {
  Machine machine;
  Random random(33);
  const auto initial = make_state(), little = make_state(), big = make_state();
  std::vector<uint8_t> before(0x2000), after(0x2000);
  for (uint8_t& byte : before) byte = static_cast<uint8_t>(random());
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd || !is_load_store(row)) continue;
    for (int i = 0; i < 60; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row) continue;
      fill_interesting(random, *initial);
      for (int r = 0; r < 15; r++) initial->r[r] = static_cast<uint32_t>(random());
      initial->r[std::min(14u, word >> 16 & 15)] = Machine::kMemory + 0x400;
      *little = *big = *initial;
      std::copy(before.begin(), before.end(), machine.memory());
      if (!machine.run(*little, {word}, {})) continue;
      std::copy_n(machine.memory(), after.size(), after.begin());
      const unsigned bytes = element_bytes(row, word);
      std::copy(before.begin(), before.end(), machine.memory());
      reverse_elements(machine.memory(), bytes);
      ASSERT_TRUE(machine.run(
          *big, {word}, {.native = true, .optimise = true, .flags = {.big_endian = true, .strict_alignment = false}}));
      reverse_elements(machine.memory(), bytes);
      ASSERT_EQ(0, std::memcmp(after.data(), machine.memory(), after.size())) << row.name << std::hex << " " << word;
      ASSERT_EQ(0, std::memcmp(little->vreg, big->vreg, sizeof big->vreg)) << row.name << std::hex << " " << word;
      ASSERT_TRUE(std::equal(little->r, little->r + 15, big->r)) << row.name << std::hex << " " << word;
    }
  }
}

}  // namespace
}  // namespace crosswalk::simd_test
