// SPDX-License-Identifier: GPL-2.0-or-later
// Every row translates to IR that verifies, and the driver's rules: conditions, IT blocks, block
// ends.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/frontend/translator.h"

namespace crosswalk::frontend {
namespace {

using decoder::Isa;
using ir::Opcode;

constexpr uint32_t kBase = 0x8000;

// Translates code at kBase; halfwords in memory order. What is not given reads as `b .`.
ir::Block translate(const std::vector<uint16_t>& code, bool thumb, uint8_t it = 0, uint32_t max = 64,
                    uint32_t base = kBase, CodeFlags flags = {}) {
  ir::Block block;
  TranslateConfig config;
  config.max_instructions = max;
  Translator t(block, flags, config);
  t.translate(base, thumb, it, [&](uint32_t va, uint32_t bytes, uint32_t& word) {
    const auto half = [&](uint32_t i) -> uint32_t {
      if (i < code.size()) return code[i];
      return thumb ? 0xe7fe : i % 2 ? 0xeaff : 0xfffe;
    };
    const uint32_t i = (va - base) / 2;
    word = bytes == 2 ? half(i) : half(i) | half(i + 1) << 16;
    return true;
  });
  return block;
}
std::vector<uint16_t> a32(std::initializer_list<uint32_t> words) {
  std::vector<uint16_t> code;
  for (uint32_t w : words) code.push_back(static_cast<uint16_t>(w)), code.push_back(static_cast<uint16_t>(w >> 16));
  return code;
}

size_t count(const ir::Block& b, Opcode op) {
  size_t n = 0;
  for (const ir::Inst& i : b.insts) n += i.op == op;
  return n;
}
const ir::Inst* find(const ir::Block& b, Opcode op) {
  for (const ir::Inst& i : b.insts)
    if (i.op == op) return &i;
  return nullptr;
}

TEST(Translate, EveryRowVerifies) {
  std::mt19937 random(7);
  for (const decoder::Row& r : decoder::rows()) {
    for (int n = 0; n < 40; n++) {
      uint32_t word = (static_cast<uint32_t>(random()) & ~r.mask) | r.value;
      if (r.conditional && r.isa != Isa::T32 && r.isa != Isa::T16 && word >> 28 == 15) word &= 0x7fffffff;
      const bool thumb = r.isa == Isa::T32 || r.isa == Isa::T16;
      std::vector<uint16_t> code;
      if (r.isa == Isa::T16)
        code = {static_cast<uint16_t>(word)};
      else if (r.isa == Isa::T32)
        code = {static_cast<uint16_t>(word >> 16), static_cast<uint16_t>(word)};
      else
        code = a32({word});
      CodeFlags flags;
      flags.big_endian = n & 1;
      flags.strict_alignment = n & 2;
      const ir::Block block = translate(code, thumb, thumb && n % 5 == 0 ? 0x1c : 0, 2, kBase, flags);
      ASSERT_EQ(ir::verify(block), "") << r.name << " " << r.pattern << " " << std::hex << word << "\n"
                                       << ir::print(block);
    }
  }
}

TEST(Translate, NeighboursWithOneConditionShareASkip) {
  // subeq r0, r0, r1; addeq r2, r3, r4; b .
  const ir::Block b = translate(a32({0x00400001, 0x00832004}), false);
  EXPECT_EQ(count(b, Opcode::SkipUnless), 1u);
  EXPECT_EQ(ir::verify(b), "");
}

TEST(Translate, ConditionalMovesSelect) {
  // moveq r0, r1; mvnne r2, #0; movseq r3, r4
  const ir::Block b = translate(a32({0x01a00001, 0x13e02000, 0x01b03004}), false);
  EXPECT_EQ(count(b, Opcode::Select), 2u);
  EXPECT_EQ(count(b, Opcode::SkipUnless), 1u);
  EXPECT_EQ(ir::verify(b), "");
}

TEST(Translate, FlagSettersCloseTheSkip) {
  // addseq r0, r1, r2; subeq r3, r3, r4
  const ir::Block b = translate(a32({0x00910002, 0x00433004}), false);
  EXPECT_EQ(count(b, Opcode::SkipUnless), 2u);
}

TEST(Translate, BlockGoesOnAfterAConditionalReturn) {
  // bxeq lr; mov r0, r1; bx lr
  const ir::Block b = translate(a32({0x012fff1e, 0xe1a00001, 0xe12fff1e}), false);
  EXPECT_EQ(b.guest.size(), 3u);
  EXPECT_EQ(count(b, Opcode::JumpIndirect), 2u);
  EXPECT_EQ(b.end_pc, kBase + 12);
}

TEST(Translate, ConditionalBranchesAreLimited) {
  // beq . + 8, for ever
  const ir::Block b = translate(a32({0x0a000000, 0x0a000000, 0x0a000000, 0x0a000000, 0x0a000000, 0x0a000000}), false);
  EXPECT_EQ(b.guest.size(), 4u);
  EXPECT_EQ(count(b, Opcode::JumpIf), 4u);
  EXPECT_EQ(b.insts.back().op, Opcode::Jump);
  EXPECT_EQ(b.insts.back().imm, kBase + 16);
}

TEST(Translate, EndsAtThePage) {
  const uint32_t base = 0x8ff8;
  const ir::Block b = translate(a32({0xe1a00001, 0xe1a00001, 0xe1a00001}), false, 0, 64, base);
  EXPECT_EQ(b.guest.size(), 2u);
  EXPECT_EQ(b.insts.back().imm, 0x9000u);
}

TEST(Translate, StraddlingInstructionHasItsOwnBlock) {
  // nop; mov.w r0, r1 across a page end
  const ir::Block before = translate({0xbf00, 0xea4f, 0x0001}, true, 0, 64, 0x8ffc);
  EXPECT_EQ(before.guest.size(), 1u);
  EXPECT_EQ(before.end_pc, 0x8ffeu);
  const ir::Block alone = translate({0xea4f, 0x0001, 0xbf00}, true, 0, 64, 0x8ffe);
  EXPECT_EQ(alone.guest.size(), 1u);
  EXPECT_EQ(alone.end_pc, 0x9002u);
}

TEST(Translate, ItBlockConditionsAndFlags) {
  // itet eq; adds r0, r1, r2 (add.eq); addne; addeq
  const ir::Block b = translate({0xbf0a, 0x1888, 0x1888, 0x1888}, true);
  EXPECT_EQ(count(b, Opcode::AddS), 0u);  // T16 forms set no flags in an IT block
  EXPECT_EQ(count(b, Opcode::Add), 3u);
  std::vector<uint32_t> conditions;
  for (const ir::Inst& i : b.insts)
    if (i.op == Opcode::SkipUnless) conditions.push_back(i.imm);
  EXPECT_EQ(conditions, (std::vector<uint32_t>{0, 1, 0}));
  ASSERT_GE(b.guest.size(), 5u);
  EXPECT_EQ(b.guest[1].it, 0x0a);
  EXPECT_EQ(b.guest[2].it, 0x14);
  EXPECT_EQ(b.guest[3].it, 0x08);
  EXPECT_EQ(b.guest[4].it, 0);
}

TEST(Translate, BlockThatEndsInAnItBlockStoresIt) {
  const ir::Block b = translate({0xbf0a, 0x1888, 0x1888, 0x1888}, true, 0, 2);
  const ir::Inst* store = find(b, Opcode::StoreState8);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->imm, offsetof(CpuState, it));
  EXPECT_EQ(store->args[0].imm32(), 0x14u);
  EXPECT_EQ(b.insts.back().op, Opcode::ExitTo);
}

TEST(Translate, BlockThatStartsInAnItBlockClearsIt) {
  const ir::Block b = translate({0x1888}, true, 0x08);
  const ir::Inst* store = find(b, Opcode::StoreState8);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->imm, offsetof(CpuState, it));
  EXPECT_EQ(store->args[0].imm32(), 0u);
  EXPECT_EQ(b.guest[0].it, 0x08);
}

