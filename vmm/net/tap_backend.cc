// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/net/tap_backend.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
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
    case EINVAL: return "it is no tap interface; as root, make one: " + command;
    default: return "give another interface";
  }
}

}  // namespace

Result<std::unique_ptr<NetBackend>> TapBackend::open(const std::string& interface, unsigned queues, unsigned cpus) {
  // Whoever may make interfaces would make it by attaching to it.
  if (interface.size() >= IFNAMSIZ || if_nametoindex(interface.c_str()) == 0) {
    return Error{"--net: ifname=" + interface + ": there is no such interface; as root, make it: ip tuntap add dev " +
                 interface.substr(0, IFNAMSIZ - 1) + " mode tap user $USER"};
  }
  if (access("/dev/net/tun", R_OK | W_OK) != 0) {
    return Error{std::string("--net tap: cannot open /dev/net/tun: ") + std::strerror(errno) +
                 "; load the kernel's module tun, or use --net user"};
  }
  std::unique_ptr<TapBackend> backend(new TapBackend(interface));
  // Attaching fails with EINVAL where the flag is not as the interface was made.
  int error = backend->attach(true);
  const bool several = error == 0;
  if (error == EINVAL) error = backend->attach(false);
  if (error == 0 && !several && queues > 1) {
    return Error{"--net: queues=" + std::to_string(queues) + ": the interface " + interface +
                 " has one; as root, make it with several: ip tuntap add dev " + interface +
                 " mode tap multi_queue user $USER"};
  }
  const unsigned pairs = !several ? 1 : queues != 0 ? queues : std::min(cpus, kMaxQueuePairs);
  while (error == 0 && backend->pairs() < pairs) error = backend->attach(true);
  const int header_bytes = sizeof(NetHeader);
  if (error == 0 &&
      (ioctl(backend->fds_[0], TUNSETVNETHDRSZ, &header_bytes) != 0 || ioctl(backend->fds_[0], TUNSETOFFLOAD, 0) != 0))
    error = errno;
  if (error != 0) {
    return Error{"--net: ifname=" + interface + ": cannot attach to it: " + std::strerror(error) + "; " +
                 advice(error, interface)};
  }
  backend->used_ = pairs;
  if (!backend->set_pairs(1)) {
    return Error{"--net: ifname=" + interface + ": cannot leave a queue of it: " + std::strerror(errno) +
                 "; give queues=1"};
  }
  return std::unique_ptr<NetBackend>(std::move(backend));
}

TapBackend::TapBackend(std::string interface)
    : interface_(std::move(interface)), buffer_(sizeof(NetHeader) + kMaxLargeFrameBytes) {}

TapBackend::~TapBackend() {
  for (const int fd : fds_) close(fd);
}

int TapBackend::attach(bool multi_queue) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno;
  ifreq request{};
  interface_.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0));
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  fds_.push_back(fd);
  return 0;
}

void TapBackend::set_offloads(const NetOffloads& wanted) {
  unsigned flags = 0;
  if (wanted.checksum) flags |= TUN_F_CSUM;
  if (wanted.checksum && wanted.tcp4) flags |= TUN_F_TSO4;
  if (wanted.checksum && wanted.tcp6) flags |= TUN_F_TSO6;
  ioctl(fds_[0], TUNSETOFFLOAD, flags);  // of all queues; fails when the interface is gone
}

// The kernel leads no frame to a descriptor that is detached, and drops what waits there.
bool TapBackend::set_pairs(unsigned pairs) {
  while (used_ != pairs) {
    const bool more = used_ < pairs;
    ifreq request{};
    request.ifr_flags = static_cast<short>(more ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
    if (ioctl(fds_[more ? used_ : used_ - 1], TUNSETQUEUE, &request) != 0) return false;
    used_ = more ? used_ + 1 : used_ - 1;
  }
  return true;
}

bool TapBackend::send(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) {
  NetHeader first = header;
  iovec pieces[] = {{&first, sizeof first}, {const_cast<uint8_t*>(frame.data()), frame.size()}};
  return !gone_ && writev(fds_[pair], pieces, 2) >= 0;
}

// What the guest has no room for waits in the interface's own queue, and is dropped there.
void TapBackend::fill(std::vector<pollfd>& fds, int&) {
  for (unsigned pair = 0; pair < fds_.size(); ++pair)
    fds.push_back({gone_ || pair >= used_ || !sink_->has_room(pair) ? -1 : fds_[pair], POLLIN, 0});
}

void TapBackend::ready(std::span<const pollfd> fds) {
  for (unsigned pair = 0; pair < fds.size(); ++pair)
    if (fds[pair].revents) read_frames(pair);
}

void TapBackend::read_frames(unsigned pair) {
  for (int frames = 0; frames < kFramesInARound && pair < used_ && sink_->has_room(pair); ++frames) {
    const ssize_t bytes = read(fds_[pair], buffer_.data(), buffer_.size());
    if (bytes < 0) {
      gone_ = errno != EAGAIN && errno != EINTR && errno != ENOMEM;
      return;
    }
    NetHeader header;
    if (static_cast<size_t>(bytes) < sizeof header + kMinFrameBytes) continue;
    std::memcpy(&header, buffer_.data(), sizeof header);
    sink_->receive(pair, header, std::span(buffer_).subspan(sizeof header, static_cast<size_t>(bytes) - sizeof header));
  }
}

}  // namespace crosswalk::vmm
