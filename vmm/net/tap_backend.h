// SPDX-License-Identifier: GPL-2.0-or-later
// An interface of the host (tap), which the host bridges, routes or leaves alone. Checksums and TCP
// segments may be left to the host's kernel, and to whatever its network card does of that.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vmm/net/net_backend.h"

namespace crosswalk::vmm {

class TapBackend final : public NetBackend {
 public:
  // The interface must be there.
  static Result<std::unique_ptr<NetBackend>> open(const std::string& interface);
  ~TapBackend() override;

  std::string name() const override { return "tap " + interface_; }
  bool has_offloads() const override { return true; }
  void set_offloads(const NetOffloads& wanted) override;
  bool send(const NetHeader& header, std::span<const uint8_t> frame) override;
  void fill(std::vector<pollfd>& fds, int& timeout) override;
  void ready(std::span<const pollfd> fds) override;

 private:
  TapBackend(int fd, std::string interface);

  int fd_;
  std::string interface_;
  bool gone_ = false;            // somebody has removed the interface
  std::vector<uint8_t> buffer_;  // a header and a frame
};

}  // namespace crosswalk::vmm
