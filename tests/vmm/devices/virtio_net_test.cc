// SPDX-License-Identifier: GPL-2.0-or-later
// The network card, with hand-made rings and a network that a test plays.
#include "vmm/devices/virtio_net.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/vmm/devices/virtio_harness.h"
#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr uint64_t kTransmitRing = kRing + 0x4000;
constexpr uint32_t kIndirect = 1u << 28, kMac = 1u << 5, kMerge = 1u << 15, kStatus = 1u << 16;
// Checksums and TCP over IPv4 and IPv6, each both ways.
constexpr uint32_t kOffloads = 1u << 0 | 1u << 1 | 1u << 7 | 1u << 8 | 1u << 11 | 1u << 12;
constexpr uint64_t kHeader = sizeof(NetHeader);

class PlayedNetwork final : public NetBackend {
 public:
  struct Sent {
    NetHeader header;
    std::string frame;
  };

  explicit PlayedNetwork(bool offloads) : offloads_(offloads) {}
  std::string name() const override { return "played"; }
  bool has_offloads() const override { return offloads_; }
  void set_offloads(const NetOffloads& wanted) override { told.push_back(wanted); }
  bool send(const NetHeader& header, std::span<const uint8_t> frame) override {
    if (!up) return false;
    sent.push_back({header, {frame.begin(), frame.end()}});
    return true;
  }
  void fill(std::vector<pollfd>&, int&) override {}
  void ready(std::span<const pollfd>) override {}

  void arrive(const std::string& frame, const NetHeader& header = {}) {
    sink_->receive(header, {reinterpret_cast<const uint8_t*>(frame.data()), frame.size()});
  }
  bool has_room() const { return sink_->has_room(); }

  bool up = true;
  std::vector<Sent> sent;
  std::vector<NetOffloads> told;

 private:
  bool offloads_;
};

std::string frame_of(size_t bytes, char first = 'a') {
  std::string frame(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) frame[i] = static_cast<char>(first + i % 23);
  return frame;
}

class NetTest : public testing::Test, public Harness {
 protected:
  void use(bool offloads, uint32_t features) {
    auto backend = std::make_unique<PlayedNetwork>(offloads);
    network = backend.get();
    auto made = std::make_unique<VirtioNet>(MacAddress{0x52, 0x54, 0, 1, 2, 3}, std::move(backend));
    device = made.get();
    attach(std::move(made));
    device->set_transport(&slot());
    start(2, kIndirect | features);
  }
  // A buffer of the receive queue, as descriptor `index`.
  void give(unsigned index, uint32_t bytes) {
    descriptor(index, kBuffers + index * 0x2000, bytes, 2, 0);
    make_available(static_cast<uint16_t>(index), kReceive);
  }
  void send(const NetHeader& header, const std::string& frame) {
    store(kBuffers + 0x80000, header);
    std::memcpy(ram().at(kBuffers + 0x80000 + kHeader), frame.data(), frame.size());
    descriptor(0, kBuffers + 0x80000, static_cast<uint32_t>(kHeader + frame.size()), 0, 0, kTransmitRing);
    make_available(0, kTransmit);
    notify_and_run(kTransmit);
  }
  std::string text_at(uint64_t pa, size_t bytes) { return {reinterpret_cast<const char*>(ram().at(pa)), bytes}; }
  uint64_t counted(const std::string& name) {
    StatisticsTable table;
    device->add_statistics(table);
    for (const auto& row : table.rows()) {
      if (row.name == name) return std::get<uint64_t>(row.value);
    }
    ADD_FAILURE() << "no row " << name;
    return 0;
  }

  PlayedNetwork* network = nullptr;
  VirtioNet* device = nullptr;
};

TEST_F(NetTest, WhatItIs) {
  use(false, 0);
  EXPECT_EQ(get(8), 1u);
  set(0x14, 0);
  EXPECT_EQ(get(0x10), kIndirect | kMac | kMerge | kStatus);
  EXPECT_EQ(get(0x100), 0x01005452u);
  EXPECT_EQ(get(0x104), 0x00010302u);  // and the link is up
  use(true, 0);
  EXPECT_EQ(get(0x10), kIndirect | kMac | kMerge | kStatus | kOffloads);
}

TEST_F(NetTest, Sends) {
  use(false, 0);
  send({}, frame_of(60));
  ASSERT_EQ(network->sent.size(), 1u);
  EXPECT_EQ(network->sent[0].frame, frame_of(60));
  EXPECT_EQ(used_index(kTransmit), 1u);
  EXPECT_EQ(used_length(0, kTransmit), 0u);
  // The header, and the frame in pieces, as Linux has it.
  const std::string frame = frame_of(1514, 'A');
  store(kBuffers, NetHeader{});
  std::memcpy(ram().at(kBuffers + 0x1000), frame.data(), frame.size());
  descriptor(0, kBuffers, kHeader, 1, 1, kTransmitRing);
  descriptor(1, kBuffers + 0x1000, 1000, 1, 2, kTransmitRing);
  descriptor(2, kBuffers + 0x1000 + 1000, 514, 0, 0, kTransmitRing);
  make_available(0, kTransmit);
  notify_and_run(kTransmit);
  ASSERT_EQ(network->sent.size(), 2u);
  EXPECT_EQ(network->sent[1].frame, frame);
  EXPECT_EQ(counted("packets sent"), 2u);
  EXPECT_EQ(counted("bytes sent"), 1574u);
}

