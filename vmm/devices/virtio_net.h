// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-net (virtio 1.1, 5.1) with one pair of queues: queue 0 receives, queue 1 transmits.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "translator/base/counter.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/net/net_backend.h"

namespace crosswalk::vmm {

struct NetCounters {
  uint64_t sent = 0, bytes_sent = 0, received = 0, bytes_received = 0;
  // Refused by the network, or not a frame; and no room, or nothing that the guest takes.
  uint64_t send_drops = 0, receive_drops = 0;
};
inline constexpr Counter<NetCounters> kNetCounters[] = {
    {"packets sent", &NetCounters::sent},
    {"bytes sent", &NetCounters::bytes_sent, CounterUnit::Bytes},
    {"packets received", &NetCounters::received},
    {"bytes received", &NetCounters::bytes_received, CounterUnit::Bytes},
    {"packets dropped, sent", &NetCounters::send_drops},
    {"packets dropped, received", &NetCounters::receive_drops},
};

// The network's thread is the I/O thread of its transport.
class VirtioNet final : public VirtioDevice, public NetSink {
 public:
  // What waits for buffers of the guest; more is dropped.
  static constexpr size_t kMaxWaitingFrames = 4096, kMaxWaitingBytes = 4 << 20;

  // Plain data. What was received and not yet taken is lost, as on any network.
  struct State {
    uint64_t features = 0;
  };

  VirtioNet(const MacAddress& mac, std::unique_ptr<NetBackend> backend);

  uint32_t device_id() const override { return 1; }
  uint64_t features() const override;
  unsigned queue_count() const override { return 2; }
  uint8_t config_byte(uint32_t offset) const override;
  Progress process(unsigned queue, Chain& chain) override;
  bool ready(unsigned queue) const override;
  void set_features(uint64_t negotiated) override { features_.store(negotiated); }
  void add_statistics(StatisticsTable& table) const override;

  // As the transport's.
  State save() const { return {features_.load()}; }
  void restore(const State& state) { features_.store(state.features); }

  // The transport that carries this device; set once, before the machine runs.
  void set_transport(VirtioMmio* transport) { transport_ = transport; }
  // What the network's thread waits for.
  PollGroup& poll_group() { return *backend_; }

  bool has_room() const override;
  void receive(const NetHeader& header, std::span<const uint8_t> frame) override;

 private:
  struct Frame {
    NetHeader header;
    std::vector<uint8_t> bytes;
  };

  Progress transmit(const Chain& chain, uint64_t features);
  Progress deliver(const Chain& chain, uint64_t features);
  void drop_first();

  MacAddress mac_;
  std::unique_ptr<NetBackend> backend_;
  VirtioMmio* transport_ = nullptr;
  std::atomic<uint64_t> features_{0};  // negotiated
  // The rest is touched on the network's thread alone.
  NetOffloads offloads_;  // what the backend was told
  std::deque<Frame> waiting_;
  size_t waiting_bytes_ = 0;
  std::vector<uint8_t> outgoing_;
  NetCounters counters_;
};

}  // namespace crosswalk::vmm
