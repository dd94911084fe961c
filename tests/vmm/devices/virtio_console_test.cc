// SPDX-License-Identifier: GPL-2.0-or-later
// The console, with hand-made rings.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "tests/vmm/devices/virtio_harness.h"
#include "vmm/devices/virtio_console.h"

namespace crosswalk::vmm {
namespace {

// What is printed comes out of a pipe.
class VirtioConsoleTest : public testing::Test, public Harness {
 protected:
  VirtioConsoleTest() { use(std::make_unique<VirtioConsole>(console)); }
  ~VirtioConsoleTest() override {
    attach(nullptr);  // before the console goes
    for (const int end : pipe_.ends) close(end);
  }
  void use(std::unique_ptr<VirtioConsole> made) {
    device = made.get();
    attach(std::move(made));
    device->set_transport(&slot());
  }

 private:
  struct Pipe {
    Pipe() { EXPECT_EQ(pipe(ends), 0); }
    int ends[2] = {-1, -1};
  } pipe_;

 protected:
  const int read_end = pipe_.ends[0];
  ConsoleOutput console{pipe_.ends[1]};
  VirtioConsole* device = nullptr;
};

TEST_F(VirtioConsoleTest, PrintsAndReceives) {
  EXPECT_EQ(get(8), 3u);
  start(2);
  std::memcpy(ram().at(kBuffers), "hvc0\n", 5);
  descriptor(0, kBuffers, 5, 0, 0, kRing + 0x4000);
  make_available(0, 1);
  notify_and_run(1);
  ASSERT_TRUE(console.write_output());
  char text[8] = {};
  ASSERT_EQ(read(read_end, text, sizeof text), 5);
  EXPECT_STREQ(text, "hvc0\n");
  // A receive buffer waits until there is input, and what does not fit waits for the next one.
  descriptor(0, kBuffers, 4, 2, 0);
  make_available(0);
  notify_and_run(0);
  EXPECT_EQ(used_index(0), 0u);
  device->input(reinterpret_cast<const uint8_t*>("abcdef"), 6);
  slot().do_work();
  publish();
  EXPECT_EQ(used_index(0), 1u);
  EXPECT_EQ(used_length(0, 0), 4u);
  EXPECT_EQ(std::memcmp(ram().at(kBuffers), "abcd", 4), 0);
  make_available(0);
  notify_and_run(0);
  EXPECT_EQ(used_length(1, 0), 2u);
}

// Again and again in the middle of a long buffer: each byte is printed once, and input that waits
// is still there.
TEST_F(VirtioConsoleTest, RestoredInTheMiddleOfUse) {
  start(2);
  device->input(reinterpret_cast<const uint8_t*>("typed"), 5);
  constexpr uint32_t kBytes = 512 << 10;
  std::string sent(kBytes, '\0'), got;
  for (uint32_t i = 0; i < kBytes; ++i) sent[i] = static_cast<char>('a' + i / 1000 % 26);
  std::memcpy(ram().at(kBuffers), sent.data(), kBytes);
  descriptor(0, kBuffers, kBytes, 0, 0, kRing + 0x4000);
  make_available(0, 1);
  set(0x50, 1);
  for (int round = 0; round < 10'000 && got.size() < kBytes; ++round) {
    if (round % 16 == 7) {
      auto next = std::make_unique<VirtioConsole>(console);
      next->restore(device->save());
      device = next.get();
      replace(std::move(next));
      device->set_transport(&slot());
    }
    if (slot().has_work()) slot().do_work();
    if (console.has_output()) {
      ASSERT_TRUE(console.write_output());
    }
    device->output_drained();
    char text[4096];
    const ssize_t count = read(read_end, text, sizeof text);
    ASSERT_GT(count, 0);
    got.append(text, static_cast<size_t>(count));
  }
  EXPECT_EQ(got, sent);
  while (slot().has_work()) slot().do_work();
  publish();
  EXPECT_EQ(used_index(1), 1u);
  descriptor(0, kBuffers, 8, 2, 0);
  make_available(0);
  notify_and_run(0);
  EXPECT_EQ(used_length(0, 0), 5u);
  EXPECT_EQ(std::memcmp(ram().at(kBuffers), "typed", 5), 0);
}

TEST_F(VirtioConsoleTest, LongBuffersArePrintedAsAWhole) {
  start(2);
  constexpr uint32_t kBytes = 3 << 20;
  std::memset(ram().at(kBuffers), 'x', kBytes);
  descriptor(0, kBuffers, kBytes, 0, 0, kRing + 0x4000);
  make_available(0, 1);
  set(0x50, 1);
  size_t got = 0;
  for (int round = 0; round < 10'000 && got < kBytes; ++round) {
    if (slot().has_work()) slot().do_work();
    ASSERT_LT(console.bytes(), kBytes + 1);
    EXPECT_TRUE(console.has_io_room() || console.has_output());
    if (!console.has_output()) break;
    ASSERT_TRUE(console.write_output());
    device->output_drained();
    char text[4096];
    const ssize_t count = read(read_end, text, sizeof text);
    ASSERT_GT(count, 0);
    got += static_cast<size_t>(count);
  }
  EXPECT_EQ(got, kBytes);
  publish();
  EXPECT_EQ(used_index(1), 1u);
}

}  // namespace
}  // namespace crosswalk::vmm