// Each comes back to the driver, and none to the network.
TEST_F(NetTest, WhatIsNoFrameIsDropped) {
  use(false, 0);
  send({}, frame_of(13));
  send({}, frame_of(kMaxFrameBytes + 1));
  send({.flags = 1}, frame_of(60));     // a checksum that is not there, unasked for
  send({.gso_type = 1}, frame_of(60));  // and segmentation
  network->up = false;
  send({}, frame_of(60));
  descriptor(0, kBuffers, 8, 0, 0, kTransmitRing);  // not even a header
  make_available(0, kTransmit);
  descriptor(1, kBuffers, 64, 2, 0, kTransmitRing);  // for the device to write
  make_available(1, kTransmit);
  notify_and_run(kTransmit);
  EXPECT_TRUE(network->sent.empty());
  EXPECT_EQ(used_index(kTransmit), 7u);
  EXPECT_EQ(counted("packets dropped, sent"), 7u);
  EXPECT_FALSE(needs_reset());
}

TEST_F(NetTest, Receives) {
  use(false, 0);
  give(0, 2048);
  notify_and_run(kReceive);
  EXPECT_EQ(used_index(kReceive), 0u);
  network->arrive(frame_of(100));
  network->arrive(frame_of(1514, 'B'));  // waits for a buffer
  slot().do_work();
  publish();
  ASSERT_EQ(used_index(kReceive), 1u);
  EXPECT_EQ(used_length(0, kReceive), kHeader + 100);
  EXPECT_EQ(text_at(kBuffers + kHeader, 100), frame_of(100));
  EXPECT_EQ(load<NetHeader>(kBuffers).buffers, 1u);
  EXPECT_TRUE(line);
  give(1, 2048);
  notify_and_run(kReceive);
  ASSERT_EQ(used_index(kReceive), 2u);
  EXPECT_EQ(text_at(kBuffers + 0x2000 + kHeader, 1514), frame_of(1514, 'B'));
  EXPECT_EQ(counted("packets received"), 2u);
  EXPECT_EQ(counted("bytes received"), 1614u);
}

TEST_F(NetTest, AFrameThatIsTooLongForABufferLeavesIt) {
  use(false, 0);
  give(0, 200);
  network->arrive(frame_of(1000));
  notify_and_run(kReceive);
  EXPECT_EQ(used_index(kReceive), 0u);
  EXPECT_EQ(counted("packets dropped, received"), 1u);
  network->arrive(frame_of(100));
  slot().do_work();
  publish();
  ASSERT_EQ(used_index(kReceive), 1u);
  EXPECT_EQ(text_at(kBuffers + kHeader, 100), frame_of(100));
}

// With mergeable buffers it has several, which the driver sees at once.
TEST_F(NetTest, OneFrameInSeveralBuffers) {
  use(false, kMerge);
  const std::string frame = frame_of(1400);
  give(0, 512);
  give(1, 512);
  network->arrive(frame);
  notify_and_run(kReceive);
  EXPECT_EQ(used_index(kReceive), 0u);  // the last one is not there yet
  give(2, 512);
  set(0x50, kReceive);
  while (slot().has_work()) slot().do_work();
  ASSERT_EQ(completions.size(), 1u);
  EXPECT_EQ(completions[0].chains.size(), 3u);
  EXPECT_EQ(completions[0].ranges.size(), 3u);
  publish();
  ASSERT_EQ(used_index(kReceive), 3u);
  EXPECT_EQ(used_length(0, kReceive), 512u);
  EXPECT_EQ(used_length(1, kReceive), 512u);
  EXPECT_EQ(used_length(2, kReceive), kHeader + 1400 - 1024);
  EXPECT_EQ(load<NetHeader>(kBuffers).buffers, 3u);
  EXPECT_EQ(text_at(kBuffers + kHeader, 500) + text_at(kBuffers + 0x2000, 512) + text_at(kBuffers + 0x4000, 388),
            frame);
  // One that fits has one.
  give(3, 512);
  network->arrive(frame_of(500));
  slot().do_work();
  publish();
  EXPECT_EQ(used_index(kReceive), 4u);
  EXPECT_EQ(load<NetHeader>(kBuffers + 3 * 0x2000).buffers, 1u);
}

