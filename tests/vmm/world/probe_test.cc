// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/probe.h"

#include <gtest/gtest.h>

#include <set>

#include "vmm/world/kvm/kvm_api.h"

namespace crosswalk::kvm {
namespace {

TEST(Probe, FindsWhatTheHostHasInASecond) {
  const HostFacts facts = probe_host();
  EXPECT_EQ(facts.kvm_usable, why_kvm_is_unusable().empty());
  EXPECT_EQ(facts.kvm_usable, facts.kvm_reason.empty()) << facts.kvm_reason;
  EXPECT_GT(facts.window_fault_mmap_us, 0) << facts.mmap_reason;
  EXPECT_GT(facts.max_map_count, 0u);
  EXPECT_GT(facts.soft_lookup_ns, 0.1);
  EXPECT_LT(facts.soft_lookup_ns, 100);
  EXPECT_GT(facts.walk_ns, 1);
  EXPECT_GT(facts.soft_refill_ns, facts.walk_ns);
  EXPECT_LT(facts.soft_refill_ns, 10'000);
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
  facts.kvm_usable = facts.exact_tsc = shadow_us > 0 || ept_us > 0;
  facts.window_fault_mmap_us = mmap_us, facts.window_fault_shadow_us = shadow_us, facts.window_fault_ept_us = ept_us;
  return facts;
}

// KVM without nested paging: it emulates what runs at CPL 0.
HostFacts software_mmu() {
  HostFacts facts = facts_with(9.5, 12.7, 35);
  facts.software_mmu = true;
  facts.exit_us = 27;
  facts.window_flush_mmap_us = 4.1, facts.window_flush_shadow_us = 8.3, facts.window_flush_ept_us = 31.9;
  return facts;
}

// The emulated machine of check-nested, whose microseconds are a thousand instructions.
HostFacts nested_paging() {
  HostFacts facts = facts_with(36, 0.52, 46);
  facts.exit_us = 3.3;
  facts.soft_lookup_ns = 5.5;
  facts.window_flush_mmap_us = 9, facts.window_flush_shadow_us = 0.93, facts.window_flush_ept_us = 12;
  return facts;
}

HostFacts without_kvm(double fault_us, double flush_us) {
  HostFacts facts = facts_with(fault_us, 0, 0);
  facts.window_flush_mmap_us = flush_us;
  return facts;
}

TEST(PickAuto, TakesTheCheapestWindowThatPays) {
  EXPECT_EQ(pick_auto(facts_with(5, 1.5, 3)).mode, mmu::Mode::Shadow);
  EXPECT_EQ(pick_auto(facts_with(2, 60, 90)).mode, mmu::Mode::Mmap);
  EXPECT_EQ(pick_auto(facts_with(3, 0, 2)).mode, mmu::Mode::Ept);
  EXPECT_EQ(pick_auto(facts_with(12, 60, 90)).mode, mmu::Mode::Hybrid);
  EXPECT_EQ(pick_auto(facts_with(12, 60, 90), false).mode, mmu::Mode::Hybrid) << "over shadow";
  EXPECT_EQ(pick_auto(facts_with(2, 0, 0), false).mode, mmu::Mode::Soft) << "mmap needs a memfd";
  EXPECT_EQ(pick_auto(facts_with(0, 0, 90)).mode, mmu::Mode::Soft) << "no hybrid of ept";
  EXPECT_EQ(pick_auto(facts_with(0, 0, 0)).mode, mmu::Mode::Soft);
}

TEST(PickAuto, OnEachKindOfHost) {
  EXPECT_EQ(pick_auto(software_mmu()).mode, mmu::Mode::Hybrid);
  EXPECT_FALSE(pick_auto(software_mmu()).hybrid_in_kvm);
  EXPECT_EQ(pick_auto(nested_paging()).mode, mmu::Mode::Shadow);
  EXPECT_TRUE(pick_auto(nested_paging()).hybrid_in_kvm);
  EXPECT_EQ(pick_auto(without_kvm(1.6, 1.2)).mode, mmu::Mode::Mmap);
  EXPECT_EQ(pick_auto(without_kvm(9.5, 4.1)).mode, mmu::Mode::Hybrid);
  EXPECT_FALSE(pick_auto(without_kvm(9.5, 4.1)).hybrid_in_kvm);
}

// It is the costs that decide, not what kind of host it is.
TEST(PickAuto, EachMechanismCounts) {
  HostFacts facts = nested_paging();
  facts.window_fault_shadow_us = 22;  // by a slow exit
  EXPECT_EQ(pick_auto(facts).mode, mmu::Mode::Hybrid);
  EXPECT_TRUE(pick_auto(facts).hybrid_in_kvm);
  facts = nested_paging();
  facts.window_flush_shadow_us = 22;  // by a slow exit
  EXPECT_EQ(pick_auto(facts).mode, mmu::Mode::Hybrid);
  facts = nested_paging();
  facts.window_fault_mmap_us = 1.5, facts.window_flush_mmap_us = 1;  // less than what leaving the VM costs
  EXPECT_EQ(pick_auto(facts).mode, mmu::Mode::Mmap);
  EXPECT_FALSE(pick_auto(facts).hybrid_in_kvm);
  facts = nested_paging();
  facts.window_fault_shadow_us = facts.window_flush_shadow_us = 2.5;
  facts.soft_lookup_ns = 1;  // a processor that does more at a time
  EXPECT_EQ(pick_auto(facts).mode, mmu::Mode::Hybrid);
  facts = nested_paging();
  facts.exact_tsc = false;  // no clock for the guest inside
  EXPECT_EQ(pick_auto(facts).mode, mmu::Mode::Hybrid);
  EXPECT_FALSE(pick_auto(facts).hybrid_in_kvm);
  EXPECT_NE(pick_auto(facts).reason.find("time-stamp counter"), std::string::npos);
}

TEST(PickAuto, WithinAWorld) {
  EXPECT_EQ(pick_auto(within_process(nested_paging())).mode, mmu::Mode::Hybrid);
  EXPECT_FALSE(pick_auto(within_process(nested_paging())).hybrid_in_kvm);
  EXPECT_EQ(pick_auto(within_kvm(software_mmu())).mode, mmu::Mode::Hybrid);
  EXPECT_TRUE(pick_auto(within_kvm(software_mmu())).hybrid_in_kvm);
  EXPECT_EQ(pick_auto(within_kvm(without_kvm(1.6, 1.2))).mode, mmu::Mode::Soft);
}

TEST(PickAuto, SaysWhy) {
  const std::string nested = pick_auto(nested_paging()).reason, software = pick_auto(software_mmu()).reason;
  EXPECT_NE(nested.find("shadow 0.5 + 0.9 us, mmap 36.0 + 9.0 us"), std::string::npos) << nested;
  EXPECT_NE(software.find("mmap 9.5 + 4.1 us, shadow 12.7 + 8.3 us"), std::string::npos) << software;
  EXPECT_NE(software.find("saves, 4.0 us: it pays where"), std::string::npos) << software;
  EXPECT_NE(nested.find("saves, 22.0 us: it pays in every"), std::string::npos) << nested;
}

}  // namespace
}  // namespace crosswalk::kvm
