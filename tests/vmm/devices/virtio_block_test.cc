// SPDX-License-Identifier: GPL-2.0-or-later
// The disk, with hand-made rings, well-formed and hostile.
#include <gtest/gtest.h>
#include <linux/virtio_blk.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/vmm/devices/virtio_harness.h"
#include "tests/vmm/sync_count.h"
#include "tests/vmm/test_files.h"
#include "vmm/base/statistics.h"
#include "vmm/devices/virtio_block.h"

namespace crosswalk::vmm {
namespace {

std::string disk_content(size_t bytes) {
  std::string content(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 7 + i / 512);
  return content;
}

class BlockTest : public testing::Test, public Harness {
 protected:
  void open(const std::string& content, bool read_only = false) {
    file_ = std::make_unique<TestFile>(content);
    auto device = VirtioBlock::open(file_->path(), read_only);
    ASSERT_TRUE(device) << device.error();
    attach(std::move(*device));
  }
  // A request of three descriptors; returns its status byte.
  uint8_t request(uint32_t type, uint64_t sector, uint32_t bytes, bool to_device) {
    store<uint32_t>(kBuffers, type);
    store<uint32_t>(kBuffers + 4, 0);
    store<uint64_t>(kBuffers + 8, sector);
    store<uint8_t>(kBuffers + 0x800, 0xee);
    descriptor(0, kBuffers, 16, 1, 1);
    descriptor(1, kBuffers + 0x1000, bytes, static_cast<uint16_t>(to_device ? 1 : 3), 2);
    descriptor(2, kBuffers + 0x800, 1, 2, 0);
    make_available(0);
    notify_and_run();
    return load<uint8_t>(kBuffers + 0x800);
  }
  std::unique_ptr<TestFile> file_;
};

TEST_F(BlockTest, IdentifiesItself) {
  open(disk_content(4096));
  EXPECT_EQ(get(0), 0x74726976u);
  EXPECT_EQ(get(4), 2u);
  EXPECT_EQ(get(8), 2u);
  EXPECT_EQ(get(0x34), 256u);
  EXPECT_EQ(get(0x100), 8u);  // capacity in sectors
  EXPECT_EQ(get(0x104), 0u);
  set(0x14, 1);
  EXPECT_EQ(get(0x10), 1u);  // VERSION_1
}

TEST_F(BlockTest, RestoredInTheMiddleOfUse) {
  const std::string content = disk_content(4096);
  open(content, true);
  start();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(request(VIRTIO_BLK_T_IN, 1, 512, false), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(line);
  const auto state = static_cast<VirtioBlock*>(slot().device())->save();
  auto again = VirtioBlock::open(file_->path(), true);
  ASSERT_TRUE(again) << again.error();
  (*again)->restore(state);
  replace(std::move(*again));
  EXPECT_TRUE(line);  // not acknowledged yet
  EXPECT_EQ(get(0x60), 1u);
  EXPECT_EQ(get(0x70), 15u);
  set(0x64, 1);
  EXPECT_FALSE(line);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(request(VIRTIO_BLK_T_IN, 3, 512, false), VIRTIO_BLK_S_OK);
  EXPECT_EQ(std::memcmp(ram().at(kBuffers + 0x1000), content.data() + 3 * 512, 512), 0);
  EXPECT_EQ(used_index(), 25u);
  EXPECT_TRUE(line);
}

// Whether a write must be stable when it completes was agreed before.
TEST_F(BlockTest, RestoredDiskWritesAsAgreed) {
  for (const bool flush : {false, true}) {
    open(disk_content(4096));
    start(1, 1u << 28 | (flush ? 1u << VIRTIO_BLK_F_FLUSH : 0));
    const auto state = static_cast<VirtioBlock*>(slot().device())->save();
    EXPECT_EQ(state.write_through, !flush);
    const VirtioMmio::State transport = slot().save();
    const std::string path = file_->path();
    attach(nullptr);  // closes the file
    auto again = VirtioBlock::open(path, false);
    ASSERT_TRUE(again) << again.error();
    (*again)->restore(state);
    attach(std::move(*again));
    slot().restore(transport);
    const unsigned before = sync_count();
    ASSERT_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, true), VIRTIO_BLK_S_OK);
    EXPECT_EQ(sync_count() - before, flush ? 0u : 1u);
    store<uint16_t>(kAvailable + 2, 0);  // the next driver's rings
    store<uint16_t>(kUsed + 2, 0);
  }
}

TEST_F(BlockTest, DriverWithoutVersion1IsRefused) {
  open(disk_content(4096));
  set(0x70, 3);
  set(0x70, 11);
  EXPECT_EQ(get(0x70), 3u);
}

TEST_F(BlockTest, ReadsAndReportsWhatItWrote) {
  const std::string content = disk_content(8192);
  open(content);
  start();
  set(0x50, 0);
  store<uint32_t>(kBuffers, VIRTIO_BLK_T_IN);
  store<uint64_t>(kBuffers + 8, 3);
  descriptor(0, kBuffers, 16, 1, 1);
  descriptor(1, kBuffers + 0x1000, 1024, 3, 2);
  descriptor(2, kBuffers + 0x800, 1, 2, 0);
  make_available(0);
  slot().do_work();
  ASSERT_EQ(completions.size(), 1u);
  EXPECT_EQ(used_index(), 0u);  // not before the CPU has dropped its translations
  EXPECT_FALSE(line);
  ASSERT_EQ(completions[0].ranges.size(), 2u);
  EXPECT_EQ(completions[0].ranges[0].pa, kBuffers + 0x1000);
  EXPECT_EQ(completions[0].ranges[0].bytes, 1024u);
  publish();
  EXPECT_EQ(used_index(), 1u);
  EXPECT_EQ(used_length(0), 1025u);
  EXPECT_TRUE(line);
  EXPECT_EQ(get(0x60), 1u);
  set(0x64, 1);
  EXPECT_FALSE(line);
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_OK);
  EXPECT_EQ(std::memcmp(ram().at(kBuffers + 0x1000), content.data() + 3 * 512, 1024), 0);
}

