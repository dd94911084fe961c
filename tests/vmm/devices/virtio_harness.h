// SPDX-License-Identifier: GPL-2.0-or-later
// A virtio-mmio transport with rings that a test makes by hand.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "vmm/devices/virtio_mmio.h"
#include "vmm/machine/loader/guest_memory.h"

namespace crosswalk::vmm {

inline constexpr uint64_t kRing = kRamBase;  // descriptors, available, used
inline constexpr uint64_t kAvailable = kRing + 0x1000;
inline constexpr uint64_t kUsed = kRing + 0x2000;
inline constexpr uint64_t kBuffers = kRing + 0x20000;  // behind the rings of eight queues
inline constexpr uint16_t kQueueSize = 16;
inline constexpr unsigned kInterrupt = 48;

// A chain whose first descriptor, or head, breaks one rule of Virtio 1.2, section 2.7: a device
// that takes it has to set DEVICE_NEEDS_RESET.
struct BadChain {
  const char* what;
  uint64_t address;
  uint32_t bytes;
  uint16_t flags, next, head;
};
// `table`: where that descriptor is stored.
inline std::vector<BadChain> bad_chains(uint64_t table = kRing) {
  const uint64_t end = kRamBase + kMinMemory;
  return {{"below RAM", 0x1000, 16, 0, 0, 0},
          {"across the end of RAM", end - 8, 16, 0, 0, 0},
          {"wrapping address", ~uint64_t{0} - 4, 16, 0, 0, 0},
          {"huge length", kBuffers, 0xffffffff, 0, 0, 0},
          {"device address", 0x09000000, 16, 0, 0, 0},
          {"loop", kBuffers, 16, 1, 0, 0},
          {"next outside the table", kBuffers, 16, 1, kQueueSize, 0},
          {"head outside the table", kBuffers, 16, 0, 0, kQueueSize},
          {"indirect table outside RAM", end - 16, 64, 4, 0, 0},
          {"indirect table of odd size", kBuffers, 40, 4, 0, 0},
          {"empty indirect table", kBuffers, 0, 4, 0, 0},
          {"indirect with next", kBuffers, 16, 5, 1, 0},
          {"nested indirect", table, 16, 4, 0, 0}};
}

// The machine's part, single-threaded: completions are published when asked.
class Harness : public InterruptSink, public IoNotifier, public CompletionSink {
 public:
  Harness() : memory_(take(GuestMemory::allocate(kMinMemory, false))) {}

  void attach(std::unique_ptr<VirtioDevice> device) {
    const VirtioContext context{lock_, memory_.ram(), *this, *this, *this};
    slot_ = std::make_unique<VirtioMmio>(context, kInterrupt, std::move(device));
  }
  // Goes on with a new transport and `device` in the state of the one before, as after a restart of
  // the process.
  void replace(std::unique_ptr<VirtioDevice> device) {
    std::unique_lock guard(lock_);
    const VirtioMmio::State state = slot_->save();
    guard.unlock();
    attach(std::move(device));
    guard.lock();
    line = false;
    slot_->restore(state);
  }
  void set_interrupt(unsigned interrupt, bool level) override {
    EXPECT_EQ(interrupt, kInterrupt);
    line = level;
  }
  void notify(bool) override {}
  void post(Completion&& completion) override { completions.push_back(std::move(completion)); }

  uint32_t get(uint32_t offset) {
    const std::lock_guard guard(lock_);
    return slot_->read(0, offset, 4);
  }
  void set(uint32_t offset, uint32_t value) {
    const std::lock_guard guard(lock_);
    slot_->write(0, offset, 4, value);
  }
  // Up to FEATURES_OK. `features`: of the first 32.
  void negotiate(uint32_t features = 1u << 28) {
    set(0x70, 0);
    set(0x70, 1);
    set(0x70, 3);
    set(0x24, 1);
    set(0x20, 1);  // VIRTIO_F_VERSION_1
    set(0x24, 0);
    set(0x20, features);
    set(0x70, 11);
  }
  void set_queue(unsigned index, uint64_t ring, uint32_t size = kQueueSize) {
    set(0x30, index);
    set(0x38, size);
    set(0x80, static_cast<uint32_t>(ring));
    set(0x84, static_cast<uint32_t>(ring >> 32));
    set(0x90, static_cast<uint32_t>(ring + 0x1000));
    set(0x94, static_cast<uint32_t>((ring + 0x1000) >> 32));
    set(0xa0, static_cast<uint32_t>(ring + 0x2000));
    set(0xa4, static_cast<uint32_t>((ring + 0x2000) >> 32));
    set(0x44, 1);
  }
  void start(unsigned queues = 1, uint32_t features = 1u << 28) {
    negotiate(features);
    EXPECT_EQ(get(0x70), 11u);
    for (unsigned i = 0; i < queues; ++i) set_queue(i, kRing + i * 0x4000);
    set(0x70, 15);
  }
  template <class T>
  T load(uint64_t pa) const {
    T value;
    std::memcpy(&value, memory_.ram().at(pa), sizeof value);
    return value;
  }
  template <class T>
  void store(uint64_t pa, T value) {
    std::memcpy(memory_.ram().at(pa), &value, sizeof value);
  }
  void descriptor(unsigned index, uint64_t address, uint32_t bytes, uint16_t flags, uint16_t next,
                  uint64_t table = kRing) {
    const uint64_t at = table + index * 16;
    store<uint64_t>(at, address);
    store<uint32_t>(at + 8, bytes);
    store<uint16_t>(at + 12, flags);
    store<uint16_t>(at + 14, next);
  }
  void make_available(uint16_t head, unsigned queue = 0) {
    const uint64_t ring = kAvailable + queue * 0x4000;
    const auto index = load<uint16_t>(ring + 2);
    store<uint16_t>(ring + 4 + 2 * (index % kQueueSize), head);
    store<uint16_t>(ring + 2, static_cast<uint16_t>(index + 1));
  }
  void publish() {
    for (const Completion& completion : completions) {
      const std::lock_guard guard(lock_);
      slot_->publish(completion);
    }
    completions.clear();
  }
  void notify_and_run(unsigned queue = 0) {
    set(0x50, queue);
    do slot_->do_work();
    while (slot_->has_work());
    publish();
  }
  uint16_t used_index(unsigned queue = 0) const { return load<uint16_t>(kUsed + queue * 0x4000 + 2); }
  uint32_t used_length(unsigned element, unsigned queue = 0) const {
    return load<uint32_t>(kUsed + queue * 0x4000 + 8 + element % kQueueSize * 8);
  }
  bool needs_reset() { return get(0x70) & 0x40; }
  const GuestRam& ram() const { return memory_.ram(); }
  VirtioMmio& slot() { return *slot_; }

  bool line = false;
  std::vector<Completion> completions;

 private:
  static GuestMemory take(Result<GuestMemory> result) {
    if (!result) throw std::runtime_error(result.error());
    return std::move(*result);
  }
  std::mutex lock_;
  GuestMemory memory_;
  std::unique_ptr<VirtioMmio> slot_;
};

}  // namespace crosswalk::vmm
