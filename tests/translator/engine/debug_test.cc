// SPDX-License-Identifier: GPL-2.0-or-later
// Self-hosted debug in running code: breakpoints in code that is translated and linked already,
// single step by mismatch, and watchpoints on accesses of every kind.
#include <cstring>

#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Debug);

constexpr uint32_t kDebugEvent = 2, kWnr = 1 << 11;
constexpr uint32_t kBreakpoint = 1, kVectorCatch = 5, kSynchronousWatchpoint = 10;  // DBGDSCR.MOE
constexpr uint32_t kAnyMode = 3u << 1, kUserMode = 2u << 1, kWholeWord = 15u << 5, kEnabled = 1;
constexpr uint32_t kPlain = kWholeWord | kAnyMode | kEnabled;
constexpr uint32_t kMismatch = 4u << 20, kContext = 2u << 20, kLinkedContext = 3u << 20;
constexpr uint32_t kReturnFromPrefetchAbort = 0xe25ef004;  // SUBS PC, LR, #4
// a page of its own for what is not under test
constexpr uint32_t kStub = kCode + 0x3000;
constexpr uint32_t kUserPsr = 0x10;

// MCR p14, 0, Rt, CRn, CRm, opc2.
constexpr uint32_t mcr14(uint32_t rt, uint32_t crn, uint32_t crm, uint32_t opc2) {
  return 0xee000e10 | crn << 16 | rt << 12 | opc2 << 5 | crm;
}
// R12 is scratch.
Asm& write14(Asm& a, uint32_t crn, uint32_t crm, uint32_t opc2, uint32_t value) {
  return a.set(12, value)({mcr14(12, crn, crm, opc2)});
}
Asm& monitor_mode(Asm& a) {
  write14(a, 1, 0, 4, 0);                // DBGOSLAR
  return write14(a, 0, 2, 2, 1u << 15);  // DBGDSCRext.MDBGen
}
Asm& breakpoint(Asm& a, uint32_t n, uint32_t value, uint32_t control) {
  write14(a, 0, n, 4, value);
  return write14(a, 0, n, 5, control);
}
constexpr uint32_t wcr(uint32_t bas, uint32_t lsc = 3, uint32_t pac = 3) { return bas << 5 | lsc << 3 | pac << 1 | 1; }
Asm& watchpoint(Asm& a, uint32_t n, uint32_t value, uint32_t control) {
  write14(a, 0, n, 6, value);
  return write14(a, 0, n, 7, control);
}

uint32_t method_of_entry(const Guest& g) { return g.cpu.debug.dbgdscr >> 2 & 15; }
uint8_t it_of(uint32_t psr) { return static_cast<uint8_t>((psr >> 25 & 3) | (psr >> 10 & 0x3f) << 2); }

// Runs what `emit` writes, in the mode of the CPU.
template <typename Emit>
void run_stub(Guest& g, Emit emit) {
  Asm a(kStub);
  emit(a);
  a({kHvc});
  for (uint32_t i = 0; i < a.words.size(); i++) g.device_write32(kStub + 4 * i, a.words[i]);
  g.run(kStub);
  ASSERT_EQ(g.stopped_at(), Exception::None);
}
void supervisor(Guest& g) { g.words(kStub + 0x800, {0xf1020013 /* CPS #19 */, kHvc}), g.run(kStub + 0x800); }

void expect_breakpoint(const Guest& g, uint32_t pc, uint32_t moe = kBreakpoint) {
  EXPECT_EQ(g.stopped_at(), Exception::PrefetchAbort);
  EXPECT_EQ(g.cpu.cp15.ifsr, kDebugEvent);
  EXPECT_EQ(g.cpu.r[14], pc + 4) << std::hex << g.cpu.r[14];
  EXPECT_EQ(method_of_entry(g), moe);
}

// ---- breakpoints

