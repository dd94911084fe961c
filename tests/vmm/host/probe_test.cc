// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/host/probe.h"

#include <gtest/gtest.h>

#include <set>

#include "vmm/world/kvm/kvm_api.h"

namespace crosswalk::vmm {
namespace {

TEST(Probe, FindsWhatTheHostHasInASecond) {
  HostFacts facts = probe_host(uint64_t{1} << 30);
  EXPECT_EQ(facts.kvm_usable, static_cast<bool>(kvm::check_kvm()));
  EXPECT_EQ(facts.kvm_usable, facts.kvm_reason.empty()) << facts.kvm_reason;
  EXPECT_GT(facts.windows_of("mmap").fault_us, 0) << facts.windows_of("mmap").reason;
  EXPECT_GT(facts.max_map_count, 0u);
  EXPECT_GT(facts.soft_lookup_ns, 0.1);
  EXPECT_LT(facts.soft_lookup_ns, 100);
  EXPECT_GT(facts.walk_ns, 1);
  EXPECT_GT(facts.soft_refill_ns, facts.walk_ns);
  EXPECT_LT(facts.soft_refill_ns, 10'000);
  if (facts.kvm_usable) {
    EXPECT_GT(facts.exit_us, 0);
    EXPECT_GT(facts.windows_of("shadow").fault_us, 0) << facts.windows_of("shadow").reason;
    EXPECT_GT(facts.windows_of("ept").fault_us, 0) << facts.windows_of("ept").reason;
    EXPECT_NE(facts.syscall_entry, "unknown");
  } else {
    EXPECT_FALSE(facts.windows_of("shadow").reason.empty());
    EXPECT_FALSE(facts.windows_of("ept").reason.empty());
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
  facts.windows_of("mmap").fault_us = mmap_us, facts.windows_of("shadow").fault_us = shadow_us,
  facts.windows_of("ept").fault_us = ept_us;
  return facts;
}

// KVM without nested paging: it emulates what runs at CPL 0.
HostFacts software_mmu() {
  HostFacts facts = facts_with(9.5, 12.7, 35);
  facts.software_mmu = true;
  facts.exit_us = 27;
  facts.windows_of("mmap").flush_us = 4.1, facts.windows_of("shadow").flush_us = 8.3,
  facts.windows_of("ept").flush_us = 31.9;
  return facts;
}

// The emulated machine of check-nested, whose microseconds are a thousand instructions.
HostFacts nested_paging() {
  HostFacts facts = facts_with(36, 0.52, 46);
  facts.exit_us = 3.3;
  facts.soft_lookup_ns = 5.5;
  facts.windows_of("mmap").flush_us = 9, facts.windows_of("shadow").flush_us = 0.93,
  facts.windows_of("ept").flush_us = 12;
  return facts;
}

HostFacts without_kvm(double fault_us, double flush_us) {
  HostFacts facts = facts_with(fault_us, 0, 0);
  facts.windows_of("mmap").flush_us = flush_us;
  return facts;
}

TEST(PickAuto, TakesTheCheapestWindowThatPays) {
  EXPECT_STREQ(pick_auto(facts_with(5, 1.5, 3)).mode->name, "shadow");
  EXPECT_STREQ(pick_auto(facts_with(2, 60, 90)).mode->name, "mmap");
  EXPECT_STREQ(pick_auto(facts_with(3, 0, 2)).mode->name, "ept");
  EXPECT_STREQ(pick_auto(facts_with(12, 60, 90)).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(facts_with(12, 60, 90), false).mode->name, "hybrid") << "over shadow";
  EXPECT_STREQ(pick_auto(facts_with(2, 0, 0), false).mode->name, "soft") << "mmap needs a memfd";
  EXPECT_STREQ(pick_auto(facts_with(0, 0, 90)).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(facts_with(0, 0, 90)).windows->name, "ept");
  EXPECT_STREQ(pick_auto(facts_with(0, 0, 0)).mode->name, "soft");
}

TEST(PickAuto, OnEachKindOfHost) {
  EXPECT_STREQ(pick_auto(software_mmu()).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(software_mmu()).windows->name, "mmap");
  EXPECT_STREQ(pick_auto(nested_paging()).mode->name, "shadow");
  EXPECT_STREQ(pick_auto(nested_paging()).windows->name, "shadow");
  EXPECT_STREQ(pick_auto(without_kvm(1.6, 1.2)).mode->name, "mmap");
  EXPECT_STREQ(pick_auto(without_kvm(9.5, 4.1)).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(without_kvm(9.5, 4.1)).windows->name, "mmap");
}

// It is the costs that decide, not what kind of host it is.
TEST(PickAuto, EachMechanismCounts) {
  HostFacts facts = nested_paging();
  facts.windows_of("shadow").fault_us = 22;  // by a slow exit
  EXPECT_STREQ(pick_auto(facts).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(facts).windows->name, "shadow");
  facts = nested_paging();
  facts.windows_of("shadow").flush_us = 22;  // by a slow exit
  EXPECT_STREQ(pick_auto(facts).mode->name, "hybrid");
  facts = nested_paging();
  facts.windows_of("mmap").fault_us = 1.5,
  facts.windows_of("mmap").flush_us = 1;  // less than what leaving the VM costs
  EXPECT_STREQ(pick_auto(facts).mode->name, "mmap");
  EXPECT_STREQ(pick_auto(facts).windows->name, "mmap");
  facts = nested_paging();
  facts.windows_of("shadow").fault_us = facts.windows_of("shadow").flush_us = 2.5;
  facts.soft_lookup_ns = 1;  // a processor that does more at a time
  EXPECT_STREQ(pick_auto(facts).mode->name, "hybrid");
  facts = nested_paging();
  facts.exact_tsc = false;  // no clock for the guest inside
  EXPECT_STREQ(pick_auto(facts).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(facts).windows->name, "mmap");
  EXPECT_NE(pick_auto(facts).reason.find("time-stamp counter"), std::string::npos);
}

TEST(PickAuto, WithinAWorld) {
  EXPECT_STREQ(pick_auto(within(WorldKind::Process, nested_paging())).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(within(WorldKind::Process, nested_paging())).windows->name, "mmap");
  EXPECT_STREQ(pick_auto(within(WorldKind::Kvm, software_mmu())).mode->name, "hybrid");
  EXPECT_STREQ(pick_auto(within(WorldKind::Kvm, software_mmu())).windows->name, "shadow");
  EXPECT_STREQ(pick_auto(within(WorldKind::Kvm, without_kvm(1.6, 1.2))).mode->name, "soft");
}

TEST(PickAuto, SaysWhy) {
  const std::string nested = pick_auto(nested_paging()).reason, software = pick_auto(software_mmu()).reason;
  EXPECT_NE(nested.find("shadow 0.5 + 0.9 us, mmap 36.0 + 9.0 us"), std::string::npos) << nested;
  EXPECT_NE(software.find("mmap 9.5 + 4.1 us, shadow 12.7 + 8.3 us"), std::string::npos) << software;
  EXPECT_NE(software.find("saves, 4.0 us: it pays where"), std::string::npos) << software;
  EXPECT_NE(nested.find("saves, 22.0 us: it pays in every"), std::string::npos) << nested;
}

}  // namespace
}  // namespace crosswalk::vmm
