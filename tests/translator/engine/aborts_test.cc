// SPDX-License-Identifier: GPL-2.0-or-later
// Aborts: what is in the registers, the flags, PSR.IT and the fault status when they are taken, and
// going on after them.
#include <cstring>

#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Aborts);

constexpr uint32_t kPageEnd = kVa + 0x1000;  // pages of kVa: the first is there, the second is not
constexpr uint32_t kWnr = 1 << 11, kTranslationPage = 0x7, kTranslationSection = 0x5, kPermissionPage = 0xf,
                   kAlignment = 0x1;
constexpr uint32_t kExternal = 0x8, kPermissionSection = 0xd;

uint8_t it_of(uint32_t psr) { return static_cast<uint8_t>((psr >> 25 & 3) | (psr >> 10 & 0x3f) << 2); }

struct Crossing {
  const char* name;
  uint32_t word;  // the base is R0
  int32_t base;   // from the page end
  bool write;
  int32_t far;  // DFAR from the page end
};
constexpr Crossing kCrossings[] = {
    {"LDMIA R0!, {R1-R4}", 0xe8b0001e, -8, false, 0},
    {"LDMIA R0, {R0-R4}", 0xe890001f, -8, false, 0},
    {"LDMIB R0!, {R1-R4}", 0xe9b0001e, -12, false, 0},
    {"LDMDB R0!, {R1-R4}", 0xe930001e, 8, false, 0},
    {"LDMDA R0!, {R1-R4}", 0xe830001e, 4, false, 0},
    {"STMIA R0!, {R1-R4}", 0xe8a0001e, -8, true, 0},
    {"STMDB R0!, {R1-R4}", 0xe920001e, 8, true, 0},
    {"LDRD R2, [R0], #8", 0xe0c020d8, -4, false, 0},
    {"LDRD R2, [R0, #8]!", 0xe1e020d8, -12, false, 0},
    {"STRD R2, [R0], #8", 0xe0c020f8, -4, true, 0},
    {"LDR R1, [R0, #4]!", 0xe5b01004, -4, false, 0},
    {"LDR R1, [R0], #4", 0xe4901004, 0, false, 0},
    {"LDR R1, [R0, #-4]!", 0xe5301004, 4, false, 0},
    {"LDR R1, [R0], #4, unaligned", 0xe4901004, -2, false, 0},
    {"STR R1, [R0], #4, unaligned", 0xe4801004, -2, true, 0},
    {"LDRH R1, [R0], #2, unaligned", 0xe0d010b2, -1, false, 0},
    {"STRH R1, [R0], #2, unaligned", 0xe0c010b2, -1, true, 0},
    {"STRB R1, [R0], #1", 0xe4c01001, 0, true, 0},
    {"LDRSB R1, [R0], #1", 0xe0d010d1, 0, false, 0},
    {"VLDMIA R0!, {D0-D3}", 0xecb00b08, -16, false, 0},
    {"VSTMIA R0!, {D0-D3}", 0xeca00b08, -16, true, 0},
    {"VLDR D0, [R0]", 0xed900b00, -4, false, 0},
    {"VSTR S0, [R0]", 0xed800a00, 0, true, 0},
    {"VLD1.32 {D0-D1}, [R0]!", 0xf4200a8d, -8, false, 0},
    {"VST1.32 {D0-D1}, [R0]!", 0xf4000a8d, -8, true, 0},
    {"LDREX R1, [R0]", 0xe1901f9f, 0, false, 0},
};

// Where nothing answers behind a page of RAM, DFAR is the address of the part that reached it.
TEST_P(Aborts, ExternalInTheMiddleOfAnInstruction) {
  for (const Crossing& c : kCrossings) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    g->map(kVa, kData);
    g->map(kPageEnd, kUnassigned);
    g->words(kCode, {c.word, kHvc});
    const uint32_t base = kPageEnd + static_cast<uint32_t>(c.base);
    for (int round = 0; round < 3; round++) {
      g->cpu.r[0] = base;
      g->run(kCode);
      ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
      EXPECT_EQ(g->cpu.r[0], base);
      EXPECT_EQ(g->cpu.cp15.dfsr, kExternal | (c.write ? kWnr : 0));
      EXPECT_EQ(g->cpu.cp15.dfar, kPageEnd + static_cast<uint32_t>(c.far));
      EXPECT_EQ(g->cpu.r[14], kCode + 8);
    }
  }
}

