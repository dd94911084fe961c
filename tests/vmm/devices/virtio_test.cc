// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-mmio with hand-made rings, well-formed and hostile.
#include <gtest/gtest.h>
#include <linux/virtio_blk.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <thread>

#include "tests/vmm/sync_count.h"
#include "tests/vmm/test_files.h"
#include "vmm/base/statistics.h"
#include "vmm/devices/virtio_block.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/devices/virtio_rng.h"
#include "vmm/machine/io/io_thread.h"
#include "vmm/machine/loader/guest_memory.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kRing = kRamBase;  // descriptors, available, used
constexpr uint64_t kAvailable = kRing + 0x1000;
constexpr uint64_t kUsed = kRing + 0x2000;
constexpr uint64_t kBuffers = kRing + 0x10000;
constexpr uint16_t kQueueSize = 16;
constexpr unsigned kInterrupt = 48;

class TempFile {
 public:
  explicit TempFile(const std::string& content) {
    const int fd = mkstemp(path_);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    close(fd);
  }
  ~TempFile() { unlink(path_); }
  std::string path() const { return path_; }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  char path_[32] = "/tmp/crosswalk-test-XXXXXX";
};

std::string disk_content(size_t bytes) {
  std::string content(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 7 + i / 512);
  return content;
}

// The machine's part, single-threaded: completions are published when asked.
class Harness : public InterruptSink, public IoNotifier, public CompletionSink {
 public:
  Harness() : memory_(take(GuestMemory::allocate(kMinMemory, false))) {}

  void attach(std::unique_ptr<VirtioDevice> device) {
    const VirtioContext context{lock_, memory_.ram(), *this, *this, *this};
    slot_ = std::make_unique<VirtioMmio>(context, kInterrupt, std::move(device));
  }
  // Goes on with a new transport and `device` in the state of the one before, as after a restart of
  // the process.
  void replace(std::unique_ptr<VirtioDevice> device) {
    std::unique_lock guard(lock_);
    const VirtioMmio::State state = slot_->save();
    guard.unlock();
    attach(std::move(device));
    guard.lock();
    line = false;
    slot_->restore(state);
  }
  void set_interrupt(unsigned interrupt, bool level) override {
    EXPECT_EQ(interrupt, kInterrupt);
    line = level;
  }
  void notify(bool) override {}
  void post(Completion&& completion) override { completions.push_back(std::move(completion)); }

  uint32_t get(uint32_t offset) {
    const std::lock_guard guard(lock_);
    return slot_->read(0, offset, 4);
  }
  void set(uint32_t offset, uint32_t value) {
    const std::lock_guard guard(lock_);
    slot_->write(0, offset, 4, value);
  }
  // Up to FEATURES_OK. `features`: of the first 32.
  void negotiate(uint32_t features = 1u << 28) {
    set(0x70, 0);
    set(0x70, 1);
    set(0x70, 3);
    set(0x24, 1);
    set(0x20, 1);  // VIRTIO_F_VERSION_1
    set(0x24, 0);
    set(0x20, features);
    set(0x70, 11);
  }
  void set_queue(unsigned index, uint64_t ring, uint32_t size = kQueueSize) {
    set(0x30, index);
    set(0x38, size);
    set(0x80, static_cast<uint32_t>(ring));
    set(0x84, static_cast<uint32_t>(ring >> 32));
    set(0x90, static_cast<uint32_t>(ring + 0x1000));
    set(0x94, static_cast<uint32_t>((ring + 0x1000) >> 32));
    set(0xa0, static_cast<uint32_t>(ring + 0x2000));
    set(0xa4, static_cast<uint32_t>((ring + 0x2000) >> 32));
    set(0x44, 1);
  }
  void start(unsigned queues = 1, uint32_t features = 1u << 28) {
    negotiate(features);
    EXPECT_EQ(get(0x70), 11u);
    for (unsigned i = 0; i < queues; ++i) set_queue(i, kRing + i * 0x4000);
    set(0x70, 15);
  }
  template <class T>
  T load(uint64_t pa) const {
    T value;
    std::memcpy(&value, memory_.ram().at(pa), sizeof value);
    return value;
  }
  template <class T>
  void store(uint64_t pa, T value) {
    std::memcpy(memory_.ram().at(pa), &value, sizeof value);
  }
  void descriptor(unsigned index, uint64_t address, uint32_t bytes, uint16_t flags, uint16_t next,
                  uint64_t table = kRing) {
    const uint64_t at = table + index * 16;
    store<uint64_t>(at, address);
    store<uint32_t>(at + 8, bytes);
    store<uint16_t>(at + 12, flags);
    store<uint16_t>(at + 14, next);
  }
  void make_available(uint16_t head, unsigned queue = 0) {
    const uint64_t ring = kAvailable + queue * 0x4000;
    const auto index = load<uint16_t>(ring + 2);
    store<uint16_t>(ring + 4 + 2 * (index % kQueueSize), head);
    store<uint16_t>(ring + 2, static_cast<uint16_t>(index + 1));
  }
  void publish() {
    for (const Completion& completion : completions) {
      const std::lock_guard guard(lock_);
      slot_->publish(completion);
    }
    completions.clear();
  }
  void notify_and_run(unsigned queue = 0) {
    set(0x50, queue);
    do slot_->do_work();
    while (slot_->has_work());
    publish();
  }
  uint16_t used_index(unsigned queue = 0) const { return load<uint16_t>(kUsed + queue * 0x4000 + 2); }
  uint32_t used_length(unsigned element, unsigned queue = 0) const {
    return load<uint32_t>(kUsed + queue * 0x4000 + 8 + element % kQueueSize * 8);
  }
  bool needs_reset() { return get(0x70) & 0x40; }
  const GuestRam& ram() const { return memory_.ram(); }
  VirtioMmio& slot() { return *slot_; }

