// SPDX-License-Identifier: GPL-2.0-or-later
// Code that changes: written by the guest or a device, remapped, per address space, across pages,
// and too much of it.
#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(CodeChanges);

constexpr uint32_t kRoutine = kCode + 0x2000, kOther = kCode + 0x3000;

TEST_P(CodeChanges, SamePageWithBarriers) {
  auto g = make_guest();
  Asm a(kCode);
  a.set(1, kCode + 0x100).set(2, add_imm(0, 0, 16))({mov_imm(0, 0), mov_imm(3, 3)}).b(kCode + 0x100);
  g->code(a, kCode);
  Asm loop(kCode + 0x100);
  loop({add_imm(0, 0, 1), str(2, 1), kDsb, iciallu(0), kIsb, subs_imm(3, 3, 1)}).b(kCode + 0x100, kNe)({kHvc});
  g->code(loop, kCode + 0x100);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], 1u + 16 + 16);
  EXPECT_GT(g->translation_statistics().blocks_dropped, 0u);
}

// Without barriers the architecture promises nothing; the engine sees the new code at the next
// branch.
TEST_P(CodeChanges, SamePageWithoutBarriers) {
  auto g = make_guest();
  Asm a(kCode);
  a.set(1, kCode + 0x100).set(2, add_imm(0, 0, 16))({mov_imm(0, 0), mov_imm(3, 3)}).b(kCode + 0x100);
  g->code(a, kCode);
  Asm loop(kCode + 0x100);
  loop({add_imm(0, 0, 1), str(2, 1), subs_imm(3, 3, 1)}).b(kCode + 0x100, kNe)({kHvc});
  g->code(loop, kCode + 0x100);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], 1u + 16 + 16);
}

// A routine in another page is called directly and through a register, then written and called
// again, many times.
TEST_P(CodeChanges, OtherPage) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kRoutine).set(2, add_imm(0, 0, 1))({mov_imm(0, 0), mov_imm(3, 20)});
  const uint32_t loop = a.here();
  a.bl(kRoutine)({blx(1), add_imm(2, 2, 1), str(2, 1), kDsb, iciallu(0), kIsb, subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], 2u * (20 * 21 / 2));
}