// The base register, the flags and the rest of memory are as before; DFSR, DFAR, LR and SPSR are
// exact; and the instruction works after the page has been mapped.
TEST_P(Aborts, InTheMiddleOfAnInstruction) {
  for (const Crossing& c : kCrossings) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    g->map(kVa, kData);
    for (uint32_t i = 0; i < 0x1000; i += 4) g->write32(kData + i, 0x01010101u * (i & 0xff));
    Asm a(kCode);
    a.set(0, kPageEnd + static_cast<uint32_t>(c.base))({mov_imm(5, 0)});
    a({0xe2555001});  // SUBS R5, R5, #1: N set, C clear
    const uint32_t at = a.here();
    a({c.word, kHvc});
    g->code(a, kCode);
    std::vector<uint8_t> before(g->host(kData), g->host(kData) + 0x1000);
    g->cpu.r[1] = 0x11111111, g->cpu.r[2] = 0x22222222, g->cpu.r[3] = 0x33333333, g->cpu.r[4] = 0x44444444;
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
    const uint32_t base = kPageEnd + static_cast<uint32_t>(c.base);
    EXPECT_EQ(g->cpu.r[0], base);
    EXPECT_EQ(g->cpu.cp15.dfsr, kTranslationPage | (c.write ? kWnr : 0));
    EXPECT_EQ(g->cpu.cp15.dfar, kPageEnd + static_cast<uint32_t>(c.far));
    EXPECT_EQ(g->cpu.r[14], at + 8);
    EXPECT_EQ(g->spsr(kBankAbt) >> 28, 0x8u);
    EXPECT_EQ(g->spsr(kBankAbt) & 0x3f, 0x13u);
    if (c.write) {
      EXPECT_EQ(g->cpu.r[1], 0x11111111u);
      // A store of one register leaves the first page as it was; multiple ones may have stored what
      // comes before.
      if ((c.word >> 25 & 7) != 4 && (c.word >> 25 & 7) != 6) {
        EXPECT_EQ(std::memcmp(before.data(), g->host(kData), 0x1000), 0);
      }
    }
    // The handler maps the page and tries again.
    g->map(kPageEnd, kData + 0x1000);
    g->flush_tlb();
    g->words(kCode + 0x800, {0xe25ef008});  // SUBS PC, LR, #8
    g->run(kCode + 0x800);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[15], at + 8);
  }
}

TEST_P(Aborts, ResultsOfUnalignedAccessesInTwoPages) {
  auto g = make_guest();
  g->map(kVa, kData + 0x5000);
  g->map(kVa + 0x1000, kData);  // not the next page of RAM
  g->write32(kData + 0x5ffc, 0x44332211);
  g->write32(kData, 0x88776655);
  Asm a(kCode);
  a.set(0, kPageEnd - 2)({ldr(1, 0), 0xe1d020b1 /* LDRH R2, [R0, #1] */, 0xe1d030f1 /* LDRSH R3, [R0, #1] */});
  a.set(4, 0xddccbbaa)({0xe5804001 /* STR R4, [R0, #1] */, ldr(5, 0, 1)});
  a({0xe2400002 /* SUB R0, R0, #2 */, 0xe1c060d0 /* LDRD R6, [R0] */, kHvc});
  g->code(a, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[1], 0x66554433u);
  EXPECT_EQ(g->cpu.r[2], 0x5544u);
  EXPECT_EQ(g->cpu.r[3], 0x5544u);
  EXPECT_EQ(g->cpu.r[5], 0xddccbbaau);
  EXPECT_EQ(g->read32(kData + 0x5ffc), 0xaa332211u);
  EXPECT_EQ(g->read32(kData), 0x88ddccbbu);
  EXPECT_EQ(g->cpu.r[6], 0xaa332211u);
  EXPECT_EQ(g->cpu.r[7], 0x88ddccbbu);
}

