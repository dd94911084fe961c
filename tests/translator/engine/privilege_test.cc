// SPDX-License-Identifier: GPL-2.0-or-later
// What depends on privilege, or on a system register that gives it. Filtered performance counters
// depend on the changes that the engine reports; a store to the device is where time passes.
#include <gtest/gtest.h>

#include "tests/translator/engine/assembler.h"
#include "tests/translator/engine/guest.h"
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

}  // namespace
}  // namespace crosswalk::test
