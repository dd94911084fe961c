// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_9p.h"

#include <linux/virtio_9p.h>

#include <algorithm>
#include <span>
#include <utility>

#include "vmm/base/statistics.h"

namespace crosswalk::vmm {

Result<std::unique_ptr<Virtio9p>> Virtio9p::open(const ShareConfig& config, size_t max_files) {
  auto folder = Folder::open(config.path, config.read_only);
  if (!folder) return folder.take_error();
  return std::unique_ptr<Virtio9p>(new Virtio9p(config.tag, std::move(*folder), max_files));
}

uint64_t Virtio9p::features() const { return uint64_t{1} << VIRTIO_9P_MOUNT_TAG; }

// The tag's length in two bytes, then the tag.
uint8_t Virtio9p::config_byte(uint32_t offset) const {
  if (offset < 2) return static_cast<uint8_t>(tag_.size() >> offset * 8);
  return offset - 2 < tag_.size() ? static_cast<uint8_t>(tag_[offset - 2]) : 0;
}

Progress Virtio9p::process(unsigned, Chain& chain) {
  if (was_reset_.exchange(false)) session_.reset();
  // One copy, which the guest cannot change any more. What is longer than any message is refused.
  const uint32_t message_bytes = chain.copy_from(0, message_.data(), static_cast<uint32_t>(message_.size()));
  const std::span room(reply_.data(), std::min<uint64_t>(chain.writable_bytes(), reply_.size()));
  const auto bytes = static_cast<uint32_t>(session_.serve({message_.data(), message_bytes}, room));
  chain.copy_to(0, reply_.data(), bytes);
  has_session_.store(session_.attached());
  return Progress::filled(bytes);
}

void Virtio9p::reset() {
  was_reset_.store(true);
  has_session_.store(false);
}

void Virtio9p::add_statistics(StatisticsTable& table) const {
  table.add("share " + tag_, kShareCounters, session_.counters());
}

}  // namespace crosswalk::vmm