// ARM DDI 0406C, A8.8.43 and A8.8.44: reserved options are SY.
TEST(Translate, BarriersForStoresAloneAreFreeButDsb) {
  for (uint32_t option = 0; option < 16; option++) {
    SCOPED_TRACE(option);
    const bool stores = option == 2 || option == 6 || option == 10 || option == 14;
    EXPECT_EQ(count(translate(a32({0xf57ff050 | option}), false), Opcode::MemoryBarrier), stores ? 0u : 1u);
    EXPECT_EQ(count(translate(a32({0xf57ff040 | option}), false), Opcode::SynchronizationBarrier), 1u);
    const auto low = static_cast<uint16_t>(0x8f50 | option);
    EXPECT_EQ(count(translate({0xf3bf, low}, true), Opcode::MemoryBarrier), stores ? 0u : 1u);
  }
  // mcr p15, 0, r0, c7, c10, 4 and 5
  EXPECT_EQ(count(translate(a32({0xee070f9au}), false), Opcode::SynchronizationBarrier), 1u);
  EXPECT_EQ(count(translate(a32({0xee070fbau}), false), Opcode::MemoryBarrier), 1u);
}

TEST(Translate, BkptIsUnconditionalInAnItBlock) {
  const ir::Block b = translate({0xbf08, 0xbe00}, true);
  EXPECT_EQ(count(b, Opcode::SkipUnless), 0u);
  EXPECT_EQ(b.insts.back().op, Opcode::ExitException);
}

