// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_net.h"

#include <string>
#include <utility>

#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

// 5.1.3. linux/virtio_net.h is not C++.
constexpr uint64_t kChecksum = 1u << 0, kGuestChecksum = 1u << 1, kMac = 1u << 5, kGuestTso4 = 1u << 7,
                   kGuestTso6 = 1u << 8, kHostTso4 = 1u << 11, kHostTso6 = 1u << 12, kMergeableBuffers = 1u << 15,
                   kStatus = 1u << 16, kControlQueue = 1u << 17, kMultiQueue = 1u << 22;
// What the device does for the driver, and what the driver takes of the device.
constexpr uint64_t kOffloads = kChecksum | kHostTso4 | kHostTso6 | kGuestChecksum | kGuestTso4 | kGuestTso6;
constexpr uint8_t kControlMultiQueue = 4, kSetPairs = 0;  // 5.1.6.5.5
constexpr uint8_t kLinkUp = 1;                            // 5.1.4
constexpr uint8_t kNeedsChecksum = 1;                     // 5.1.6, flags
enum : uint8_t { kNoGso, kTcp4, kTcp6 = 4 };              // 5.1.6, gso_type

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
    : mac_(mac),
      backend_(std::move(backend)),
      all_pairs_(backend_->pairs()),
      waiting_(all_pairs_),
      pair_counters_(all_pairs_) {
  backend_->set_sink(*this);
}

uint64_t VirtioNet::features() const {
  return kMac | kStatus | kMergeableBuffers | (backend_->has_offloads() ? kOffloads : 0) |
         (all_pairs_ > 1 ? kControlQueue | kMultiQueue : 0);
}

// 5.1.4: the address, the status, and the number of pairs.
uint8_t VirtioNet::config_byte(uint32_t offset) const {
  constexpr uint32_t kStatusAt = 6, kPairsAt = 8;
  if (offset < mac_.size()) return mac_[offset];
  if (offset == kPairsAt && all_pairs_ > 1) return static_cast<uint8_t>(all_pairs_);
  return offset == kStatusAt ? kLinkUp : 0;
}

// 5.1.2: without VIRTIO_NET_F_MQ the control queue is behind the first pair.
VirtioNet::Role VirtioNet::role_of(unsigned queue) const {
  const uint64_t features = features_.load();
  const unsigned pairs = features & kMultiQueue ? all_pairs_ : 1;
  if (queue < 2 * pairs) return queue % 2 == 0 ? Role::Receive : Role::Transmit;
  return queue == 2 * pairs && (features & kControlQueue) ? Role::Control : Role::None;
}

bool VirtioNet::ready(unsigned queue) const {
  switch (role_of(queue)) {
    case Role::Receive: return !waiting_[queue / 2].frames.empty();
    case Role::None: return false;
    case Role::Transmit:
    case Role::Control: break;
  }
  return true;
}

Progress VirtioNet::process(unsigned queue, Chain& chain) {
  const uint64_t features = features_.load();
  follow_driver(features);
  switch (role_of(queue)) {
    case Role::Receive: return deliver(queue / 2, chain, features);
    case Role::Transmit: return transmit(queue / 2, chain, features);
    case Role::Control: return control(chain, features);
    case Role::None: break;  // the driver has reset the device meanwhile
  }
  return {};
}

// What a reset, a restored state or the driver's features have changed on another thread.
void VirtioNet::follow_driver(uint64_t features) {
  if (const NetOffloads wanted = offloads_of_driver(features); wanted != offloads_) {
    offloads_ = wanted;
    backend_->set_offloads(wanted);
  }
  if (const unsigned wanted = pairs_.load(); wanted != told_pairs_) use_pairs(wanted);
}

// What waits in a pair that is used no more goes by the first one.
bool VirtioNet::use_pairs(unsigned pairs) {
  if (!backend_->set_pairs(pairs)) return false;
  told_pairs_ = pairs;
  for (unsigned pair = pairs; pair < all_pairs_; ++pair) {
    Waiting& left = waiting_[pair];
    for (Frame& frame : left.frames) {
      waiting_[0].bytes += frame.bytes.size();
      waiting_[0].frames.push_back(std::move(frame));
    }
    left = {};
  }
  if (transport_ && !waiting_[0].frames.empty()) transport_->kick(0, false);
  return true;
}

