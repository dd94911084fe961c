// SPDX-License-Identifier: GPL-2.0-or-later
// A page of code that is mapped at several addresses is translated once, and its blocks are copied
// for the others. Each copy is compared with what a new translation would be (verify_ir).
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Relocation);

constexpr uint32_t kPage = kCode + 0x2000, kNext = kCode + 0x3000;
constexpr uint32_t kStep = 0x11000;  // between two mappings

// Maps both pages, one behind the other, `n` times.
void map_pages(Guest& g, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    g.map(kVa + i * kStep, kPage);
    g.map(kVa + i * kStep + 0x1000, kNext);
  }
}

// Every way in which an instruction sees its own address, and every kind of branch.
TEST_P(Relocation, CodeSeesItsOwnAddress) {
  auto g = make_guest();
  constexpr uint32_t kTimes = 6;
  map_pages(*g, kTimes);
  Asm a(0);
  a({mov(7, 14)});
  a({0xe59f00ec});         // 0x04: LDR R0, [PC, #0xec]: of 0xf8
  a({0xe28f1010});         // 0x08: ADR R1, 0x20
  a({0xe1a0200f});         // 0x0c: MOV R2, PC: 0x14
  a({0xe04f3002});         // 0x10: SUB R3, PC, R2: 4
  a.bl(0x80);              // 0x14
  a.bl(0x1000);            // 0x18
  a({0xe28ff000});         // 0x1c: ADD PC, PC, #0: to 0x24
  a({mov_imm(0, 0)});      // 0x20: not executed
  a({mov_imm(9, 3)});      // 0x24
  a({subs_imm(9, 9, 1)});  // 0x28
  a.b(0x28, kNe);          // 0x2c
  // 0x30: a loop whose flags are stored only where it is left
  a({add_imm(9, 9, 1)});
  a({cmp_imm(9, 3)});
  a.b(0x30, kNe);
  a({0xe12fff17});  // 0x3c: BX R7
  g->code(a, kPage);
  g->words(kPage + 0x80, {mov(4, 14), kBxLr});
  g->words(kPage + 0xf8, {0x12345678});
  g->words(kNext, {mov(5, 14), 0xe28f6000, kBxLr});  // ADR R6, 0x100c
  Asm caller(kCode);
  caller({blx(8), kHvc});
  g->code(caller, kCode);
  uint64_t translated = 0;
  for (uint32_t i = 0; i < kTimes; i++) {
    const uint32_t va = kVa + i * kStep;
    g->cpu.r[8] = va;
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::None) << i;
    EXPECT_EQ(g->cpu.r[0], 0x12345678u) << i;
    EXPECT_EQ(g->cpu.r[1], va + 0x20) << i;
    EXPECT_EQ(g->cpu.r[2], va + 0x14) << i;
    EXPECT_EQ(g->cpu.r[3], 4u) << i;
    EXPECT_EQ(g->cpu.r[4], va + 0x18) << i;
    EXPECT_EQ(g->cpu.r[5], va + 0x1c) << i;
    EXPECT_EQ(g->cpu.r[6], va + 0x100c) << i;
    EXPECT_EQ(g->cpu.r[9], 3u) << i;
    if (i == 0) translated = g->translation_statistics().blocks_translated;
  }
  const engine::TranslationStatistics& statistics = g->translation_statistics();
  if (GetParam().relocate && GetParam().mode != mmu::Mode::Hybrid) {
    EXPECT_EQ(statistics.blocks_translated, translated);
    EXPECT_EQ(statistics.blocks_copied, (kTimes - 1) * (translated - 2));  // less the caller's
  }
  if (!GetParam().relocate) {
    EXPECT_EQ(statistics.blocks_copied, 0u);
  }
}

