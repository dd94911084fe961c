// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-net (virtio 1.1, 5.1): of each pair of queues the first receives and the second transmits.
// With more than one pair there is a control queue, behind them, by which the driver says how many
// it uses (5.1.6.5.5). One thread serves them all.
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

// Of each pair, where there are several.
struct PairCounters {
  uint64_t sent = 0, received = 0;
};
inline constexpr Counter<PairCounters> kPairCounters[] = {
    {"packets sent", &PairCounters::sent},
    {"packets received", &PairCounters::received},
};

// The network's thread is the I/O thread of its transport.
class VirtioNet final : public VirtioDevice, public NetSink {
 public:
  // What waits for buffers of the guest in each pair; more is dropped.
  static constexpr size_t kMaxWaitingFrames = 4096, kMaxWaitingBytes = 4 << 20;

  // Plain data. What was received and not yet taken is lost, as on any network.
  struct State {
    uint64_t features = 0;
    uint32_t all_pairs = 1, pairs = 1;  // that the card has, and that the driver uses
  };

  VirtioNet(const MacAddress& mac, std::unique_ptr<NetBackend> backend);

  uint32_t device_id() const override { return 1; }
  uint64_t features() const override;
  unsigned queue_count() const override { return all_pairs_ > 1 ? 2 * all_pairs_ + 1 : 2; }
  uint8_t config_byte(uint32_t offset) const override;
  Progress process(unsigned queue, Chain& chain) override;
  bool ready(unsigned queue) const override;
  void set_features(uint64_t negotiated) override { features_.store(negotiated); }
  void reset() override { pairs_.store(1); }
  void add_statistics(StatisticsTable& table) const override;

  // As the transport's.
  State save() const { return {features_.load(), all_pairs_, pairs_.load()}; }
  // Whether this is a card with the queues that the driver of the state uses.
  bool can_restore(const State& state) const;
  // Precondition: can_restore().
  void restore(const State& state);

  // The transport that carries this device; set once, before the machine runs.
  void set_transport(VirtioMmio* transport) { transport_ = transport; }
  // What the network's thread waits for.
  PollGroup& poll_group() { return *backend_; }

  bool has_room(unsigned pair) const override;
  void receive(unsigned pair, const NetHeader& header, std::span<const uint8_t> frame) override;

 private:
  struct Frame {
    NetHeader header;
    std::vector<uint8_t> bytes;
  };

  // Those of a pair that wait for buffers.
  struct Waiting {
    std::deque<Frame> frames;
    size_t bytes = 0;
    void drop_first();
  };
  enum class Role : uint8_t { Receive, Transmit, Control, None };

  Role role_of(unsigned queue) const;
  Progress transmit(unsigned pair, const Chain& chain, uint64_t features);
  Progress deliver(unsigned pair, const Chain& chain, uint64_t features);
  Progress control(const Chain& chain, uint64_t features);
  bool obey(const Chain& chain, uint64_t features);
  bool use_pairs(unsigned pairs);
  void follow_driver(uint64_t features);

  MacAddress mac_;
  std::unique_ptr<NetBackend> backend_;
  VirtioMmio* transport_ = nullptr;
  unsigned all_pairs_;
  std::atomic<uint64_t> features_{0};  // negotiated
  std::atomic<unsigned> pairs_{1};     // that the driver uses
  // The rest is touched on the network's thread alone.
  NetOffloads offloads_;     // what the backend was told
  unsigned told_pairs_ = 1;  // likewise
  std::vector<Waiting> waiting_;
  std::vector<uint8_t> outgoing_;
  NetCounters counters_;
  std::vector<PairCounters> pair_counters_;
};

}  // namespace crosswalk::vmm
