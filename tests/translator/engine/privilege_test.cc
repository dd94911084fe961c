// SPDX-License-Identifier: GPL-2.0-or-later
// What depends on privilege, or on a system register that gives it. Filtered performance counters
// depend on the changes that the engine reports; a store to the device is where time passes.
#include <gtest/gtest.h>

#include "tests/translator/engine/assembler.h"
#include "tests/translator/engine/guest.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::test {
namespace {

constexpr uint32_t kFilterP = 1u << 31, kFilterU = 1u << 30, kCycles = 1u << 31;
constexpr uint64_t kPrivileged = 100, kUser = 2000;  // ticks of 16 cycles
constexpr uint32_t kSvc = 0xef000000, kMsrSpsr = 0xe169f004 /* SPSR_fc, R4 */;

// Cycles counted of a stretch of privileged code, one of User mode, and the SVC that ends it.
uint32_t counted(uint32_t filter) {
  Guest g({});
  g.on_device_write = [&g](uint32_t, uint64_t ticks) { g.ticks += ticks; };
  g.words(kCode + 0x100, {str(1, 0), kSvc});
  Asm a(kCode);
  a.set(2, 1)({mcr(0, 2, 9, 12, 0)});        // PMCR.E
  a.set(2, kCycles)({mcr(0, 2, 9, 12, 1)});  // PMCNTENSET
  a.set(2, 31)({mcr(0, 2, 9, 12, 5)});       // PMSELR
  a.set(2, filter)({mcr(0, 2, 9, 13, 1)});   // PMXEVTYPER
  a.set(0, kDevice).set(1, kPrivileged)({str(1, 0)});
  a.set(1, kUser).set(14, kCode + 0x100)({mov_imm(4, 0x10), kMsrSpsr, kMovsPcLr});
  g.code(a, kCode);
  g.run(kCode);
  EXPECT_EQ(g.stopped_at(), Exception::SupervisorCall);
  // Privileged time after the SVC; a write of PMCNTENCLR brings the counter up to now.
  g.ticks += kPrivileged;
  Asm b(kCode + 0x200);
  b.set(2, kCycles)({mcr(0, 2, 9, 12, 2), kHvc});
  g.code(b, kCode + 0x200);
  g.run(kCode + 0x200);
  return g.cpu.cp15.pmccntr;
}

TEST(Privilege, FilteredCyclesAreOfTheRightLevel) {
  EXPECT_EQ(counted(0), (2 * kPrivileged + kUser) * 16);
  EXPECT_EQ(counted(kFilterP), kUser * 16);
  EXPECT_EQ(counted(kFilterU), 2 * kPrivileged * 16);
  EXPECT_EQ(counted(kFilterP | kFilterU), 0u);
}

// CP15DMB and CP15DSB are for PL0 too; UNDEFINED with SCTLR.CP15BEN clear (B4.1.130).
TEST(Privilege, Cp15BarriersFollowCp15Ben) {
  for (const bool enabled : {false, true}) {
    for (const uint32_t opc2 : {4u, 5u}) {
      Guest g({});
      if (!enabled) g.cpu.cp15.sctlr &= ~arm::kSctlrCp15Ben;
      g.words(kCode + 0x100, {mcr(0, 0, 7, 10, opc2), kSvc});
      Asm a(kCode);
      a.set(14, kCode + 0x100)({mov_imm(4, 0x10), kMsrSpsr, kMovsPcLr});
      g.code(a, kCode);
      g.run(kCode);
      EXPECT_EQ(g.stopped_at(), enabled ? Exception::SupervisorCall : Exception::Undefined);
    }
  }
}

class PrivilegeTest : public EngineTest {};

constexpr Mode kModes[] = {Mode::User,  Mode::Fiq,       Mode::Irq,   Mode::Supervisor,
                           Mode::Abort, Mode::Undefined, Mode::System};

// MRS and MSR of the PSRs, in each mode: every bit that MRS shows, and each mask of fields.
TEST_P(PrivilegeTest, StatusRegistersInEachMode) {
  constexpr uint32_t kBits[] = {0,        1u << 9,  1u << 31, 1u << 30, 1u << 29, 1u << 28, 1u << 27,  1u << 19,
                                1u << 18, 1u << 17, 1u << 16, 1u << 8,  1u << 7,  1u << 6,  0xf80f01c0};
  auto g = make_guest();
  CpuState& cpu = g->cpu;
  uint32_t pc = kCode;
  for (uint32_t fields = 1; fields < 16; fields++, pc += 0x20) {
    const uint32_t msr = 0xe160f002 | fields << 16;                 // MSR SPSR_<fields>, R2
    g->words(pc, {0xe10f0000, 0xe14f1000, msr, 0xe14f3000, kSvc});  // MRS R0, CPSR; MRS R1 and R3, SPSR
    for (const Mode mode : kModes) {
      for (const uint32_t bits : kBits) {
        const uint32_t cpsr = bits | static_cast<uint32_t>(mode), before = 0xa5f5a5d3 ^ bits, value = ~before;
        SCOPED_TRACE(fields);
        SCOPED_TRACE(cpsr);
        ASSERT_TRUE(arm::set_cpsr(cpu, cpsr));
        const BankIndex bank = bank_of(mode);
        if (bank != kBankUser) cpu.banked.spsr[bank] = before;
        for (const uint32_t n : {0u, 1u, 3u}) cpu.r[n] = 0x77;
        cpu.r[2] = value;
        g->run(pc);
        EXPECT_EQ(cpu.r[0], cpsr);
        if (mode == Mode::User) {
          EXPECT_EQ(g->stopped_at(), Exception::Undefined);
          EXPECT_EQ(cpu.r[1], 0x77u);
          EXPECT_EQ(cpu.r[14], pc + 8);
          continue;
        }
        EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
        uint32_t written = 0;
        for (uint32_t byte = 0; byte < 4; byte++) written |= (fields >> byte & 1) * 0xffu << 8 * byte;
        written &= 0xff0fffff;
        const bool has = bank != kBankUser;
        EXPECT_EQ(cpu.r[1], has ? before : 0u);
        EXPECT_EQ(cpu.r[3], has ? (before & ~written) | (value & written) : 0u);
      }
    }
  }
}

// MRS shows neither T nor IT.
TEST_P(PrivilegeTest, ExecutionStateIsHidden) {
  auto g = make_guest();
  CpuState& cpu = g->cpu;
  g->halves(kCode, {0xbf04, 0xf3ef, 0x8000, 0x4601, 0xdf00});  // ITT EQ; MRSEQ R0, CPSR; MOVEQ R1, R0; SVC #0
  ASSERT_TRUE(arm::set_cpsr(cpu, 0xf80f01df));
  g->run(kCode | 1);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
  EXPECT_EQ(cpu.r[0], 0xf80f01dfu);
  EXPECT_EQ(cpu.r[1], 0xf80f01dfu);
}

// An MSR of the SPSR that is UNDEFINED, behind a condition, and where the mode is known already.
TEST_P(PrivilegeTest, ChecksOfTheModeBehindConditions) {
  auto g = make_guest();
  CpuState& cpu = g->cpu;
  // CMP R0, #0; MRSEQ R1, SPSR; MRS R2, SPSR; SVC
  g->words(kCode, {cmp_imm(0, 0), 0x014f1000, 0xe14f2000, kSvc});
  for (const Mode mode : {Mode::User, Mode::Irq}) {
    for (const uint32_t r0 : {0u, 1u}) {
      ASSERT_TRUE(arm::set_cpsr(cpu, 0xc0 | static_cast<uint32_t>(mode)));
      cpu.banked.spsr[kBankIrq] = 0x60000010;
      cpu.r[0] = r0;
      cpu.r[1] = cpu.r[2] = 5;
      g->run(kCode);
      const bool user = mode == Mode::User;
      EXPECT_EQ(g->stopped_at(), user ? Exception::Undefined : Exception::SupervisorCall);
      EXPECT_EQ(cpu.r[1], !user && r0 == 0 ? 0x60000010u : 5u);
      EXPECT_EQ(cpu.r[2], user ? 5u : 0x60000010u);
      if (user) {
        EXPECT_EQ(cpu.r[14], kCode + (r0 == 0 ? 8 : 12));
      }
    }
  }
}

// DACR decides at once what may be accessed, at a system call as in a loop; User mode may not write
// it, nor TPIDRPRW.
TEST_P(PrivilegeTest, DomainsAreSwitched) {
  if (GetParam().mode.form == mmu::Form::Flat) GTEST_SKIP() << "the MMU is off";
  constexpr uint32_t kDomainOne = 1 << 5, kClients = 5, kOne = 1;
  auto g = make_guest();
  CpuState& cpu = g->cpu;
  // A section of its own, of domain 1: client, then no access.
  const uint32_t section = g->read32(kTableA + (kData >> 20) * 4);
  g->write32(kTableA + (kVa >> 20) * 4, section | kDomainOne);
  g->flush_tlb();
  g->write32(kData, 0x1234);
  Asm a(kCode);
  a.set(0, kVa + (kData & 0xfffff)).set(1, kClients).set(2, kOne).set(5, 0).set(6, 100);
  const uint32_t loop = a.here();
  a({mcr(0, 1, 3, 0, 0), ldr(4, 0), add(5, 5, 4), mcr(0, 2, 3, 0, 0), subs_imm(6, 6, 1)}).b(loop, kNe);
  a({ldr(4, 0), kHvc});
  g->code(a, kCode);
  g->run(kCode);
  EXPECT_EQ(g->stopped_at(), Exception::DataAbort);
  EXPECT_EQ(cpu.r[5], 100 * 0x1234u);
  EXPECT_EQ(cpu.r[6], 0u);
  EXPECT_EQ(cpu.r[14], a.here() - 8 + 8);
  EXPECT_EQ(cpu.cp15.dfsr & 0xff, 0x19u);  // domain fault, section, domain 1

  cpu.cp15.dacr = kClients;
  for (const uint32_t write : {mcr(0, 1, 3, 0, 0), mcr(0, 1, 13, 0, 4)}) {
    g->words(kCode + 0x100, {write, kSvc});
    cpu.r[1] = kOne;
    ASSERT_TRUE(arm::set_cpsr(cpu, 0xd0));
    g->run(kCode + 0x100);
    EXPECT_EQ(g->stopped_at(), Exception::Undefined);
    EXPECT_EQ(cpu.cp15.dacr, kClients);
    EXPECT_EQ(cpu.cp15.tpidrprw, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(, PrivilegeTest, ::testing::ValuesIn(settings()), setting_name);

}  // namespace
}  // namespace crosswalk::test