// In Thumb state: TBB, CBZ, BL and BLX, ADR, a literal, BX PC.
TEST_P(Relocation, ThumbCode) {
  auto g = make_guest();
  constexpr uint32_t kTimes = 4;
  map_pages(*g, kTimes);
  g->halves(kPage, {
                       0x4677,                                          // 0x00: MOV R7, LR
                       0x4803,                                          // 0x02: LDR R0, [PC, #12]: of 0x10
                       0xa100,                                          // 0x04: ADR R1, 0x08
                       0x2200,                                          // 0x06: MOVS R2, #0
                       0xb142,                                          // 0x08: CBZ R2, 0x1c
                       0x2000, 0xbf00,                                  // not executed
                       0xbf00,                                          //
                       0x5678, 0x1234,                                  // 0x10
                       0xbf00, 0xbf00, 0xbf00, 0xbf00, 0xe8df, 0xf002,  // 0x1c: TBB [PC, R2]
                       0x0002, 0xbf00,                                  // 0x20: to 0x24
                       0xf000, 0xf804,                                  // 0x24: BL 0x30
                       0x4778, 0xbf00,                                  // 0x28: BX PC
                   });
  g->words(kPage + 0x2c, {bx(7)});
  g->halves(kPage + 0x30, {0x4674, 0x4770});  // MOV R4, LR; BX LR
  Asm caller(kCode);
  caller({blx(8), kHvc});
  g->code(caller, kCode);
  for (uint32_t i = 0; i < kTimes; i++) {
    const uint32_t va = kVa + i * kStep;
    g->cpu.r[8] = va | 1;
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::None) << i;
    EXPECT_EQ(g->cpu.r[0], 0x12345678u) << i;
    EXPECT_EQ(g->cpu.r[1], va + 8) << i;
    EXPECT_EQ(g->cpu.r[4], (va + 0x28) | 1) << i;
  }
  if (GetParam().relocate) {
    EXPECT_GT(g->translation_statistics().blocks_copied, 0u);
  }
}

// An abort in a copied block has the copy's addresses, and so have exceptions.
TEST_P(Relocation, Exceptions) {
  auto g = make_guest();
  map_pages(*g, 3);
  g->unmap(kVa + 0x80000);
  g->words(kPage, {mov_imm(0, 1), ldr(0, 1), kHvc});
  g->words(kPage + 0x40, {mov_imm(0, 1), 0xef000000});  // SVC
  for (uint32_t i = 0; i < 3; i++) {
    const uint32_t va = kVa + i * kStep;
    g->cpu.r[1] = kVa + 0x80000;
    g->run(va);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort) << i;
    EXPECT_EQ(g->cpu.r[14], va + 4 + 8) << i;
    EXPECT_EQ(g->cpu.r[0], 1u) << i;
    g->run(va + 0x40);
    ASSERT_EQ(g->stopped_at(), Exception::SupervisorCall) << i;
    EXPECT_EQ(g->cpu.r[14], va + 0x48) << i;
  }
  if (GetParam().relocate) {
    EXPECT_GT(g->translation_statistics().blocks_copied, 0u);
  }
}

// What is written is new at each address.
TEST_P(Relocation, CodeThatChanges) {
  auto g = make_guest();
  map_pages(*g, 4);
  g->words(kPage, {mov_imm(0, 1), kBxLr});
  Asm caller(kCode);
  caller({mov_imm(4, 0)});
  for (uint32_t i = 0; i < 4; i++) caller.set(8, kVa + i * kStep)({blx(8), add(4, 4, 0)});
  caller.set(1, kPage)({str(2, 1), kDsb, iciallu(0), kIsb});
  for (uint32_t i = 0; i < 4; i++) caller.set(8, kVa + i * kStep)({blx(8), add(4, 4, 0)});
  caller({kHvc});
  g->code(caller, kCode);
  for (uint32_t n = 2; n < 8; n++) {
    g->cpu.r[2] = mov_imm(0, n);
    g->run(kCode);
    EXPECT_EQ(g->cpu.r[4], 4 * (n - 1) + 4 * n);
  }
}

// A branch over the end of the address space goes back to where it goes forward elsewhere.
TEST_P(Relocation, BranchOverTheEndOfTheAddressSpace) {
  auto g = make_guest();
  constexpr uint32_t kLast = 0xfffff000;
  g->map(kVa, kPage);
  g->map(kVa + 0x1000, kNext);
  g->map(kLast, kPage);
  g->map(0, kNext);
  Asm a(0);
  a({add_imm(0, 0, 1)}).b(0x1000);
  g->code(a, kPage);
  g->words(kNext, {add_imm(0, 0, 16), kBxLr});
  Asm caller(kCode);
  caller({mov_imm(0, 0)}).set(8, kVa)({blx(8)}).set(8, kLast)({blx(8), kHvc});
  g->code(caller, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[0], 34u);
}

}  // namespace
}  // namespace crosswalk::test
