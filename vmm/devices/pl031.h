// SPDX-License-Identifier: GPL-2.0-or-later
// The PL031 real-time clock (ARM DDI 0224C): the host's wall clock in seconds, plus what the guest
// has set.
//
// The comparator must see every value of the counter, but the host may be stopped or its clock be
// set. So a match is that the counter has come to the match value or beyond it, from where it was
// when last looked at. Where the host's clock is set back, the counter goes back, and comes to its
// match again.
#pragma once

#include <cstdint>
#include <optional>

#include "vmm/devices/device.h"

namespace crosswalk::vmm {

// Seconds since 1970, and a way to be called when an alarm is due.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual uint64_t wall_nanoseconds() = 0;
  // The device's next_alarm() changed.
  virtual void alarm_changed() = 0;
};

class Pl031 final : public MmioDevice {
 public:
  static constexpr uint64_t kRegionBytes = 0x1000;

  // Plain data. The time is the host's, so that it passes while a state is kept.
  struct State {
    uint32_t offset = 0;  // RTCLR: what the guest set, relative to the host's clock
    uint32_t load = 0, match = 0, imsc = 0, ris = 0;
    uint32_t last = 0;      // the counter when it was last compared
    bool compares = false;  // RTCMR was written
  };

  Pl031(WallClock& clock, InterruptSink& interrupts, unsigned interrupt)
      : clock_(clock), interrupts_(interrupts), interrupt_(interrupt) {}

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  State save() const { return state_; }
  // The interrupt follows, and an alarm that has come meanwhile is raised. With the device lock
  // held.
  void restore(const State& state);

  // Nanoseconds from now to the match, when one is awaited.
  std::optional<uint64_t> next_alarm();
  // Raises the interrupt when the match is due. Call when it is, and every second or so: the host's
  // clock may be set.
  void check_alarm();

 private:
  uint32_t now();
  uint64_t distance() const;
  void compare();
  void matched();
  void update_interrupt() { interrupts_.set_interrupt(interrupt_, (state_.ris & state_.imsc) != 0); }

  WallClock& clock_;
  InterruptSink& interrupts_;
  unsigned interrupt_;
  State state_;
};

}  // namespace crosswalk::vmm