// Only a byte of an instruction, by a store that crosses into the code page.
TEST_P(CodeChanges, UnalignedStoreIntoThePage) {
  auto g = make_guest();
  g->words(kRoutine, {mov_imm(0, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kRoutine - 3).set(2, 0x07000000).bl(kRoutine)({mov(4, 0), str(2, 1), kIsb}).bl(kRoutine)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[4], 1u);
  EXPECT_EQ(g->cpu.r[0], 7u);
}

TEST_P(CodeChanges, ByDevice) {
  auto g = make_guest();
  g->words(kRoutine, {mov_imm(0, 1), kBxLr});
  g->on_device_write = [&](uint32_t, uint64_t value) {
    g->device_write32(kRoutine, mov_imm(0, static_cast<uint32_t>(value)));
  };
  Asm a(kCode);
  a.set(5, kDevice)({mov_imm(4, 0), mov_imm(6, 5)});
  const uint32_t loop = a.here();
  a.bl(kRoutine)({add(4, 4, 0), str(6, 5), kIsb}).bl(kRoutine)({add(4, 4, 0), subs_imm(6, 6, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[4], (1u + 5) + (5 + 4) + (4 + 3) + (3 + 2) + (2 + 1));
}

// The same VA reaches other code after TLB maintenance: by direct and indirect branches, and by
// falling through.
TEST_P(CodeChanges, Remapped) {
  for (const bool by_mva : {false, true}) {
    auto g = make_guest();
    g->map(kVa, kCode + 0x1000);
    g->map(kVa + 0x1000, kRoutine);
    g->words(kCode + 0x1ffc, {add_imm(0, 0, 1)});  // falls through to the next page
    g->words(kRoutine, {add_imm(0, 0, 2), kBxLr});
    g->words(kOther, {add_imm(0, 0, 32), kBxLr});
    g->map(kVa + 0x10000, kCode);
    Asm a(kVa + 0x10000);
    a.set(1, kVa + 0xffc)
        .set(2, kVa + 0x1000)
        .set(3, g->entry(kVa + 0x1000))
        .set(6, Guest::page(kRoutine))
        .set(7, Guest::page(kOther));
    a({mov_imm(0, 0), mov_imm(4, 4)});
    const uint32_t loop = a.here();
    a.bl(kVa + 0xffc)({blx(1)}).bl(kVa + 0x1000)({blx(2)});  // 2 * (1 + x) + 2 * x
    a({str(7, 3), kDsb, by_mva ? tlbimva(2) : tlbiall(2), kDsb, kIsb});
    a({mov(8, 6), mov(6, 7), mov(7, 8), subs_imm(4, 4, 1)}).b(loop, kNe)({kHvc});
    g->code(a, kCode);
    g->run(kVa + 0x10000);
    EXPECT_EQ(g->cpu.r[0], 2u * (2 + 4 * 2) + 2u * (2 + 4 * 32));
  }
}

// Code that remaps its own page goes on in the new page, also over a branch that stays within the
// page.
TEST_P(CodeChanges, RemapsItself) {
  auto g = make_guest();
  g->map(kVa, kRoutine);
  g->map(kVa + 0x1000, kOther);
  for (int pass = 0; pass < 2; pass++) {
    Asm a(kVa);
    a({str(7, 3), kDsb, tlbiall(2), kDsb, kIsb}).b(kVa + 0x40);
    g->code(a, pass ? kOther : kRoutine);
    g->words((pass ? kOther : kRoutine) + 0x40, {mov_imm(0, pass ? 2 : 1), kHvc});
  }
  g->cpu.r[3] = g->entry(kVa);
  g->cpu.r[7] = Guest::page(kRoutine);
  for (int i = 0; i < 3; i++) {
    g->run(kVa);
    EXPECT_EQ(g->cpu.r[0], 1u);
  }
  g->cpu.r[7] = Guest::page(kOther);
  g->run(kVa);
  EXPECT_EQ(g->cpu.r[0], 2u);
  g->run(kVa);
  EXPECT_EQ(g->cpu.r[0], 2u);
}

// Two address spaces run different code at one VA; switching flushes nothing.
TEST_P(CodeChanges, AddressSpaces) {
  auto g = make_guest();
  g->map(kVa, kRoutine, Guest::kNotGlobal, kTableA);
  g->map(kVa, kOther, Guest::kNotGlobal, kTableB);
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  g->words(kOther, {add_imm(0, 0, 64), kBxLr});
  for (const uint32_t table : {kTableA, kTableB}) g->map(kVa + 0x10000, kCode, Guest::kUserRw, table);
  Asm a(kVa + 0x10000);
  a.set(1, kTableA).set(2, kTableB).set(4, kVa)({mov_imm(0, 0), mov_imm(3, 3), mov_imm(5, 1), mov_imm(6, 2)});
  const uint32_t loop = a.here();
  for (const bool second : {false, true}) {
    a({write_contextidr(second ? 6 : 5), kIsb, write_ttbr0(second ? 2 : 1), kIsb, blx(4)}).bl(kVa);
  }
  a({subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kVa + 0x10000);
  EXPECT_EQ(g->cpu.r[0], 3u * 2 * (1 + 64));
}

// A T32 instruction in two pages, of which the second is mapped elsewhere, and then nowhere.
TEST_P(CodeChanges, StraddlingInstruction) {
  auto g = make_guest();
  g->map(kVa, kCode + 0x1000);
  g->map(kVa + 0x1000, kRoutine);
  g->halves(kCode + 0x1ffc, {0xbf00, 0xf240});  // NOP; first half of MOVW R0, #imm8
  g->halves(kRoutine, {0x0001, 0x4770});        // #1; BX LR
  g->halves(kOther, {0x0002, 0x4770});          // #2
  Asm a(kCode);
  a.set(1, (kVa + 0xffc) | 1).set(3, g->entry(kVa + 0x1000)).set(7, Guest::page(kOther))({mov_imm(8, 0)});
  a({blx(1), mov(4, 0), blx(1), str(7, 3), kDsb, tlbiall(2), kDsb, kIsb, blx(1), mov(5, 0)});
  a({str(8, 3), kDsb, tlbiall(2), kDsb, kIsb, mov_imm(0, 9), blx(1), kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[4], 1u);
  EXPECT_EQ(g->cpu.r[5], 2u);
  ASSERT_EQ(g->stopped_at(), Exception::PrefetchAbort);
  EXPECT_EQ(g->cpu.r[0], 9u);
  EXPECT_EQ(g->cpu.cp15.ifsr, 0x7u);  // translation fault, page
  EXPECT_EQ(g->cpu.cp15.ifar, kVa + 0x1000);
  EXPECT_EQ(g->cpu.r[14], kVa + 0xffe + 4);
  EXPECT_TRUE(g->spsr(kBankAbt) & 1 << 5);
}

// The second half is rewritten by a store to its page.
TEST_P(CodeChanges, StraddlingInstructionWritten) {
  auto g = make_guest();
  g->halves(kCode + 0x1ffe, {0xf240, 0x0001, 0x4770});  // MOVW R0, #1; BX LR
  Asm a(kCode);
  a.set(1, (kCode + 0x1ffe) | 1)
      .set(3, kCode + 0x2000)
      .set(7, 0x47700005)({blx(1), mov(4, 0), str(7, 3), kIsb, blx(1), kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[4], 1u);
  EXPECT_EQ(g->cpu.r[0], 5u);
}

// PSR.E changes what loads mean: in the same page, across pages, and through the jump cache.
TEST_P(CodeChanges, Endianness) {
  auto g = make_guest();
  constexpr uint32_t kSetendBe = 0xf1010200, kSetendLe = 0xf1010000;
  g->write32(kData, 0x11223344);
  const uint32_t near = kCode + 0x800;
  for (const uint32_t routine : {near, kRoutine}) g->words(routine, {ldr(0, 1), kBxLr});
  g->words(kRoutine + 0x100, {kSetendBe, kBxLr});
  g->words(kRoutine + 0x180, {kSetendLe, kBxLr});
  Asm a(kCode);
  a.set(1, kData).set(2, kRoutine)({mov_imm(3, 3)});
  const uint32_t loop = a.here();
  a.bl(near)({mov(4, 0)}).bl(kRoutine)({mov(5, 0), blx(2), mov(6, 0)}).bl(kRoutine + 0x100);
  a.bl(near)({mov(7, 0)}).bl(kRoutine)({mov(8, 0), blx(2), mov(9, 0)}).bl(kRoutine + 0x180);
  a({subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  for (const int n : {4, 5, 6}) EXPECT_EQ(g->cpu.r[n], 0x11223344u) << n;
  for (const int n : {7, 8, 9}) EXPECT_EQ(g->cpu.r[n], 0x44332211u) << n;
}

// SCTLR.A, the other bit that translated code depends on.
TEST_P(CodeChanges, StrictAlignment) {
  auto g = make_guest();
  g->words(kRoutine, {ldr(0, 1, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kData)
      .set(2, g->cpu.cp15.sctlr | arm::kSctlrA)
      .bl(kRoutine)
      .bl(kRoutine)({mcr(0, 2, 1, 0, 0), kIsb})
      .bl(kRoutine)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.cp15.dfsr, 1u);
  EXPECT_EQ(g->cpu.cp15.dfar, kData + 1);
}

// More code than the cache holds: it is dropped while it runs, and links and jump-cache entries
// with it.
TEST_P(CodeChanges, CacheExhaustion) {
  auto g = make_guest((512 << 10) + (160 << 10));
  constexpr uint32_t kRoutines = 4000, kBytes = 16, kFirst = kRam + 0x100000;
  for (uint32_t i = 0; i < kRoutines; i++)  // odd ones go on to the next one by a direct branch
    g->words(kFirst + i * kBytes,
             {add_imm(0, 0, 1), i & 1 ? branch(kFirst + i * kBytes + 4, kFirst + (i + 1) * kBytes) : kBxLr});
  g->words(kFirst + kRoutines * kBytes, {kBxLr});
  Asm a(kCode);
  a({mov_imm(0, 0), mov_imm(5, 3)});
  const uint32_t again = a.here();
  a.set(1, kFirst).set(2, kRoutines);
  const uint32_t loop = a.here();
  a({blx(1), add_imm(1, 1, kBytes), subs_imm(2, 2, 1)}).b(loop, kNe)({subs_imm(5, 5, 1)}).b(again, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  // Each even routine but the first also runs as the continuation of the odd one before it.
  EXPECT_EQ(g->cpu.r[0], 3 * (kRoutines + kRoutines / 2 - 1));
  const engine::TranslationStatistics& statistics = g->translation_statistics();
  EXPECT_GT(GetParam().recycle ? statistics.recyclings : statistics.cache_flushes, 2u);
  EXPECT_EQ(GetParam().recycle ? statistics.cache_flushes : statistics.recyclings, 0u);
}

// A routine and a counter in one page: each round stores the counter there and calls the routine.
// In a mixed page the routine stays.
TEST_P(CodeChanges, DataBesideCode) {
  auto g = make_guest();
  constexpr uint32_t kRounds = 200;
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kRoutine + 8).set(3, kRounds)({mov_imm(0, 0), mov_imm(4, 0)});
  const uint32_t loop = a.here();
  a({str(3, 1)}).bl(kRoutine)({ldr(2, 1), add(4, 4, 2), subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], kRounds);
  EXPECT_EQ(g->cpu.r[4], kRounds * (kRounds + 1) / 2);
  EXPECT_EQ(g->read32(kRoutine + 8), 1u);
  const engine::TranslationStatistics& statistics = g->translation_statistics();
  if (GetParam().mixed_pages) {
    EXPECT_LT(statistics.blocks_translated, 20u);
    EXPECT_GT(statistics.stores_beside_code, kRounds - 10);
  } else {
    EXPECT_GT(statistics.blocks_translated, kRounds);
    EXPECT_EQ(statistics.stores_beside_code, 0u);
  }
}

// Of two routines in one page, which becomes a mixed one, each round writes one anew, and calls
// both. By stores of each size, aligned and not, also ones that reach an instruction by their last
// byte alone.
TEST_P(CodeChanges, OneRoutineOfTwo) {
  for (const uint32_t distance : {0u, 1u, 2u, 3u}) {
    auto g = make_guest();
    g->words(kRoutine, {add_imm(0, 0, 1), kBxLr, 0, mov_imm(6, 1), add(0, 0, 6), kBxLr});
    Asm a(kCode);
    // R2 becomes, at `distance` bytes before the MOV, a word whose byte there is the count.
    a.set(1, kRoutine + 12 - distance).set(3, 50)({mov_imm(0, 0), ldr(2, 1), mov_imm(7, 1)});
    a({0xe1a07007 | distance << 10});  // LSL R7, R7, #8 * distance
    const uint32_t loop = a.here();
    a.bl(kRoutine).bl(kRoutine + 12)({add(2, 2, 7), str(2, 1), kDsb, iciallu(0), kIsb, subs_imm(3, 3, 1)});
    a.b(loop, kNe)({kHvc});
    g->code(a, kCode);
    g->run(kCode);
    EXPECT_EQ(g->cpu.r[0], 50u + 50 * 51 / 2) << distance;
    if (GetParam().mixed_pages) {
      EXPECT_LT(g->translation_statistics().blocks_translated, 80u) << distance;
    }
  }
}

// A mixed page becomes plain data: its code goes, and stores are at full speed again.
TEST_P(CodeChanges, MixedPageBecomesData) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kRoutine + 8).set(3, 20)({mov_imm(0, 0)});
  const uint32_t loop = a.here();
  a({str(3, 1)}).bl(kRoutine)({subs_imm(3, 3, 1)}).b(loop, kNe).set(3, 5000);
  const uint32_t stores = a.here();
  a({str(3, 1), subs_imm(3, 3, 1)}).b(stores, kNe).bl(kRoutine)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], 21u);
  EXPECT_EQ(g->read32(kRoutine + 8), 1u);
  EXPECT_LT(g->translation_statistics().stores_beside_code, 1000u);
  EXPECT_LT(g->engine_statistics().slow_accesses, 2000u);
}

// An instruction that has stored beside code is in line again when it stores elsewhere for long.
TEST_P(CodeChanges, StoresElsewhereAreInLineAgain) {
  auto g = make_guest();
  g->words(kRoutine, {add_imm(0, 0, 1), kBxLr});
  g->words(kOther, {str(3, 1), kBxLr});
  Asm a(kCode);
  a.set(1, kRoutine + 8).set(3, 20)({mov_imm(0, 0)});
  const uint32_t loop = a.here();
  a.bl(kOther).bl(kRoutine)({subs_imm(3, 3, 1)}).b(loop, kNe).set(3, 3000).set(1, kData);
  const uint32_t stores = a.here();
  a.bl(kOther)({subs_imm(3, 3, 1)}).b(stores, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[0], 20u);
  EXPECT_EQ(g->read32(kData), 1u);
  EXPECT_LT(g->engine_statistics().slow_accesses, 400u);
}

// One block of which every instruction takes much room.
TEST_P(CodeChanges, LargeBlock) {
  auto g = make_guest();
  Asm a(kCode);
  a.set(13, kData)({mov_imm(0, 2)});
  const uint32_t loop = a.here();
  // VLDMIA / VSTMIA SP, {D16-D31}
  for (int i = 0; i < 62; i++) a({i & 1 ? 0xecdd0b20u : 0xeccd0b20u});
  for (int i = 0; i < 62; i++) a({i & 1 ? 0xe89d1ffeu : 0xe88d1ffeu});  // LDM / STM SP, {R1-R12}
  a({subs_imm(0, 0, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  for (uint32_t i = 0; i < 32; i++) g->cpu.vreg[128 + i] = static_cast<uint8_t>(i * 7);
  g->cpu.r[5] = 0x5555;
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.vreg[128 + 31], 31 * 7);
  EXPECT_EQ(g->cpu.r[5], 0x5555u);
}

}  // namespace
}  // namespace crosswalk::test
