// SPDX-License-Identifier: GPL-2.0-or-later
// The PL061 general-purpose I/O (Arm DDI 0190B). Line 3 has the power button, as on QEMU's virt
// machine; the other lines lead nowhere and read as zero when they are inputs.
//
// The button is a key that the guest sees as long as it needs: it goes down when it is pressed, and
// up again once the guest has read the line.
#pragma once

#include <cstdint>

#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class Pl061 final : public MmioDevice {
 public:
  static constexpr uint64_t kRegionBytes = 0x1000;
  static constexpr unsigned kPowerButton = 3;

  // Plain data, by the names of the registers.
  struct State {
    uint8_t data = 0, dir = 0, is = 0, ibe = 0, iev = 0, ie = 0, afsel = 0;
    uint8_t edges = 0;   // interrupts by edges, until GPIOIC
    uint8_t inputs = 0;  // levels from outside
  };

  Pl061(InterruptSink& interrupts, unsigned interrupt) : interrupts_(interrupts), interrupt_(interrupt) {}

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  // With the device lock held.
  void press_power_button() { set_input(kPowerButton, true); }

  State save() const { return state_; }
  // The interrupt follows. With the device lock held.
  void restore(const State& state) {
    state_ = state;
    update_interrupt();
  }

 private:
  // What is on the lines.
  uint8_t levels() const { return static_cast<uint8_t>((state_.data & state_.dir) | (state_.inputs & ~state_.dir)); }
  uint8_t raw_interrupts() const;
  void set_input(unsigned line, bool high);
  void change(uint8_t before);
  void update_interrupt() { interrupts_.set_interrupt(interrupt_, (raw_interrupts() & state_.ie) != 0); }

  InterruptSink& interrupts_;
  const unsigned interrupt_;
  State state_;
};

}  // namespace crosswalk::vmm
