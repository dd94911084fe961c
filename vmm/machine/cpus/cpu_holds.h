// SPDX-License-Identifier: GPL-2.0-or-later
// Why CPUs do not run guest code. A CPU that is held waits on its thread, between two blocks of
// translated code, for as long as there is a reason; meanwhile it does what is queued for it
// (rendezvous.h). The guest's time stands still for the same reasons (Timers::hold).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

enum class Hold : uint8_t {
  Debugger = 1,  // a CPU that is off is not held by it, and a CPU leaves it for kLineStop
  Pause = 2,
  Freeze = 4,  // besides Pause, for a short time: CPUs do not even what is queued
};

class CpuHolds {
 public:
  CpuHolds(Vcpus& vcpus, Rendezvous& rendezvous) : vcpus_(vcpus), rendezvous_(rendezvous), places_(vcpus.count()) {}

  // Is called on a CPU's thread, with a lock held, when the CPU has come to wait for another reason
  // than before. Set before CPUs start.
  void set_observer(std::function<void()> observer) { observer_ = std::move(observer); }

  // ---- any thread
  // Asks the CPU to wait from its next poll on. What was queued for it before is done before.
  void hold(unsigned cpu, Hold why);
  void hold_all(Hold why);
  // A CPU that no other reason holds goes on.
  void release(unsigned cpu, Hold why);
  void release_all(Hold why);
  bool is_held(unsigned cpu, Hold why) const;
  // Whether the CPU is held for that reason, and waits.
  bool waits(unsigned cpu, Hold why) const;
  // Until all CPUs wait. False: `patience` has passed. Not on a CPU's thread.
  bool wait_for_all(Hold why, std::chrono::milliseconds patience);

  // ---- the CPU's thread
  // Before it runs guest code for the first time, or again after it was off.
  void begin(CpuState& cpu);
  // Waits as long as the CPU is held.
  void serve(CpuState& cpu);

 private:
  // Sets of Hold.
  struct Place {
    uint8_t held = 0;
    uint8_t waits_for = 0;  // those of `held` that the CPU has seen; it waits
    uint64_t changes = 0;   // of `held`
  };
  void change(unsigned cpu, Hold why, bool held);

  Vcpus& vcpus_;
  Rendezvous& rendezvous_;
  std::function<void()> observer_;
  mutable std::mutex lock_;  // of places_
  std::condition_variable changed_;
  std::vector<Place> places_;
};

// While it lives, all CPUs are held for a reason that nobody else has them held for.
class HoldOfAll {
 public:
  HoldOfAll(CpuHolds& holds, Hold why) : holds_(holds), why_(why) { holds_.hold_all(why_); }
  ~HoldOfAll() { holds_.release_all(why_); }
  HoldOfAll(const HoldOfAll&) = delete;
  HoldOfAll& operator=(const HoldOfAll&) = delete;
  // Until all CPUs wait. False: `patience` has passed.
  bool wait(std::chrono::milliseconds patience) { return holds_.wait_for_all(why_, patience); }

 private:
  CpuHolds& holds_;
  const Hold why_;
};

}  // namespace crosswalk::vmm