TEST_F(BlockTest, Writes) {
  open(disk_content(4096));
  start();
  std::memset(ram().at(kBuffers + 0x1000), 'W', 512);
  EXPECT_EQ(request(VIRTIO_BLK_T_OUT, 2, 512, true), VIRTIO_BLK_S_OK);
  EXPECT_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0, true), VIRTIO_BLK_S_OK);
  std::string expected = disk_content(4096);
  expected.replace(1024, 512, 512, 'W');
  EXPECT_EQ(file_->content(), expected);
}

// The device knows what was negotiated, and forgets it at a reset.
TEST_F(BlockTest, WritesAreStableUnlessFlushWasNegotiated) {
  open(disk_content(4096));
  for (const bool flush : {false, true, false}) {
    std::memset(ram().at(kRing), 0, 0x3000);
    start(1, 1u << 28 | uint32_t{flush} << VIRTIO_BLK_F_FLUSH);
    const unsigned before = sync_count();
    EXPECT_EQ(request(VIRTIO_BLK_T_OUT, 2, 512, true), VIRTIO_BLK_S_OK);
    EXPECT_EQ(sync_count() - before, flush ? 0u : 1u);
  }
  // A driver that is refused has negotiated nothing.
  std::memset(ram().at(kRing), 0, 0x3000);
  negotiate(1u << VIRTIO_BLK_F_FLUSH | 1u << 31);
  EXPECT_EQ(get(0x70), 3u);
  set_queue(0, kRing);
  set(0x70, 7);
  const unsigned before = sync_count();
  EXPECT_EQ(request(VIRTIO_BLK_T_OUT, 2, 512, true), VIRTIO_BLK_S_OK);
  EXPECT_EQ(sync_count() - before, 1u);
}

TEST_F(BlockTest, ReadOnlyDiskRefusesWrites) {
  open(disk_content(4096), true);
  EXPECT_TRUE(get(0x10) >> VIRTIO_BLK_F_RO & 1);
  start();
  EXPECT_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, true), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, true), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 0, 512, false), VIRTIO_BLK_S_OK);
  EXPECT_EQ(file_->content(), disk_content(4096));
}

TEST_F(BlockTest, RangesAreChecked) {
  open(disk_content(4096));
  start();
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 8, 512, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 7, 1024, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, ~uint64_t{0}, 512, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, uint64_t{1} << 55, 512, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 0, 100, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_OUT, 7, 1024, true), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(77, 0, 512, false), VIRTIO_BLK_S_UNSUPP);
  EXPECT_EQ(file_->content(), disk_content(4096));
}