// 5.1.6.5: class, command and what belongs to it; the answer is one byte.
Progress VirtioNet::control(const Chain& chain, uint64_t features) {
  const uint8_t answer = obey(chain, features) ? 0 : 1;  // VIRTIO_NET_OK, VIRTIO_NET_ERR
  return Progress::filled(chain.copy_to(0, &answer, sizeof answer));
}

bool VirtioNet::obey(const Chain& chain, uint64_t features) {
  struct {
    uint8_t command_class, command;
    uint16_t pairs;
  } request;
  static_assert(sizeof request == 4);
  if (chain.readable_bytes() != sizeof request) return false;
  chain.copy_from(0, &request, sizeof request);
  if (request.command_class != kControlMultiQueue || request.command != kSetPairs || !(features & kMultiQueue) ||
      request.pairs < 1 || request.pairs > all_pairs_ || !use_pairs(request.pairs))
    return false;
  pairs_.store(request.pairs);
  return true;
}

Progress VirtioNet::transmit(unsigned pair, const Chain& chain, uint64_t features) {
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
    // 5.1.6.2: what of these two was not negotiated, the driver sets to 0. What a driver still
    // sends by a pair that it has given up goes by the first one.
    sent = taken(offloads, header) && backend_->send(pair < told_pairs_ ? pair : 0, header, outgoing_);
  }
  if (sent) {
    ++counters_.sent;
    ++pair_counters_[pair].sent;
    counters_.bytes_sent += outgoing_.size();
  } else {
    ++counters_.send_drops;
  }
  return {};
}

Progress VirtioNet::deliver(unsigned pair, const Chain& chain, uint64_t features) {
  Waiting& waiting = waiting_[pair];
  const uint64_t room = chain.writable_bytes();
  while (!waiting.frames.empty()) {
    Frame& frame = waiting.frames.front();
    const uint64_t bytes = sizeof frame.header + frame.bytes.size();
    const bool takes = taken(offloads_of_driver(features), frame.header);
    if (takes && room < bytes && (features & kMergeableBuffers)) return Progress::another_chain();
    if (!takes || room < bytes) {
      ++counters_.receive_drops;
      waiting.drop_first();
      continue;
    }
    // 5.1.6.4.1: 1 without mergeable buffers, too.
    frame.header.buffers = static_cast<uint16_t>(1 + chain.joined.size());
    chain.copy_to(0, &frame.header, sizeof frame.header);
    chain.copy_to(sizeof frame.header, frame.bytes.data(), static_cast<uint32_t>(frame.bytes.size()));
    ++counters_.received;
    ++pair_counters_[pair].received;
    counters_.bytes_received += frame.bytes.size();
    waiting.drop_first();
    return Progress::filled(static_cast<uint32_t>(bytes));
  }
  return Progress::more();  // the chain is for the next frame
}

void VirtioNet::Waiting::drop_first() {
  bytes -= frames.front().bytes.size();
  frames.pop_front();
}

bool VirtioNet::has_room(unsigned pair) const {
  return waiting_[pair].frames.size() < kMaxWaitingFrames && waiting_[pair].bytes < kMaxWaitingBytes;
}

void VirtioNet::receive(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) {
  follow_driver(features_.load());
  if (pair >= told_pairs_) pair = 0;
  if (!has_room(pair) || frame.size() > kMaxLargeFrameBytes) {
    ++counters_.receive_drops;
    return;
  }
  waiting_[pair].frames.push_back({header, {frame.begin(), frame.end()}});
  waiting_[pair].bytes += frame.size();
  if (transport_) transport_->kick(2 * pair, false);
}

bool VirtioNet::can_restore(const State& state) const {
  return state.pairs >= 1 && state.pairs <= all_pairs_ &&
         (!(state.features & kMultiQueue) || state.all_pairs == all_pairs_);
}

void VirtioNet::restore(const State& state) {
  features_.store(state.features);
  pairs_.store(state.pairs);
}

void VirtioNet::add_statistics(StatisticsTable& table) const {
  table.add("network " + backend_->name(), kNetCounters, counters_);
  for (unsigned pair = 0; all_pairs_ > 1 && pair < all_pairs_; ++pair)
    table.add("network " + backend_->name() + ", pair " + std::to_string(pair), kPairCounters, pair_counters_[pair]);
}

}  // namespace crosswalk::vmm
