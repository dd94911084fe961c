// SPDX-License-Identifier: GPL-2.0-or-later
// The virtio-mmio transport, version 2 (virtio 1.1, 4.2), and what a virtio device implements.
//
// Life of a request: the driver's QueueNotify wakes the I/O thread. That takes a chain under the
// device lock, releases it, lets the device work on the buffers, in turns of bounded length, and
// posts a Completion. The CPU thread, told by kLineWork, first drops what it knows of the RAM that
// was written (translated code), then publishes the used element and raises the interrupt. So a
// driver never sees a completed request whose data it could execute from a stale translation.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "vmm/devices/device.h"
#include "vmm/devices/io_notifier.h"
#include "vmm/devices/virtqueue.h"

namespace crosswalk::vmm {

class StatisticsTable;
class VirtioMmio;

// What a turn at a request came to.
struct Progress {
  // False: more turns are needed, and the rest but `needs_chain` says nothing.
  bool done = true;
  // The next turn needs the buffers of the queue's next chain too (Chain::join).
  bool needs_chain = false;
  // Bytes of the chain's writable part that were written, counted from its start: what the driver
  // is told.
  uint32_t written = 0;
  // What of that really changed: this many bytes from its start, and the last byte if `last_byte`.
  uint64_t changed = 0;
  bool last_byte = false;

  static Progress more() { return {.done = false}; }
  static Progress another_chain() { return {.done = false, .needs_chain = true}; }
  static Progress filled(uint32_t bytes) { return {.written = bytes, .changed = bytes}; }
};

class VirtioDevice {
 public:
  virtual ~VirtioDevice() = default;
  virtual uint32_t device_id() const = 0;
  // Besides VIRTIO_F_VERSION_1 and VIRTIO_F_INDIRECT_DESC, which the transport adds.
  virtual uint64_t features() const { return 0; }
  virtual unsigned queue_count() const = 0;
  // Device-specific configuration; reads beyond it are zero.
  virtual uint8_t config_byte(uint32_t) const { return 0; }
  // One turn at a request, on the I/O thread, without the lock. It may block, but does no more than
  // what takes some milliseconds on an ordinary host: what the same thread serves waits meanwhile,
  // and so does the end of the run. Longer requests keep their place in chain.position. A request
  // may be given up between two turns.
  virtual Progress process(unsigned queue, Chain& chain) = 0;
  // On the I/O thread, with the lock: whether process would have something to do for this queue's
  // next turn.
  virtual bool ready(unsigned) const { return true; }
  // What the driver has agreed to, when it sets FEATURES_OK; 0 when it resets the device. With the
  // lock.
  virtual void set_features(uint64_t) {}
  // The driver reset the device. With the lock; no request is being worked on.
  virtual void reset() {}
  virtual void add_statistics(StatisticsTable&) const {}
};

struct Completion {
  struct Range {
    uint64_t pa;
    uint64_t bytes;
  };
  VirtioMmio* transport;
  uint32_t generation;  // of the transport when the request was taken
  unsigned queue;
  std::vector<UsedChain> chains;
  std::vector<Range> ranges;  // guest RAM that was written
};

// Carries completions to a CPU thread.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  // With the device lock held.
  virtual void post(Completion&& completion) = 0;
};

// What the transports share.
struct VirtioContext {
  std::mutex& lock;  // the machine's device lock
  const GuestRam& ram;
  InterruptSink& interrupts;
  IoNotifier& io;
  CompletionSink& completions;
};

class VirtioMmio final : public MmioDevice {
 public:
  static constexpr uint64_t kRegionBytes = 0x200;

  // As many as a network card has for eight CPUs: a pair each, and the control queue.
  static constexpr unsigned kMaxQueues = 17;

  // What the driver has set, and where the queues are. Plain data; the device has a state of its
  // own.
  struct State {
    uint32_t device_features_select = 0, driver_features_select = 0, queue_select = 0, status = 0, interrupt_status = 0;
    uint64_t driver_features = 0;
    std::array<VirtQueue, kMaxQueues> queues;
    // Chain::position of the next request of each queue: not 0 when it was begun before the state
    // was saved.
    std::array<uint64_t, kMaxQueues> positions{};
  };

  // A slot without a device answers with device ID 0.
  VirtioMmio(const VirtioContext& context, unsigned interrupt, std::unique_ptr<VirtioDevice> device);

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  // A request that was begun and not completed is in the state as one that is available and goes on
  // at its position. Precondition: the I/O thread does not work on one, and what was completed is
  // published. With the lock.
  State save() const;
  // Whether the device has all features that the driver of the state uses.
  bool can_restore(const State& state) const;
  // Precondition: can_restore(). Into a transport that was not used yet. The interrupt follows, and
  // all queues are looked at. With the lock.
  void restore(const State& state);

  // ---- the I/O thread, without the lock ----
  bool has_work() const { return kicked_.load() != 0; }
  // A round: some turns for each queue. has_work() stays true when there is more to do.
  void do_work();
  // Any thread: `queue` may have become able to proceed.
  void kick(unsigned queue, bool urgent = true);

  // ---- a CPU thread, with the lock ----
  // Publishes a completion, unless the device was reset since. Returns the used ring's range, for
  // the caller to treat as written.
  Completion::Range publish(const Completion& completion);

  // As by the driver's write of 0 to its status. With the lock, which it may give up meanwhile.
  void reset();
  // Any thread: the machine stops, and a CPU that waits for a reset shall wait no more.
  void stop();

  VirtioDevice* device() { return device_.get(); }
  uint32_t status() const { return state_.status; }

 private:
  // A round's worth for one queue: so many turns, or as many as fit into this time.
  static constexpr unsigned kTurns = 64;
  static constexpr std::chrono::milliseconds kRound{5};

  struct Request {
    Chain chain;
    bool abandoned = false;    // the driver stopped the queue while the I/O thread worked on it
    bool needs_chain = false;  // the next one of the queue, for its next turn
  };

  bool serve(unsigned index);  // a round of one queue; true: there is more to do
  // With the lock: whether there is a request to work on, with the chains that it needs.
  bool take_request(unsigned index);
  void post(unsigned queue, const Chain& chain, const Progress& progress);
  void stop_queue(unsigned index);
  bool write_queue_register(uint64_t offset, uint32_t value);
  void write_status(uint32_t value);
  void needs_reset();
  void update_interrupt() { context_.interrupts.set_interrupt(interrupt_, state_.interrupt_status != 0); }
  uint64_t offered_features() const;

  VirtioContext context_;
  unsigned interrupt_;
  std::unique_ptr<VirtioDevice> device_;
  State state_;
  uint32_t generation_ = 0;
  std::optional<Request> requests_[kMaxQueues];  // taken and not done yet
  // the queue whose request the I/O thread is working on
  std::optional<unsigned> working_;
  std::condition_variable_any idle_;  // working_ became empty
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> kicked_{0};  // a bit per queue
};

}  // namespace crosswalk::vmm