TEST_F(BlockTest, OddSizedFileReadsZerosBehindItsEnd) {
  open(disk_content(1000));
  EXPECT_EQ(get(0x100), 2u);
  start();
  std::memset(ram().at(kBuffers + 0x1000), 0xff, 1024);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 0, 1024, false), VIRTIO_BLK_S_OK);
  std::string expected = disk_content(1000);
  expected.resize(1024, '\0');
  EXPECT_EQ(std::memcmp(ram().at(kBuffers + 0x1000), expected.data(), 1024), 0);
}

TEST_F(BlockTest, DiskThatShrinksGivesAnError) {
  open(disk_content(8192));
  start();
  ASSERT_EQ(truncate(file_->path().c_str(), 1024), 0);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 4, 512, false), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 1, 512, false), VIRTIO_BLK_S_OK);
}

TEST_F(BlockTest, GetIdDiscardAndWriteZeroes) {
  open(disk_content(16384));
  start();
  EXPECT_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 20, false), VIRTIO_BLK_S_OK);
  EXPECT_STREQ(reinterpret_cast<const char*>(ram().at(kBuffers + 0x1000)), "crosswalk-disk");
  store<uint64_t>(kBuffers + 0x1000, 8);
  store<uint32_t>(kBuffers + 0x1008, 8);
  store<uint32_t>(kBuffers + 0x100c, 1);
  EXPECT_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, true), VIRTIO_BLK_S_OK);
  std::string expected = disk_content(16384);
  expected.replace(4096, 4096, 4096, '\0');
  EXPECT_EQ(file_->content(), expected);
  store<uint32_t>(kBuffers + 0x100c, 0);
  EXPECT_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, true), VIRTIO_BLK_S_OK);
  store<uint64_t>(kBuffers + 0x1000, 31);
  EXPECT_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 16, true), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 15, true), VIRTIO_BLK_S_UNSUPP);
}

TEST_F(BlockTest, IndirectDescriptors) {
  open(disk_content(4096));
  start();
  const uint64_t table = kBuffers + 0x4000;
  store<uint32_t>(kBuffers, VIRTIO_BLK_T_IN);
  store<uint64_t>(kBuffers + 8, 1);
  descriptor(0, kBuffers, 16, 1, 1, table);
  descriptor(1, kBuffers + 0x1000, 512, 3, 2, table);
  descriptor(2, kBuffers + 0x800, 1, 2, 0, table);
  descriptor(5, table, 48, 4, 0);
  make_available(5);
  notify_and_run();
  EXPECT_EQ(used_index(), 1u);
  EXPECT_EQ(load<uint32_t>(kUsed + 4), 5u);
  EXPECT_EQ(std::memcmp(ram().at(kBuffers + 0x1000), disk_content(4096).data() + 512, 512), 0);
}

TEST_F(BlockTest, NoInterruptWhenTheDriverWantsNone) {
  open(disk_content(4096));
  start();
  store<uint16_t>(kAvailable, 1);
  EXPECT_EQ(request(VIRTIO_BLK_T_IN, 0, 512, false), VIRTIO_BLK_S_OK);
  EXPECT_EQ(used_index(), 1u);
  EXPECT_FALSE(line);
}

TEST_F(BlockTest, CompletionAfterResetIsDropped) {
  open(disk_content(4096));
  start();
  descriptor(0, kBuffers, 16, 1, 1);
  descriptor(1, kBuffers + 0x800, 1, 2, 0);
  make_available(0);
  set(0x50, 0);
  slot().do_work();
  ASSERT_EQ(completions.size(), 1u);
  set(0x70, 0);
  publish();
  EXPECT_EQ(used_index(), 0u);
  EXPECT_FALSE(line);
}

TEST_F(BlockTest, AnnouncesWhatItTakes) {
  open(disk_content(4096));
  EXPECT_TRUE(get(0x10) >> VIRTIO_BLK_F_SIZE_MAX & 1);
  EXPECT_TRUE(get(0x10) >> VIRTIO_BLK_F_SEG_MAX & 1);
  const uint64_t size_max = get(0x108), seg_max = get(0x10c);
  EXPECT_GE(size_max, 1u << 20);
  EXPECT_GE(seg_max, 128u);
  EXPECT_LE(size_max * seg_max, VirtioBlock::kMaxRequestBytes);
}

