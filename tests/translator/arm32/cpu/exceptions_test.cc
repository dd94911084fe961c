// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/exceptions.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

struct Entry {
  const char* name;
  Exception kind;
  bool thumb;
  uint32_t lr_offset;  // from pc
  uint32_t cpsr;       // after, from CPSR = N C, User, nothing masked
  uint32_t vector;     // offset
};

// ARM DDI 0406C, tables B1-3, B1-7 and B1.9; Undefined, SVC and BKPT give the same LR, SPSR and
// CPSR in a bare-metal image under QEMU 7.2 -cpu cortex-a15.
constexpr Entry kEntries[] = {
    {"Undefined, ARM", Exception::UndefinedInstruction, false, 4, 0xa000009b, 0x04},
    {"Undefined, Thumb", Exception::UndefinedInstruction, true, 2, 0xa000009b, 0x04},
    {"SVC, ARM", Exception::SupervisorCall, false, 4, 0xa0000093, 0x08},
    {"SVC, Thumb", Exception::SupervisorCall, true, 2, 0xa0000093, 0x08},
    {"Prefetch Abort, ARM", Exception::PrefetchAbort, false, 4, 0xa0000197, 0x0c},
    {"Prefetch Abort, Thumb", Exception::PrefetchAbort, true, 4, 0xa0000197, 0x0c},
    {"Data Abort, ARM", Exception::DataAbort, false, 8, 0xa0000197, 0x10},
    {"Data Abort, Thumb", Exception::DataAbort, true, 8, 0xa0000197, 0x10},
    {"IRQ, ARM", Exception::Irq, false, 4, 0xa0000192, 0x18},
    {"IRQ, Thumb", Exception::Irq, true, 4, 0xa0000192, 0x18},
    {"FIQ, ARM", Exception::Fiq, false, 4, 0xa00001d1, 0x1c},
    {"FIQ, Thumb", Exception::Fiq, true, 4, 0xa00001d1, 0x1c},
};

TEST(ExceptionEntry, LinkRegisterSpsrCpsrAndVector) {
  for (const Entry& e : kEntries) {
    TestCpu t;
    t.cpu.cp15.vbar = 0x12340000;
    const uint32_t before = 0xa0000010u | (e.thumb ? 0x20u : 0u);
    ASSERT_TRUE(set_cpsr(t.cpu, before));
    t.cpu.r[13] = 0x111;
    t.cpu.r[14] = 0x222;
    const uint32_t effects = take_exception(t.cpu, e.kind, 0x8000);
    EXPECT_EQ(t.cpu.r[14], 0x8000 + e.lr_offset) << e.name;
    EXPECT_EQ(read_spsr(t.cpu), before) << e.name;
    EXPECT_EQ(read_cpsr(t.cpu), e.cpsr) << e.name;
    EXPECT_EQ(t.cpu.r[15], 0x12340000 + e.vector) << e.name;
    EXPECT_TRUE(effects & kEffectEndBlock) << e.name;
    EXPECT_TRUE(effects & kEffectPrivilegeChanged) << e.name;
    EXPECT_EQ(user_register(t.cpu, 13), 0x111u);
    EXPECT_EQ(user_register(t.cpu, 14), 0x222u);
    // The handler's return instruction goes back: SUBS PC, LR, #offset (Undefined and SVC: to the
    // next instruction).
    const bool skips = e.kind == Exception::UndefinedInstruction || e.kind == Exception::SupervisorCall;
    const uint32_t back = skips ? t.cpu.r[14] : t.cpu.r[14] - e.lr_offset;
    exception_return(t.cpu, back, read_spsr(t.cpu));
    EXPECT_EQ(read_cpsr(t.cpu), before) << e.name;
    EXPECT_EQ(t.cpu.r[15], skips ? 0x8000 + e.lr_offset : 0x8000u) << e.name;
    EXPECT_EQ(t.cpu.r[13], 0x111u);
  }
}

TEST(ExceptionEntry, ItStateIsSavedAndAdvancedForSvcOnly) {
  for (const Entry& e : kEntries) {
    if (!e.thumb) continue;
    TestCpu t;
    ASSERT_TRUE(set_cpsr(t.cpu, 0x33));
    t.cpu.it = 0x0c;
    take_exception(t.cpu, e.kind, 0x8000);
    EXPECT_EQ(t.cpu.it, 0) << e.name;
    const uint8_t saved = e.kind == Exception::SupervisorCall ? 0x18 : 0x0c;
    EXPECT_EQ(read_spsr(t.cpu), 0x33u | (saved & 3u) << 25 | (saved >> 2 & 63u) << 10) << e.name;
  }
}

TEST(ExceptionEntry, SctlrSelectsVectorsInstructionSetAndEndianness) {
  TestCpu t;
  t.cpu.cp15.vbar = 0x12340000;
  t.cpu.cp15.sctlr |= kSctlrV | kSctlrTe | kSctlrEe;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x10));
  take_exception(t.cpu, Exception::SupervisorCall, 0x8000);
  EXPECT_EQ(t.cpu.r[15], 0xffff0008u);
  EXPECT_EQ(read_cpsr(t.cpu), 0x93u | kPsrT | kPsrE);
  EXPECT_EQ(read_spsr(t.cpu), 0x10u);
}