TEST(Translate, MultipleAccessesAskForWordAlignmentOnce) {
  // ldm r0, {r1, r2, r3}
  const ir::Block b = translate(a32({0xe890000e}), false);
  std::vector<uint8_t> alignments;
  for (const ir::Inst& i : b.insts)
    if (i.op == Opcode::Load) alignments.push_back(ir::MemAccess::unpack(i.imm).align_log2);
  EXPECT_EQ(alignments, (std::vector<uint8_t>{2, 0, 0}));
}

// The base register is written after the last access (base restored on an abort).
TEST(Translate, WritebackFollowsTheAccesses) {
  for (uint32_t word :
       {0xe8b0000eu /* ldm r0!, {r1-r3} */, 0xe8a0000eu /* stm r0!, {r1-r3} */, 0xe4901004u /* ldr r1, [r0], #4 */,
        0xe890000fu /* ldm r0, {r0-r3} */, 0xe0c020d8u /* ldrd r2, [r0], #8 */}) {
    const ir::Block b = translate(a32({word}), false);
    size_t write = 0, last_access = 0;
    for (size_t i = 0; i < b.insts.size(); i++) {
      if (ir::info(b.insts[i].op).attributes & ir::F) last_access = i;
      if (b.insts[i].op == Opcode::SetReg && b.insts[i].imm == 0) write = i;
    }
    EXPECT_GT(write, last_access) << std::hex << word;
  }
}

TEST(Translate, StrictAlignmentAppliesToPlainAccesses) {
  CodeFlags flags;
  flags.strict_alignment = true;
  const ir::Block b = translate(a32({0xe5901000}), false, 0, 64, kBase, flags);  // ldr r1, [r0]
  EXPECT_EQ(ir::MemAccess::unpack(find(b, Opcode::Load)->imm).align_log2, 2);
}

TEST(Translate, ThreadRegisterIsReadInline) {
  const ir::Block b = translate(a32({0xee1d0f70}), false);  // mrc p15, 0, r0, c13, c0, 3
  EXPECT_EQ(count(b, Opcode::Call), 0u);
  ASSERT_NE(find(b, Opcode::LoadState32), nullptr);
  EXPECT_EQ(find(b, Opcode::LoadState32)->imm, offsetof(CpuState, cp15.tpidruro));
}

TEST(Translate, UnallocatedWordsAreUndefined) {
  const ir::Block b = translate(a32({0xe6000010}), false);
  EXPECT_EQ(b.guest.size(), 1u);
  EXPECT_EQ(b.insts.back().op, Opcode::ExitException);
}

}  // namespace
}  // namespace crosswalk::frontend
