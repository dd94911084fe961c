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
    unsigned pair;
  };

  explicit PlayedNetwork(bool offloads, unsigned pairs = 1) : offloads_(offloads), pairs_(pairs) {}
  std::string name() const override { return "played"; }
  bool has_offloads() const override { return offloads_; }
  void set_offloads(const NetOffloads& wanted) override { told.push_back(wanted); }
  unsigned pairs() const override { return pairs_; }
  bool set_pairs(unsigned pairs) override {
    if (up) told_pairs.push_back(pairs);
    return up;
  }
  bool send(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) override {
    if (!up) return false;
    sent.push_back({header, {frame.begin(), frame.end()}, pair});
    return true;
  }
  void fill(std::vector<pollfd>&, int&) override {}
  void ready(std::span<const pollfd>) override {}

  void arrive(const std::string& frame, const NetHeader& header = {}, unsigned pair = 0) {
    sink_->receive(pair, header, {reinterpret_cast<const uint8_t*>(frame.data()), frame.size()});
  }
  bool has_room(unsigned pair = 0) const { return sink_->has_room(pair); }

  bool up = true;
  std::vector<Sent> sent;
  std::vector<NetOffloads> told;
  std::vector<unsigned> told_pairs;

 private:
  bool offloads_;
  unsigned pairs_;
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

// Two pairs of queues, and the control queue.
class MultiQueueTest : public NetTest {
 protected:
  static constexpr uint32_t kControlQueue = 1u << 17, kMultiQueue = 1u << 22;
  static constexpr unsigned kControl = 4;
  static constexpr uint64_t kAnswer = kBuffers + 0x91000;

  void use_pairs(uint32_t features = kControlQueue | kMultiQueue | kMerge) {
    auto backend = std::make_unique<PlayedNetwork>(false, 2);
    network = backend.get();
    auto made = std::make_unique<VirtioNet>(MacAddress{0x52, 0x54, 0, 1, 2, 3}, std::move(backend));
    device = made.get();
    attach(std::move(made));
    device->set_transport(&slot());
    restart(features);
  }
  void restart(uint32_t features) {
    std::memset(ram().at(kRing), 0, 0x20000);
    start(5, kIndirect | features);
  }
  // The device's answer: VIRTIO_NET_OK, VIRTIO_NET_ERR, or 0xff if it gave none.
  uint8_t ask(const std::vector<uint8_t>& request, unsigned queue = kControl, uint32_t answer_bytes = 1) {
    const uint64_t table = kRing + queue * 0x4000, at = kBuffers + 0x90000;
    if (!request.empty()) std::memcpy(ram().at(at), request.data(), request.size());
    store<uint8_t>(kAnswer, 0xff);
    const uint16_t first = request.empty() ? 1 : 0;
    descriptor(0, at, static_cast<uint32_t>(request.size()), 1, 1, table);
    descriptor(1, kAnswer, answer_bytes, 2, 0, table);
    make_available(first, queue);
    notify_and_run(queue);
    return load<uint8_t>(kAnswer);
  }
  uint8_t set_pairs(uint16_t pairs, unsigned queue = kControl) {
    return ask({4, 0, static_cast<uint8_t>(pairs), static_cast<uint8_t>(pairs >> 8)}, queue);
  }
  void send_by(unsigned pair, const std::string& frame) {
    const unsigned queue = 2 * pair + 1;
    store(kBuffers + 0x80000, NetHeader{});
    std::memcpy(ram().at(kBuffers + 0x80000 + kHeader), frame.data(), frame.size());
    descriptor(0, kBuffers + 0x80000, static_cast<uint32_t>(kHeader + frame.size()), 0, 0, kRing + queue * 0x4000);
    make_available(0, queue);
    notify_and_run(queue);
  }
  void give_to(unsigned pair, unsigned index) {
    descriptor(index, kBuffers + (8 * pair + index) * 0x2000, 2048, 2, 0, kRing + 2 * pair * 0x4000);
    make_available(static_cast<uint16_t>(index), 2 * pair);
  }
  void run() {
    while (slot().has_work()) slot().do_work();
    publish();
  }
  std::string received(unsigned pair, unsigned index, size_t bytes) {
    return text_at(kBuffers + (8 * pair + index) * 0x2000 + kHeader, bytes);
  }
};

TEST_F(MultiQueueTest, WhatItIs) {
  use_pairs();
  set(0x14, 0);
  EXPECT_EQ(get(0x10), kIndirect | kMac | kMerge | kStatus | kControlQueue | kMultiQueue);
  EXPECT_EQ(get(0x108), 2u);  // max_virtqueue_pairs
  set(0x30, kControl);
  EXPECT_EQ(get(0x34), VirtQueue::kMaxSize);
  set(0x30, kControl + 1);
  EXPECT_EQ(get(0x34), 0u);
}

TEST_F(MultiQueueTest, EachPairHasItsOwn) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  EXPECT_EQ(used_length(0, kControl), 1u);
  EXPECT_EQ(network->told_pairs, (std::vector<unsigned>{2}));
  send_by(0, frame_of(60));
  send_by(1, frame_of(70));
  ASSERT_EQ(network->sent.size(), 2u);
  EXPECT_EQ(network->sent[0].pair, 0u);
  EXPECT_EQ(network->sent[1].pair, 1u);
  EXPECT_EQ(network->sent[1].frame, frame_of(70));
  network->arrive(frame_of(100), {}, 0);
  network->arrive(frame_of(200, 'B'), {}, 1);
  give_to(1, 0);
  notify_and_run(2);
  EXPECT_EQ(used_index(0), 0u);
  ASSERT_EQ(used_index(2), 1u);
  EXPECT_EQ(received(1, 0, 200), frame_of(200, 'B'));
  give_to(0, 0);
  notify_and_run(0);
  ASSERT_EQ(used_index(0), 1u);
  EXPECT_EQ(received(0, 0, 100), frame_of(100));
  EXPECT_EQ(counted("packets received"), 2u);
}