// Buffers may be named again and again: a small guest can ask for any amount.
TEST_F(BlockTest, RequestBeyondTheLimitIsAnErrorAtOnce) {
  const TestFile disk(std::vector<uint8_t>(512));
  ASSERT_EQ(truncate(disk.path().c_str(), off_t{4} << 30), 0);
  auto device = VirtioBlock::open(disk.path(), true);
  ASSERT_TRUE(device) << device.error();
  attach(std::move(*device));
  start();
  constexpr unsigned kBuffersInChain = 300;
  constexpr uint32_t kBytes = 8 << 20;
  const uint64_t table = kBuffers + 0x4000;
  store<uint32_t>(kBuffers, VIRTIO_BLK_T_IN);
  descriptor(0, kBuffers, 16, 1, 1, table);
  for (unsigned i = 1; i <= kBuffersInChain; ++i)
    descriptor(i, kBuffers + 0x100000, kBytes, 3, static_cast<uint16_t>(i + 1), table);
  descriptor(kBuffersInChain + 1, kBuffers + 0x800, 1, 2, 0, table);
  descriptor(5, table, (kBuffersInChain + 2) * 16, 4, 0);
  make_available(5);
  set(0x50, 0);
  slot().do_work();
  ASSERT_EQ(completions.size(), 1u);
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_IOERR);
  // The CPU is not told to look through gigabytes for translated code.
  uint64_t changed = 0;
  for (const Completion::Range& range : completions[0].ranges) changed += range.bytes;
  EXPECT_LE(changed, 2u << 20);
  EXPECT_EQ(completions[0].ranges.back().pa, kBuffers + 0x800);
  StatisticsTable table_of_statistics;
  slot().device()->add_statistics(table_of_statistics);
  for (const auto& row : table_of_statistics.rows()) {
    if (row.name == "bytes read") {
      EXPECT_EQ(std::get<uint64_t>(row.value), 0u);
    }
  }
}

// A request that takes several turns, as the transport gives them.
class BlockTurns : public BlockTest {
 protected:
  static constexpr uint32_t kBytes = (3 << 20) + 512;
  void prepare(uint32_t type) {
    content_ = disk_content(kBytes + 4096);
    open(content_);
    store<uint32_t>(kBuffers, type);
    store<uint64_t>(kBuffers + 8, 1);
    const bool out = type == VIRTIO_BLK_T_OUT;
    chain_ = {};
    chain_.readable = {{ram().at(kBuffers), kBuffers, 16}};
    // Cut at odd places.
    uint64_t at = kData;
    for (const uint32_t bytes : {uint32_t{1000}, uint32_t{(2 << 20) + 1}, uint32_t{kBytes - 1001 - (2 << 20)}}) {
      (out ? chain_.readable : chain_.writable).push_back({ram().at(at), at, bytes});
      at += bytes;
    }
    chain_.writable.push_back({ram().at(kBuffers + 0x800), kBuffers + 0x800, 1});
  }
  static constexpr uint64_t kData = kBuffers + 0x100000;
  Chain chain_;
  std::string content_;
};

TEST_F(BlockTurns, LongReadAndWriteTakeTurns) {
  prepare(VIRTIO_BLK_T_IN);
  unsigned turns = 1;
  Progress progress;
  for (; !(progress = slot().device()->process(0, chain_)).done; ++turns) ASSERT_LT(turns, 100u);
  EXPECT_GE(turns, 4u);
  EXPECT_EQ(progress.written, kBytes + 1);
  EXPECT_EQ(progress.changed, kBytes);
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_OK);
  EXPECT_EQ(std::memcmp(ram().at(kData), content_.data() + 512, kBytes), 0);

  prepare(VIRTIO_BLK_T_OUT);
  std::memset(ram().at(kData), 'W', kBytes);
  for (turns = 1; !slot().device()->process(0, chain_).done; ++turns) ASSERT_LT(turns, 100u);
  EXPECT_GE(turns, 4u);
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_OK);
  content_.replace(512, kBytes, kBytes, 'W');
  EXPECT_EQ(file_->content(), content_);
}

