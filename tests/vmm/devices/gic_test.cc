// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/devices/gicv2.h"

namespace crosswalk::vmm {
namespace {

struct Lines final : CpuInterruptOutputs {
  uint32_t value[GicV2::kMaxCpus] = {};
  void set_cpu_line(unsigned cpu, uint32_t line, bool level) override {
    value[cpu] = level ? value[cpu] | line : value[cpu] & ~line;
  }
};

enum : uint32_t {
  kCtlr = 0,
  kPmr = 4,
  kBpr = 8,
  kIar = 0xc,
  kEoir = 0x10,
  kRpr = 0x14,
  kHppir = 0x18,
  kAbpr = 0x1c,
  kDir = 0x1000
};

class GicTest : public testing::Test {
 protected:
  explicit GicTest(unsigned cpus = 1) : gic_(cpus, lines_) {
    dist(0x000, 1);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      cpu_write(kCtlr, 1, cpu);
      cpu_write(kPmr, 0xff, cpu);
    }
  }
  void dist(uint32_t offset, uint32_t value, unsigned cpu = 0) { gic_.distributor().write(cpu, offset, 4, value); }
  uint32_t dist(uint32_t offset) { return gic_.distributor().read(0, offset, 4); }
  void cpu_write(uint32_t offset, uint32_t value, unsigned cpu = 0) {
    gic_.cpu_interface().write(cpu, offset, 4, value);
  }
  uint32_t cpu_read(uint32_t offset, unsigned cpu = 0) { return gic_.cpu_interface().read(cpu, offset, 4); }
  void enable(unsigned interrupt) { dist(0x100 + interrupt / 32 * 4, 1u << interrupt % 32); }
  void disable(unsigned interrupt) { dist(0x180 + interrupt / 32 * 4, 1u << interrupt % 32); }
  void priority(unsigned interrupt, uint8_t value) { gic_.distributor().write(0, 0x400 + interrupt, 1, value); }
  void edge(unsigned interrupt) {
    const uint32_t offset = 0xc00 + interrupt / 16 * 4;
    dist(offset, dist(offset) | 2u << interrupt % 16 * 2);
  }
  bool bit(uint32_t base, unsigned interrupt) { return dist(base + interrupt / 32 * 4) >> interrupt % 32 & 1; }
  bool irq(unsigned cpu = 0) const { return lines_.value[cpu] & kLineIrq; }
  bool fiq(unsigned cpu = 0) const { return lines_.value[cpu] & kLineFiq; }

  Lines lines_;
  GicV2 gic_;
};

// Interrupts pending, active, masked and preempted: whatever is asked of a restored controller, it
// answers as the first.
TEST_F(GicTest, RestoredInTheMiddleOfUse) {
  edge(50);
  for (const unsigned interrupt : {16u, 30u, 40u, 50u, 60u}) {
    enable(interrupt);
    priority(interrupt, static_cast<uint8_t>(0x80 + interrupt));
  }
  priority(60, 0x20);
  cpu_write(kBpr, 2);
  gic_.set_private_interrupt(0, 30, true);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar), 30u);
  gic_.set_interrupt(60, true);
  EXPECT_EQ(cpu_read(kIar), 60u);  // preempts
  gic_.set_interrupt(50, true);
  gic_.set_interrupt(50, false);  // the edge stays pending
  dist(0xf00, 2u << 24 | 5);      // SGI 5 to itself
  enable(5);

  Lines lines;
  GicV2 other(1, lines);
  const auto both = [&](auto&& check) {
    check(gic_);
    check(other);
  };
  other.restore(gic_.save());
  const auto same = [&] {
    EXPECT_EQ(lines.value[0], lines_.value[0]);
    for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
      EXPECT_EQ(other.distributor().read(0, offset, 4), dist(offset)) << offset;
    }
    for (const uint32_t offset : {kCtlr, kPmr, kBpr, kRpr, kHppir, kAbpr}) {
      EXPECT_EQ(other.cpu_interface().read(0, offset, 4), cpu_read(offset)) << offset;
    }
  };
  same();
  // Ends what is active, and takes what is pending, until nothing is.
  unsigned taken = 0;
  for (const uint32_t ended : {60u, 30u}) {
    both([&](GicV2& gic) { gic.set_interrupt(60, false); });
    both([&](GicV2& gic) { gic.set_private_interrupt(0, 30, false); });
    both([&](GicV2& gic) { gic.cpu_interface().write(0, kEoir, 4, ended); });
    same();
  }
  for (;;) {
    const uint32_t value = cpu_read(kIar);
    EXPECT_EQ(other.cpu_interface().read(0, kIar, 4), value);
    same();
    if (value == GicV2::kSpurious) break;
    ++taken;
    both([&](GicV2& gic) { gic.set_interrupt(value & 0x3ff, false); });
    both([&](GicV2& gic) { gic.cpu_interface().write(0, kEoir, 4, value); });
    same();
  }
  EXPECT_EQ(taken, 3u);  // 5, 40 and 50
}

class GicTwoCpus : public GicTest {
 protected:
  GicTwoCpus() : GicTest(2) {}
};