TEST_P(Debug, ABreakpointStopsALoopThatRunsAlready) {
  auto g = make_guest();
  Asm a(kCode);
  a({mov_imm(1, 0)});
  const uint32_t loop = a.here();
  a({add_imm(1, 1, 1)});
  const uint32_t stop = a.here();
  a({cmp_imm(0, 0)});
  const uint32_t conditional = a.here();
  a({0x02822001 /* ADDEQ R2, R2, #1 */, subs_imm(0, 0, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->cpu.r[0] = 1000;
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  ASSERT_EQ(g->cpu.r[1], 1000u);

  run_stub(*g, [&](Asm& s) { breakpoint(monitor_mode(s), 1, stop, kPlain); });
  g->cpu.r[0] = 5;
  g->run(kCode);
  expect_breakpoint(*g, stop);
  EXPECT_EQ(g->cpu.r[0], 5u);
  EXPECT_EQ(g->cpu.r[1], 1u);
  EXPECT_EQ(g->spsr(kBankAbt) & 0x3f, 0x13u);

  // Another instruction of the page, whose condition fails: it matches all the same (C3.3.1).
  supervisor(*g);
  run_stub(*g, [&](Asm& s) { breakpoint(s, 1, conditional, kPlain); });
  g->cpu.r[0] = 5, g->cpu.r[2] = 0;
  g->run(kCode);
  expect_breakpoint(*g, conditional);
  EXPECT_EQ(g->cpu.r[2], 0u);

  // Without it the loop runs on from there.
  run_stub(*g, [&](Asm& s) { breakpoint(s, 1, conditional, 0)({mov(14, 14)}); });
  g->words(kStub + 0x900, {kReturnFromPrefetchAbort});
  g->cpu.r[14] = conditional + 4;
  g->run(kStub + 0x900);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[1], 5u);
}

// The code that sets the breakpoint runs into it.
TEST_P(Debug, ABreakpointInTheSettersOwnPage) {
  auto g = make_guest();
  Asm a(kCode);
  monitor_mode(a);
  const uint32_t stop = kCode + 0x100;
  breakpoint(a, 0, stop, kPlain).b(stop);
  g->code(a, kCode);
  g->words(stop, {mov_imm(3, 1), kHvc});
  g->run(kCode);
  expect_breakpoint(*g, stop);
  // On the instruction that follows the write.
  auto h = make_guest();
  Asm b(kCode);
  breakpoint(monitor_mode(b), 0, kCode + 4 * 12, kPlain);
  ASSERT_EQ(b.here(), kCode + 4 * 12);
  b({mov_imm(3, 1), kHvc});
  h->code(b, kCode);
  h->run(kCode);
  expect_breakpoint(*h, kCode + 4 * 12);
}

TEST_P(Debug, BreakpointsInThumbCode) {
  struct Case {
    uint32_t offset;
    uint8_t it;
  };
  // 0: CMP R0, R0; 2: ITE EQ; 4: ADDEQ R1, #1; 6: ADDNE.W R1, R1, #1; a: MOV.W R2, #1; e: HVC
  for (const Case& c : {Case{0, 0}, Case{2, 0}, Case{4, 0x0c}, Case{6, 0x18}, Case{0xa, 0}}) {
    SCOPED_TRACE(c.offset);
    auto g = make_guest();
    g->halves(kCode + 0x20, {0x4280, 0xbf0c, 0x3101, 0xf101, 0x0101, 0xf04f, 0x0201, 0xf7e0, 0x8000});
    g->run((kCode + 0x20) | 1);
    ASSERT_EQ(g->stopped_at(), Exception::None);
    const uint32_t pc = kCode + 0x20 + c.offset;
    run_stub(*g,
             [&](Asm& s) { breakpoint(monitor_mode(s), 5, pc & ~3u, (pc & 2 ? 0xc : 3) << 5 | kAnyMode | kEnabled); });
    g->run((kCode + 0x20) | 1);
    expect_breakpoint(*g, pc);
    EXPECT_EQ(g->spsr(kBankAbt) & 0x20, 0x20u);
    EXPECT_EQ(it_of(g->spsr(kBankAbt)), c.it);
    // The other halfword of the word is no match.
    supervisor(*g);
    run_stub(*g, [&](Asm& s) { breakpoint(s, 5, pc & ~3u, (pc & 2 ? 3 : 0xc) << 5 | kAnyMode | kEnabled); });
    g->run(pc | 1);
    EXPECT_TRUE(g->stopped_at() == Exception::None || g->cpu.r[14] != pc + 4);
  }
}

// A 32-bit instruction belongs to the page where it begins.
TEST_P(Debug, AnInstructionAcrossPages) {
  for (const bool second : {false, true}) {
    auto g = make_guest();
    g->map(kVa, kData);
    g->map(kVa + 0x1000, kData + 0x1000);
    // ADD.W R1, R1, #1; ADD R2, #2; HVC
    g->halves(kData + 0xffe, {0xf101, 0x0101, 0x3202, 0xf7e0, 0x8000});
    g->cpu.r[1] = g->cpu.r[2] = 0;
    g->run((kVa + 0xffe) | 1);
    ASSERT_EQ(g->stopped_at(), Exception::None);
    const uint32_t pc = kVa + (second ? 0x1002 : 0xffe);
    run_stub(*g, [&](Asm& s) { breakpoint(monitor_mode(s), 0, pc & ~3u, 0xcu << 5 | kAnyMode | kEnabled); });
    g->run((kVa + 0xffe) | 1);
    expect_breakpoint(*g, pc);
    EXPECT_EQ(g->cpu.r[1], second ? 2u : 1u);
    EXPECT_EQ(g->cpu.r[2], 2u);
  }
}

// The handler moves DBGBVR to the instruction that it returns to, so that the next one stops:
// single step, of all but the handler's own mode.
TEST_P(Debug, SingleStepByMismatch) {
  for (const bool thumb : {false, true}) {
    SCOPED_TRACE(thumb);
    auto g = make_guest();
    const uint32_t log = kData + 0x8000;
    Asm handler(kStub);
    handler({0xe24ee004 /* SUB LR, LR, #4 */, 0xe48be004 /* STR LR, [R11], #4 */});
    handler({mcr14(14, 0, 0, 4), 0xe31e0002 /* TST LR, #2 */, 0x03a0a060 /* MOVEQ R10, #0x60 */});
    handler({0x13a0ad06 /* MOVNE R10, #0x180 */, 0xe18aa009 /* ORR R10, R10, R9 */, mcr14(10, 0, 0, 5), 0xe1b0f00e});
    g->code(handler, kStub);
    g->write32(kVectors + 12, branch(kVectors + 12, kStub));
    g->cpu.r[9] = kMismatch | kAnyMode | kEnabled;
    g->cpu.r[11] = log;
    std::vector<uint32_t> wanted;
    if (thumb) {
      // 0: MOV R0, #2; 2: SUBS R0, #1; 4: BNE 2; 6: ADD.W R1, R1, #1; a: MOV R2, R1; c: HVC
      g->halves(kCode, {0x2002, 0x3801, 0xd1fd, 0xf101, 0x0101, 0x460a, 0xf7e0, 0x8000});
      for (const uint32_t o : {0u, 2u, 4u, 2u, 4u, 6u, 10u, 12u}) wanted.push_back(kCode + o);
    } else {
      Asm a(kCode);
      a({mov_imm(0, 2), subs_imm(0, 0, 1)}).b(kCode + 4, kNe)({add_imm(1, 1, 1), mov(2, 1), kHvc});
      g->code(a, kCode);
      for (const uint32_t o : {0u, 4u, 8u, 4u, 8u, 12u, 16u, 20u}) wanted.push_back(kCode + o);
    }
    // Jumps there with the mismatch set: BAS 0 matches every instruction. The stub's own are seen
    // first.
    Asm start(kStub + 0x400);
    start.set(8, kCode | thumb);
    breakpoint(monitor_mode(start), 0, 0, kMismatch | kAnyMode | kEnabled)({bx(8)});
    g->code(start, kStub + 0x400);
    g->run(kStub + 0x400);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[2], g->cpu.r[1]);
    EXPECT_EQ(g->read32(log), start.here() - 4);
    for (size_t i = 0; i < wanted.size(); i++)
      EXPECT_EQ(g->read32(log + 4 + 4 * static_cast<uint32_t>(i)), wanted[i]) << i;
    EXPECT_EQ(g->cpu.r[11], log + 4 + 4 * wanted.size());
  }
}

TEST_P(Debug, ContextsAndModesThatChangeAfterwards) {
  auto g = make_guest();
  g->words(kCode, {add_imm(1, 1, 1), add_imm(2, 2, 1), 0xef000000 /* SVC */});
  const uint32_t stop = kCode + 4;
  // Linked to context 7.
  run_stub(*g, [&](Asm& s) {
    breakpoint(monitor_mode(s), 4, 7, kLinkedContext | kPlain);
    breakpoint(s, 0, stop, 1u << 20 | 4u << 16 | kPlain);
  });
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  run_stub(*g, [&](Asm& s) { s.set(12, 7)({write_contextidr(12)}); });
  g->run(kCode);
  expect_breakpoint(*g, stop);
  supervisor(*g);
  run_stub(*g, [&](Asm& s) { s.set(12, 8)({write_contextidr(12)}); });
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  // In User mode only.
  run_stub(*g, [&](Asm& s) { breakpoint(s, 0, stop, kWholeWord | kUserMode | kEnabled); });
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  g->words(kStub + 0xa00, {0xf1020010 /* CPS #16 */, bx(8)});
  g->cpu.r[8] = kCode;
  g->run(kStub + 0xa00);
  expect_breakpoint(*g, stop);
  EXPECT_EQ(g->spsr(kBankAbt) & 0x1f, kUserPsr);
  // A context by itself: the first instruction in it.
  supervisor(*g);
  run_stub(*g, [&](Asm& s) {
    breakpoint(s, 0, 0, 0);
    breakpoint(s, 5, 9, kContext | kPlain);
    s({kIsb});
  });
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  Asm to(kStub);
  to.set(12, 9)({write_contextidr(12), kNop, kHvc});
  g->code(to, kStub);
  g->device_write32(kStub, to.words[0]);
  g->run(kStub);
  expect_breakpoint(*g, kStub + 12);
}

TEST_P(Debug, VectorCatch) {
  auto g = make_guest();
  run_stub(*g, [&](Asm& s) { write14(monitor_mode(s), 0, 7, 0, 1u << 2); });
  g->words(kCode, {mov_imm(1, 1), 0xef000000 /* SVC */});
  g->run(kCode);
  expect_breakpoint(*g, kVectors + 8, kVectorCatch);
  EXPECT_EQ(g->cpu.banked.r14[kBankSvc], kCode + 8);
}

// ---- watchpoints

struct Watched {
  const char* name;
  uint32_t word;  // the base is R0, what is stored or the second operand R1
  int32_t base;   // from the watched byte
  bool write;
  int32_t far;  // DFAR from the watched byte
};
constexpr Watched kWatched[] = {
    {"LDR R1, [R0]", 0xe5901000, 0, false, 0},           {"LDR R1, [R0, #4]!", 0xe5b01004, -4, false, 0},
    {"LDR R1, [R0], #4", 0xe4901004, -2, false, 0},      {"STR R1, [R0], #4", 0xe4801004, -3, true, 0},
    {"STRB R1, [R0], #1", 0xe4c01001, 0, true, 0},       {"LDRSB R1, [R0], #1", 0xe0d010d1, 0, false, 0},
    {"STRH R1, [R0], #2", 0xe0c010b2, -1, true, 0},      {"LDRD R2, [R0], #8", 0xe0c020d8, -4, false, 0},
    {"STRD R2, [R0], #8", 0xe0c020f8, -4, true, 0},      {"LDMIA R0!, {R1-R4}", 0xe8b0001e, -8, false, 0},
    {"LDMDB R0!, {R1-R4}", 0xe930001e, 8, false, 0},     {"STMIA R0!, {R1-R4}", 0xe8a0001e, -12, true, 0},
    {"STMDB R0!, {R1-R4}", 0xe920001e, 4, true, 0},      {"LDRT R1, [R0], #4", 0xe4b01004, 0, false, 0},
    {"STRT R1, [R0], #4", 0xe4a01004, 0, true, 0},       {"VLDR D0, [R0]", 0xed900b00, -4, false, 0},
    {"VSTR S0, [R0]", 0xed800a00, 0, true, 0},           {"VLDMIA R0!, {D0-D3}", 0xecb00b08, -24, false, 0},
    {"VSTMIA R0!, {D0-D3}", 0xeca00b08, -16, true, 0},   {"VLD1.32 {D0-D1}, [R0]!", 0xf4200a8d, -12, false, 0},
    {"VST1.32 {D0-D1}, [R0]!", 0xf4000a8d, -8, true, 0}, {"VLD4.8 {D0-D3}, [R0]!", 0xf420000d, -31, false, 0},
    {"VST3.16 {D0-D2}, [R0]!", 0xf400044d, -8, true, 0}, {"VLD1.8 {D0[3]}, [R0]!", 0xf4a0006d, 0, false, 0},
    {"LDREX R2, [R0]", 0xe1902f9f, 0, false, 0},         {"LDREXD R2, [R0]", 0xe1b02f9f, 0, false, 0},
    {"STREX R2, R1, [R0]", 0xe1802f91, 0, true, 0},  // its monitor is open
    {"SWP R2, R1, [R0]", 0xe1002091, 0, false, 0},
};

// The byte is 8 bytes before a page's end, at its start, or reached from the page before. Base
// register, flags and memory are as before; then, without the watchpoint, the instruction
// completes.
TEST_P(Debug, WatchedAccesses) {
  for (const uint32_t byte : {kVa + 0x0ff8, kVa + 0x1000}) {
    for (const Watched& w : kWatched) {
      SCOPED_TRACE(w.name);
      SCOPED_TRACE(byte);
      auto g = make_guest();
      g->cpu.cp15.sctlr |= arm::kSctlrSw;
      g->map(kVa, kData);
      g->map(kVa + 0x1000, kData + 0x1000);
      for (uint32_t i = 0; i < 0x2000; i += 4) g->write32(kData + i, 0x01010101u * (i >> 2 & 0xff));
      const uint32_t base = byte + static_cast<uint32_t>(w.base);
      Asm a(kCode);
      a.set(0, base)({mov_imm(5, 0), 0xe2555001 /* SUBS R5, R5, #1 */});
      const uint32_t at = a.here();
      a({w.word, kHvc});
      g->code(a, kCode);
      // Once without, so that the pages are entered and the code is there.
      g->cpu.r[1] = 0x11111111, g->cpu.r[2] = 0x22222222, g->cpu.r[3] = 0x33333333, g->cpu.r[4] = 0x44444444;
      g->run(kCode);
      ASSERT_EQ(g->stopped_at(), Exception::None);
      run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 2, byte & ~7u, wcr(1u << (byte & 7))); });
      for (uint32_t i = 0; i < 0x2000; i += 4) g->write32(kData + i, 0x01010101u * (i >> 2 & 0xff));
      const std::vector<uint8_t> before(g->host(kData), g->host(kData) + 0x2000);
      g->cpu.r[1] = 0x11111111, g->cpu.r[2] = 0x22222222, g->cpu.r[3] = 0x33333333, g->cpu.r[4] = 0x44444444;
      g->run(kCode);
      ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
      EXPECT_EQ(g->cpu.r[0], base);
      EXPECT_EQ(g->cpu.cp15.dfsr, kDebugEvent | (w.write ? kWnr : 0));
      EXPECT_EQ(g->cpu.cp15.dfar, byte + static_cast<uint32_t>(w.far));
      EXPECT_EQ(g->cpu.debug.dbgwfar, at + 8);
      EXPECT_EQ(method_of_entry(*g), kSynchronousWatchpoint);
      EXPECT_EQ(g->cpu.r[14], at + 8);
      EXPECT_EQ(g->spsr(kBankAbt) >> 28, 0x8u);
      // Multiple stores may have stored what comes before the byte.
      const bool multiple = (w.word >> 25 & 7) == 4 || (w.word >> 25 & 7) == 6 || w.word >> 28 == 15;
      const size_t from = w.write && multiple ? byte - kVa : 0;
      EXPECT_EQ(std::memcmp(before.data() + from, g->host(kData) + from, 0x2000 - from), 0);
      run_stub(*g, [&](Asm& s) { watchpoint(s, 2, 0, 0); });
      g->words(kStub + 0x900, {0xe25ef008 /* SUBS PC, LR, #8 */});
      g->cpu.r[14] = at + 8;
      g->run(kStub + 0x900);
      EXPECT_EQ(g->stopped_at(), Exception::None);
      EXPECT_EQ(g->cpu.r[15], at + 8);
    }
  }
}

