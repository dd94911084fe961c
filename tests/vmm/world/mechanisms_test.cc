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
  const kvm::MechanismCosts& costs = world->mechanism_costs();
  std::printf("fault: direct %.1f us, by exit %.1f us: %s\n", costs.fault_direct_us, costs.fault_exit_us,
              world->direct_faults() ? "direct" : "by exit");
  std::printf("flush of one page: INVLPG gate %.1f us, by exit %.1f us: %s\n", costs.flush_gate_us, costs.flush_exit_us,
              world->gate_flush() ? "gate" : "by exit");
  EXPECT_GT(costs.fault_exit_us, 0);
  EXPECT_GT(costs.flush_exit_us, 0);
  // What does not work here was not measured.
  EXPECT_EQ(world->direct_faults(), costs.fault_direct_us > 0 && costs.fault_direct_us < costs.fault_exit_us);
  EXPECT_EQ(world->gate_flush(), costs.flush_gate_us > 0 && costs.flush_gate_us < costs.flush_exit_us);
  if (!world->software_mmu()) {
    EXPECT_TRUE(world->direct_faults()) << "nothing is emulated at CPL 0, so an exit cannot cost less";
    EXPECT_TRUE(world->gate_flush()) << "nothing is emulated at CPL 0, so an exit cannot cost less";
  }
}

TEST_F(Mechanisms, ThatOptionsNameAreNotCompared) {
  const auto exits = make_world({.fault_delivery = Options::FaultDelivery::Exit, .flush = Options::Flush::Exit});
  ASSERT_NE(exits, nullptr);
  EXPECT_FALSE(exits->direct_faults());
  EXPECT_FALSE(exits->gate_flush());
  EXPECT_EQ(exits->mechanism_costs().fault_direct_us, 0);
  EXPECT_EQ(exits->mechanism_costs().flush_gate_us, 0);
  EXPECT_GT(exits->mechanism_costs().fault_exit_us, 0);
  auto made = kvm::KvmWorld::create({.fault_delivery = Options::FaultDelivery::Direct, .flush = Options::Flush::Gate});
  if (!made) GTEST_SKIP() << made.error();
  const auto& direct = *made;
  EXPECT_TRUE(direct->direct_faults());
  EXPECT_TRUE(direct->gate_flush());
  EXPECT_EQ(direct->mechanism_costs().fault_exit_us, 0);
  EXPECT_GT(direct->mechanism_costs().fault_direct_us, 0);
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
