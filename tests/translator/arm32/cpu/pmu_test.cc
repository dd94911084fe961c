// SPDX-License-Identifier: GPL-2.0-or-later
// Performance monitors by CP15: what counts, what is filtered, and the overflow interrupt as
// timer.h evaluates it. One tick of the fake counter is 16 cycles.
#include "translator/arm32/cpu/pmu.h"

#include <gtest/gtest.h>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/timer.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

constexpr uint32_t kCycles = 1u << 31;  // the cycle counter's bit
constexpr uint32_t kP = 1u << 31, kU = 1u << 30, kNsk = 1u << 29, kNsu = 1u << 28;

class Pmu : public testing::Test {
 protected:
  Pmu() {
    t_.platform.now = 1000;
    pmcr(1);
  }
  void pmcr(uint32_t v) { t_.write(15, 9, 0, 12, 0, v); }
  void enable(uint32_t bits) { t_.write(15, 9, 0, 12, 1, bits); }
  void disable(uint32_t bits) { t_.write(15, 9, 0, 12, 2, bits); }
  void interrupt_on(uint32_t bits) { t_.write(15, 9, 0, 14, 1, bits); }
  void interrupt_off(uint32_t bits) { t_.write(15, 9, 0, 14, 2, bits); }
  uint32_t overflows() { return t_.value(15, 9, 0, 12, 3); }
  void clear_overflows(uint32_t bits) { t_.write(15, 9, 0, 12, 3, bits); }
  uint32_t cycles() { return t_.value(15, 9, 0, 13, 0); }
  void set_cycles(uint32_t v) { t_.write(15, 9, 0, 13, 0, v); }
  void increment(uint32_t bits) { t_.write(15, 9, 0, 12, 4, bits); }
  void type(uint32_t counter, uint32_t v) {
    t_.write(15, 9, 0, 12, 5, counter);
    t_.write(15, 9, 0, 13, 1, v);
  }
  void set_count(uint32_t counter, uint32_t v) {
    t_.write(15, 9, 0, 12, 5, counter);
    t_.write(15, 9, 0, 13, 2, v);
  }
  uint32_t count(uint32_t counter) {
    t_.write(15, 9, 0, 12, 5, counter);
    return t_.value(15, 9, 0, 13, 2);
  }
  void pass(uint64_t ticks) { t_.platform.now += ticks; }
  void enter(Mode mode) {
    if ((switch_mode(t_.cpu, mode) & kEffectPrivilegeChanged) && t_.cpu.performance.filtered)
      performance_privilege_changed(t_.context);
  }
  bool interrupt() { return evaluate_timers(timer_registers(t_.cpu), t_.platform.now).overflow; }
  std::optional<uint64_t> deadline() { return evaluate_timers(timer_registers(t_.cpu), t_.platform.now).next_deadline; }
  TestCpu t_;
};

TEST_F(Pmu, TwoReadsInARowDiffer) {
  enable(kCycles | 1);
  type(0, 0x11);
  uint32_t last = cycles();
  for (int i = 0; i < 10; ++i) {
    const uint32_t now = cycles();
    EXPECT_GT(now, last);
    last = now;
  }
  const uint32_t events = count(0);
  EXPECT_GT(count(0), events);
  pmcr(0);
  last = cycles();
  EXPECT_EQ(cycles(), last);
}

TEST_F(Pmu, OverflowRaisesTheInterruptInTime) {
  enable(kCycles);
  set_cycles(0u - 1600);
  EXPECT_EQ(deadline(), std::nullopt);  // nobody has asked for an interrupt
  interrupt_on(kCycles);
  EXPECT_EQ(deadline(), t_.platform.now + 100);
  EXPECT_FALSE(interrupt());
  const int changes = t_.platform.timer_changes;
  pass(99);
  EXPECT_FALSE(interrupt());
  pass(1);
  EXPECT_TRUE(interrupt());  // without any access by the CPU
  EXPECT_EQ(deadline(), std::nullopt);
  EXPECT_EQ(t_.platform.timer_changes, changes);
  EXPECT_EQ(overflows(), kCycles);
  EXPECT_TRUE(interrupt());
  clear_overflows(kCycles);
  EXPECT_FALSE(interrupt());
  EXPECT_GT(*deadline(), t_.platform.now + (uint64_t{1} << 32) / 16 - 10);
  EXPECT_GT(t_.platform.timer_changes, changes);
}