TEST_P(Debug, WhatAWatchpointLeavesAlone) {
  auto g = make_guest();
  Asm a(kCode);
  const uint32_t word = kData + 0x108;
  a.set(0, word)({str(1, 0, 4), 0xe5001004 /* STR R1, [R0, #-4] */, ldr(2, 0), 0xe5c01003 /* STRB R1, [R0, #3] */});
  const uint32_t at = a.here();
  a({str(1, 0), kHvc});
  g->code(a, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  // Stores to the first three bytes of the word.
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 0, word, wcr(7, 2)); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[14], at + 8);
  EXPECT_EQ(g->cpu.cp15.dfar, word);
  // The rest of its section is entered as ever: other pages' accesses do not come here.
  const uint64_t slow = g->engine_statistics().slow_accesses;
  supervisor(*g);
  Asm b(kCode + 0x400);
  b.set(0, kData + 0x4000)({mov_imm(3, 200)});
  const uint32_t loop = b.here();
  b({ldr(2, 0), str(2, 0, 4), subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g->code(b, kCode + 0x400);
  g->run(kCode + 0x400);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  if (GetParam().mode != mmu::Mode::SoftCall) {
    EXPECT_LT(g->engine_statistics().slow_accesses - slow, 20u);
  }
}

TEST_P(Debug, PrivilegeOfAnAccess) {
  auto g = make_guest();
  g->words(kCode, {ldr(1, 0), 0xe4b01000 /* LDRT R1, [R0], #0 */, 0xef000000 /* SVC */});
  g->cpu.r[0] = kData + 0x40;
  // User mode's accesses: LDRT is one.
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 0, kData + 0x40, wcr(0xff, 3, 2)); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[14], kCode + 4 + 8);
  supervisor(*g);
  g->words(kStub + 0xa00, {0xf1020010 /* CPS #16 */, bx(8)});
  g->cpu.r[8] = kCode;
  g->run(kStub + 0xa00);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[14], kCode + 8);
  // The others'.
  supervisor(*g);
  run_stub(*g, [&](Asm& s) { watchpoint(s, 0, kData + 0x40, wcr(0xff, 3, 1)); });
  g->run(kStub + 0xa00);
  ASSERT_EQ(g->stopped_at(), Exception::SupervisorCall);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[14], kCode + 8);
}

