// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-mmio: the turns that devices take, resets, and what is saved; and the simplest devices.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/vmm/devices/virtio_harness.h"
#include "tests/vmm/test_files.h"
#include "vmm/devices/virtio_block.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_rng.h"
#include "vmm/machine/io/io_thread.h"

namespace crosswalk::vmm {
namespace {

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
  IoThreads io(console, device_lock, [](unsigned) {});
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

}  // namespace
}  // namespace crosswalk::vmm