// What was taken for a frame is available again, and the frame is lost.
TEST_F(NetTest, RestoredBetweenTwoBuffersOfAFrame) {
  use(false, kMerge);
  give(0, 512);
  give(1, 512);
  network->arrive(frame_of(1400));
  notify_and_run(kReceive);
  auto backend = std::make_unique<PlayedNetwork>(false);
  network = backend.get();
  auto next = std::make_unique<VirtioNet>(MacAddress{}, std::move(backend));
  next->restore(device->save());
  device = next.get();
  replace(std::move(next));
  device->set_transport(&slot());
  network->arrive(frame_of(800, 'C'));
  while (slot().has_work()) slot().do_work();
  publish();
  ASSERT_EQ(used_index(kReceive), 2u);
  EXPECT_EQ(load<NetHeader>(kBuffers).buffers, 2u);
  EXPECT_EQ(text_at(kBuffers + kHeader, 500) + text_at(kBuffers + 0x2000, 300), frame_of(800, 'C'));
}

TEST_F(NetTest, WhatWaitsIsBounded) {
  use(false, 0);
  const size_t fit = VirtioNet::kMaxWaitingFrames;
  for (size_t i = 0; i < fit + 10; ++i) network->arrive(frame_of(60));
  EXPECT_FALSE(network->has_room());
  EXPECT_EQ(counted("packets dropped, received"), 10u);
  give(0, 2048);
  notify_and_run(kReceive);
  EXPECT_TRUE(network->has_room());
  use(true, 0);
  for (size_t bytes = 0; bytes <= VirtioNet::kMaxWaitingBytes; bytes += kMaxLargeFrameBytes)
    network->arrive(frame_of(kMaxLargeFrameBytes));
  EXPECT_FALSE(network->has_room());
}

TEST_F(NetTest, Offloads) {
  use(true, kOffloads | kMerge);
  const NetHeader segments{
      .flags = 1, .gso_type = 1, .header_bytes = 54, .gso_bytes = 1460, .checksum_start = 34, .checksum_offset = 16};
  send(segments, frame_of(40'000));
  ASSERT_EQ(network->sent.size(), 1u);
  EXPECT_EQ(network->sent[0].header.gso_bytes, 1460u);
  EXPECT_EQ(network->sent[0].header.checksum_offset, 16u);
  EXPECT_EQ(network->sent[0].frame.size(), 40'000u);
  ASSERT_EQ(network->told.size(), 1u);
  EXPECT_EQ(network->told[0], (NetOffloads{true, true, true}));
  descriptor(0, kBuffers, 0x8000, 2, 0);
  make_available(0, kReceive);
  network->arrive(frame_of(30'000), segments);
  notify_and_run(kReceive);
  ASSERT_EQ(used_index(kReceive), 1u);
  EXPECT_EQ(load<NetHeader>(kBuffers).gso_bytes, 1460u);
  // A driver that takes none gets none of what is under way, and what fits it all the same.
  start(2, kIndirect);
  for (const unsigned queue : {kReceive, kTransmit}) std::memset(ram().at(kRing + queue * 0x4000), 0, 0x3000);
  network->arrive(frame_of(300), segments);
  network->arrive(frame_of(200), {.flags = 1});
  network->arrive(frame_of(100));
  give(0, 2048);
  notify_and_run(kReceive);
  ASSERT_EQ(used_index(kReceive), 1u);
  EXPECT_EQ(used_length(0, kReceive), kHeader + 100);
  EXPECT_EQ(network->told.back(), NetOffloads{});
}

TEST_F(NetTest, BadChains) {
  for (const unsigned queue : {kReceive, kTransmit}) {
    for (const BadChain& bad : bad_chains(kRing + queue * 0x4000)) {
      SCOPED_TRACE(bad.what);
      use(false, kMerge);
      for (const unsigned each : {kReceive, kTransmit}) std::memset(ram().at(kRing + each * 0x4000), 0, 0x3000);
      if (queue == kReceive) give(1, 64);  // and the bad one is to be joined to it
      network->arrive(frame_of(600));
      descriptor(0, bad.address, bad.bytes, static_cast<uint16_t>(bad.flags | (queue == kReceive ? 2 : 0)), bad.next,
                 kRing + queue * 0x4000);
      make_available(bad.head, queue);
      notify_and_run(queue);
      EXPECT_TRUE(needs_reset());
      EXPECT_EQ(used_index(queue), 0u);
      for (const unsigned each : {kReceive, kTransmit}) std::memset(ram().at(kRing + each * 0x4000), 0, 0x3000);
      start(2, kIndirect);
      send({}, frame_of(60));
      EXPECT_EQ(network->sent.size(), 1u);
    }
  }
}

// A queue full of buffers that are too small for one frame: the driver's loss, not the device's.
TEST_F(NetTest, AllBuffersAreTooFewForAFrame) {
  use(false, kMerge);
  for (unsigned i = 0; i < kQueueSize; ++i) {
    descriptor(i, kBuffers + i * 0x2000, 1, 2, 0);
    make_available(static_cast<uint16_t>(i), kReceive);
  }
  network->arrive(frame_of(600));
  notify_and_run(kReceive);
  EXPECT_EQ(used_index(kReceive), 0u);
  EXPECT_FALSE(needs_reset());
  start(2, kIndirect);
}

}  // namespace
}  // namespace crosswalk::vmm
