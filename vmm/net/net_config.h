// SPDX-License-Identifier: GPL-2.0-or-later
// What --net says.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosswalk::vmm {

class NetBackend;

using MacAddress = std::array<uint8_t, 6>;

// What comes to a port of the host goes to one of the guest.
struct HostForward {
  std::string text;  // as it was given
  bool udp = false;
  in_addr host{}, guest{};  // 0: all addresses of the host, the guest's first one by DHCP
  uint16_t host_port = 0, guest_port = 0;
};

// What a card has at most: a pair for each CPU that there can be.
inline constexpr unsigned kMaxQueuePairs = 8;

enum class NetKind : uint8_t { None, User, Tap };

struct NetConfig {
  NetKind kind = NetKind::None;
  // Makes what is at the other end instead, if there is a card; for tests.
  std::function<std::unique_ptr<NetBackend>()> make{};
  MacAddress mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};  // QEMU's first
  // user
  bool restricted = false;  // the guest reaches nothing, and is reached by `forwards` alone
  std::vector<HostForward> forwards;
  std::string tftp;      // a directory, as an absolute path without symbolic links; empty: no TFTP
  std::string bootfile;  // what DHCP names; empty: nothing
  // tap
  std::string interface;
  unsigned queues = 0;  // pairs of them, to kMaxQueuePairs; 0: one for each CPU, if the interface has several
};

}  // namespace crosswalk::vmm
