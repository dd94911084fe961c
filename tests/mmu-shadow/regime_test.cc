// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/walker/regime.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kNone = CommonPart::kNone;

cw_regime regime(uint32_t ttbcr) {
  cw_regime r{};
  r.sctlr = CW_SCTLR_M;
  r.ttbcr = ttbcr;
  return r;
}
CommonPart part(uint32_t ttbcr) { return common_part(key_of(regime(ttbcr), true)); }
uint64_t from(uint32_t ttbcr) { return part(ttbcr).from; }

TEST(CommonPart, WholeGigabytesAboveTheBoundaryOfTtbr1) {
  EXPECT_EQ(from(1), 0x80000000u);
  EXPECT_EQ(from(2), 0x40000000u);
  for (uint32_t n = 3; n < 8; n++) EXPECT_EQ(from(n), 0x40000000u) << n;
  EXPECT_EQ(from(1 | CW_TTBCR_PD1), kNone);
  EXPECT_EQ(from(1 | CW_TTBCR_PD0), 0x80000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 1 << 16), 0x80000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 2 << 16), 0xc0000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 3 << 16), kNone);
  EXPECT_EQ(from(CW_TTBCR_EAE | 1), 0x80000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 2), 0x40000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 2 | 2 << 16), 0xc0000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | 2 << 16 | CW_TTBCR_EPD1), kNone);
  EXPECT_EQ(part(1).roots_bytes, 0u);
  cw_regime off = regime(1);
  off.sctlr = 0;
  EXPECT_EQ(common_part(key_of(off, true)).from, kNone);
}

TEST(CommonPart, TheLastGigabyteOfTtbr0) {
  EXPECT_EQ(from(0), 0xc0000000u);
  EXPECT_EQ(from(CW_TTBCR_PD0), kNone);
  EXPECT_EQ(from(CW_TTBCR_EAE), 0xc0000000u);
  EXPECT_EQ(from(CW_TTBCR_EAE | CW_TTBCR_EPD0), kNone);
}

// For all splits: what the walker says is the same for another ASID and another TTBR0, if the
// descriptors of the first level are, in tables of random bits.
TEST(CommonPart, WalksDoNotDependOnTheRestOfTtbr0) {
  std::mt19937_64 random(test_seed());
  TestMemory memory(4 << 20);
  for (uint64_t o = 0; o < memory.ram.size; o += 8) {
    // Half of the descriptors lead into this memory.
    uint64_t d = random();
    if (d & 4) d = (d & ~uint64_t{0xff'ffff'fffc'0000}) | (memory.ram.base & ~uint64_t{0x3ffff}) | (d & 0x300000) | 3;
    std::memcpy(memory.ram.host + o, &d, 8);
  }
  uint64_t compared = 0, differ_below = 0;
  for (uint32_t i = 0; i < 512; i++) {
    cw_regime a = regime((i & 7) | (i >> 3 & 7) << 16 | (i & 64 ? CW_TTBCR_EAE : 0) | (i & 128 ? CW_TTBCR_PD0 : 0) |
                         (i & 256 ? CW_TTBCR_EPD0 : 0));
    a.dacr = 0x55555555;
    a.ttbr1 = memory.ram.base + 0x100000;
    a.ttbr0 = memory.ram.base + 0x200000;
    cw_regime b = a;
    b.ttbr0 = (memory.ram.base + 0x300000) | uint64_t{7} << 48;
    b.contextidr = 9;
    const CommonPart common = common_part(key_of(a, true)), other = common_part(key_of(b, true));
    const uint64_t start = common.from;
    EXPECT_EQ(start, other.from);
    EXPECT_EQ(common.roots_bytes, other.roots_bytes);
    std::vector<uint8_t> before;
    if (common.roots_bytes != 0) {
      uint8_t* const theirs = memory.ram.at(other.roots_pa);
      before.assign(theirs, theirs + other.roots_bytes);
      std::memcpy(theirs, memory.ram.at(common.roots_pa), common.roots_bytes);
    }
    for (int n = 0; n < 200; n++) {
      const uint32_t va = static_cast<uint32_t>(random());
      const cw_result x = memory.walk(a, va, CW_LOAD, true), y = memory.walk(b, va, CW_LOAD, true);
      const bool same = x.pa == y.pa && x.fault == y.fault && x.fsr == y.fsr && x.log2_size == y.log2_size &&
                        x.permissions == y.permissions && x.ng == y.ng;
      if (va < start) {
        differ_below += !same;
        continue;
      }
      compared++;
      EXPECT_TRUE(same) << std::hex << va << " TTBCR " << a.ttbcr;
    }
    if (!before.empty()) std::memcpy(memory.ram.at(other.roots_pa), before.data(), before.size());
  }
  EXPECT_GT(compared, 10'000u);
  EXPECT_GT(differ_below, 1'000u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
