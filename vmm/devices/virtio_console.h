// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-console with one port (virtio 1.1, 5.3): queue 0 receives, queue 1 transmits.
#pragma once

#include <cstdint>
#include <deque>

#include "vmm/devices/console_input.h"
#include "vmm/devices/console_output.h"
#include "vmm/devices/virtio_mmio.h"

namespace crosswalk::vmm {

class VirtioConsole final : public VirtioDevice, public InputSink {
 public:
  // Plain data.
  struct State {
    std::deque<uint8_t> received;  // and not yet taken by the driver
  };

  explicit VirtioConsole(ConsoleOutput& console) : console_(console) {}

  uint32_t device_id() const override { return 3; }
  unsigned queue_count() const override { return 2; }
  Progress process(unsigned queue, Chain& chain) override;
  bool ready(unsigned queue) const override;

  // As the transport's.
  State save() const { return {received_}; }
  void restore(const State& state);

  // The transport that carries this device; set once, before the machine runs.
  void set_transport(VirtioMmio* transport) { transport_ = transport; }
  size_t input_room() const override { return kBacklog - received_.size(); }
  void input(const uint8_t* data, size_t bytes) override;
  // The I/O thread: the console has room again.
  void output_drained();

 private:
  static constexpr size_t kBacklog = 4096;

  ConsoleOutput& console_;
  VirtioMmio* transport_ = nullptr;
  std::deque<uint8_t> received_;  // only touched on the I/O thread
  mutable bool output_blocked_ = false;
};

}  // namespace crosswalk::vmm