// SPSR.IT is that of the instruction, for loads that are conditional and for the block's going on
// afterwards.
TEST_P(Aborts, InItBlock) {
  struct Case {
    uint16_t it;
    uint32_t position;
    uint8_t spsr_it;
  };
  // CMP R0, R0; IT...; three ADDs and a load, the load at `position`. The state advances with each
  // instruction (A2.5.2).
  for (const Case& c : {Case{0xbf01, 0, 0x01}, Case{0xbf01, 1, 0x02}, Case{0xbf01, 2, 0x04}, Case{0xbf01, 3, 0x08}}) {
    SCOPED_TRACE(c.position);
    auto g = make_guest();
    // CMP R0, R0; ITTTT EQ
    std::vector<uint16_t> code = {0x4280, c.it};
    // LDR R1, [R2]; ADD R3, #1
    for (uint32_t i = 0; i < 4; i++) code.push_back(i == c.position ? 0x6811 : 0x3301);
    code.insert(code.end(), {0xf7e0, 0x8000});  // HVC
    std::memcpy(g->host(kCode), code.data(), code.size() * 2);
    g->cpu.r[2] = kVa;
    g->cpu.r[3] = 0;
    g->map(kVa + 0x1000, kData);
    g->write32(kData, 0x12345678);
    g->run(kCode | 1);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
    EXPECT_EQ(it_of(g->spsr(kBankAbt)), c.spsr_it);
    EXPECT_EQ(g->spsr(kBankAbt) & 1u << 5, 1u << 5);
    EXPECT_EQ(g->spsr(kBankAbt) >> 28, 0x6u);
    EXPECT_EQ(g->cpu.r[14], kCode + 4 + 2 * c.position + 8);
    EXPECT_EQ(g->cpu.r[3], c.position);
    EXPECT_EQ(g->cpu.cp15.dfsr, kTranslationPage);
    EXPECT_EQ(g->cpu.it, 0);
    g->map(kVa, kData);
    g->flush_tlb();
    g->words(kCode + 0x800, {0xe25ef008});  // SUBS PC, LR, #8
    g->run(kCode + 0x800);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[3], 3u);
    EXPECT_EQ(g->cpu.r[1], 0x12345678u);
  }
}

// A load in an IT block that reaches a device is translated again in its middle.
TEST_P(Aborts, DeviceInItBlock) {
  auto g = make_guest();
  g->halves(kCode,
            // ITTE EQ: ADD R3; LDR R1, [R2]; (NE) ADD R4
            {0x4280, 0xbf06, 0x3301, 0x6811, 0x3401, 0xf7e0, 0x8000});
  for (int round = 0; round < 3; round++) {
    g->cpu.r[2] = kDevice + 0x10, g->cpu.r[3] = 0, g->cpu.r[4] = 0, g->accesses.clear();
    g->run(kCode | 1);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[3], 1u);
    EXPECT_EQ(g->cpu.r[4], 0u);
    ASSERT_EQ(g->accesses.size(), 1u);
    EXPECT_EQ(g->cpu.r[1], static_cast<uint32_t>(g->accesses[0].value));
  }
}

// The flags of each kind of producer are in SPSR when the next instruction faults, whoever uses
// them later.
TEST_P(Aborts, Flags) {
  struct Case {
    const char* name;
    uint32_t word;
    uint32_t nzcv;
  };
  // R1 = 0x80000000, R2 = 1, R3 = 0; before: N clear, Z clear, C set, V clear.
  const Case cases[] = {
      {"CMP R1, R2", 0xe1510002, 0x3},
      {"CMP R3, R2", 0xe1530002, 0x8},
      {"CMN R1, R1", 0xe1710001, 0x7},
      {"ADDS R4, R3, R2", 0xe0934002, 0x0},
      {"ADCS R4, R3, R2", 0xe0b34002, 0x0},
      {"SBCS R4, R3, R2", 0xe0d34002, 0x8},
      {"RSBS R4, R2, #0", 0xe2724000, 0x8},
      {"TST R1, R1", 0xe1110001, 0xa},
      {"TEQ R1, R1", 0xe1310001, 0x6},
      {"MOVS R4, R1, LSL #1", 0xe1b04081, 0x6},
      {"MOVS R4, R1, LSR #1", 0xe1b040a1, 0x0},
      {"MULS R4, R1, R2", 0xe0140291, 0xa},
      {"UMULLS R4, R5, R1, R1", 0xe0954191, 0x2},
      {"MSR CPSR_f, R1", 0xe128f001, 0x8},
      {"MOVS R4, R2, ROR R2", 0xe1b04272, 0xa},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    Asm a(kCode);
    a.set(1, 0x80000000)({mov_imm(2, 1), mov_imm(3, 0), mov_imm(5, 0)})
        .set(6, 0x20000000)({0xe128f006 /* MSR CPSR_f, R6 */});
    a({c.word, ldr(7, 3), 0x03a08001 /* MOVEQ R8, #1 */, 0xe0977007 /* ADDS R7, R7, R7 */}).b(kCode, kNe);
    g->code(a, kCode);
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
    EXPECT_EQ(g->spsr(kBankAbt) >> 28, c.nzcv);
    EXPECT_EQ(g->cpu.cp15.dfsr, kTranslationSection);
    EXPECT_EQ(g->cpu.cp15.dfar, 0u);
  }
}

