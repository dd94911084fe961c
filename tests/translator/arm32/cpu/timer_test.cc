// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/timer.h"

#include <gtest/gtest.h>

#include "tests/translator/arm32/cpu/test_context.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

TEST(Timer, StatusOutputAndDeadline) {
  Timer t{kTimerEnable, 100, 0};
  EXPECT_FALSE(t.status(99));
  EXPECT_EQ(t.deadline(99), 100u);
  EXPECT_TRUE(t.status(100));
  EXPECT_TRUE(t.output(100));
  EXPECT_EQ(t.deadline(100), std::nullopt);
  EXPECT_EQ(t.read_control(100), 5u);
  t.control |= kTimerImask;
  EXPECT_FALSE(t.output(100));
  EXPECT_EQ(t.read_control(100), 7u);  // ISTATUS ignores IMASK
  EXPECT_EQ(t.deadline(50), std::nullopt);
  t.control = kTimerImask;
  EXPECT_EQ(t.read_control(100), 2u);  // disabled: ISTATUS reads 0
  EXPECT_EQ(t.read_timer_value(40), 60u);
  EXPECT_EQ(t.read_timer_value(140), 0xffffffd8u);
}

TEST(Timer, OffsetAndWrap) {
  const Timer t{kTimerEnable, 100, 1000};
  EXPECT_FALSE(t.status(1099));
  EXPECT_TRUE(t.status(1100));
  EXPECT_EQ(t.deadline(1000), 1100u);
  EXPECT_EQ(t.read_timer_value(1050), 50u);
  const Timer never{kTimerEnable, ~uint64_t{0}, 1000};
  EXPECT_EQ(never.deadline(2000), std::nullopt);
}

TEST(Timer, EvaluateTakesTheEarliestDeadline) {
  TimerRegisters r{{kTimerEnable, 200, 0}, {kTimerEnable, 150, 0}};
  TimerOutputs out = evaluate_timers(r, 100);
  EXPECT_FALSE(out.physical || out.virtual_timer);
  EXPECT_EQ(out.next_deadline, 150u);
  out = evaluate_timers(r, 150);
  EXPECT_TRUE(out.virtual_timer);
  EXPECT_FALSE(out.physical);
  EXPECT_EQ(out.next_deadline, 200u);
  out = evaluate_timers(r, 200);
  EXPECT_TRUE(out.physical && out.virtual_timer);
  EXPECT_EQ(out.next_deadline, std::nullopt);
}

TEST(Timer, AnOverflowIsADeadlineToo) {
  TimerRegisters r{{}, {kTimerEnable, 150, 0}, {false, 120}};
  TimerOutputs out = evaluate_timers(r, 100);
  EXPECT_FALSE(out.overflow);
  EXPECT_EQ(out.next_deadline, 120u);
  out = evaluate_timers(r, 120);
  EXPECT_TRUE(out.overflow);
  EXPECT_EQ(out.next_deadline, 150u);
  r.overflow = {true, 0};  // what the CPU says after it has seen the overflow
  EXPECT_TRUE(evaluate_timers(r, 130).overflow);
  r.overflow = {};
  EXPECT_FALSE(evaluate_timers(r, 130).overflow);
}

// What tells the guest that it is time must go through counter_for(), which raises the interrupt.
TEST(TimerRegisters, ReadsOfTheTimeLetThePlatformRaiseWhatIsDue) {
  TestCpu t;
  uint64_t v = 0;
  read_system_register(t.context, *find_system_register_64(15, 0, 14), v);  // CNTPCT
  read_system_register(t.context, *find_system_register_64(15, 1, 14), v);  // CNTVCT
  for (const unsigned timer : {2u, 3u}) {
    for (const unsigned register_ : {0u, 1u}) t.value(15, 14, 0, timer, register_);  // TVAL, CTL
  }
  EXPECT_EQ(t.platform.counter_reads, 6);
}

TEST(TimerRegisters, ThroughCoprocessor15) {
  TestCpu t;
  t.platform.now = 0x1'0000'0000;
  uint64_t v = 0;
  read_system_register(t.context, *find_system_register_64(15, 1, 14), v);
  EXPECT_EQ(v, 0x1'0000'0000u);
  // CNTV_TVAL = 100, CNTV_CTL = enable.
  EXPECT_EQ(t.write(15, 14, 0, 3, 0, 100), uint32_t{kEffectTimersChanged});
  EXPECT_EQ(t.cpu.cp15.cntv_cval, 0x1'0000'0064u);
  EXPECT_EQ(t.write(15, 14, 0, 3, 1, 0xffffffff), uint32_t{kEffectTimersChanged});
  EXPECT_EQ(t.cpu.cp15.cntv_ctl, 3u);
  t.write(15, 14, 0, 3, 1, 1);
  EXPECT_EQ(t.platform.timer_changes, 3);
  EXPECT_EQ(evaluate_timers(timer_registers(t.cpu), t.platform.now).next_deadline, 0x1'0000'0064u);
  t.platform.now += 100;
  EXPECT_EQ(t.value(15, 14, 0, 3, 1), 5u);
  EXPECT_EQ(t.value(15, 14, 0, 3, 0), 0u);
  // A negative TVAL has expired already.
  t.write(15, 14, 0, 2, 0, 0xffffffff);
  EXPECT_EQ(t.cpu.cp15.cntp_cval, 0x1'0000'0063u);
  t.write(15, 14, 0, 2, 1, 1);
  EXPECT_EQ(t.value(15, 14, 0, 2, 1), 5u);
  // 64-bit compare values.
  write_system_register(t.context, *find_system_register_64(15, 2, 14), 0x123456789abcdef0);
  EXPECT_EQ(t.cpu.cp15.cntp_cval, 0x123456789abcdef0u);
  read_system_register(t.context, *find_system_register_64(15, 2, 14), v);
  EXPECT_EQ(v, 0x123456789abcdef0u);
  EXPECT_EQ(t.cpu.cp15.cntv_cval, 0x1'0000'0064u);
}

}  // namespace
}  // namespace crosswalk::arm
