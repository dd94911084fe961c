// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/net/tap_backend.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace crosswalk::vmm {
namespace {

constexpr int kFramesInARound = 64;

std::string advice(int error, const std::string& interface) {
  const std::string command = "ip tuntap add dev " + interface + " mode tap user $USER";
  switch (error) {
    case EPERM: return "it is another user's; as root, make it yours: " + command;
    case EBUSY: return "another program has it; make another one: " + command;
    case EINVAL: return "it is no tap interface, or one with multi_queue; as root, make one: " + command;
    default: return "give another interface";
  }
}

}  // namespace

Result<std::unique_ptr<NetBackend>> TapBackend::open(const std::string& interface) {
  // Whoever may make interfaces would make it by attaching to it.
  if (interface.size() >= IFNAMSIZ || if_nametoindex(interface.c_str()) == 0) {
    return Error{"--net: ifname=" + interface + ": there is no such interface; as root, make it: ip tuntap add dev " +
                 interface.substr(0, IFNAMSIZ - 1) + " mode tap user $USER"};
  }
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return Error{std::string("--net tap: cannot open /dev/net/tun: ") + std::strerror(errno) +
                 "; load the kernel's module tun, or use --net user"};
  }
  std::unique_ptr<NetBackend> backend(new TapBackend(fd, interface));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  const int header_bytes = sizeof(NetHeader);
  if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) != 0 ||
      ioctl(fd, TUNSETOFFLOAD, 0) != 0) {
    const int error = errno;
    return Error{"--net: ifname=" + interface + ": cannot attach to it: " + std::strerror(error) + "; " +
                 advice(error, interface)};
  }
  return backend;
}

TapBackend::TapBackend(int fd, std::string interface)
    : fd_(fd), interface_(std::move(interface)), buffer_(sizeof(NetHeader) + kMaxLargeFrameBytes) {}

TapBackend::~TapBackend() { close(fd_); }

void TapBackend::set_offloads(const NetOffloads& wanted) {
  unsigned flags = 0;
  if (wanted.checksum) flags |= TUN_F_CSUM;
  if (wanted.checksum && wanted.tcp4) flags |= TUN_F_TSO4;
  if (wanted.checksum && wanted.tcp6) flags |= TUN_F_TSO6;
  ioctl(fd_, TUNSETOFFLOAD, flags);  // fails when the interface is gone
}

bool TapBackend::send(const NetHeader& header, std::span<const uint8_t> frame) {
  NetHeader first = header;
  iovec pieces[] = {{&first, sizeof first}, {const_cast<uint8_t*>(frame.data()), frame.size()}};
  return !gone_ && writev(fd_, pieces, 2) >= 0;
}

// What the guest has no room for waits in the interface's own queue, and is dropped there.
void TapBackend::fill(std::vector<pollfd>& fds, int&) {
  fds.push_back({gone_ || !sink_->has_room() ? -1 : fd_, POLLIN, 0});
}

void TapBackend::ready(std::span<const pollfd> fds) {
  if (!fds[0].revents) return;
  for (int frames = 0; frames < kFramesInARound && sink_->has_room(); ++frames) {
    const ssize_t bytes = read(fd_, buffer_.data(), buffer_.size());
    if (bytes < 0) {
      gone_ = errno != EAGAIN && errno != EINTR && errno != ENOMEM;
      return;
    }
    NetHeader header;
    if (static_cast<size_t>(bytes) < sizeof header + kMinFrameBytes) continue;
    std::memcpy(&header, buffer_.data(), sizeof header);
    sink_->receive(header, std::span(buffer_).subspan(sizeof header, static_cast<size_t>(bytes) - sizeof header));
  }
}

}  // namespace crosswalk::vmm
