// SPDX-License-Identifier: GPL-2.0-or-later
// The choice between direct faults and exits, and between the INVLPG gate and exits, follows what
// was measured.
#include <cstdio>

#include "tests/vmm/world/fixture.h"

namespace crosswalk::test {
namespace {

using Options = kvm::KvmOptions;

class Mechanisms : public KvmTest {};

TEST_F(Mechanisms, AreChosenByMeasurement) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const kvm::Mechanisms& costs = world->mechanisms();
  std::printf("fault: direct %.1f us, by exit %.1f us: %s\n", costs.fault_direct_us, costs.fault_exit_us,
              costs.direct_faults ? "direct" : "by exit");
  std::printf("flush of one page: INVLPG gate %.1f us, by exit %.1f us: %s\n", costs.flush_gate_us, costs.flush_exit_us,
              costs.gate_flush ? "gate" : "by exit");
  EXPECT_GT(costs.fault_exit_us, 0);
  EXPECT_GT(costs.flush_exit_us, 0);
  // What does not work here was not measured.
  EXPECT_EQ(costs.direct_faults, costs.fault_direct_us > 0 && costs.fault_direct_us < costs.fault_exit_us);
  EXPECT_EQ(costs.gate_flush, costs.flush_gate_us > 0 && costs.flush_gate_us < costs.flush_exit_us);
  if (!costs.software_mmu()) {
    EXPECT_TRUE(costs.direct_faults) << "nothing is emulated at CPL 0, so an exit cannot cost less";
    EXPECT_TRUE(costs.gate_flush) << "nothing is emulated at CPL 0, so an exit cannot cost less";
  }
}

TEST_F(Mechanisms, ThatOptionsNameAreNotCompared) {
  const auto exits = make_world({.fault_delivery = Options::FaultDelivery::Exit, .flush = Options::Flush::Exit});
  ASSERT_NE(exits, nullptr);
  EXPECT_FALSE(exits->mechanisms().direct_faults);
  EXPECT_FALSE(exits->mechanisms().gate_flush);
  EXPECT_EQ(exits->mechanisms().fault_direct_us, 0);
  EXPECT_EQ(exits->mechanisms().flush_gate_us, 0);
  EXPECT_GT(exits->mechanisms().fault_exit_us, 0);
  auto made = kvm::KvmWorld::create({.fault_delivery = Options::FaultDelivery::Direct, .flush = Options::Flush::Gate});
  if (!made) GTEST_SKIP() << made.error();
  const auto& direct = *made;
  EXPECT_TRUE(direct->mechanisms().direct_faults);
  EXPECT_TRUE(direct->mechanisms().gate_flush);
  EXPECT_EQ(direct->mechanisms().fault_exit_us, 0);
  EXPECT_GT(direct->mechanisms().fault_direct_us, 0);
}

// The measurement leaves nothing behind: no translation of a test page, no count.
TEST_F(Mechanisms, MeasuringThemLeavesTheCountersAtZero) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const kvm::KvmCounters counters = world->counters();
  EXPECT_EQ(counters.upcalls, 0u);
  EXPECT_EQ(counters.gate_flushes, 0u);
  EXPECT_EQ(counters.flush_exits, 0u);
  EXPECT_EQ(counters.page_fault_exits, 0u);
}

}  // namespace
}  // namespace crosswalk::test