TEST_F(BlockTurns, HeaderIsNotReadAgain) {
  prepare(VIRTIO_BLK_T_IN);
  ASSERT_FALSE(slot().device()->process(0, chain_).done);
  store<uint32_t>(kBuffers, VIRTIO_BLK_T_OUT);
  store<uint64_t>(kBuffers + 8, ~uint64_t{0});
  while (!slot().device()->process(0, chain_).done) {
  }
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_OK);
  EXPECT_EQ(file_->content(), content_);
  EXPECT_EQ(std::memcmp(ram().at(kData), content_.data() + 512, kBytes), 0);
}

TEST_F(BlockTest, LongWriteZeroesTakesTurns) {
  const TestFile disk(std::vector<uint8_t>(4096, 'x'));
  ASSERT_EQ(truncate(disk.path().c_str(), off_t{2} << 30), 0);
  auto device = VirtioBlock::open(disk.path(), false);
  ASSERT_TRUE(device) << device.error();
  attach(std::move(*device));
  store<uint32_t>(kBuffers, VIRTIO_BLK_T_WRITE_ZEROES);
  store<uint64_t>(kBuffers + 0x1000, 0);
  store<uint32_t>(kBuffers + 0x1008, (1u << 30) / 512);
  store<uint32_t>(kBuffers + 0x100c, 1);  // unmap
  Chain chain;
  chain.readable = {{ram().at(kBuffers), kBuffers, 16}, {ram().at(kBuffers + 0x1000), kBuffers + 0x1000, 16}};
  chain.writable = {{ram().at(kBuffers + 0x800), kBuffers + 0x800, 1}};
  unsigned turns = 1;
  for (; !slot().device()->process(0, chain).done; ++turns) ASSERT_LT(turns, 10'000u);
  EXPECT_GE(turns, 4u);
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_OK);
  std::ifstream file(disk.path(), std::ios::binary);
  std::string start(4096, 'x');
  file.read(start.data(), 4096);
  EXPECT_EQ(start, std::string(4096, '\0'));
}

// A driver that gives away what it has not got back would make completions wait without a limit.
TEST_F(BlockTest, MoreInProgressThanTheQueueHolds) {
  open(disk_content(4096));
  start();
  descriptor(0, kBuffers, 16, 1, 1);
  descriptor(1, kBuffers + 0x800, 1, 2, 0);
  for (unsigned i = 0; i < kQueueSize; ++i) make_available(0);
  set(0x50, 0);
  slot().do_work();
  ASSERT_EQ(completions.size(), kQueueSize);
  EXPECT_FALSE(needs_reset());
  make_available(0);
  set(0x50, 0);
  slot().do_work();
  EXPECT_EQ(completions.size(), kQueueSize);
  EXPECT_TRUE(needs_reset());
}

// Each breaks one rule; all must end in DEVICE_NEEDS_RESET with a configuration interrupt, and a
// reset must heal it.
TEST_F(BlockTest, HostileChains) {
  open(disk_content(4096));
  for (const BadChain& bad : bad_chains()) {
    SCOPED_TRACE(bad.what);
    std::memset(ram().at(kRing), 0, 0x3000);
    start();
    descriptor(0, bad.address, bad.bytes, bad.flags, bad.next);
    make_available(bad.head);
    notify_and_run();
    EXPECT_TRUE(needs_reset());
    EXPECT_EQ(get(0x60) & 2, 2u);
    EXPECT_TRUE(line);
    EXPECT_EQ(used_index(), 0u);
    std::memset(ram().at(kRing), 0, 0x3000);
    start();
    EXPECT_EQ(request(VIRTIO_BLK_T_IN, 0, 512, false), VIRTIO_BLK_S_OK);
  }
}

TEST_F(BlockTest, ReadableAfterWritableAndRunawayIndex) {
  open(disk_content(4096));
  start();
  descriptor(0, kBuffers, 16, 3, 1);
  descriptor(1, kBuffers, 16, 0, 0);
  make_available(0);
  notify_and_run();
  EXPECT_TRUE(needs_reset());
  std::memset(ram().at(kRing), 0, 0x3000);
  start();
  store<uint16_t>(kAvailable + 2, kQueueSize + 1);
  notify_and_run();
  EXPECT_TRUE(needs_reset());
}