  bool line = false;
  std::vector<Completion> completions;

 private:
  static GuestMemory take(Result<GuestMemory> result) {
    if (!result) throw std::runtime_error(result.error());
    return std::move(*result);
  }
  std::mutex lock_;
  GuestMemory memory_;
  std::unique_ptr<VirtioMmio> slot_;
};

class BlockTest : public testing::Test, public Harness {
 protected:
  void open(const std::string& content, bool read_only = false) {
    file_ = std::make_unique<TempFile>(content);
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
  std::unique_ptr<TempFile> file_;
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

// A device that does what a test says in each turn.
class ScriptedDevice final : public VirtioDevice {
 public:
  explicit ScriptedDevice(std::function<Progress(Chain&)> turn) : turn_(std::move(turn)) {}
  uint32_t device_id() const override { return 42; }
  unsigned queue_count() const override { return 1; }
  Progress process(unsigned, Chain& chain) override {
    ++turns;
    return turn_(chain);
  }
  std::atomic<unsigned> turns{0};

 private:
  std::function<Progress(Chain&)> turn_;
};

class TurnsTest : public testing::Test, public Harness {
 protected:
  ScriptedDevice& use(std::function<Progress(Chain&)> turn) {
    auto device = std::make_unique<ScriptedDevice>(std::move(turn));
    ScriptedDevice& result = *device;
    attach(std::move(device));
    start();
    descriptor(0, kBuffers, 16, 2, 0);
    make_available(0);
    set(0x50, 0);
    return result;
  }
};

TEST_F(TurnsTest, ARoundIsBoundedWhateverTheGuestMakesAvailable) {
  // A driver gets each buffer back and gives it away again at once.
  const ScriptedDevice& device = use([this](Chain&) {
    publish();
    make_available(0);
    return Progress::filled(16);
  });
  slot().do_work();
  EXPECT_TRUE(slot().has_work());
  const unsigned first = device.turns;
  EXPECT_GE(first, 1u);
  EXPECT_LE(first, 1000u);
  slot().do_work();
  EXPECT_GT(device.turns, first);
}

TEST_F(TurnsTest, ARoundOfALongRequestIsBounded) {
  const ScriptedDevice& device = use([](Chain& chain) {
    ++chain.position;
    return Progress::more();
  });
  slot().do_work();
  EXPECT_TRUE(slot().has_work());
  EXPECT_LE(device.turns, 1000u);
}

TEST_F(TurnsTest, ResetAndAStoppedQueueGiveALongRequestUp) {
  std::vector<uint64_t> positions;
  use([&](Chain& chain) {
    positions.push_back(chain.position++);
    return Progress::more();
  });
  for (const bool reset : {true, false}) {
    SCOPED_TRACE(reset ? "reset" : "QueueReady");
    slot().do_work();
    ASSERT_GT(positions.size(), 1u);
    EXPECT_EQ(positions[0], 0u);
    positions.clear();
    std::memset(ram().at(kAvailable), 0, 0x1000);
    if (reset) {
      start();  // begins with a reset
    } else {
      set(0x30, 0);
      set(0x44, 0);
      set_queue(0, kRing);
    }
    set(0x50, 0);
    slot().do_work();
    EXPECT_TRUE(positions.empty());
    make_available(0);
    set(0x50, 0);
  }
}

TEST_F(TurnsTest, AResetWaitsForATurnButNotForeverWhenTheMachineStops) {
  std::promise<void> release;
  std::atomic<bool> inside{false};
  use([&](Chain&) {
    inside = true;
    release.get_future().wait();
    return Progress::filled(16);
  });
  std::thread io([this] { slot().do_work(); });
  while (!inside) std::this_thread::yield();
  std::atomic<bool> was_reset{false};
  std::thread cpu([&] {
    set(0x70, 0);
    was_reset = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(was_reset);
  slot().stop();
  cpu.join();
  EXPECT_TRUE(was_reset);
  release.set_value();
  io.join();
  EXPECT_TRUE(completions.empty());
}

// What is printed meanwhile does not wait for the system call that does not end.
TEST_F(TurnsTest, AnIoThreadInASlowSystemCallIsNotWaitedFor) {
  std::promise<void> release;
  std::atomic<bool> inside{false};
  use([&](Chain&) {
    inside = true;
    release.get_future().wait();
    return Progress::filled(16);
  });
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::mutex device_lock;
  Console console(-1, ends[1], false);
  ConsoleWork work(console, device_lock, [] {});
  work.add(slot());
  IoThread io("io", work);
  work.attach(io.loop());
  ASSERT_TRUE(io.loop().open());
  io.start();
  while (!inside) std::this_thread::yield();
  for (const char c : std::string("late")) console.output.put(static_cast<uint8_t>(c));
  EXPECT_FALSE(io.finish(std::chrono::milliseconds(50)));
  console.output.write_rest(1000);
  char text[8] = {};
  EXPECT_EQ(read(ends[0], text, sizeof text), 4);
  EXPECT_STREQ(text, "late");
  release.set_value();
  EXPECT_TRUE(io.finish(std::chrono::seconds(10)));
  io.join();
  close(ends[0]);
  close(ends[1]);
}

TEST_F(TurnsTest, ADiskInASlowSystemCallDoesNotKeepTheConsole) {
  std::promise<void> release;
  std::atomic<bool> inside{false};
  use([&](Chain&) {
    inside = true;
    release.get_future().wait();
    return Progress::filled(16);
  });
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::mutex device_lock;
  Console console(-1, ends[1], false);
  TransportWork disk;
  disk.attach(slot());
  IoThreads io(console, device_lock, [] {});
  console.output.set_notifier(&io.console());
  io.add_disk(disk);
  ASSERT_TRUE(io.open());
  io.start(nullptr);
  while (!inside) std::this_thread::yield();
  for (const char c : std::string("meanwhile")) console.output.put(static_cast<uint8_t>(c));
  std::string text;
  while (text.size() < 9) {
    char byte;
    ASSERT_EQ(read(ends[0], &byte, 1), 1);
    text.push_back(byte);
  }
  EXPECT_EQ(text, "meanwhile");
  EXPECT_FALSE(io.finish(std::chrono::milliseconds(50)));
  release.set_value();
  EXPECT_TRUE(io.finish(std::chrono::seconds(10)));
  io.join();
  close(ends[0]);
  close(ends[1]);
}

TEST_F(TurnsTest, ARestoredTransportGoesOnWithARequestWhereItWas) {
  std::vector<uint64_t> positions;
  const auto turn = [&](Chain& chain) {
    positions.push_back(chain.position++);
    std::this_thread::sleep_for(std::chrono::milliseconds(6));  // longer than a round
    return chain.position < 5 ? Progress::more() : Progress::filled(16);
  };
  use(turn);
  slot().do_work();
  slot().do_work();
  ASSERT_EQ(positions, (std::vector<uint64_t>{0, 1}));
  replace(std::make_unique<ScriptedDevice>(turn));
  slot().do_work();
  // Once more, before and after it was taken from the queue again.
  replace(std::make_unique<ScriptedDevice>(turn));
  replace(std::make_unique<ScriptedDevice>(turn));
  for (int round = 0; round < 100 && slot().has_work(); ++round) slot().do_work();
  EXPECT_EQ(positions, (std::vector<uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(used_index(), 0u);
  publish();
  EXPECT_EQ(used_index(), 1u);
  EXPECT_TRUE(line);
  // The next one begins at the beginning.
  positions.clear();
  make_available(0);
  set(0x50, 0);
  slot().do_work();
  EXPECT_EQ(positions.at(0), 0u);
}

// A state from elsewhere may name rings that this machine does not have.
TEST_F(TurnsTest, ARestoredQueueOutsideRamIsNotReady) {
  const ScriptedDevice& device = use([](Chain&) { return Progress::filled(16); });
  VirtioMmio::State state = slot().save();
  state.queues[0].used = 0xffff'fff0;
  slot().restore(state);
  EXPECT_EQ(get(0x44), 0u);
  slot().do_work();
  EXPECT_EQ(device.turns, 0u);
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
  const uint64_t end = ram().base + ram().size;
  const struct {
    const char* what;
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next, head;
  } cases[] = {
      {"below RAM", 0x1000, 16, 0, 0, 0},
      {"across the end of RAM", end - 8, 16, 0, 0, 0},
      {"wrapping address", ~uint64_t{0} - 4, 16, 0, 0, 0},
      {"huge length", kBuffers, 0xffffffff, 0, 0, 0},
      {"device address", 0x09000000, 16, 0, 0, 0},
      {"loop", kBuffers, 16, 1, 0, 0},
      {"next outside the table", kBuffers, 16, 1, kQueueSize, 0},
      {"head outside the table", kBuffers, 16, 0, 0, kQueueSize},
      {"indirect table outside RAM", end - 16, 64, 4, 0, 0},
      {"indirect table of odd size", kBuffers, 40, 4, 0, 0},
      {"empty indirect table", kBuffers, 0, 4, 0, 0},
      {"indirect with next", kBuffers, 16, 5, 1, 0},
      {"nested indirect", kRing, 16, 4, 0, 0},
  };
  for (const auto& bad : cases) {
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

TEST(VirtioSlot, EmptySlotHasDeviceIdZero) {
  Harness harness;
  harness.attach(nullptr);
  EXPECT_EQ(harness.get(0), 0x74726976u);
  EXPECT_EQ(harness.get(8), 0u);
  harness.set(0x70, 15);
  harness.set(0x50, 0);
  EXPECT_EQ(harness.get(0x70), 0u);
  harness.slot().do_work();
}

TEST(VirtioRng, FillsTheBuffer) {
  Harness harness;
  harness.attach(std::make_unique<VirtioRng>());
  EXPECT_EQ(harness.get(8), 4u);
  harness.start();
  harness.descriptor(0, kBuffers, 256, 2, 0);
  harness.make_available(0);
  harness.notify_and_run();
  EXPECT_EQ(harness.used_length(0), 256u);
  unsigned zeros = 0;
  for (unsigned i = 0; i < 256; ++i) zeros += harness.load<uint8_t>(kBuffers + i) == 0;
  EXPECT_LT(zeros, 32u);
}

TEST(VirtioConsole, PrintsAndReceives) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ConsoleOutput console(ends[1]);
  Harness harness;
  auto device = std::make_unique<VirtioConsole>(console);
  VirtioConsole* raw = device.get();
  harness.attach(std::move(device));
  raw->set_transport(&harness.slot());
  EXPECT_EQ(harness.get(8), 3u);
  harness.start(2);
  std::memcpy(harness.ram().at(kBuffers), "hvc0\n", 5);
  harness.descriptor(0, kBuffers, 5, 0, 0, kRing + 0x4000);
  harness.make_available(0, 1);
  harness.notify_and_run(1);
  ASSERT_TRUE(console.write_output());
  char text[8] = {};
  ASSERT_EQ(read(ends[0], text, sizeof text), 5);
  EXPECT_STREQ(text, "hvc0\n");
  // A receive buffer waits until there is input, and what does not fit waits for the next one.
  harness.descriptor(0, kBuffers, 4, 2, 0);
  harness.make_available(0);
  harness.notify_and_run(0);
  EXPECT_EQ(harness.used_index(0), 0u);
  raw->input(reinterpret_cast<const uint8_t*>("abcdef"), 6);
  harness.slot().do_work();
  harness.publish();
  EXPECT_EQ(harness.used_index(0), 1u);
  EXPECT_EQ(harness.used_length(0, 0), 4u);
  EXPECT_EQ(std::memcmp(harness.ram().at(kBuffers), "abcd", 4), 0);
  harness.make_available(0);
  harness.notify_and_run(0);
  EXPECT_EQ(harness.used_length(1, 0), 2u);
  close(ends[0]);
  close(ends[1]);
}

// Again and again in the middle of a long buffer: each byte is printed once, and input that waits
// is still there.
TEST(VirtioConsole, RestoredInTheMiddleOfUse) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ConsoleOutput console(ends[1]);
  Harness harness;
  auto device = std::make_unique<VirtioConsole>(console);
  VirtioConsole* raw = device.get();
  harness.attach(std::move(device));
  raw->set_transport(&harness.slot());
  harness.start(2);
  raw->input(reinterpret_cast<const uint8_t*>("typed"), 5);
  constexpr uint32_t kBytes = 512 << 10;
  std::string sent(kBytes, '\0'), got;
  for (uint32_t i = 0; i < kBytes; ++i) sent[i] = static_cast<char>('a' + i / 1000 % 26);
  std::memcpy(harness.ram().at(kBuffers), sent.data(), kBytes);
  harness.descriptor(0, kBuffers, kBytes, 0, 0, kRing + 0x4000);
  harness.make_available(0, 1);
  harness.set(0x50, 1);
  for (int round = 0; round < 10'000 && got.size() < kBytes; ++round) {
    if (round % 16 == 7) {
      auto next = std::make_unique<VirtioConsole>(console);
      next->restore(raw->save());
      raw = next.get();
      harness.replace(std::move(next));
      raw->set_transport(&harness.slot());
    }
    if (harness.slot().has_work()) harness.slot().do_work();
    if (console.has_output()) {
      ASSERT_TRUE(console.write_output());
    }
    raw->output_drained();
    char text[4096];
    const ssize_t count = read(ends[0], text, sizeof text);
    ASSERT_GT(count, 0);
    got.append(text, static_cast<size_t>(count));
  }
  EXPECT_EQ(got, sent);
  while (harness.slot().has_work()) harness.slot().do_work();
  harness.publish();
  EXPECT_EQ(harness.used_index(1), 1u);
  harness.descriptor(0, kBuffers, 8, 2, 0);
  harness.make_available(0);
  harness.notify_and_run(0);
  EXPECT_EQ(harness.used_length(0, 0), 5u);
  EXPECT_EQ(std::memcmp(harness.ram().at(kBuffers), "typed", 5), 0);
  close(ends[0]);
  close(ends[1]);
}

TEST(VirtioConsole, LongBuffersArePrintedAsAWhole) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ConsoleOutput console(ends[1]);
  Harness harness;
  auto device = std::make_unique<VirtioConsole>(console);
  VirtioConsole* raw = device.get();
  harness.attach(std::move(device));
  raw->set_transport(&harness.slot());
  harness.start(2);
  constexpr uint32_t kBytes = 3 << 20;
  std::memset(harness.ram().at(kBuffers), 'x', kBytes);
  harness.descriptor(0, kBuffers, kBytes, 0, 0, kRing + 0x4000);
  harness.make_available(0, 1);
  harness.set(0x50, 1);
  size_t got = 0;
  for (int round = 0; round < 10'000 && got < kBytes; ++round) {
    if (harness.slot().has_work()) harness.slot().do_work();
    ASSERT_LT(console.bytes(), kBytes + 1);
    EXPECT_TRUE(console.has_io_room() || console.has_output());
    if (!console.has_output()) break;
    ASSERT_TRUE(console.write_output());
    raw->output_drained();
    char text[4096];
    const ssize_t count = read(ends[0], text, sizeof text);
    ASSERT_GT(count, 0);
    got += static_cast<size_t>(count);
  }
  EXPECT_EQ(got, kBytes);
  harness.publish();
  EXPECT_EQ(harness.used_index(1), 1u);
  close(ends[0]);
  close(ends[1]);
}

TEST(VirtioBlockOpen, ErrorsSayWhatToDo) {
  EXPECT_NE(VirtioBlock::open("/nonexistent/disk", false).error().find("--disk"), std::string::npos);
  EXPECT_NE(VirtioBlock::open("/dev/null", true).error().find("neither"), std::string::npos);
  const TempFile empty("");
  EXPECT_NE(VirtioBlock::open(empty.path(), false).error().find("empty"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
