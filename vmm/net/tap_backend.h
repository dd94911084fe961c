// SPDX-License-Identifier: GPL-2.0-or-later
// An interface of the host (tap), which the host bridges, routes or leaves alone. Checksums and TCP
// segments may be left to the host's kernel, and to whatever its network card does of that.
//
// An interface that was made with multi_queue has a descriptor for each pair of queues. The host's
// kernel chooses one by a frame's flow, and keeps a flow where the guest has sent of it last
// (Documentation/networking/tuntap.rst, 3.3).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vmm/net/net_backend.h"

namespace crosswalk::vmm {

class TapBackend final : public NetBackend {
 public:
  // The interface must be there. `queues`: pairs of them, for more than one of which it has to be
  // one with multi_queue; 0: `cpus` if it is, or one.
  static Result<std::unique_ptr<NetBackend>> open(const std::string& interface, unsigned queues, unsigned cpus);
  ~TapBackend() override;

  std::string name() const override { return "tap " + interface_; }
  bool has_offloads() const override { return true; }
  void set_offloads(const NetOffloads& wanted) override;
  unsigned pairs() const override { return static_cast<unsigned>(fds_.size()); }
  bool set_pairs(unsigned pairs) override;
  bool send(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) override;
  void fill(std::vector<pollfd>& fds, int& timeout) override;
  void ready(std::span<const pollfd> fds) override;

 private:
  explicit TapBackend(std::string interface);
  // Another descriptor of the interface; an error number, or 0.
  int attach(bool multi_queue);
  void read_frames(unsigned pair);

  std::vector<int> fds_;  // one for each pair
  std::string interface_;
  unsigned used_ = 0;            // the first so many of them are attached
  bool gone_ = false;            // somebody has removed the interface
  std::vector<uint8_t> buffer_;  // a header and a frame
};

}  // namespace crosswalk::vmm