TEST_F(GicTest, IdentifiesItselfAsQemuDoes) {
  EXPECT_EQ(dist(0x004), 0x8u);  // 288 interrupts, one CPU
  EXPECT_EQ(cpu_read(0xfc), 0x0002043bu);
  EXPECT_EQ(dist(0xfe8), 0x2bu);  // GICv2
  EXPECT_EQ(dist(0xff0), 0x0du);
}

TEST_F(GicTest, LevelInterruptFollowsItsInput) {
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_TRUE(irq());
  gic_.set_interrupt(40, false);
  EXPECT_FALSE(irq());
  EXPECT_EQ(cpu_read(kIar), 1023u);
}

TEST_F(GicTest, LevelInterruptComesBackUntilTheDeviceIsServed) {
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar), 40u);
  EXPECT_FALSE(irq());  // active: not signalled again
  EXPECT_TRUE(bit(0x300, 40));
  EXPECT_TRUE(bit(0x200, 40));  // active and pending
  cpu_write(kEoir, 40);
  EXPECT_TRUE(irq());
  EXPECT_EQ(cpu_read(kIar), 40u);
  gic_.set_interrupt(40, false);
  cpu_write(kEoir, 40);
  EXPECT_FALSE(irq());
  EXPECT_FALSE(bit(0x300, 40));
}

TEST_F(GicTest, EdgeInterruptIsLatchedOnce) {
  enable(50);
  edge(50);
  gic_.set_interrupt(50, true);
  gic_.set_interrupt(50, false);
  EXPECT_TRUE(irq());
  EXPECT_EQ(cpu_read(kIar), 50u);
  gic_.set_interrupt(50, true);  // again while active
  EXPECT_FALSE(irq());
  cpu_write(kEoir, 50);
  EXPECT_TRUE(irq());
  EXPECT_EQ(cpu_read(kIar), 50u);
  cpu_write(kEoir, 50);
  EXPECT_FALSE(irq());  // still high, but no new edge
}

TEST_F(GicTest, HigherPriorityPreemptsAndNestedEoiRestores) {
  for (unsigned i : {40u, 41u, 42u}) enable(i);
  priority(40, 0x80);
  priority(41, 0x40);
  priority(42, 0x80);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar), 40u);
  EXPECT_EQ(cpu_read(kRpr), 0x80u);
  gic_.set_interrupt(42, true);
  EXPECT_FALSE(irq());  // same priority
  EXPECT_EQ(cpu_read(kIar), 1023u);
  EXPECT_EQ(cpu_read(kHppir), 42u);
  gic_.set_interrupt(41, true);
  EXPECT_TRUE(irq());
  EXPECT_EQ(cpu_read(kIar), 41u);
  EXPECT_EQ(cpu_read(kRpr), 0x40u);
  gic_.set_interrupt(41, false);
  cpu_write(kEoir, 41);
  EXPECT_EQ(cpu_read(kRpr), 0x80u);
  gic_.set_interrupt(40, false);
  cpu_write(kEoir, 40);
  EXPECT_EQ(cpu_read(kRpr), 0xffu);
  EXPECT_EQ(cpu_read(kIar), 42u);
}

TEST_F(GicTest, EqualPrioritiesGoToTheLowestNumber) {
  for (unsigned i : {70u, 45u, 100u}) {
    enable(i);
    gic_.set_interrupt(i, true);
  }
  EXPECT_EQ(cpu_read(kIar), 45u);
}

TEST_F(GicTest, BinaryPointStopsPreemptionWithinAGroup) {
  enable(40);
  enable(41);
  priority(40, 0x48);
  priority(41, 0x40);
  cpu_write(kBpr, 3);  // group priority is bits [7:4]
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar), 40u);
  gic_.set_interrupt(41, true);
  EXPECT_FALSE(irq());
  gic_.set_interrupt(41, false);
  cpu_write(kEoir, 40);
  cpu_write(kBpr, 2);  // bits [7:3]: 0x40 < 0x48 now
  EXPECT_EQ(cpu_read(kIar), 40u);
  gic_.set_interrupt(41, true);
  EXPECT_TRUE(irq());
}

TEST_F(GicTest, PriorityMaskAndEnablesGate) {
  enable(40);
  priority(40, 0x80);
  gic_.set_interrupt(40, true);
  EXPECT_TRUE(irq());
  cpu_write(kPmr, 0x80);  // only strictly higher priorities pass
  EXPECT_FALSE(irq());
  cpu_write(kPmr, 0x81);
  EXPECT_TRUE(irq());
  disable(40);
  EXPECT_FALSE(irq());
  enable(40);
  dist(0x000, 0);
  EXPECT_FALSE(irq());
  dist(0x000, 1);
  cpu_write(kCtlr, 0);
  EXPECT_FALSE(irq());
}

TEST_F(GicTest, SoftwarePendingAndClearing) {
  enable(60);
  dist(0x204, 1u << 28);
  EXPECT_TRUE(irq());
  dist(0x284, 1u << 28);
  EXPECT_FALSE(irq());
  dist(0x304, 1u << 28);  // made active by software: not signalled
  dist(0x204, 1u << 28);
  EXPECT_FALSE(irq());
  dist(0x384, 1u << 28);
  EXPECT_TRUE(irq());
}

