// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/kvm/probe.h"

#include <gtest/gtest.h>

#include <set>

#include "vmm/kvm/kvm_api.h"

namespace crosswalk::kvm {
namespace {

TEST(Probe, FindsWhatTheHostHasInASecond) {
  const HostFacts facts = probe_host();
  EXPECT_EQ(facts.kvm_usable, why_kvm_is_unusable().empty());
  EXPECT_EQ(facts.kvm_usable, facts.kvm_reason.empty()) << facts.kvm_reason;
  EXPECT_GT(facts.window_fault_mmap_us, 0) << facts.mmap_reason;
  EXPECT_GT(facts.max_map_count, 0u);
  if (facts.kvm_usable) {
    EXPECT_GT(facts.exit_us, 0);
    EXPECT_GT(facts.window_fault_shadow_us, 0) << facts.shadow_reason;
    EXPECT_GT(facts.window_fault_ept_us, 0) << facts.ept_reason;
    EXPECT_NE(facts.syscall_entry, "unknown");
  } else {
    EXPECT_FALSE(facts.shadow_reason.empty());
    EXPECT_FALSE(facts.ept_reason.empty());
  }
  std::set<std::string> keys;
  for (const Fact& fact : list_facts(facts)) {
    EXPECT_TRUE(keys.insert(fact.key).second) << fact.key;
    EXPECT_FALSE(fact.text.empty()) << fact.key;
    std::printf("%-30s %s\n", fact.title.c_str(), fact.text.c_str());
  }
  std::printf("auto: %s\n", pick_auto(facts).reason.c_str());
}

HostFacts facts_with(double mmap_us, double shadow_us, double ept_us) {
  HostFacts facts;
  facts.kvm_usable = shadow_us > 0 || ept_us > 0;
  facts.window_fault_mmap_us = mmap_us, facts.window_fault_shadow_us = shadow_us, facts.window_fault_ept_us = ept_us;
  return facts;
}

TEST(PickAuto, TakesTheCheapestWindowThatPays) {
  EXPECT_EQ(pick_auto(facts_with(5, 1.5, 3)).mode, mmu::Mode::Shadow);
  EXPECT_EQ(pick_auto(facts_with(2, 60, 90)).mode, mmu::Mode::Mmap);
  EXPECT_EQ(pick_auto(facts_with(3, 0, 2)).mode, mmu::Mode::Ept);
  EXPECT_EQ(pick_auto(facts_with(12, 60, 90)).mode, mmu::Mode::Hybrid);
  EXPECT_EQ(pick_auto(facts_with(12, 60, 90), false).mode, mmu::Mode::Soft);
  EXPECT_EQ(pick_auto(facts_with(2, 0, 0), false).mode, mmu::Mode::Soft) << "mmap needs a memfd";
  EXPECT_EQ(pick_auto(facts_with(0, 0, 0)).mode, mmu::Mode::Soft);
}

TEST(PickAuto, SaysWhy) {
  EXPECT_NE(pick_auto(facts_with(5, 1.5, 3)).reason.find("1.5 us"), std::string::npos);
  EXPECT_NE(pick_auto(facts_with(12, 60, 90)).reason.find("12.0 us (mmap)"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::kvm
