// SPDX-License-Identifier: GPL-2.0-or-later
// Some address spaces of one kernel by short descriptors, and what happens to what they have in
// common, whoever makes the entries.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "mmu-shadow/mmu.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {

struct NoCode final : CodeListener {
  bool code_written(uint64_t, uint32_t) override { return true; }
};

inline constexpr uint64_t kRootA = 0x40004000, kRootB = 0x40008000, kRootC = 0x40010000;
inline constexpr uint32_t kVa = 0xc0300000;
inline uint32_t section(uint32_t pa) { return pa | 2 | 3 << 2 | 3 << 10; }

class SpacesTest : public ::testing::Test {
 protected:
  SpacesTest() {
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.dacr = 1;
    cpu->mode = 0x13;
  }
  // The PA that a load gets, or 0 for the guest's fault.
  virtual uint64_t load(uint32_t va) = 0;
  // The PA that a load gets without a fault, or 0.
  virtual uint64_t reaches(uint32_t va) const = 0;

  // A process of this table; `asid` 0: one of its own.
  void use(uint64_t root, uint32_t asid = 0) {
    cpu->cp15.ttbr0 = root;
    cpu->cp15.contextidr = asid != 0 ? asid : root >> 14 & 0xff;
    mmu->activate(*cpu);
  }
  void set(uint64_t root, uint32_t va, uint32_t descriptor) { memory.write32(root + (va >> 20) * 4, descriptor); }
  const Statistics& statistics() const { return mmu->statistics(); }

  void equal_descriptors_are_one() {
    for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
    use(kRootA);
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootB);
    EXPECT_EQ(reaches(kVa), 0x41000000u);
  }
  void a_space_that_differs_at_first_has_its_own() {
    set(kRootA, kVa, section(0x41000000));
    set(kRootB, kVa, section(0x42000000));
    use(kRootA);
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootB);
    EXPECT_EQ(reaches(kVa), 0u);
    EXPECT_EQ(load(kVa), 0x42000000u);
    use(kRootA);
    EXPECT_EQ(reaches(kVa), 0x41000000u);
  }
  // No flush is due for what was invalid.
  void a_descriptor_becomes_valid_in_one_space() {
    use(kRootB);
    use(kRootA);
    EXPECT_EQ(load(kVa), 0u);
    set(kRootA, kVa, section(0x41000000));
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootB);
    EXPECT_EQ(load(kVa), 0u);
    EXPECT_EQ(statistics().spaces_parted, 1u);
    set(kRootB, kVa, section(0x42000000));
    EXPECT_EQ(load(kVa), 0x42000000u);
    use(kRootA);
    EXPECT_EQ(reaches(kVa), 0x41000000u);
  }
  // As above, but the other one gets it too before it runs: a kernel's way to make a new mapping
  // known everywhere.
  void a_descriptor_becomes_valid_in_all_spaces() {
    use(kRootB);
    use(kRootA);
    for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootB);
    EXPECT_EQ(reaches(kVa), 0x41000000u);
    EXPECT_EQ(statistics().spaces_parted, 0u);
  }

  TestMemory memory{64 << 20};
  NoCode listener;
  std::unique_ptr<Mmu> mmu;  // made by what derives from it, and gone before its backend
  std::unique_ptr<CpuState> cpu = std::make_unique<CpuState>();
};

}  // namespace crosswalk::mmu::test