TEST_P(Aborts, Prefetch) {
  auto g = make_guest();
  g->map(kVa + 0x2000, kData, Guest::kExecuteNever);
  Asm direct(kVa + 0x10000);
  g->map(kVa + 0x10000, kCode);
  direct.b(kVa + 0x4000);
  g->code(direct, kCode);
  struct Case {
    uint32_t pc, target, ifsr;
  };
  Asm through_bx(kCode + 0x100);
  through_bx({bx(1)});
  g->code(through_bx, kCode + 0x100);
  const Case cases[] = {
      {kVa + 0x10000, kVa + 0x4000, kTranslationPage},  {kCode + 0x100, kVa + 0x2000, kPermissionPage},
      {kCode + 0x100, 0x00800000, kTranslationSection}, {kCode + 0x100, 0xffffffff, kTranslationSection},
      {kCode + 0x100, 0xfffffffc, kTranslationSection}, {kCode + 0x100, kDevice, kPermissionSection}};
  for (int round = 0; round < 2; round++) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.target);
      g->cpu.r[1] = c.target;
      g->cpu.r[14] = 0;
      g->run(c.pc);
      ASSERT_EQ(g->stopped_at(), Exception::PrefetchAbort);
      EXPECT_EQ(g->cpu.cp15.ifsr, c.ifsr);
      EXPECT_EQ(g->cpu.cp15.ifar, c.target & ~1u);
      EXPECT_EQ(g->cpu.r[14], (c.target & ~1u) + 4);
      EXPECT_EQ(g->spsr(kBankAbt) >> 5 & 1, c.target & 1);
    }
  }
}

TEST_P(Aborts, Alignment) {
  struct Case {
    const char* name;
    uint32_t word;
    bool write;
  };
  const Case cases[] = {{"LDM R0, {R1, R2}", 0xe8900006, false}, {"STM R0, {R1, R2}", 0xe8800006, true},
                        {"LDRD R2, [R0]", 0xe1c020d0, false},    {"STRD R2, [R0]", 0xe1c020f0, true},
                        {"LDREX R1, [R0]", 0xe1901f9f, false},   {"VLDR D0, [R0]", 0xed900b00, false},
                        {"VSTR S0, [R0]", 0xed800a00, true},     {"VLD1.8 {D0}, [R0:64]", 0xf420071f, false},
                        {"STREX R1, R2, [R0]", 0xe1801f92, true}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    auto g = make_guest();
    g->words(kCode, {c.word, kHvc});
    g->cpu.r[0] = kData + 2;
    g->run(kCode);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
    EXPECT_EQ(g->cpu.cp15.dfsr, kAlignment | (c.write ? kWnr : 0));
    EXPECT_EQ(g->cpu.cp15.dfar, kData + 2);
    EXPECT_EQ(g->cpu.r[14], kCode + 8);
    // Aligned, it works from the same translation.
    g->cpu.r[0] = kData;
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
  }
}

TEST_P(Aborts, Permissions) {
  auto g = make_guest();
  g->map(kVa, kData, Guest::kPrivileged);
  g->map(kVa + 0x1000, kData + 0x1000, Guest::kReadOnly);
  g->map(kVa + 0x2000, kData + 0x2000);
  g->write32(kData, 0x1234);
  struct Case {
    const char* name;
    uint32_t word, va, dfsr;
  };  // LDRT R1, [R0]; STRT R1, [R0]
  const Case cases[] = {{"LDR privileged", ldr(1, 0), kVa, 0},
                        {"LDRT privileged", 0xe4b01000, kVa, kPermissionPage},
                        {"LDRT user", 0xe4b01000, kVa + 0x2000, 0},
                        {"STR read-only", str(1, 0), kVa + 0x1000, kPermissionPage | kWnr},
                        {"LDR read-only", ldr(1, 0), kVa + 0x1000, 0},
                        {"STRT privileged", 0xe4a01000, kVa, kPermissionPage | kWnr},
                        {"STRT user", 0xe4a01000, kVa + 0x2000, 0},
                        {"STRT unmapped", 0xe4a01000, kVa + 0x3000, kTranslationPage | kWnr}};
  uint32_t pc = kCode;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    g->words(pc, {c.word, kHvc});
    for (int round = 0; round < 2; round++) {
      g->cpu.r[0] = c.va;
      g->run(pc);
      if (c.dfsr) {
        ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
        EXPECT_EQ(g->cpu.cp15.dfsr, c.dfsr);
        EXPECT_EQ(g->cpu.cp15.dfar, c.va);
      } else {
        EXPECT_EQ(g->stopped_at(), Exception::None);
      }
    }
    pc += 0x100;
  }
}

