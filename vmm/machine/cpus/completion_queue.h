// SPDX-License-Identifier: GPL-2.0-or-later
// What virtio devices have done and no driver knows of yet. A CPU publishes it between two blocks,
// after the MMU knows which RAM was written.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "vmm/devices/virtio_mmio.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

class CompletionQueue final : public CompletionSink {
 public:
  CompletionQueue(std::mutex& device_lock, const Vcpus& vcpus, Rendezvous& rendezvous, const StopSwitch& stop)
      : device_lock_(device_lock), vcpus_(vcpus), rendezvous_(rendezvous), stop_(stop) {}

  // Whom RAM writes are reported to; null: nobody.
  void set_engine(EnginePort* engine) { engine_ = engine; }
  void post(Completion&& completion) override;
  // Whether all was published. With the device lock held.
  bool empty() const { return waiting_.empty(); }
  uint64_t published() const { return published_.load(std::memory_order_relaxed); }

 private:
  // Has a CPU that is on publish. When all are off, there is no guest that would see it.
  void ask_cpu();
  void publish(CpuState& cpu);

  std::mutex& device_lock_;
  const Vcpus& vcpus_;
  Rendezvous& rendezvous_;
  const StopSwitch& stop_;
  EnginePort* engine_ = nullptr;
  std::vector<Completion> waiting_;  // guarded by device_lock_
  std::atomic<uint64_t> published_{0};
};

}  // namespace crosswalk::vmm
