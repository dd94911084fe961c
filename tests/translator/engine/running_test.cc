// SPDX-License-Identifier: GPL-2.0-or-later
// Interrupts in every kind of loop, WFI, exclusives, and a program whose result does not depend on
// the options.
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Running);

TEST_P(Running, InterruptsReachEveryLoop) {
  struct Loop {
    const char* name;
    std::vector<uint32_t> code;
  };
  Asm two_pages(kCode + 0xffc);
  two_pages({kNop}).b(kCode + 0xffc);
  const Loop loops[] = {
      {"B .", {kNop, 0xeafffffe}},
      {"indirect", {mov(1, 15) /* R1 = the NOP after BX; */, 0xe2411008 /* SUB R1, #8: itself */, bx(1)}},
      {"conditional", {0xe1500000 /* CMP R0, R0 */, 0x0afffffd /* BEQ to it */}},
      {"MOV PC", {mov(1, 15), 0xe2411008, 0xe1a0f001}},
      {"LDR PC", {0xe59f0004 /* LDR R0, [PC, #4] */, 0xe59ff000 /* LDR PC, [PC] */, kNop, kCode}},
      {"calls", {0xeb000001 /* BL +12 */, 0xeafffffd /* B -4 */, kNop, kBxLr}},
      {"SVC and back", {0xef000000, 0xeafffffd}},
  };
  for (const Loop& l : loops) {
    SCOPED_TRACE(l.name);
    auto g = make_guest();
    g->words(kCode, l.code);
    g->words(kVectors + 8, {kMovsPcLr});  // SVC returns at once
    g->cpu.i = 0;
    g->raise_after(kLineIrq, 20);
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::Irq);
    // The return address is in the loop (or the vector of its SVC).
    const uint32_t back = g->cpu.r[14] - 4;
    EXPECT_TRUE((back >= kCode && back < kCode + 0x20) || back == kVectors + 8) << std::hex << back;
    EXPECT_EQ(g->spsr(kBankIrq) & 0x80, 0u);
  }
}

// A loop that stores its flags only where they can be seen: they are those of its last comparison.
TEST_P(Running, InterruptSeesTheFlagsOfALoop) {
  constexpr uint32_t kCmpR1R2 = 0xe1510002, kAddR3 = 0xe2833001;  // ADD R3, R3, #1
  constexpr uint32_t kSubsR4R1R2 = 0xe0514002;
  const struct {
    uint32_t compare, r1, r2, condition, nzcv;
  } cases[] = {
      {kCmpR1R2, 1, 2, kNe, 0x80000000},
      {kCmpR1R2, 2, 1, kNe, 0x20000000},
      {kCmpR1R2, 7, 7, kEq, 0x60000000},
      {kCmpR1R2, 0x80000000, 1, kNe, 0x30000000},
      {cmp_imm(1, 0), 0xfffffff0, 0, kNe, 0xa0000000},
      {cmp_imm(1, 0), 0, 0, kEq, 0x60000000},
      {kSubsR4R1R2, 1, 2, kNe, 0x80000000},
      {kSubsR4R1R2, 7, 7, kEq, 0x60000000},
      {kSubsR4R1R2, 0x80000000, 1, kNe, 0x30000000},
      {subs_imm(4, 1, 9), 3, 0, kNe, 0x80000000},
      {subs_imm(1, 1, 0), 3, 0, kNe, 0x20000000},
  };
  for (size_t n = 0; n < 2 * std::size(cases); n++) {
    const auto& c = cases[n / 2];
    auto g = make_guest();
    Asm code(kCode);
    if (n % 2)
      code({c.compare, kAddR3});
    else
      code({kAddR3, c.compare});
    code({branch(kCode + 8, kCode, static_cast<Condition>(c.condition)), kHvc});
    g->code(code, kCode);
    g->cpu.r[1] = c.r1;
    g->cpu.r[2] = c.r2;
    g->cpu.i = 0;
    write_nzcv(g->cpu, 0x50000000);
    g->raise_after(kLineIrq, 10);
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::Irq);
    EXPECT_EQ(g->spsr(kBankIrq) & 0xf0000000, c.nzcv) << std::hex << c.r1;
    EXPECT_EQ(g->cpu.r[14] - 4, kCode);
    EXPECT_NE(g->cpu.r[3], 0u);
  }
}

