// SPDX-License-Identifier: GPL-2.0-or-later
// A network of its own for the guest, by libslirp: the guest's connections become this process's
// sockets, and it needs no privilege. Addresses are those of QEMU's user network: 10.0.2.0/24 and
// fec0::/64; the host is 10.0.2.2, its name server 10.0.2.3, the guest gets 10.0.2.15 by DHCP.
// libslirp is not made for several threads and has one queue; the guest has one pair of them.
// Files of a directory can be read at 10.0.2.2 by TFTP; the sandbox is what keeps that within it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vmm/net/net_backend.h"

struct Slirp;

namespace crosswalk::vmm {

class SlirpBackend final : public NetBackend {
 public:
  static Result<std::unique_ptr<NetBackend>> open(const NetConfig& config);
  ~SlirpBackend() override;

  std::string name() const override { return "user"; }
  bool send(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) override;
  void fill(std::vector<pollfd>& fds, int& timeout) override;
  void ready(std::span<const pollfd> fds) override;

 private:
  struct Timer {
    int id;
    void* owner;      // libslirp's
    int64_t expires;  // milliseconds of its clock; negative: not set
  };
  // libslirp's calls, with this object as the last argument.
  struct Calls;

  SlirpBackend() = default;
  void fire_timers();

  Slirp* slirp_ = nullptr;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<pollfd>* filled_ = nullptr;  // during fill()
  size_t first_ = 0;                       // of ours in *filled_
  std::span<const pollfd> polled_;         // during ready()
};

}  // namespace crosswalk::vmm