TEST_F(Pmu, TheLevelFollowsItsEnables) {
  enable(kCycles);
  set_cycles(0u - 16);
  pass(1);
  interrupt_on(1);
  EXPECT_FALSE(interrupt());
  interrupt_on(kCycles);  // the counter had overflowed before
  EXPECT_TRUE(interrupt());
  pmcr(0);
  EXPECT_FALSE(interrupt());
  pmcr(1);
  EXPECT_TRUE(interrupt());
  interrupt_off(kCycles);
  EXPECT_FALSE(interrupt());
  interrupt_on(kCycles);
  disable(kCycles);  // the flag stays
  EXPECT_TRUE(interrupt());
}

TEST_F(Pmu, DeadlinesOfTheDividerAndOfEventCounters) {
  enable(kCycles);
  interrupt_on(kCycles | 3);
  pmcr(1 | 8);
  set_cycles(0u - 10);
  EXPECT_EQ(deadline(), t_.platform.now + 10 * 64 / 16);
  pass(3);  // 48 cycles are not yet one of 64
  EXPECT_EQ(cycles(), 0u - 10);
  EXPECT_LE(*deadline(), t_.platform.now + 10 * 64 / 16 - 3);
  EXPECT_GT(*deadline(), t_.platform.now + 10 * 64 / 16 - 5);
  type(1, 0x11);
  enable(2);
  set_count(1, 0u - 160);
  EXPECT_EQ(deadline(), t_.platform.now + 10);  // the divider is not for it
  pass(10);
  EXPECT_TRUE(interrupt());
  EXPECT_EQ(overflows(), 2u);
}

TEST_F(Pmu, SoftwareIncrementOverflows) {
  type(0, 0);
  enable(1);
  interrupt_on(1);
  set_count(0, 0xffffffff);
  EXPECT_EQ(deadline(), std::nullopt);
  increment(1);
  EXPECT_EQ(count(0), 0u);
  EXPECT_EQ(overflows(), 1u);
  EXPECT_TRUE(interrupt());
  clear_overflows(1);
  EXPECT_FALSE(interrupt());
  type(0, kP);  // not counted at PL1
  increment(1);
  EXPECT_EQ(count(0), 0u);
  type(0, kU);
  increment(1);
  EXPECT_EQ(count(0), 1u);
}

TEST_F(Pmu, FiltersSeparateThePrivilegeLevels) {
  const struct {
    uint32_t filter;
    bool privileged, user;
  } cases[] = {{0, true, true},     {kP, false, true},   {kU, true, false},       {kP | kU, false, false},
               {kNsk, false, true}, {kNsu, true, false}, {kP | kNsk, true, true}, {kU | kNsu, true, true}};
  enable(kCycles | 4);
  for (const auto& c : cases) {
    enter(Mode::Supervisor);
    type(31, c.filter);
    type(2, c.filter | 0x11);
    EXPECT_EQ(t_.cpu.performance.filtered != 0, c.privileged != c.user) << std::hex << c.filter;
    set_cycles(0);
    set_count(2, 0);
    pass(10);
    enter(Mode::User);
    pass(1000);
    enter(Mode::Irq);
    enter(Mode::Supervisor);
    pass(20);
    disable(kCycles | 4);
    const uint32_t expected = (c.privileged ? 30 * 16 : 0) + (c.user ? 1000 * 16 : 0);
    EXPECT_EQ(cycles(), expected) << std::hex << c.filter;
    EXPECT_EQ(count(2), expected) << std::hex << c.filter;
    enable(kCycles | 4);
  }
}

// A filter is no reason to watch privilege while its counter does not run.
TEST_F(Pmu, OnlyCountersThatRunAskForChangesOfPrivilege) {
  type(31, kP);
  EXPECT_FALSE(t_.cpu.performance.filtered);
  enable(kCycles);
  EXPECT_TRUE(t_.cpu.performance.filtered);
  pmcr(0);
  EXPECT_FALSE(t_.cpu.performance.filtered);
  pmcr(1);
  type(31, 0);
  EXPECT_FALSE(t_.cpu.performance.filtered);
}

TEST_F(Pmu, TheDeadlineOfAFilteredCounterComesAndGoes) {
  type(31, kP);
  enable(kCycles);
  interrupt_on(kCycles);
  set_cycles(0u - 1600);
  EXPECT_EQ(deadline(), std::nullopt);
  enter(Mode::User);
  EXPECT_EQ(deadline(), t_.platform.now + 100);
  pass(60);
  enter(Mode::Supervisor);
  EXPECT_EQ(deadline(), std::nullopt);
  pass(1000);
  EXPECT_FALSE(interrupt());
  enter(Mode::User);
  EXPECT_EQ(deadline(), t_.platform.now + 40);
  pass(40);
  EXPECT_TRUE(interrupt());
}

}  // namespace
}  // namespace crosswalk::arm