// The same where the loop ends, goes ahead, and where its code goes away.
TEST_P(Running, FlagsOfComparisonsWhereTheyAreSeen) {
  auto g = make_guest();
  Asm code(kCode);
  // CMP R1, #3; ADD R1, R1, #1; BNE to the start; MRS R4, APSR
  code({cmp_imm(1, 3), add_imm(1, 1, 1), branch(kCode + 8, kCode, kNe), 0xe10f4000});
  // CMP R1, R5; MOV R6, #0; BEQ ahead; CMP R1, #9; MRS R7, APSR; HVC; ahead: MRS R8, APSR; HVC
  code({0xe1510005, mov_imm(6, 0), branch(kCode + 0x18, kCode + 0x28, kEq), cmp_imm(1, 9), 0xe10f7000, kHvc, 0xe10f8000,
        kHvc});
  g->code(code, kCode);
  for (const uint32_t r5 : {4u, 5u}) {
    g->cpu.r[1] = 0;
    g->cpu.r[5] = r5;
    g->cpu.r[7] = g->cpu.r[8] = 0;
    g->run(kCode);
    EXPECT_EQ(g->cpu.r[4] & 0xf0000000, 0x60000000u);
    EXPECT_EQ(g->cpu.r[7] & 0xf0000000, r5 == 4 ? 0u : 0x80000000u);
    EXPECT_EQ(g->cpu.r[8] & 0xf0000000, r5 == 4 ? 0x60000000u : 0u);
  }
}

TEST_P(Running, InterruptAcrossPages) {
  auto g = make_guest();
  Asm first(kCode + 0xffc), second(kCode + 0x1000);
  first({kNop});
  second({kNop}).b(kCode + 0xffc);
  g->code(first, kCode + 0xffc);
  g->code(second, kCode + 0x1000);
  g->cpu.i = 0;
  g->raise_after(kLineIrq, 20);
  g->run(kCode + 0xffc);
  EXPECT_EQ(g->stopped_at(), Exception::Irq);
}

// Masked interrupts wait; unmasking takes them before the next instruction.
TEST_P(Running, UnmaskingTakesThePendingInterrupt) {
  struct Case {
    const char* name;
    uint32_t word;
  };
  for (const Case& c : {Case{"CPSIE I", kCpsieI}, Case{"MSR CPSR_c, R4", 0xe121f004}}) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    Asm a(kCode);
    a({mov_imm(0, 0), mov_imm(4, 0x13), mov_imm(1, 100)});
    const uint32_t loop = a.here();
    a({add_imm(0, 0, 1), subs_imm(1, 1, 1)}).b(loop, kNe)({c.word});
    const uint32_t next = a.here();
    a({mov_imm(0, 0), kHvc});
    g->code(a, kCode);
    g->cpu.i = 1;
    raise_line(g->cpu, kLineIrq);
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::Irq);
    EXPECT_EQ(g->cpu.r[0], 100u);
    EXPECT_EQ(g->cpu.r[14], next + 4);
  }
}

TEST_P(Running, StopWhileInterruptsAreMasked) {
  auto g = make_guest();
  g->words(kCode, {kCpsidI, 0xeafffffe});  // B .
  g->raise_after(kLineStop, 20);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[15], kCode + 4);
}

// A request to poll is over when the CPU has polled; the guest does not see it.
TEST_P(Running, PollRequestIsServedOnce) {
  auto g = make_guest();
  g->words(kCode, {kCpsidI, 0xe2500001, 0x1afffffd, kHvc});  // SUBS r0, #1; BNE
  g->cpu.r[0] = 1000;
  raise_line(g->cpu, kLinePoll);
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.interrupt_lines & kLinePoll, 0u);
  EXPECT_EQ(g->cpu.r[0], 0u);
}

