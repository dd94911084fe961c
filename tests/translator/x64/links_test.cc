// SPDX-License-Identifier: GPL-2.0-or-later
// What is patched into code that other CPUs execute lies in one aligned word of 8 bytes.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "tests/translator/x64/emitted.h"

namespace crosswalk::test {
namespace {

uint32_t word_at(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

bool in_one_word(const uint8_t* field) { return reinterpret_cast<uintptr_t>(field) % 8 <= 4; }

// `filler` instructions of various lengths; then a conditional jump within the page and a jump out
// of it.
ir::Block jumping_block(uint32_t filler, uint32_t condition, uint32_t target) {
  ir::Block block;
  block.pc = 0x8000;
  block.guest.push_back({0x8000, 0, 0, 4});
  ir::Builder ir(block);
  for (uint32_t i = 0; i < filler % 16; i++) ir.SetReg(i % 9, ir::Builder::Imm(i));
  if (filler & 16) ir.StoreState8(offsetof(CpuState, q), ir.GetReg(1));
  ir.SubS(ir.GetReg(0), ir::Builder::Imm(filler & 32 ? 1 : 0x12345678));
  ir.jump_if(condition, 0x8f00);
  ir.jump_if(condition, 0x7000);
  ir.jump_if(condition, 0xb000);
  ir.Jump(target);
  return block;
}

TEST(Links, PatchedFieldsAreInOneWord) {
  Emitted emitted(x64::MemoryMode::SoftInline, true);
  int links = 0, ids = 0, prefixed = 0;
  for (uint32_t filler = 0; filler < 64; filler++)
    for (uint32_t condition = 0; condition < 14; condition++)
      for (const uint32_t target : {0x7ff0u, 0x8000u, 0x8ff0u, 0x9000u, 0xfffff000u}) {
        ir::Block block = jumping_block(filler, condition, target);
        ASSERT_EQ(optimise(block), "");
        const x64::CompiledBlock& compiled = emitted.emit(block);
        ASSERT_EQ(reinterpret_cast<uintptr_t>(compiled.code) % 16, 0u);
        for (const x64::LinkSite& link : compiled.links) {
          links++;
          const uint8_t* const jump = compiled.code + link.jump_offset;
          EXPECT_TRUE(in_one_word(jump));
          EXPECT_EQ(jump + 4 + static_cast<int32_t>(word_at(jump)), compiled.code + link.stub_offset);
          EXPECT_TRUE(jump[-1] == 0xe9 || (jump[-2] == 0x0f && (jump[-1] & 0xf0) == 0x80));
          prefixed += jump[jump[-1] == 0xe9 ? -2 : -3] == 0x2e;
          if (link.id_offset == 0) continue;
          ids++;
          const uint8_t* const id = compiled.code + link.id_offset;
          EXPECT_TRUE(in_one_word(id));
          EXPECT_EQ(word_at(id), x64::kNoPageId);
          EXPECT_EQ(id[-6], 0x81);
          EXPECT_EQ(id[-5], 0xb8);
          EXPECT_EQ(word_at(id - 4), 4 * (link.target >> 12 & (kInstructionPageEntries - 1)));
        }
      }
  EXPECT_GT(links, 10000);
  EXPECT_GT(ids, 3000);
  EXPECT_GT(prefixed, 1000);
}

// A jump that guesses its target: until the engine has chosen one, everything goes to the stub.
TEST(Links, PatchedFieldsOfGuesses) {
  Emitted emitted(x64::MemoryMode::SoftInline, true);
  for (uint32_t filler = 0; filler < 64; filler++) {
    ir::Block block;
    block.pc = 0x8000;
    block.guest.push_back({0x8000, 0, 0, 4});
    ir::Builder ir(block);
    for (uint32_t i = 0; i < filler % 16; i++) ir.SetReg(i % 9, ir::Builder::Imm(i));
    for (uint32_t i = 0; i < filler / 16; i++) ir.StoreState8(offsetof(CpuState, q), ir.GetReg(1));
    ir.JumpIndirect(ir::kOneTarget, ir.GetReg(14));
    ASSERT_EQ(optimise(block), "");
    const x64::CompiledBlock& compiled = emitted.emit(block);
    ASSERT_EQ(compiled.links.size(), 1u);
    const x64::LinkSite& link = compiled.links[0];
    EXPECT_EQ(link.target, x64::kNoGuess);
    const uint8_t *const guess = compiled.code + link.guess_offset, *const miss = compiled.code + link.miss_offset,
                         *const id = compiled.code + link.id_offset, *const jump = compiled.code + link.jump_offset;
    for (const uint8_t* field : {guess, miss, id - 4, id, jump}) EXPECT_TRUE(in_one_word(field));
    EXPECT_EQ(guess[-1], 0x3d);
    EXPECT_EQ(word_at(guess), x64::kNoGuess);
    EXPECT_EQ(word_at(id), x64::kNoPageId);
    EXPECT_LT(word_at(id - 4), 4u * kInstructionPageEntries);
    const uint8_t* const stub = compiled.code + link.stub_offset;
    EXPECT_EQ(miss + 4 + static_cast<int32_t>(word_at(miss)), stub);
    EXPECT_EQ(jump + 4 + static_cast<int32_t>(word_at(jump)), stub);
    EXPECT_LE(compiled.code + link.number_offset - stub, 4);
  }
}

// Every sequence of prefixes executes as the instruction without them.
TEST(Links, PrefixesChangeNothing) {
  Emitted emitted(x64::MemoryMode::SoftInline, true);
  auto memory = std::make_unique<GuestMemory>();
  for (uint32_t filler = 0; filler < 64; filler++)
    for (const uint32_t target : {0x7ff0u, 0x8ff0u, 0x9000u}) {
      ir::Block block = jumping_block(filler, 0, target);
      const ir::Block original = block;
      ASSERT_EQ(optimise(block), "");
      emitted.emit(block);
      for (const uint32_t r0 : {0u, 1u, 0x12345678u}) {
        auto want = std::make_unique<CpuState>(), have = std::make_unique<CpuState>();
        want->mxcsr = want->mxcsr_standard = 0x1f80;
        want->r[0] = r0;
        *have = *want;
        interpret(original, *want, *memory);
        emitted.run(*have, *memory);
        EXPECT_EQ(have->r[15], want->r[15]) << filler << " " << r0;
      }
    }
}

}  // namespace
}  // namespace crosswalk::test