TEST(ExceptionEntry, MasksAlreadySetStaySet) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x1d0));
  take_exception(t.cpu, Exception::SupervisorCall, 0x8000);
  EXPECT_EQ(read_cpsr(t.cpu), 0x1d3u);
}

TEST(ExceptionEntry, ResetKeepsModelAndNumber) {
  TestCpu t(CpuModel::CortexA7, 1, 2);
  t.cpu.cp15.sctlr |= kSctlrM;
  t.cpu.r[3] = 5;
  take_exception(t.cpu, Exception::Reset, 0x8000);
  EXPECT_EQ(t.cpu.midr, 0x410fc075u);
  EXPECT_EQ(t.cpu.mpidr, 0x80000001u);
  EXPECT_EQ(t.cpu.cp15.l2ctlr, 0x01800000u);
  EXPECT_EQ(t.cpu.cp15.sctlr, 0x00c50078u);
  EXPECT_EQ(t.cpu.r[3], 0u);
  EXPECT_EQ(t.cpu.r[15], 0u);
}

TEST(Aborts, StatusAndAddressRegisters) {
  TestCpu t;
  data_abort(t.cpu, 0x8000, 0x807, 0xdead0000);
  EXPECT_EQ(t.cpu.cp15.dfsr, 0x807u);
  EXPECT_EQ(t.cpu.cp15.dfar, 0xdead0000u);
  EXPECT_EQ(t.cpu.cp15.ifsr, 0u);
  EXPECT_EQ(t.cpu.mode, uint8_t(Mode::Abort));
  prefetch_abort(t.cpu, 0x9000, 0x80f, 0x9000);
  EXPECT_EQ(t.cpu.cp15.ifsr, 0x00fu);
  EXPECT_EQ(t.cpu.cp15.ifar, 0x9000u);
  EXPECT_EQ(t.cpu.cp15.dfar, 0xdead0000u);
}

TEST(Aborts, StatusValuesInBothFormats) {
  TestCpu t;
  EXPECT_EQ(alignment_fault_status(t.cpu, false), 0x001u);
  EXPECT_EQ(alignment_fault_status(t.cpu, true), 0x801u);
  EXPECT_EQ(synchronous_external_abort_status(t.cpu, false), 0x008u);
  EXPECT_EQ(synchronous_external_abort_status(t.cpu, true), 0x808u);
  EXPECT_EQ(debug_event_status(t.cpu), 0x002u);
  t.cpu.cp15.ttbcr = kTtbcrEae;
  EXPECT_EQ(alignment_fault_status(t.cpu, true), 0xa21u);
  EXPECT_EQ(synchronous_external_abort_status(t.cpu, false), 0x210u);
  EXPECT_EQ(debug_event_status(t.cpu), 0x222u);
}

TEST(Aborts, BreakpointInstruction) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x30));
  breakpoint_instruction(t.cpu, 0x8000);
  EXPECT_EQ(t.cpu.cp15.ifsr, 0x002u);
  EXPECT_EQ(t.cpu.r[14], 0x8004u);
  EXPECT_EQ(t.cpu.mode, uint8_t(Mode::Abort));
  EXPECT_EQ(t.value(14, 0, 0, 1, 0) >> 2 & 15, 3u);  // DBGDSCR.MOE
}

TEST(Interrupts, FiqGoesFirstAndMasksApply) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x13));
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::None);
  EXPECT_FALSE(interrupt_asserted(t.cpu));
  raise_line(t.cpu, kLineIrq | kLineFiq);
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::Fiq);
  ASSERT_TRUE(set_cpsr(t.cpu, 0x53));
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::Irq);
  ASSERT_TRUE(set_cpsr(t.cpu, 0xd3));
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::None);
  EXPECT_TRUE(interrupt_asserted(t.cpu));
  EXPECT_EQ(t.cpu.pending, 0u);
  for (const uint32_t line : {kLineStop, kLineWork, kLinePoll}) {
    raise_line(t.cpu, line);
    recompute_pending(t.cpu);
    // whatever the masks, and however often exceptions are taken before the CPU looks
    EXPECT_EQ(t.cpu.pending, 1u);
    lower_line(t.cpu, line);
    recompute_pending(t.cpu);
    EXPECT_EQ(t.cpu.pending, 0u);
  }
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::None);
}

TEST(Interrupts, NothingRaisedConcurrentlyIsLost) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x13));
  constexpr int kRounds = 20000;
  std::atomic<int> taken{0};
  std::thread device([&] {
    for (int i = 0; i < kRounds; ++i) {
      raise_line(t.cpu, kLineIrq);
      while (taken.load() <= i) std::this_thread::yield();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    // The CPU recomputes at will; once the line is raised, pending must become and stay 1.
    while (!std::atomic_ref<uint32_t>(t.cpu.interrupt_lines).load()) recompute_pending(t.cpu);
    recompute_pending(t.cpu);
    ASSERT_EQ(std::atomic_ref<uint32_t>(t.cpu.pending).load(), 1u);
    lower_line(t.cpu, kLineIrq);
    recompute_pending(t.cpu);
    taken.store(i + 1);
  }
  device.join();
}

}  // namespace
}  // namespace crosswalk::arm
