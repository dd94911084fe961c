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
  uint32_t dist(uint32_t offset) { return dist_of(0, offset); }
  uint32_t dist_of(unsigned cpu, uint32_t offset) { return gic_.distributor().read(cpu, offset, 4); }
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
  void target(unsigned interrupt, uint8_t cpus) { gic_.distributor().write(0, 0x800 + interrupt, 1, cpus); }
  // The CPUs whose IRQ line is raised.
  uint32_t irqs() const {
    uint32_t cpus = 0;
    for (unsigned cpu = 0; cpu < GicV2::kMaxCpus; ++cpu) cpus |= uint32_t{irq(cpu)} << cpu;
    return cpus;
  }
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

class GicFourCpus : public GicTest {
 protected:
  GicFourCpus() : GicTest(4) {}
};

class GicEightCpus : public GicTest {
 protected:
  GicEightCpus() : GicTest(8) {}
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

TEST_F(GicEightCpus, TyperTellsTheirNumber) { EXPECT_EQ(dist(0x004), 0x8u | 7u << 5); }

TEST_F(GicEightCpus, SgiFiltersAndSources) {
  for (unsigned from = 0; from < 8; ++from) {
    const struct {
      uint32_t value, targets;
    } cases[] = {
        {0x00a50000, 0xa5},                   // by list
        {0x00000000, 0},                      // an empty one
        {0x01ff0000, 0xffu & ~(1u << from)},  // all others; the list is ignored
        {0x02ff0000, 1u << from},             // itself
        {0x03ff0000, 0},                      // reserved
    };
    for (const auto& c : cases) {
      dist(0xf00, c.value | 9, from);
      EXPECT_EQ(irqs(), c.targets) << from << " " << c.value;
      for (unsigned cpu = 0; cpu < 8; ++cpu) {
        const bool taken = c.targets >> cpu & 1;
        EXPECT_EQ(cpu_read(kHppir, cpu), taken ? from << 10 | 9 : 1023);
        EXPECT_EQ(cpu_read(kIar, cpu), taken ? from << 10 | 9 : 1023);
        EXPECT_EQ(dist_of(cpu, 0x300), taken ? 1u << 9 : 0u);
        cpu_write(kEoir, from << 10 | 9, cpu);
        EXPECT_EQ(dist_of(cpu, 0x300), 0u);
      }
      EXPECT_EQ(irqs(), 0u);
    }
  }
}

TEST_F(GicFourCpus, SgisToCpusThatDoNotExist) {
  dist(0xf00, 0x00f00003);
  EXPECT_EQ(irqs(), 0u);
  dist(0xf00, 0x01000003, 3);
  EXPECT_EQ(irqs(), 7u);
}

// An SGI is pending once for each CPU that it is from, on each CPU that it is for.
TEST_F(GicFourCpus, PendingSgisOfEachSource) {
  for (const unsigned from : {3u, 1u, 2u, 1u}) dist(0xf00, 0x00050006, from);  // to CPUs 0 and 2
  EXPECT_EQ(dist_of(0, 0xf24), 0x0eu << 16);
  EXPECT_EQ(dist_of(2, 0xf14), 0x0eu << 16);
  EXPECT_EQ(dist_of(1, 0xf24), 0u);
  EXPECT_EQ(dist_of(2, 0x200), 1u << 6);
  dist(0xf14, 0x04u << 16, 2);  // no longer from CPU 2
  EXPECT_EQ(dist_of(2, 0xf24), 0x0au << 16);
  EXPECT_EQ(dist_of(0, 0xf24), 0x0eu << 16);
  dist(0x280, 0xffff, 2);  // GICD_ICPENDR0 does not clear SGIs
  EXPECT_EQ(irqs(), 5u);
  EXPECT_EQ(cpu_read(kIar, 2), 1u << 10 | 6);
  EXPECT_EQ(dist_of(2, 0x200), 1u << 6);  // active and pending
  EXPECT_EQ(irqs(), 1u);
  cpu_write(kEoir, 1u << 10 | 6, 2);
  EXPECT_EQ(cpu_read(kIar, 2), 3u << 10 | 6);
  cpu_write(kEoir, 3u << 10 | 6, 2);
  EXPECT_EQ(cpu_read(kIar, 2), 1023u);
  dist(0xf14, 0xffu << 16, 0);
  EXPECT_EQ(irqs(), 0u);
  dist(0xf24, 0xf8u << 16, 1);  // from CPU 3; there are no CPUs 4 to 7
  EXPECT_EQ(dist_of(1, 0xf24), 0x08u << 16);
  EXPECT_EQ(cpu_read(kIar, 1), 3u << 10 | 6);
}

TEST_F(GicFourCpus, RegistersOfPrivateInterruptsAreBanked) {
  // Offset, and what each CPU writes: of INTID 27, but for the last two.
  const struct {
    uint32_t offset, bits, others;
  } cases[] = {{0x080, 1u << 27, 0},    {0x100, 1u << 27, 0xffff}, {0x200, 1u << 27, 0},   {0x300, 1u << 27, 0},
               {0x418, 0x98u << 24, 0}, {0xc04, 2u << 22, 0},      {0x404, 0x10203040, 0}, {0xf20, 0x04u << 8, 0}};
  for (const auto& c : cases) {
    dist(c.offset, c.bits, 2);
    for (unsigned cpu = 0; cpu < 4; ++cpu) {
      EXPECT_EQ(dist_of(cpu, c.offset), (cpu == 2 ? c.bits : 0) | c.others) << c.offset << " " << cpu;
    }
  }
  for (const uint32_t offset : {0x180u, 0x280u, 0x380u}) {
    dist(offset, 1u << 27, 1);
    EXPECT_EQ(dist_of(2, offset) >> 27 & 1, 1u) << offset;
    dist(offset, 1u << 27, 2);
    EXPECT_EQ(dist_of(2, offset) >> 27 & 1, 0u) << offset;
  }
}

TEST_F(GicFourCpus, PrivateInputsAreOfOneCpu) {
  for (unsigned cpu = 0; cpu < 4; ++cpu) dist(0x100, 1u << 27, cpu);
  gic_.set_private_interrupt(1, 27, true);
  gic_.set_private_interrupt(3, 27, true);
  EXPECT_EQ(irqs(), 0xau);
  EXPECT_EQ(cpu_read(kIar, 1), 27u);
  EXPECT_EQ(cpu_read(kIar, 3), 27u);
  gic_.set_private_interrupt(1, 27, false);
  cpu_write(kEoir, 27, 1);
  cpu_write(kEoir, 27, 3);
  EXPECT_EQ(irqs(), 8u);
}

TEST_F(GicFourCpus, Targets) {
  for (unsigned cpu = 0; cpu < 4; ++cpu) {
    for (uint32_t offset = 0x800; offset < 0x820; offset += 4) {
      dist(offset, 0xffffffff, cpu);
      EXPECT_EQ(dist_of(cpu, offset), 0x01010101u << cpu);
    }
  }
  dist(0x828, 0xff3412f0);  // CPUs 4 to 7 do not exist
  for (unsigned cpu = 0; cpu < 4; ++cpu) EXPECT_EQ(dist_of(cpu, 0x828), 0x0f040200u);
  // What is pending moves.
  enable(40);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(irqs(), 0u);
  for (const uint8_t cpus : {1, 2, 12, 15, 0}) {
    target(40, cpus);
    EXPECT_EQ(irqs(), cpus);
  }
}

// 1.4.3, the 1-N model: each target is asked, one takes it.
TEST_F(GicFourCpus, FirstTargetTakesAnSpi) {
  enable(40);
  target(40, 0xb);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(irqs(), 0xbu);
  EXPECT_EQ(cpu_read(kIar, 2), 1023u);  // not a target
  EXPECT_EQ(cpu_read(kIar, 1), 40u);
  EXPECT_EQ(irqs(), 0u);
  EXPECT_EQ(cpu_read(kIar, 0), 1023u);
  EXPECT_EQ(cpu_read(kIar, 3), 1023u);
  cpu_write(kEoir, 40, 3);  // it has nothing to end
  EXPECT_EQ(irqs(), 0u);
  cpu_write(kEoir, 40, 1);
  EXPECT_EQ(irqs(), 0xbu);  // the device was not served
  EXPECT_EQ(cpu_read(kIar, 3), 40u);
  gic_.set_interrupt(40, false);
  cpu_write(kEoir, 40, 3);
  EXPECT_EQ(irqs(), 0u);
  // A target that handles something more urgent is not asked.
  enable(41);
  priority(41, 0x10);
  priority(40, 0x80);
  target(41, 1);
  gic_.set_interrupt(41, true);
  EXPECT_EQ(cpu_read(kIar, 0), 41u);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(irqs(), 0xau);
}

TEST_F(GicFourCpus, EachInterfaceHasItsState) {
  cpu_write(kPmr, 0x40, 1);
  cpu_write(kBpr, 5, 2);
  cpu_write(kAbpr, 6, 2);
  cpu_write(kCtlr, 0, 3);
  EXPECT_EQ(cpu_read(kPmr, 0), 0xffu);
  EXPECT_EQ(cpu_read(kPmr, 1), 0x40u);
  EXPECT_EQ(cpu_read(kBpr, 1), 0u);
  EXPECT_EQ(cpu_read(kBpr, 2), 5u);
  EXPECT_EQ(cpu_read(kAbpr, 2), 6u);
  EXPECT_EQ(cpu_read(kAbpr, 0), 1u);
  EXPECT_EQ(cpu_read(kCtlr, 3), 0u);
  enable(40);
  priority(40, 0x50);
  target(40, 0xf);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(irqs(), 5u);  // masked on CPU 1, disabled on CPU 3
  EXPECT_EQ(cpu_read(kIar, 2), 40u);
  EXPECT_EQ(cpu_read(kRpr, 2), 0x40u);  // 8 bits less the subpriority
  EXPECT_EQ(cpu_read(0xd4, 2), 1u);     // GICC_APR1
  for (const unsigned cpu : {0u, 1u, 3u}) {
    EXPECT_EQ(cpu_read(kRpr, cpu), 0xffu);
    EXPECT_EQ(cpu_read(0xd4, cpu), 0u);
  }
  cpu_write(0xd4, 0, 2);
  EXPECT_EQ(cpu_read(kRpr, 2), 0xffu);
}

// GICC_EOIR and GICC_DIR are given what GICC_IAR gave, the source of an SGI included.
TEST_F(GicFourCpus, DeactivationApartFromThePriorityDrop) {
  for (unsigned cpu = 0; cpu < 4; ++cpu) cpu_write(kCtlr, 1 | 1u << 9, cpu);
  dist(0xf00, 0x00010002, 3);
  EXPECT_EQ(cpu_read(kIar), 3u << 10 | 2);
  cpu_write(kEoir, 3u << 10 | 2);
  EXPECT_EQ(cpu_read(kRpr), 0xffu);
  dist(0xf00, 0x00010002, 1);
  EXPECT_EQ(irqs(), 0u);  // still active
  cpu_write(kDir, 3u << 10 | 2, 1);
  EXPECT_EQ(irqs(), 0u);  // another CPU's bank
  cpu_write(kDir, 3u << 10 | 2);
  EXPECT_EQ(cpu_read(kIar), 1u << 10 | 2);
  // An SPI may be deactivated by another CPU.
  enable(40);
  target(40, 2);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar, 1), 40u);
  cpu_write(kEoir, 40, 1);
  EXPECT_EQ(irqs(), 0u);
  cpu_write(kDir, 40, 2);
  EXPECT_EQ(irqs(), 2u);
}

