// SPDX-License-Identifier: GPL-2.0-or-later
// A shared folder, with hand-made rings: messages in pieces, short buffers, resets.
#include "vmm/devices/virtio_9p.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/vmm/devices/virtio_harness.h"
#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kReplyAt = kBuffers + 0x8000;
// Of 64 KiB messages, and of fid 1 on the folder.
const std::string kVersion(
    "\x15\0\0\0\x64\xff\xff\0\0\1\0\x08\0"
    "9P2000.L",
    21);
const std::string kAttach("\x17\0\0\0\x68\1\0\1\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 23);

class Virtio9pTest : public testing::Test, public Harness {
 protected:
  void open(const std::string& tag = "a tag") {
    auto device = Virtio9p::open({"/tmp", tag, true}, 100);
    ASSERT_TRUE(device) << device.error();
    device_ = device->get();
    attach(std::move(*device));
    start();
  }
  // A request in pieces of `piece` bytes each, and a reply in two; returns what the driver is told
  // was written.
  uint32_t request(std::string_view message, uint32_t piece = 100, uint32_t room = 4096) {
    std::memcpy(ram().at(kBuffers), message.data(), message.size());
    std::memset(ram().at(kReplyAt), 0xee, room);
    uint16_t next = 0;
    for (uint64_t at = 0; at < message.size(); at += piece, ++next)
      descriptor(next, kBuffers + at, static_cast<uint32_t>(std::min<uint64_t>(piece, message.size() - at)), 1,
                 static_cast<uint16_t>(next + 1));
    descriptor(next, kReplyAt, 5, 3, static_cast<uint16_t>(next + 1));
    descriptor(next + 1u, kReplyAt + 5, room - 5, 2, 0);
    make_available(0);
    notify_and_run();
    return used_length(used_index() - 1u);
  }
  uint8_t reply_type() const { return load<uint8_t>(kReplyAt + 4); }
  Virtio9p& device() { return *device_; }

 private:
  Virtio9p* device_ = nullptr;
};

TEST_F(Virtio9pTest, ItsTagIsInTheConfiguration) {
  open();
  EXPECT_EQ(get(8), 9u);
  EXPECT_EQ(get(0x10), 1u | 1u << 28);  // VIRTIO_9P_MOUNT_TAG
  EXPECT_EQ(get(0x100), 5u | 'a' << 16 | ' ' << 24);
  EXPECT_EQ(get(0x104), uint32_t{'t' | 'a' << 8 | 'g' << 16});
  EXPECT_EQ(get(0x108), 0u);
}

TEST_F(Virtio9pTest, MessagesAreServedInPieces) {
  open();
  EXPECT_EQ(request(kVersion, 3), 21u);
  EXPECT_EQ(reply_type(), 101);
  EXPECT_EQ(load<uint32_t>(kReplyAt), 21u);
  EXPECT_EQ(load<uint8_t>(kReplyAt + 21), 0xee);
  EXPECT_FALSE(device().has_session());
  EXPECT_EQ(request(kAttach), 20u);
  EXPECT_EQ(reply_type(), 105);
  EXPECT_TRUE(device().has_session());
  EXPECT_TRUE(line);
  StatisticsTable table;
  device().add_statistics(table);
  EXPECT_EQ(table.rows()[0].group, "share a tag");
  EXPECT_EQ(std::get<uint64_t>(table.rows()[0].value), 2u);
}

TEST_F(Virtio9pTest, WrongBuffersAreNoHarm) {
  open();
  EXPECT_EQ(request(kVersion, 100, 10), 0u) << "no room for any reply";
  EXPECT_EQ(request(kVersion, 100, 11), 11u) << "room for an error";
  EXPECT_EQ(reply_type(), 7);
  EXPECT_EQ(request(kVersion.substr(0, 6)), 0u) << "no header";
  // Only buffers of one kind.
  descriptor(0, kBuffers, 16, 0, 0);
  make_available(0);
  notify_and_run();
  EXPECT_EQ(used_length(used_index() - 1u), 0u);
  descriptor(0, kReplyAt, 16, 2, 0);
  make_available(0);
  notify_and_run();
  EXPECT_EQ(used_length(used_index() - 1u), 0u);
  // More than any message has.
  descriptor(0, kBuffers, 3 << 20, 1, 1);
  descriptor(1, kReplyAt, 64, 2, 0);
  make_available(0);
  notify_and_run();
  EXPECT_EQ(used_length(used_index() - 1u), 11u);
  EXPECT_EQ(load<uint32_t>(kReplyAt + 7), static_cast<uint32_t>(EMSGSIZE));
  EXPECT_FALSE(needs_reset());
  EXPECT_EQ(request(kVersion), 21u);
}

TEST_F(Virtio9pTest, AResetEndsTheSession) {
  open();
  request(kVersion);
  request(kAttach);
  EXPECT_TRUE(device().has_session());
  store<uint16_t>(kAvailable + 2, 0);
  store<uint16_t>(kUsed + 2, 0);
  start();  // resets it first
  EXPECT_FALSE(device().has_session());
  EXPECT_EQ(request(kAttach), 11u) << "no version was agreed on";
  EXPECT_EQ(load<uint32_t>(kReplyAt + 7), static_cast<uint32_t>(EPROTO));
  request(kVersion);
  EXPECT_EQ(request(kAttach), 20u) << "the fid is free";
}

TEST_F(Virtio9pTest, AFolderMustBeThere) {
  const auto device = Virtio9p::open({"/nonexistent", "t", false}, 100);
  ASSERT_FALSE(device);
  EXPECT_NE(device.error().find("--share: cannot open /nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
