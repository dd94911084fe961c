// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/policy/tlb_size.h"

#include <gtest/gtest.h>

namespace crosswalk::mmu::test {
namespace {

constexpr SoftTlbSizes kSizes{.least = 256, .most = 1024};

TEST(TlbSize, GrowsWhereAsManyCameBackAsItHas) {
  TlbSize size(kSizes);
  for (int i = 0; i < 255; i++) size.note_return(true);
  size.note_return(false);
  EXPECT_FALSE(size.is_crowded());
  size.note_return(true);
  EXPECT_TRUE(size.is_crowded());
  EXPECT_EQ(size.when_crowded(256, 64), 512u);
}

// Two pages in one place would be so in a larger one too.
TEST(TlbSize, GrowsForNoFewPages) {
  TlbSize size(kSizes);
  for (int i = 0; i < 256; i++) size.note_return(true);
  EXPECT_EQ(size.when_crowded(256, 63), 256u);
  EXPECT_FALSE(size.is_crowded());
}

TEST(TlbSize, WhatCameBackBeforeAFlushCountsHalf) {
  TlbSize size(kSizes);
  for (int i = 0; i < 255; i++) size.note_return(true);
  EXPECT_EQ(size.when_flushed(256, 256), 256u);
  for (int i = 0; i < 128; i++) size.note_return(true);
  EXPECT_FALSE(size.is_crowded());
  size.note_return(true);
  EXPECT_TRUE(size.is_crowded());
}

TEST(TlbSize, HasALimit) {
  TlbSize size(kSizes);
  size.changed(1024, 1024);
  for (int i = 0; i < 5000; i++) size.note_return(true);
  EXPECT_FALSE(size.is_crowded());
  TlbSize fixed({.least = 512, .most = 512});
  for (int i = 0; i < 5000; i++) fixed.note_return(true);
  EXPECT_FALSE(fixed.is_crowded());
}

TEST(TlbSize, ShrinksWhereManyFlushesFoundFewEntries) {
  TlbSize size(kSizes);
  size.changed(1024, 0);
  for (int i = 0; i < 63; i++) EXPECT_EQ(size.when_flushed(1024, 100), 1024u);
  EXPECT_EQ(size.when_flushed(1024, 10), 512u);
  size.changed(1024, 0);
  for (int i = 0; i < 63; i++) EXPECT_EQ(size.when_flushed(1024, 1), 1024u);
  EXPECT_EQ(size.when_flushed(1024, 1), 256u);
}

TEST(TlbSize, StaysWhereOneFlushFoundMany) {
  TlbSize size(kSizes);
  size.changed(1024, 0);
  for (int i = 0; i < 64; i++) EXPECT_EQ(size.when_flushed(1024, i == 7 ? 128 : 1), 1024u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
