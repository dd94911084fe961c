// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_console.h"

#include <algorithm>

namespace crosswalk::vmm {
namespace {
constexpr unsigned kReceive = 0, kTransmit = 1;
// What a turn takes of a long buffer.
constexpr uint64_t kMaxTransmit = 16 << 10;
}  // namespace

bool VirtioConsole::ready(unsigned queue) const {
  if (queue == kReceive) return !received_.empty();
  output_blocked_ = !console_.has_io_room();
  return !output_blocked_;
}

void VirtioConsole::input(const uint8_t* data, size_t bytes) {
  received_.insert(received_.end(), data, data + bytes);
  if (transport_) transport_->kick(kReceive, false);
}

void VirtioConsole::restore(const State& state) {
  received_ = state.received;
  if (received_.size() > kBacklog) received_.resize(kBacklog);
}

void VirtioConsole::output_drained() {
  if (output_blocked_ && transport_) transport_->kick(kTransmit, false);
}

Progress VirtioConsole::process(unsigned queue, Chain& chain) {
  if (queue == kTransmit) {
    uint64_t skip = chain.position, left = kMaxTransmit;
    for (const Segment& segment : chain.readable) {
      if (skip >= segment.bytes) {
        skip -= segment.bytes;
        continue;
      }
      if (left == 0) return Progress::more();
      const uint64_t bytes = std::min<uint64_t>(segment.bytes - skip, left);
      console_.put_from_io_thread({reinterpret_cast<const char*>(segment.host) + skip, bytes});
      chain.position += bytes;
      left -= bytes;
      if (skip + bytes < segment.bytes) return Progress::more();
      skip = 0;
    }
    return {};
  }
  uint32_t written = 0;
  while (!received_.empty()) {
    const uint8_t byte = received_.front();
    if (chain.copy_to(written, &byte, 1) == 0) break;
    received_.pop_front();
    ++written;
  }
  return Progress::filled(written);
}

}  // namespace crosswalk::vmm
