// SPDX-License-Identifier: GPL-2.0-or-later
// What is at the other end of a network device's cable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "translator/base/result.h"
#include "vmm/base/poll_group.h"
#include "vmm/net/net_config.h"

namespace crosswalk::vmm {

// Stands before each frame: what is left to do with it (virtio 1.1, 5.1.6). Little-endian, as the
// host is.
struct NetHeader {
  uint8_t flags = 0, gso_type = 0;
  uint16_t header_bytes = 0, gso_bytes = 0, checksum_start = 0, checksum_offset = 0, buffers = 0;
};
static_assert(sizeof(NetHeader) == 12);

// Ethernet frames without their checksum. With segmentation left to the other side, a frame has as
// much as an IP packet can.
inline constexpr size_t kMinFrameBytes = 14, kMaxFrameBytes = 14 + 4 + 1500, kMaxLargeFrameBytes = 14 + 4 + 65535;

// What a receiver takes of frames that are not finished.
struct NetOffloads {
  bool checksum = false, tcp4 = false, tcp6 = false;
  bool operator==(const NetOffloads&) const = default;
};

// Where frames for the guest go, each by a pair of its queues, which is below the backend's
// pairs(). On the network's thread.
class NetSink {
 public:
  virtual ~NetSink() = default;
  // False: what comes would be dropped.
  virtual bool has_room(unsigned pair) const = 0;
  virtual void receive(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) = 0;
};

// After set_sink all calls are made on the network's thread.
class NetBackend : public PollGroup {
 public:
  // Opens all that it needs: sockets that listen, the interface. The error names the option.
  // `cpus`: how many pairs of queues are good to have.
  static Result<std::unique_ptr<NetBackend>> open(const NetConfig& config, unsigned cpus);

  virtual std::string name() const = 0;
  // Whether send() takes frames that are not finished, and set_offloads() has any.
  virtual bool has_offloads() const { return false; }
  // What the guest takes from now on. Frames that are under way may still be otherwise.
  virtual void set_offloads(const NetOffloads&) {}
  // How many pairs of queues the guest can have, 1 to kMaxQueuePairs. Always the same.
  virtual unsigned pairs() const { return 1; }
  // How many of them it uses from now on; at first one. 1 to pairs(). False: it stays as it was.
  virtual bool set_pairs(unsigned) { return true; }
  // A frame from the guest, by a pair that it uses. False: it is lost.
  virtual bool send(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) = 0;

  // Once, before all that is said to be on the network's thread. `sink` outlives it.
  void set_sink(NetSink& sink) { sink_ = &sink; }

 protected:
  NetSink* sink_ = nullptr;
};

}  // namespace crosswalk::vmm