// One that gets no buffers does not keep the other from getting frames.
TEST_F(MultiQueueTest, EachPairHasItsLimit) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  for (size_t i = 0; i < VirtioNet::kMaxWaitingFrames; ++i) network->arrive(frame_of(60), {}, 1);
  EXPECT_FALSE(network->has_room(1));
  EXPECT_TRUE(network->has_room(0));
}

TEST_F(MultiQueueTest, WhatAPairHadGoesByTheFirst) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  network->arrive(frame_of(100), {}, 1);
  EXPECT_EQ(set_pairs(1), 0);
  network->arrive(frame_of(200, 'B'), {}, 1);  // under way before that
  give_to(0, 0);
  give_to(0, 1);
  give_to(1, 0);
  notify_and_run(2);
  EXPECT_EQ(used_index(2), 0u);
  notify_and_run(0);
  ASSERT_EQ(used_index(0), 2u);
  EXPECT_EQ(received(0, 0, 100), frame_of(100));
  EXPECT_EQ(received(0, 1, 200), frame_of(200, 'B'));
  send_by(1, frame_of(60));
  ASSERT_EQ(network->sent.size(), 1u);
  EXPECT_EQ(network->sent[0].pair, 0u);
}

TEST_F(MultiQueueTest, WrongCommandsAreErrors) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  network->told_pairs.clear();
  const std::vector<std::vector<uint8_t>> wrong = {
      {},                           // nothing at all
      {4},                          // no command
      {4, 0},                       // no number
      {4, 0, 1},                    // half a number
      {4, 0, 1, 0, 0},              // too much
      {4, 0, 0, 0},                 // no pair
      {4, 0, 3, 0},                 // more than there are
      {4, 0, 0, 0x80},              // more than there may be
      {4, 1, 1, 0},                 // another command
      {0, 0, 1, 0},                 // VIRTIO_NET_CTRL_RX, which is not offered
      {255, 255, 255, 255},         //
      std::vector<uint8_t>(600, 4)  // much too much
  };
  for (const auto& request : wrong) {
    SCOPED_TRACE(testing::PrintToString(request));
    EXPECT_EQ(ask(request), 1);
  }
  EXPECT_EQ(ask({4, 0, 1, 0}, kControl, 0), 0xff);  // no room for the answer: it is done all the same
  EXPECT_EQ(network->told_pairs, (std::vector<unsigned>{1}));
  network->up = false;  // the host refuses
  EXPECT_EQ(set_pairs(2), 1);
  EXPECT_EQ(used_index(kControl), wrong.size() + 3);
  EXPECT_FALSE(needs_reset());
  EXPECT_EQ(device->save().pairs, 1u);
}

TEST_F(MultiQueueTest, BadControlChains) {
  for (const BadChain& bad : bad_chains(kRing + kControl * 0x4000)) {
    SCOPED_TRACE(bad.what);
    use_pairs();
    descriptor(0, bad.address, bad.bytes, bad.flags, bad.next, kRing + kControl * 0x4000);
    make_available(bad.head, kControl);
    notify_and_run(kControl);
    EXPECT_TRUE(needs_reset());
    restart(kControlQueue | kMultiQueue);
    EXPECT_EQ(set_pairs(2), 0);
  }
}

// 5.1.2: the control queue is behind the first pair then, and there is no other pair.
TEST_F(MultiQueueTest, WithoutTheFeature) {
  use_pairs(kControlQueue);
  EXPECT_EQ(set_pairs(2, 2), 1);
  send_by(1, frame_of(60));
  EXPECT_EQ(used_index(3), 0u);
  EXPECT_EQ(set_pairs(2, kControl), 0xff);
  restart(0);
  EXPECT_EQ(set_pairs(2, 2), 0xff);
  send_by(0, frame_of(60));
  ASSERT_EQ(network->sent.size(), 1u);
  EXPECT_TRUE(network->told_pairs.empty());
}

TEST_F(MultiQueueTest, AResetLeavesOnePair) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  network->arrive(frame_of(100), {}, 1);
  restart(kControlQueue | kMultiQueue);
  give_to(0, 0);
  notify_and_run(0);
  send_by(0, frame_of(60));
  EXPECT_EQ(network->told_pairs, (std::vector<unsigned>{2, 1}));
  run();
  EXPECT_EQ(used_index(0), 1u);
}

TEST_F(MultiQueueTest, Restored) {
  use_pairs();
  EXPECT_EQ(set_pairs(2), 0);
  const VirtioNet::State state = device->save();
  auto backend = std::make_unique<PlayedNetwork>(false, 2);
  network = backend.get();
  auto next = std::make_unique<VirtioNet>(MacAddress{}, std::move(backend));
  ASSERT_TRUE(next->can_restore(state));
  next->restore(state);
  device = next.get();
  replace(std::move(next));
  device->set_transport(&slot());
  send_by(1, frame_of(60));
  EXPECT_EQ(network->told_pairs, (std::vector<unsigned>{2}));
  ASSERT_EQ(network->sent.size(), 1u);
  EXPECT_EQ(network->sent[0].pair, 1u);
  // Into a card with other queues, which the driver would not find where they were.
  for (const unsigned pairs : {1u, 3u, 8u})
    EXPECT_FALSE(VirtioNet(MacAddress{}, std::make_unique<PlayedNetwork>(false, pairs)).can_restore(state)) << pairs;
  for (const uint32_t pairs : {0u, 3u})
    EXPECT_FALSE(device->can_restore({.features = state.features, .all_pairs = 2, .pairs = pairs}));
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