TEST_F(BlockTest, BadQueueSetUp) {
  open(disk_content(4096));
  const struct {
    uint64_t ring;
    uint32_t size;
  } cases[] = {{0x1000, 16},           {kRing + 8, 16}, {ram().base + ram().size - 0x2000, 16},
               {~uint64_t{0xfff}, 16}, {kRing, 0},      {kRing, 3},
               {kRing, 512},           {kRing, 0x10010}};
  for (const auto& bad : cases) {
    SCOPED_TRACE(testing::Message() << std::hex << bad.ring << " " << bad.size);
    negotiate();
    set_queue(0, bad.ring, bad.size);
    EXPECT_TRUE(needs_reset());
    EXPECT_EQ(get(0x44), 0u);
    notify_and_run();
  }
  negotiate();
  set_queue(99, kRing);
  EXPECT_FALSE(needs_reset());
  set(0x50, 99);
}

TEST_F(BlockTest, RequestsWithMissingParts) {
  open(disk_content(4096));
  start();
  descriptor(0, kBuffers, 8, 0, 0);  // short header, no status
  make_available(0);
  notify_and_run();
  EXPECT_EQ(used_index(), 1u);
  EXPECT_EQ(used_length(0), 0u);
  descriptor(1, kBuffers + 0x800, 1, 2, 0);  // a status byte alone
  store<uint8_t>(kBuffers + 0x800, 0xee);
  make_available(1);
  notify_and_run();
  EXPECT_EQ(load<uint8_t>(kBuffers + 0x800), VIRTIO_BLK_S_IOERR);
  EXPECT_FALSE(needs_reset());
}

// Random rings and registers: survival, and that both outcomes (served, needs reset) really occur.
TEST_F(BlockTest, RandomRings) {
  open(disk_content(64 << 10));
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const auto pick = [&](uint64_t n) { return random() % n; };
  unsigned resets = 0, used = 0;
  for (int round = 0; round < 3000; ++round) {
    std::memset(ram().at(kRing), 0, 0x3000);
    start();
    const uint64_t table = kBuffers + 0x8000;
    for (unsigned i = 0; i < kQueueSize * 2; ++i) {
      const uint64_t base = i < kQueueSize ? kRing : table;
      uint64_t address = kBuffers + pick(0x8000);
      if (pick(8) == 0) address = random();
      if (pick(16) == 0) address = ram().base + ram().size - pick(64);
      if (pick(8) == 0) address = table;
      const uint32_t bytes =
          pick(16) == 0 ? static_cast<uint32_t>(random()) : static_cast<uint32_t>(pick(5) * 16 + pick(4) * 512);
      const auto flags = static_cast<uint16_t>(pick(4) == 0 ? pick(8) : pick(4));
      descriptor(i % kQueueSize, address, bytes, flags, static_cast<uint16_t>(pick(kQueueSize + 1)), base);
    }
    for (unsigned i = 0; i < 0x8000; i += 512) {
      store<uint32_t>(kBuffers + i, static_cast<uint32_t>(pick(16)));
      store<uint64_t>(kBuffers + i + 8, pick(140));
    }
    const unsigned count = static_cast<unsigned>(pick(kQueueSize + 2));
    for (unsigned i = 0; i < count; ++i) make_available(static_cast<uint16_t>(pick(kQueueSize + 1)));
    if (pick(20) == 0) store<uint16_t>(kAvailable + 2, static_cast<uint16_t>(random()));
    notify_and_run();
    resets += needs_reset();
    used += used_index();
    for (int i = 0; i < 4; ++i) set(static_cast<uint32_t>(pick(0x80) * 4), static_cast<uint32_t>(random()));
    if (pick(2)) notify_and_run();
  }
  EXPECT_GT(resets, 100u);
  EXPECT_GT(used, 100u);
}

TEST(VirtioBlockOpen, ErrorsSayWhatToDo) {
  EXPECT_NE(VirtioBlock::open("/nonexistent/disk", false).error().find("--disk"), std::string::npos);
  EXPECT_NE(VirtioBlock::open("/dev/null", true).error().find("neither"), std::string::npos);
  const TestFile empty({});
  EXPECT_NE(VirtioBlock::open(empty.path(), false).error().find("empty"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
