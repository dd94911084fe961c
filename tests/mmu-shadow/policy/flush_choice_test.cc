// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/policy/flush_choice.h"

#include <gtest/gtest.h>

namespace crosswalk::mmu::test {
namespace {

// Flushes of 100 entries of which `back` come back; returns how many of 10,000 flushes walked.
int eager_flushes(FlushChoice& choice, uint32_t back, double refill_ns) {
  Reuse reuse;
  int eager = 0;
  for (int i = 0; i < 10'000; i++) {
    eager += choice.eager(FlushChoice::Data, false, reuse, 100, 25, refill_ns);
    if (reuse.dropped != 0) reuse.refilled = back;
  }
  return eager;
}

TEST(FlushChoice, AutoWalksWhereEntriesComeBackAndAreDear) {
  FlushChoice used(FlushPolicy::Auto), unused(FlushPolicy::Auto), cheap(FlushPolicy::Auto);
  EXPECT_GT(eager_flushes(used, 90, 1000), 9'900);
  EXPECT_LT(eager_flushes(unused, 0, 1000), 9'900);
  EXPECT_LT(unused.reuse_rate(FlushChoice::Data, false), 0.05);
  EXPECT_EQ(unused.reuse_rate(FlushChoice::Data, true), 0.5) << "of the other privilege nothing is known";
  EXPECT_EQ(eager_flushes(cheap, 90, 20), 0);
}

TEST(FlushChoice, TheOthersDoNotChoose) {
  FlushChoice lazy(FlushPolicy::Lazy), eager(FlushPolicy::Eager);
  EXPECT_EQ(eager_flushes(lazy, 90, 1e6), 0);
  EXPECT_EQ(eager_flushes(eager, 0, 1), 10'000);
  EXPECT_FALSE(lazy.rewrites_pages());
  EXPECT_TRUE(eager.rewrites_pages());
}

}  // namespace
}  // namespace crosswalk::mmu::test