TEST_F(GicFourCpus, RestoredInTheMiddleOfUse) {
  enable(40);
  enable(41);
  target(40, 6);
  target(41, 8);
  priority(41, 0x20);
  for (unsigned cpu = 0; cpu < 4; ++cpu) {
    dist(0x100, 1u << (27 + cpu), cpu);
    gic_.distributor().write(cpu, 0x400 + 7, 1, 0x10 * cpu);
    cpu_write(kBpr, cpu, cpu);
  }
  gic_.set_private_interrupt(3, 30, true);
  EXPECT_EQ(cpu_read(kIar, 3), 30u);
  gic_.set_interrupt(40, true);
  EXPECT_EQ(cpu_read(kIar, 2), 40u);
  gic_.set_interrupt(41, true);
  dist(0xf00, 0x01000007, 1);
  dist(0xf00, 0x01000007, 2);

  Lines lines;
  GicV2 other(4, lines);
  other.restore(gic_.save());
  for (unsigned cpu = 0; cpu < 4; ++cpu) {
    EXPECT_EQ(lines.value[cpu], lines_.value[cpu]);
    for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
      EXPECT_EQ(other.distributor().read(cpu, offset, 4), dist_of(cpu, offset)) << cpu << " " << offset;
    }
    for (const uint32_t offset :
         std::initializer_list<uint32_t>{kCtlr, kPmr, kBpr, kRpr, kHppir, kAbpr, 0xd0, 0xd4, 0xd8, 0xdc}) {
      EXPECT_EQ(other.cpu_interface().read(cpu, offset, 4), cpu_read(offset, cpu)) << cpu << " " << offset;
    }
    EXPECT_EQ(other.cpu_interface().read(cpu, kIar, 4), cpu_read(kIar, cpu)) << cpu;
    EXPECT_EQ(lines.value[cpu], lines_.value[cpu]);
  }
}

}  // namespace
}  // namespace crosswalk::vmm
