// SPDX-License-Identifier: GPL-2.0-or-later
// The virtio-mmio transport, version 2 (virtio 1.1, 4.2), and what a virtio device implements.
//
// Life of a request: the driver's QueueNotify wakes the I/O thread. That takes a chain under the device lock, releases
// it, lets the device work on the buffers, and posts a Completion. The CPU thread, told by kLineWork, first drops what
// it knows of the RAM that was written (translated code), then publishes the used element and raises the interrupt. So
// a driver never sees a completed request whose data it could execute from a stale translation.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "vmm/console.h"
#include "vmm/device.h"
#include "vmm/devices/virtqueue.h"

namespace crosswalk::vmm {

class StatisticsTable;
class VirtioMmio;

class VirtioDevice {
 public:
  virtual ~VirtioDevice() = default;
  virtual uint32_t device_id() const = 0;
  // Besides VIRTIO_F_VERSION_1 and VIRTIO_F_INDIRECT_DESC, which the transport adds.
  virtual uint64_t features() const { return 0; }
  virtual unsigned queue_count() const = 0;
  // Device-specific configuration; reads beyond it are zero.
  virtual uint8_t config_byte(uint32_t) const { return 0; }
  // On the I/O thread, without the lock; may block. Returns how many bytes of the chain's writable part were written,
  // counted from its start.
  virtual uint32_t process(unsigned queue, const Chain& chain) = 0;
  // On the I/O thread, with the lock: whether process would have something to do for this queue's next chain.
  virtual bool ready(unsigned) const { return true; }
  // What the driver has agreed to, when it sets FEATURES_OK; 0 when it resets the device. With the lock.
  virtual void set_features(uint64_t) {}
  // The driver reset the device. With the lock; no request is in progress.
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
  uint16_t head;
  uint32_t written;
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

  // A slot without a device answers with device ID 0.
  VirtioMmio(const VirtioContext& context, unsigned interrupt, std::unique_ptr<VirtioDevice> device);

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  // ---- the I/O thread, without the lock ----
  bool has_work() const { return kicked_.load() != 0; }
  void do_work();
  // Any thread: `queue` may have become able to proceed.
  void kick(unsigned queue, bool urgent = true);

  // ---- a CPU thread, with the lock ----
  // Publishes a completion, unless the device was reset since. Returns the used ring's range, for the caller to treat
  // as written.
  Completion::Range publish(const Completion& completion);

  VirtioDevice* device() { return device_.get(); }
  uint32_t status() const { return status_; }

 private:
  static constexpr unsigned kMaxQueues = 4;

  bool write_queue_register(uint64_t offset, uint32_t value);
  void write_status(uint32_t value);
  void reset();
  void needs_reset();
  void update_interrupt() { context_.interrupts.set_interrupt(interrupt_, interrupt_status_ != 0); }
  uint64_t offered_features() const;

  VirtioContext context_;
  unsigned interrupt_;
  std::unique_ptr<VirtioDevice> device_;
  uint32_t device_features_select_ = 0, driver_features_select_ = 0, queue_select_ = 0, status_ = 0,
           interrupt_status_ = 0;
  uint64_t driver_features_ = 0;
  VirtQueue queues_[kMaxQueues];
  uint32_t generation_ = 0;
  unsigned in_progress_ = 0;          // requests the I/O thread is working on
  std::condition_variable_any idle_;  // in_progress_ became 0
  std::atomic<uint32_t> kicked_{0};   // a bit per queue
};

}  // namespace crosswalk::vmm
