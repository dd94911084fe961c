// SPDX-License-Identifier: GPL-2.0-or-later
// PSCI calls on a host whose CPUs change state when the test says so.
#include "vmm/machine/cpus/psci.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

enum : uint32_t {
  kVersion = 0x84000000,
  kCpuSuspend = 0x84000001,
  kCpuOff = 0x84000002,
  kCpuOn = 0x84000003,
  kAffinityInfo = 0x84000004,
  kMigrate = 0x84000005,
  kMigrateInfoType = 0x84000006,
  kSystemOff = 0x84000008,
  kSystemReset = 0x84000009,
  kFeatures = 0x8400000a,
};
enum : int { kSuccess = 0, kNotSupported = -1, kInvalidParameters = -2, kAlreadyOn = -4, kOnPending = -5 };

class PsciTest : public testing::Test, public PsciHost {
 protected:
  PsciTest() { cpu_.cpu_index = 1; }

  unsigned cpu_count() const override { return 8; }
  CpuPower power(unsigned cpu) const override { return power_[cpu]; }
  bool cpu_on(unsigned cpu, uint32_t entry, uint32_t context) override {
    if (power_[cpu] != CpuPower::Off) return false;
    power_[cpu] = CpuPower::OnPending;
    log_ += "on " + std::to_string(cpu) + " " + std::to_string(entry) + " " + std::to_string(context) + "; ";
    return true;
  }
  void cpu_off(CpuState& cpu) override { log_ += "off " + std::to_string(cpu.cpu_index) + "; "; }
  void suspend(CpuState& cpu) override { log_ += "suspend " + std::to_string(cpu.cpu_index) + "; "; }
  void system_off() override { log_ += "system off; "; }
  void system_reset() override { log_ += "system reset; "; }

  int call(uint32_t function, uint32_t r1 = 0, uint32_t r2 = 0, uint32_t r3 = 0) {
    cpu_.r[0] = function;
    cpu_.r[1] = r1;
    cpu_.r[2] = r2;
    cpu_.r[3] = r3;
    EXPECT_TRUE(psci_call(*this, cpu_));
    return static_cast<int>(cpu_.r[0]);
  }

  CpuState cpu_{};
  std::vector<CpuPower> power_ = std::vector<CpuPower>(8, CpuPower::On);
  std::string log_;
};

TEST_F(PsciTest, ACpuGoesOffAndOnAgain) {
  EXPECT_EQ(call(kAffinityInfo, 1), 0);
  call(kCpuOff);
  EXPECT_EQ(log_, "off 1; ");
  // It still runs.
  EXPECT_EQ(call(kAffinityInfo, 1), 0);
  EXPECT_EQ(call(kCpuOn, 1, 0x40008000, 5), kAlreadyOn);
  power_[1] = CpuPower::Off;
  EXPECT_EQ(call(kAffinityInfo, 1), 1);
  log_.clear();
  EXPECT_EQ(call(kCpuOn, 1, 33, 5), kSuccess);  // Thumb: the host's to see
  EXPECT_EQ(log_, "on 1 33 5; ");
  EXPECT_EQ(call(kAffinityInfo, 1), 2);
  EXPECT_EQ(call(kCpuOn, 1, 64, 6), kOnPending);
  EXPECT_EQ(log_, "on 1 33 5; ");
  power_[1] = CpuPower::On;
  EXPECT_EQ(call(kAffinityInfo, 1), 0);
  EXPECT_EQ(call(kCpuOn, 1, 64, 6), kAlreadyOn);
}

TEST_F(PsciTest, OnlyAffinitiesOfCpusAreValid) {
  power_[7] = CpuPower::Off;
  for (const uint32_t affinity : {8u, 0x107u, 0x10007u, 0x80000007u, 0xffffffffu}) {
    EXPECT_EQ(call(kCpuOn, affinity, 0x40008000), kInvalidParameters) << affinity;
    EXPECT_EQ(call(kAffinityInfo, affinity), kInvalidParameters) << affinity;
  }
  EXPECT_EQ(call(kCpuOn, 7, 0xffffffff, 0), kSuccess);  // no entry point is refused
  EXPECT_EQ(log_, "on 7 4294967295 0; ");
}

// The caller's cluster, and what that belongs to, are on whatever their other CPUs are.
TEST_F(PsciTest, AffinityLevelsAboveCpus) {
  for (unsigned cpu = 0; cpu < 8; ++cpu) power_[cpu] = cpu == 1 ? CpuPower::On : CpuPower::Off;
  for (const uint32_t level : {1u, 2u, 3u}) {
    EXPECT_EQ(call(kAffinityInfo, 0, level), 0) << level;
    EXPECT_EQ(call(kAffinityInfo, (1u << 8 * level) - 1, level), 0) << level;
    EXPECT_EQ(call(kAffinityInfo, 1u << 8 * level, level), kInvalidParameters) << level;
  }
  EXPECT_EQ(call(kAffinityInfo, 0, 4), kInvalidParameters);
}

TEST_F(PsciTest, SuspendIsOfTheCaller) {
  EXPECT_EQ(call(kCpuSuspend, 0x10000), kSuccess);
  EXPECT_EQ(log_, "suspend 1; ");
  EXPECT_EQ(call(kCpuSuspend, 0x80000000), kInvalidParameters);
  EXPECT_EQ(log_, "suspend 1; ");
}

TEST_F(PsciTest, FeaturesAreWhatIsThere) {
  EXPECT_EQ(call(kVersion), 0x10001);
  EXPECT_EQ(call(kMigrateInfoType), 2);
  for (const uint32_t function :
       {kVersion, kCpuSuspend, kCpuOff, kCpuOn, kAffinityInfo, kMigrateInfoType, kSystemOff, kSystemReset, kFeatures}) {
    EXPECT_EQ(call(kFeatures, function), kSuccess) << function;
  }
  for (const uint32_t function : {+kMigrate, 0x84000007u, 0x8400000bu, 0xc4000003u}) {
    EXPECT_EQ(call(kFeatures, function), kNotSupported) << function;
  }
  EXPECT_EQ(call(kMigrate, 1), kNotSupported);
  cpu_.r[0] = 0xc4000003;
  EXPECT_FALSE(psci_call(*this, cpu_));
}

TEST_F(PsciTest, TheMachineEndsFromAnyCpu) {
  call(kSystemOff);
  call(kSystemReset);
  EXPECT_EQ(log_, "system off; system reset; ");
}

}  // namespace
}  // namespace crosswalk::vmm