// The page was entered in an address space that is not current when the watchpoint is set.
TEST_P(Debug, AnotherAddressSpacesEntries) {
  auto g = make_guest();
  g->map(kVa, kData, Guest::kUserRw, kTableA);
  g->map(kVa, kData, Guest::kUserRw, kTableB);
  g->words(kCode, {ldr(1, 0), kHvc});
  g->cpu.r[0] = kVa + 0x10;
  const auto table = [&](uint32_t t) { run_stub(*g, [&](Asm& s) { s.set(12, t)({write_ttbr0(12), kIsb}); }); };
  for (const uint32_t t : {kTableB, kTableA}) {
    table(t);
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::None);
  }
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 0, kVa + 0x10, wcr(1, 1)); });
  table(kTableB);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  supervisor(*g);
  table(kTableA);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  // A range of 16 MiB, and its end.
  supervisor(*g);
  run_stub(*g, [&](Asm& s) { watchpoint(s, 0, kVa & ~0xffffffu, 24u << 24 | wcr(0xff)); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  supervisor(*g);
  run_stub(*g, [&](Asm& s) { watchpoint(s, 0, 0, 0); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
}

// The device does not see the access.
TEST_P(Debug, ADevice) {
  auto g = make_guest();
  g->words(kCode, {str(1, 0), kHvc});
  g->cpu.r[0] = kDevice + 0x20;
  g->run(kCode);
  ASSERT_EQ(g->accesses.size(), 1u);
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 3, kDevice + 0x20, wcr(1, 2)); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.cp15.dfsr, kDebugEvent | kWnr);
  EXPECT_EQ(g->accesses.size(), 1u);
}

// MMU faults have priority (B1.9.6).
TEST_P(Debug, AnUnmappedWatchedPage) {
  auto g = make_guest();
  g->words(kCode, {ldr(1, 0), kHvc});
  g->cpu.r[0] = kVa;
  g->map(kVa + 0x1000, kData);  // the section has a table
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 0, kVa, wcr(0xff)); });
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.cp15.dfsr, 7u);
}

TEST_P(Debug, AWatchedAccessInAnItBlock) {
  auto g = make_guest();
  // CMP R0, R0; ITETE EQ; ADDEQ R3, #1; ADDNE R3, #1; STREQ R1, [R2]; ADDNE R3, #1; HVC
  g->halves(kCode, {0x4280, 0xbf0b, 0x3301, 0x3301, 0x6011, 0x3301, 0xf7e0, 0x8000});
  g->cpu.r[2] = kData + 0x40;
  g->cpu.r[3] = 0;
  run_stub(*g, [&](Asm& s) { watchpoint(monitor_mode(s), 0, kData + 0x40, wcr(0xff)); });
  g->run(kCode | 1);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[14], kCode + 8 + 8);
  EXPECT_EQ(it_of(g->spsr(kBankAbt)), 0x0c);
  EXPECT_EQ(g->cpu.debug.dbgwfar, kCode + 8 + 4);
  EXPECT_EQ(g->cpu.r[3], 1u);
}

}  // namespace
}  // namespace crosswalk::test