// User mode and privileged code share VAs but not permissions.
TEST_P(Aborts, UserMode) {
  auto g = make_guest();
  g->map(kVa, kData, Guest::kPrivileged);
  g->words(kCode + 0x100, {ldr(2, 0), 0xef000000 /* SVC #0 */});
  Asm a(kCode);
  a.set(0, kData + 4)
      .set(14, kCode + 0x100)({ldr(3, 0), mov_imm(4, 0x10), 0xe169f004 /* MSR SPSR_fc, R4 */, kMovsPcLr});
  g->code(a, kCode);
  g->write32(kData + 4, 77);
  g->run(kCode);  // user code may read kData by its section
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  EXPECT_EQ(g->cpu.r[2], 77u);
  Asm b(kCode + 0x400);
  b.set(0, kVa).set(14, kCode + 0x100)({ldr(3, 0, 4), mov_imm(4, 0x10), 0xe169f004, kMovsPcLr});
  g->code(b, kCode + 0x400);
  g->run(kCode + 0x400);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.r[3], 77u);
  EXPECT_EQ(g->cpu.cp15.dfsr, kPermissionPage);
  EXPECT_EQ(g->spsr(kBankAbt) & 0x1f, 0x10u);
  EXPECT_EQ(g->cpu.r[14], kCode + 0x100 + 8);
}

// Accesses around the ends of the address space.
TEST_P(Aborts, WrapAtTheTop) {
  auto g = make_guest();
  g->map(0xfffff000, kData);
  g->write32(kData + 0xffc, 0x44332211);
  g->map(0, kData + 0x1000);
  g->write32(kData + 0x1000, 0x88776655);
  struct Case {
    const char* name;
    uint32_t word, r0, r1, r2;
  };
  const Case cases[] = {{"LDR R1, [R0] across", ldr(1, 0), 0xfffffffe, 0x66554433, 0},
                        {"LDRD R2 pair", 0xe1c020d0, 0xfffffffc, 0, 0x44332211},
                        {"LDM R0, {R1, R2}", 0xe8900006, 0xfffffffc, 0x44332211, 0x88776655},
                        {"LDR R1, [R0, #-4]", 0xe5101004, 0, 0x44332211, 0},
                        {"LDR R1, [R0, #0x20]", ldr(1, 0, 0x20), 0xffffffe0, 0x88776655, 0},
                        {"LDR R1, [R0, #-0x20]", 0xe5101020, 0x20, 0x88776655, 0}};
  uint32_t pc = kCode;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    g->words(pc, {c.word, kHvc});
    for (int round = 0; round < 2; round++) {
      g->cpu.r[0] = c.r0, g->cpu.r[1] = g->cpu.r[2] = 0;
      g->run(pc);
      EXPECT_EQ(g->stopped_at(), Exception::None);
      EXPECT_EQ(g->cpu.r[1], c.r1);
      EXPECT_EQ(g->cpu.r[2], c.r2);
    }
    pc += 0x100;
  }
  g->words(pc, {0xe8a00006 /* STMIA R0!, {R1, R2} */, str(1, 0, 0xff8), kHvc});
  g->cpu.r[0] = 0xfffffffc, g->cpu.r[1] = 0xa1a2a3a4, g->cpu.r[2] = 0xb1b2b3b4;
  g->run(pc);
  EXPECT_EQ(g->read32(kData + 0xffc), 0xa1a2a3a4u);
  EXPECT_EQ(g->read32(kData + 0x1000), 0xb1b2b3b4u);
  EXPECT_EQ(g->read32(kData + 0x1ffc), 0xa1a2a3a4u);
  EXPECT_EQ(g->cpu.r[0], 4u);

  g->unmap(0);
  g->flush_tlb();
  pc += 0x100;
  g->words(pc, {str(1, 0), kHvc});
  g->cpu.r[0] = 0xfffffffe;
  g->run(pc);
  ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(g->cpu.cp15.dfar, 0u);
  EXPECT_EQ(g->cpu.cp15.dfsr, kTranslationPage | kWnr);
  EXPECT_EQ(g->read32(kData + 0xffc), 0xa1a2a3a4u);
}

