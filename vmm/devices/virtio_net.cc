// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_net.h"

#include <utility>

#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

constexpr unsigned kReceive = 0;

// 5.1.3. linux/virtio_net.h is not C++.
constexpr uint64_t kChecksum = 1u << 0, kGuestChecksum = 1u << 1, kMac = 1u << 5, kGuestTso4 = 1u << 7,
                   kGuestTso6 = 1u << 8, kHostTso4 = 1u << 11, kHostTso6 = 1u << 12, kMergeableBuffers = 1u << 15,
                   kStatus = 1u << 16;
// What the device does for the driver, and what the driver takes of the device.
constexpr uint64_t kOffloads = kChecksum | kHostTso4 | kHostTso6 | kGuestChecksum | kGuestTso4 | kGuestTso6;
constexpr uint8_t kLinkUp = 1;                // 5.1.4
constexpr uint8_t kNeedsChecksum = 1;         // 5.1.6, flags
enum : uint8_t { kNoGso, kTcp4, kTcp6 = 4 };  // 5.1.6, gso_type

NetOffloads offloads_of_device(uint64_t features) {
  return {(features & kChecksum) != 0, (features & kHostTso4) != 0, (features & kHostTso6) != 0};
}

NetOffloads offloads_of_driver(uint64_t features) {
  return {(features & kGuestChecksum) != 0, (features & kGuestTso4) != 0, (features & kGuestTso6) != 0};
}

// Whether a receiver with these offloads takes such a frame.
bool taken(const NetOffloads& offloads, const NetHeader& header) {
  if ((header.flags & kNeedsChecksum) && !offloads.checksum) return false;
  switch (header.gso_type) {
    case kNoGso: return true;
    case kTcp4: return offloads.tcp4;
    case kTcp6: return offloads.tcp6;
    default: return false;
  }
}

}  // namespace

VirtioNet::VirtioNet(const MacAddress& mac, std::unique_ptr<NetBackend> backend)
    : mac_(mac), backend_(std::move(backend)) {
  backend_->set_sink(*this);
}

uint64_t VirtioNet::features() const {
  return kMac | kStatus | kMergeableBuffers | (backend_->has_offloads() ? kOffloads : 0);
}

// 5.1.4: the address, and the status.
uint8_t VirtioNet::config_byte(uint32_t offset) const {
  if (offset < mac_.size()) return mac_[offset];
  return offset == mac_.size() ? kLinkUp : 0;
}

bool VirtioNet::ready(unsigned queue) const { return queue != kReceive || !waiting_.empty(); }

Progress VirtioNet::process(unsigned queue, Chain& chain) {
  const uint64_t features = features_.load();
  if (const NetOffloads wanted = offloads_of_driver(features); wanted != offloads_) {
    offloads_ = wanted;
    backend_->set_offloads(wanted);
  }
  return queue == kReceive ? deliver(chain, features) : transmit(chain, features);
}

Progress VirtioNet::transmit(const Chain& chain, uint64_t features) {
  const NetOffloads offloads = offloads_of_device(features);
  const size_t longest = offloads.tcp4 || offloads.tcp6 ? kMaxLargeFrameBytes : kMaxFrameBytes;
  const uint64_t bytes = chain.readable_bytes();
  NetHeader header;
  bool sent = false;
  if (bytes >= sizeof header + kMinFrameBytes && bytes <= sizeof header + longest) {
    // One copy, which the guest cannot change any more.
    chain.copy_from(0, &header, sizeof header);
    outgoing_.resize(bytes - sizeof header);
    chain.copy_from(sizeof header, outgoing_.data(), static_cast<uint32_t>(outgoing_.size()));
    // 5.1.6.2: what of these two was not negotiated, the driver sets to 0.
    sent = taken(offloads, header) && backend_->send(header, outgoing_);
  }
  if (sent) {
    ++counters_.sent;
    counters_.bytes_sent += outgoing_.size();
  } else {
    ++counters_.send_drops;
  }
  return {};
}

Progress VirtioNet::deliver(const Chain& chain, uint64_t features) {
  const uint64_t room = chain.writable_bytes();
  while (!waiting_.empty()) {
    Frame& frame = waiting_.front();
    const uint64_t bytes = sizeof frame.header + frame.bytes.size();
    const bool takes = taken(offloads_of_driver(features), frame.header);
    if (takes && room < bytes && (features & kMergeableBuffers)) return Progress::another_chain();
    if (!takes || room < bytes) {
      ++counters_.receive_drops;
      drop_first();
      continue;
    }
    // 5.1.6.4.1: 1 without mergeable buffers, too.
    frame.header.buffers = static_cast<uint16_t>(1 + chain.joined.size());
    chain.copy_to(0, &frame.header, sizeof frame.header);
    chain.copy_to(sizeof frame.header, frame.bytes.data(), static_cast<uint32_t>(frame.bytes.size()));
    ++counters_.received;
    counters_.bytes_received += frame.bytes.size();
    drop_first();
    return Progress::filled(static_cast<uint32_t>(bytes));
  }
  return Progress::more();  // the chain is for the next frame
}

void VirtioNet::drop_first() {
  waiting_bytes_ -= waiting_.front().bytes.size();
  waiting_.pop_front();
}

bool VirtioNet::has_room() const { return waiting_.size() < kMaxWaitingFrames && waiting_bytes_ < kMaxWaitingBytes; }

void VirtioNet::receive(const NetHeader& header, std::span<const uint8_t> frame) {
  if (!has_room() || frame.size() > kMaxLargeFrameBytes) {
    ++counters_.receive_drops;
    return;
  }
  waiting_.push_back({header, {frame.begin(), frame.end()}});
  waiting_bytes_ += frame.size();
  if (transport_) transport_->kick(kReceive, false);
}

void VirtioNet::add_statistics(StatisticsTable& table) const {
  table.add("network " + backend_->name(), kNetCounters, counters_);
}

}  // namespace crosswalk::vmm