TEST_P(Running, WaitForInterrupt) {
  for (const bool masked : {false, true}) {
    auto g = make_guest();
    g->words(kCode, {kWfi, mov_imm(0, 5), kHvc});
    g->cpu.r[0] = 0;
    g->cpu.i = masked;
    g->raise_after(kLineIrq, 20);
    g->run(kCode);
    EXPECT_EQ(g->waits, 1u);
    if (masked) {
      EXPECT_EQ(g->stopped_at(), Exception::None);
      EXPECT_EQ(g->cpu.r[0], 5u);
    } else {
      EXPECT_EQ(g->stopped_at(), Exception::Irq);
      EXPECT_EQ(g->cpu.r[0], 0u);
      EXPECT_EQ(g->cpu.r[14], kCode + 4 + 4);
    }
  }
}

// ---- exclusives: LDREX R1, [R0]; ...; STREX R3, R2, [R0]
constexpr uint32_t kLdrex = 0xe1901f9f, kStrex = 0xe1803f92;

TEST_P(Running, ExclusiveStores) {
  struct Case {
    const char* name;
    std::vector<uint32_t> between;
    uint32_t status;
  };
  const Case cases[] = {
      {"nothing", {}, 0},
      {"a store elsewhere", {str(4, 0, 64)}, 0},
      {"another value stored", {str(4, 0)}, 1},
      {"CLREX", {kClrex}, 1},
      {"an exception", {0xef000000}, 1},
      {"another LDREX", {0xe1906f9f /* LDREX R6, [R0] */}, 0},
      {"LDREXB", {0xe1d06f9f /* LDREXB R6, [R0] */}, 1},
      {"another address", {0xe2800004 /* ADD R0, R0, #4 */}, 1},
      {"STREX before", {0xe1805f92 /* STREX R5, R2, [R0] */}, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    g->words(kVectors + 8, {kMovsPcLr});
    std::vector<uint32_t> code = {kLdrex};
    code.insert(code.end(), c.between.begin(), c.between.end());
    code.insert(code.end(), {kStrex, kHvc});
    g->words(kCode, code);
    for (int round = 0; round < 3; round++) {
      g->write32(kData, 10), g->write32(kData + 4, 10);
      g->cpu.r[0] = kData, g->cpu.r[2] = 20, g->cpu.r[3] = 99, g->cpu.r[4] = 30;
      g->run(kCode);
      EXPECT_EQ(g->cpu.r[1], 10u);
      EXPECT_EQ(g->cpu.r[3], c.status);
      EXPECT_EQ(g->read32(c.status == 0 ? kData : kData + 4), c.status == 0 ? 20u : 10u);
      EXPECT_EQ(g->cpu.monitor_armed, 0);
    }
  }
}

// The same VA in two address spaces: what LDREX read in one does not let STREX write in the other.
TEST_P(Running, ExclusivesAndAddressSpaces) {
  auto g = make_guest();
  g->map(kVa, kData, Guest::kNotGlobal, kTableA);
  g->map(kVa, kData + 0x1000, Guest::kNotGlobal, kTableB);
  g->write32(kData, 1);
  g->write32(kData + 0x1000, 2);
  Asm a(kCode);
  a.set(0, kVa).set(
      5, kTableB)({mov_imm(2, 9), mov_imm(6, 2), kLdrex, write_contextidr(6), write_ttbr0(5), kIsb, kStrex, kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->cpu.r[1], 1u);
  EXPECT_EQ(g->cpu.r[3], 1u);
  EXPECT_EQ(g->read32(kData + 0x1000), 2u);
}

TEST_P(Running, ExclusiveSizes) {
  struct Case {
    const char* name;
    uint32_t load, store;
    uint64_t want;
  };
  const Case cases[] = {{"byte", 0xe1d04f9f, 0xe1c01f92, 0x11111111111111a1u},
                        {"halfword", 0xe1f04f9f, 0xe1e01f92, 0x111111111111b2a1u},
                        {"word", 0xe1904f9f, 0xe1801f92, 0x11111111d4c3b2a1u},
                        {"doubleword", 0xe1b04f9f, 0xe1a01f92, 0x88776655d4c3b2a1u}};
  auto g = make_guest();
  uint32_t pc = kCode;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    g->words(pc, {c.load, c.store, kHvc});  // LDREX R4 (, R5), [R0]; STREX R1, R2 (, R3), [R0]
    for (int round = 0; round < 2; round++) {
      g->write32(kData, 0x11111111), g->write32(kData + 4, 0x11111111);
      g->cpu.r[0] = kData, g->cpu.r[1] = 99, g->cpu.r[2] = 0xd4c3b2a1, g->cpu.r[3] = 0x88776655;
      g->run(pc);
      EXPECT_EQ(g->cpu.r[1], 0u);
      EXPECT_EQ(uint64_t{g->read32(kData + 4)} << 32 | g->read32(kData), c.want);
    }
    pc += 0x20;
  }
}

// A mix of loops, calls, flags, tables and stores: one result, whatever the mode and the options.
TEST_P(Running, OneResult) {
  auto g = make_guest();
  const uint32_t mix = kCode + 0x1800;  // another page
  Asm routine(mix);
  routine({0xe0211003 /* EOR R1, R1, R3 */, 0xe1a011e1 /* ROR R1, R1, #3 */, 0xe0911000 /* ADDS R1, R1, R0 */,
           0x22811007 /* ADDCS R1, #7 */, 0x42411001 /* SUBMI R1, #1 */, 0xe0b22001 /* ADCS R2, R2, R1 */,
           0xe1510002 /* CMP R1, R2 */, 0x81a04001 /* MOVHI R4, R1 */, 0x91a04002 /* MOVLS R4, R2 */,
           0xd0844001 /* ADDLE R4, R4, R1 */, kBxLr});
  g->code(routine, mix);
  Asm a(kCode);
  a.set(0, 3000).set(1, 0x12345678).set(2, 0x9abcdef0).set(3, 0x0badcafe).set(5, kData).set(6, mix)({mov_imm(7, 0)});
  const uint32_t loop = a.here();
  a.bl(mix)({0xe20080ff /* AND R8, R0, #0xff */, 0xe7954108 /* LDR R4, [R5, R8, LSL #2] */,
             0xe0844001 /* ADD R4, R4, R1 */, 0xe7854108 /* STR R4, [R5, R8, LSL #2] */, blx(6),
             0xe0277004 /* EOR R7, R7, R4 */, 0xe92d0086 /* PUSH {R1, R2, R7} */, 0xe8bd0700 /* POP {R8, R9, R10} */,
             0xe0899138 /* ADD R9, R9, R8, LSR R1 */, 0xe0877469 /* ADD R7, R7, R9, ROR #8 */, subs_imm(0, 0, 1)})
      .b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->cpu.r[13] = kData + 0x2000;
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);

  // The same in C++.
  const auto ror = [](uint32_t v, unsigned n) { return v >> n | v << (32 - n); };
  uint32_t r0 = 3000, r1 = 0x12345678, r2 = 0x9abcdef0, r3 = 0x0badcafe, r4 = 0, r7 = 0, table[256] = {};
  const auto model = [&] {
    r1 = ror(r1 ^ r3, 3);
    const uint64_t sum = uint64_t{r1} + r0;
    const bool carry = sum >> 32;
    r1 = static_cast<uint32_t>(sum);
    const bool minus = r1 >> 31;
    if (carry) r1 += 7;
    if (minus) r1 -= 1;
    r2 = r2 + r1 + carry;
    r4 = r1 > r2 ? r1 : r2;
    if (static_cast<int32_t>(r1) <= static_cast<int32_t>(r2)) r4 += r1;
  };
  for (; r0 != 0; r0--) {
    model();
    uint32_t& slot = table[r0 & 0xff];
    slot += r1;
    r4 = slot;
    model();
    r7 ^= r4;
    const unsigned amount = r1 & 0xff;  // ADD R9, R9, R8, LSR R1, with R8 = R1 and R9 = R2
    const uint32_t r9 = r2 + (amount < 32 ? r1 >> amount : 0);
    r7 += ror(r9, 8);
  }
  EXPECT_EQ(g->cpu.r[7], r7);
  EXPECT_EQ(g->cpu.r[1], r1);
  EXPECT_EQ(g->cpu.r[2], r2);
  for (uint32_t i = 0; i < 256; i++) EXPECT_EQ(g->read32(kData + 4 * i), table[i]) << i;
}

}  // namespace
}  // namespace crosswalk::test