TEST_F(GicTest, EoiModeSeparatesPriorityDropAndDeactivation) {
  cpu_write(kCtlr, 1 | 1u << 9);
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar), 40u);
  cpu_write(kEoir, 40);
  EXPECT_EQ(cpu_read(kRpr), 0xffu);
  EXPECT_TRUE(bit(0x300, 40));
  EXPECT_FALSE(irq());  // pending, but still active
  cpu_write(kDir, 40);
  EXPECT_FALSE(bit(0x300, 40));
  EXPECT_TRUE(irq());
}

TEST_F(GicTest, Group1NeedsItsEnableAndAckCtl) {
  dist(0x084, 1u << 8);  // 40 into Group 1
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_FALSE(irq());
  dist(0x000, 3);
  cpu_write(kCtlr, 3);
  EXPECT_TRUE(irq());
  EXPECT_EQ(cpu_read(kHppir), 1022u);
  EXPECT_EQ(cpu_read(kIar), 1022u);
  EXPECT_EQ(cpu_read(0x20), 40u);  // GICC_AIAR
  cpu_write(0x24, 40);             // GICC_AEOIR
  EXPECT_TRUE(irq());
  cpu_write(kCtlr, 3 | 4);  // AckCtl
  EXPECT_EQ(cpu_read(kIar), 40u);
  cpu_write(kEoir, 40);
  EXPECT_EQ(cpu_read(kRpr), 0xffu);
}

TEST_F(GicTest, Group0GoesToFiqWhenAsked) {
  enable(40);
  cpu_write(kCtlr, 1 | 8);
  gic_.set_interrupt(40, true);
  EXPECT_TRUE(fiq());
  EXPECT_FALSE(irq());
  cpu_write(kCtlr, 1);
  EXPECT_FALSE(fiq());
  EXPECT_TRUE(irq());
}

TEST_F(GicTest, PrivateTimerInterrupt) {
  enable(27);
  gic_.set_private_interrupt(0, 27, true);
  EXPECT_EQ(cpu_read(kIar), 27u);
  gic_.set_private_interrupt(0, 27, false);
  cpu_write(kEoir, 27);
  EXPECT_FALSE(irq());
}

TEST_F(GicTest, SelfSgi) {
  dist(0xf00, 2u << 24 | 5);
  EXPECT_TRUE(irq());
  EXPECT_EQ(dist(0xf24), 1u << 8);  // GICD_SPENDSGIR1: SGI 5 from CPU 0
  EXPECT_EQ(cpu_read(kIar), 5u);
  cpu_write(kEoir, 5);
  EXPECT_FALSE(irq());
}

TEST_F(GicTest, SgisStayEnabledAndEdgeTriggered) {
  dist(0x180, 0xffffffff);
  EXPECT_EQ(dist(0x100), 0xffffu);
  dist(0xc00, 0);
  EXPECT_EQ(dist(0xc00), 0xaaaaaaaau);
}

TEST_F(GicTest, UniprocessorTargetsAreRazWi) {
  dist(0x820, 0x01010101);
  EXPECT_EQ(dist(0x820), 0u);
}

TEST_F(GicTest, StrayEoisAndBadNumbersAreHarmless) {
  cpu_write(kEoir, 1023);
  cpu_write(kEoir, 287);
  cpu_write(kEoir, 0x3ff);
  cpu_write(kDir, 600);
  gic_.set_interrupt(5000, true);
  gic_.set_interrupt(3, true);
  for (uint32_t offset = 0; offset < 0x10000; offset += 4) {
    if (offset == 0) continue;
    dist(offset, 0xffffffff);
    dist(offset);
    cpu_write(offset, 0xffffffff);
    cpu_read(offset);
  }
  SUCCEED();
}

TEST_F(GicTwoCpus, SgiRecordsItsSourceAndTargets) {
  dist(0xf00, 1u << 24 | 3, 0);  // everyone else
  EXPECT_FALSE(irq(0));
  EXPECT_TRUE(irq(1));
  dist(0xf00, 2u << 16 | 3, 1);      // CPU 1 to itself, by list
  EXPECT_EQ(cpu_read(kIar, 1), 3u);  // from CPU 0
  EXPECT_EQ(cpu_read(kRpr, 1), 0u);
  cpu_write(kEoir, 3, 1);
  EXPECT_TRUE(irq(1));
  EXPECT_EQ(cpu_read(kIar, 1), 1u << 10 | 3);  // from CPU 1
  cpu_write(kEoir, 1u << 10 | 3, 1);
  EXPECT_FALSE(irq(1));
}

TEST_F(GicTwoCpus, SpiGoesToItsTarget) {
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_FALSE(irq(0) || irq(1));
  gic_.distributor().write(0, 0x800 + 40, 1, 2);
  EXPECT_FALSE(irq(0));
  EXPECT_TRUE(irq(1));
  EXPECT_EQ(gic_.distributor().read(1, 0x800, 1), 2u);  // a banked one names the reader
}

}  // namespace
}  // namespace crosswalk::vmm