// One access each, of the right size, with writeback; nothing answers beyond the device.
TEST_P(Aborts, DeviceAccesses) {
  struct Case {
    const char* name;
    uint32_t word;
    std::vector<DeviceAccess> accesses;
    uint32_t r0;
  };
  const auto value = [](uint32_t offset, unsigned bytes) {
    const uint64_t v = 0x8877665544332211u + offset * 0x0101010101010101u;
    return bytes == 8 ? v : v & ((uint64_t{1} << 8 * bytes) - 1);
  };
  const uint32_t r1 = 0xa1b2c3d4, r2 = 0x12345678, r3 = 0x9abcdef0;
  const Case cases[] = {
      {"LDRB R1, [R0], #1", 0xe4d01001, {{16, 1, false, value(16, 1)}}, 17},
      {"LDRH R1, [R0], #2", 0xe0d010b2, {{16, 2, false, value(16, 2)}}, 18},
      {"LDR R1, [R0], #4", 0xe4901004, {{16, 4, false, value(16, 4)}}, 20},
      {"STRB R1, [R0], #1", 0xe4c01001, {{16, 1, true, r1 & 0xff}}, 17},
      {"STRH R1, [R0], #2", 0xe0c010b2, {{16, 2, true, r1 & 0xffff}}, 18},
      {"STR R1, [R0], #4", 0xe4801004, {{16, 4, true, r1}}, 20},
      {"STR R1, [R0, #4]!", 0xe5a01004, {{20, 4, true, r1}}, 20},
      {"STRD R2, [R0]", 0xe1c020f0, {{16, 8, true, uint64_t{r3} << 32 | r2}}, 16},
      {"LDM R0!, {R1-R3}",
       0xe8b0000e,
       {{16, 4, false, value(16, 4)}, {20, 4, false, value(20, 4)}, {24, 4, false, value(24, 4)}},
       28},
      {"STM R0!, {R1-R3}", 0xe8a0000e, {{16, 4, true, r1}, {20, 4, true, r2}, {24, 4, true, r3}}, 28},
      {"LDRT R1, [R0], #4", 0xe4b01004, {{16, 4, false, value(16, 4)}}, 20},
  };
  auto g = make_guest();
  uint32_t pc = kCode;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    g->words(pc, {c.word, kHvc});
    for (int round = 0; round < 3; round++) {
      g->accesses.clear();
      g->cpu.r[0] = kDevice + 16, g->cpu.r[1] = r1, g->cpu.r[2] = r2, g->cpu.r[3] = r3;
      g->run(pc);
      EXPECT_EQ(g->stopped_at(), Exception::None);
      EXPECT_EQ(g->cpu.r[0], kDevice + c.r0);
      ASSERT_EQ(g->accesses.size(), c.accesses.size());
      for (size_t i = 0; i < c.accesses.size(); i++) EXPECT_EQ(g->accesses[i], c.accesses[i]) << i;
    }
    // The same code on RAM: it is not confined to the device.
    g->cpu.r[0] = kData + 16, g->cpu.r[1] = r1, g->cpu.r[2] = r2, g->cpu.r[3] = r3;
    g->run(pc);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    pc += 0x20;
  }
  for (const bool write : {false, true}) {
    g->words(pc, {write ? 0xe4801004u : 0xe4901004u, kHvc});
    g->cpu.r[0] = kUnassigned, g->cpu.r[1] = r1;
    g->run(pc);
    ASSERT_EQ(g->stopped_at(), Exception::DataAbort);
    EXPECT_EQ(g->cpu.cp15.dfsr, kExternal | (write ? kWnr : 0));
    EXPECT_EQ(g->cpu.cp15.dfar, kUnassigned);
    EXPECT_EQ(g->cpu.r[0], kUnassigned);
    EXPECT_EQ(g->cpu.r[1], r1);
    pc += 0x20;
  }
}

}  // namespace
}  // namespace crosswalk::test
