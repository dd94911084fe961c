// SPDX-License-Identifier: GPL-2.0-or-later
// The flush log and page ids, used by several threads at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include "mmu-shadow/base/running_cpus.h"
#include "mmu-shadow/spaces/flush_log.h"
#include "mmu-shadow/spaces/page_ids.h"

namespace crosswalk::mmu::test {
namespace {

// A reader that falls behind more than the log holds now and then. It gets each broadcast operation
// of each CPU, in order, or is told that some are forgotten.
TEST(FlushLog, ManyWritersAndASlowReader) {
  using Records = FlushRecords<uint32_t, uint8_t>;
  using Log = FlushLog<uint32_t, uint8_t>;
  constexpr uint8_t kWriters = 3, kReader = 7;
  constexpr uint32_t kOperations = 3000;
  Records records;
  RunningCpus cpus;
  cpus.add();
  cpus.add();
  std::atomic<unsigned> writing{kWriters};
  std::latch all_here(kWriters + 1);
  std::vector<std::thread> threads;
  for (uint8_t writer = 0; writer < kWriters; writer++)
    threads.emplace_back([&, writer] {
      Log log(records, cpus, writer);
      all_here.arrive_and_wait();
      for (uint32_t n = 0; n < kOperations; n++) {
        log.add({.kind = Log::Record::PageOfAllAsids, .asid = 0, .va = n << 8 | writer, .broadcast = true});
        log.add({.kind = Log::Record::PageOfAllAsids, .asid = 0, .va = UINT32_MAX, .broadcast = false});
        if (n % 16 == 0) std::this_thread::yield();
      }
      writing--;
    });
  const Log log(records, cpus, kReader);
  uint64_t position = 0;
  uint32_t next[kWriters] = {}, forgotten = 0;
  const auto apply = [&] {
    log.apply(
        position, [](uint8_t) { return false; },
        [&](bool nonglobal_only) {
          EXPECT_FALSE(nonglobal_only);
          forgotten++;
          std::fill_n(next, kWriters, UINT32_MAX);
        },
        [&](uint32_t va, bool) {
          const uint32_t writer = va & 0xff;
          ASSERT_LT(writer, kWriters) << "another CPU's own operation";
          if (next[writer] != UINT32_MAX) {
            EXPECT_EQ(va >> 8, next[writer]);
          }
          next[writer] = (va >> 8) + 1;
        });
  };
  all_here.arrive_and_wait();
  while (writing != 0) {
    apply();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  apply();
  EXPECT_EQ(position, records.end());
  EXPECT_EQ(position, uint64_t{2} * kWriters * kOperations);
  // It falls behind for certain.
  Log writer(records, cpus, 0);
  for (uint32_t n = 0; n <= Records::kSize; n++)
    writer.add({.kind = Log::Record::PageOfAllAsids, .asid = 0, .va = 0, .broadcast = true});
  const uint32_t before = forgotten;
  apply();
  EXPECT_EQ(forgotten, before + 1);
}

TEST(PageIds, AreTheSameForAllCpus) {
  using Ids = PageIdsOf<uint32_t>;
  constexpr unsigned kCpus = 4;
  constexpr uint32_t kTriples = 6000;  // more than the table has room for at first
  const auto triple = [](uint32_t n) { return Ids::Record{n / 3, n / 2, n % 5}; };
  Ids ids(kTriples);
  std::vector<uint32_t> found[kCpus];
  std::latch all_here(kCpus);
  std::vector<std::thread> threads;
  for (unsigned cpu = 0; cpu < kCpus; cpu++)
    threads.emplace_back([&, cpu] {
      found[cpu].resize(kTriples);
      all_here.arrive_and_wait();
      for (uint32_t n = 0; n < kTriples; n++) {
        const uint32_t which = cpu % 2 ? kTriples - 1 - n : n, id = ids.intern(triple(which));
        found[cpu][which] = id;
        EXPECT_EQ(ids.record(id), triple(which));
        ids.add_translation(id, 1);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (unsigned cpu = 1; cpu < kCpus; cpu++) EXPECT_EQ(found[cpu], found[0]);
  EXPECT_EQ(ids.count(), kTriples);
  EXPECT_TRUE(ids.full());
  std::ranges::sort(found[0]);
  EXPECT_EQ(std::ranges::adjacent_find(found[0]), found[0].end());
}

}  // namespace
}  // namespace crosswalk::mmu::test
