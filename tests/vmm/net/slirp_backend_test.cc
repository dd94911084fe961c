// SPDX-License-Identifier: GPL-2.0-or-later
// The user network, without a guest: frames are written by hand.
#include "vmm/net/slirp_backend.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/limits.h"

namespace crosswalk::vmm {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes kGuestMac{0x52, 0x54, 0, 0x12, 0x34, 0x56}, kBroadcast(6, 0xff);

uint16_t at16(const Bytes& frame, size_t offset) {
  return static_cast<uint16_t>(frame[offset] << 8 | frame[offset + 1]);
}

// Who has 10.0.2.2? asks 10.0.2.15.
Bytes arp_request() {
  return kBroadcast + kGuestMac + Bytes{8, 6, 0, 1, 8, 0, 6, 4, 0, 1} + kGuestMac + Bytes{10, 0, 2, 15} + Bytes(6, 0) +
         Bytes{10, 0, 2, 2};
}

// DHCPDISCOVER (RFC 2131).
Bytes dhcp_request() {
  Bytes message = Bytes{1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78} + Bytes(20, 0) + kGuestMac + Bytes(10 + 64 + 128, 0) +
                  Bytes{99, 130, 83, 99, 53, 1, 1, 255};
  const auto bytes = static_cast<uint16_t>(message.size() + 8);
  const Bytes udp = Bytes{0, 68, 0, 67, static_cast<uint8_t>(bytes >> 8), static_cast<uint8_t>(bytes), 0, 0} + message;
  Bytes ip{0x45, 0, static_cast<uint8_t>((bytes + 20) >> 8), static_cast<uint8_t>(bytes + 20), 0, 0, 0, 0, 64, 17,
           0,    0};
  ip = ip + Bytes{0, 0, 0, 0, 255, 255, 255, 255};
  uint32_t sum = 0;
  for (size_t i = 0; i < ip.size(); i += 2) sum += at16(ip, i);
  sum = ~((sum & 0xffff) + (sum >> 16));
  ip[10] = static_cast<uint8_t>(sum >> 8);
  ip[11] = static_cast<uint8_t>(sum);
  return kBroadcast + kGuestMac + Bytes{8, 0} + ip + udp;
}

NetConfig user_network() {
  NetConfig config;
  config.kind = NetKind::User;
  return config;
}

class SlirpTest : public testing::Test, public NetSink {
 protected:
  void open(const NetConfig& config) {
    auto opened = SlirpBackend::open(config);
    ASSERT_TRUE(opened) << opened.error();
    backend = std::move(*opened);
    backend->set_sink(*this);
  }
  bool has_room(unsigned) const override { return true; }
  void receive(unsigned, const NetHeader& header, std::span<const uint8_t> frame) override {
    EXPECT_EQ(header.flags | header.gso_type, 0);
    frames.emplace_back(frame.begin(), frame.end());
  }
  // The thread's rounds, until a frame is as `wanted` says. Null: none came.
  const Bytes* wait_for(const std::function<bool(const Bytes&)>& wanted) {
    const auto end = std::chrono::steady_clock::now() + test::patience();
    while (std::chrono::steady_clock::now() < end) {
      for (const Bytes& frame : frames) {
        if (wanted(frame)) return &frame;
      }
      std::vector<pollfd> fds;
      int timeout = 100;
      backend->fill(fds, timeout);
      EXPECT_GE(timeout, 0);
      poll(fds.data(), fds.size(), timeout);
      backend->ready(fds);
    }
    return nullptr;
  }
  void send(const Bytes& frame) { EXPECT_TRUE(backend->send(0, {}, frame)); }

  std::unique_ptr<NetBackend> backend;
  std::vector<Bytes> frames;
};

TEST_F(SlirpTest, AnswersArp) {
  open(user_network());
  EXPECT_EQ(backend->name(), "user");
  EXPECT_FALSE(backend->has_offloads());
  send(arp_request());
  const Bytes* const reply = wait_for([](const Bytes& frame) { return at16(frame, 12) == 0x0806 && frame[21] == 2; });
  ASSERT_TRUE(reply);
  EXPECT_EQ(Bytes(reply->begin(), reply->begin() + 6), kGuestMac);
  EXPECT_EQ(Bytes(reply->begin() + 28, reply->begin() + 32), (Bytes{10, 0, 2, 2}));
}

TEST_F(SlirpTest, AnswersDhcp) {
  open(user_network());
  send(dhcp_request());
  const Bytes* const offer = wait_for([](const Bytes& frame) { return at16(frame, 12) == 0x0800 && frame[23] == 17; });
  ASSERT_TRUE(offer);
  constexpr size_t kMessage = 14 + 20 + 8;
  EXPECT_EQ(Bytes(offer->begin() + kMessage + 16, offer->begin() + kMessage + 20), (Bytes{10, 0, 2, 15}));
}

// Frames that a hostile guest may send.
TEST_F(SlirpTest, OddFrames) {
  open(user_network());
  const Bytes whole = dhcp_request();
  for (size_t bytes = kMinFrameBytes; bytes < whole.size(); bytes += 3) send({whole.begin(), whole.begin() + bytes});
  for (const uint16_t type : {0x0800, 0x0806, 0x86dd, 0x88f8, 0x8100}) {
    for (const uint8_t filler : {0x00, 0x45, 0x60, 0xff}) {
      for (const size_t bytes : {kMinFrameBytes, size_t{60}, kMaxFrameBytes}) {
        Bytes frame = kBroadcast + kGuestMac + Bytes{static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)};
        frame.resize(bytes, filler);
        send(frame);
      }
    }
  }
  send(arp_request());
  EXPECT_TRUE(wait_for([](const Bytes& frame) { return at16(frame, 12) == 0x0806 && frame[21] == 2; }));
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that listens, on a port that the host chooses.
struct Listener {
  Listener() {
    sockaddr_in address = loopback(0);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd, 1), 0);
    socklen_t bytes = sizeof address;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd); }
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port = 0;
};

NetConfig forwarding(uint16_t port) {
  NetConfig config = user_network();
  config.forwards.push_back({.text = "the-text", .host_port = port, .guest_port = 22});
  config.forwards.back().host.s_addr = htonl(INADDR_LOOPBACK);
  return config;
}

TEST_F(SlirpTest, AConnectionToAForwardedPortReachesTheGuest) {
  uint16_t port;
  { port = Listener().port; }
  open(forwarding(port));
  send(arp_request());  // so that the guest's address is known
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  static_cast<void>(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  const Bytes* const syn =
      wait_for([](const Bytes& frame) { return at16(frame, 12) == 0x0800 && frame[23] == 6 && at16(frame, 36) == 22; });
  close(client);
  ASSERT_TRUE(syn);
  EXPECT_EQ(Bytes(syn->begin() + 30, syn->begin() + 34), (Bytes{10, 0, 2, 15}));
}

TEST_F(SlirpTest, APortThatIsInUseIsAnError) {
  const Listener taken;
  auto opened = SlirpBackend::open(forwarding(taken.port));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().find("--net: hostfwd=the-text"), std::string::npos) << opened.error();
  EXPECT_NE(opened.error().find("give another port"), std::string::npos) << opened.error();
}

}  // namespace
}  // namespace crosswalk::vmm
