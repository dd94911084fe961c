// SPDX-License-Identifier: GPL-2.0-or-later
// What happens as time passes: the CPUs' timers raise their interrupts, the RTC its alarm; CPUs
// poll, --timeout stops the machine, and the host's clocks are compared. One thread sleeps until
// the next of all that; a CPU that reads the counter or the GIC before raises its own interrupts.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "translator/arm32/cpu/timer.h"
#include "vmm/devices/gicv2.h"
#include "vmm/devices/pl031.h"
#include "vmm/machine/cpus/cpu_holds.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/time/counter.h"
#include "vmm/machine/time/timer_thread.h"

namespace crosswalk::vmm {

class Timers final : public WallClock, private DeadlineHandler {
 public:
  struct Config {
    // from the start to timed_out(), of the host's time; 0: never
    double timeout_seconds = 0;
    // a CPU that runs polls at least so often; 0: only when there is something to see
    double poll_seconds = 0;
    std::function<void()> timed_out;  // on the timer thread, with the device lock held
  };

  // Plain data, by CPU. The counter's value is SystemCounter::nanoseconds().
  struct CpuTimerState {
    arm::TimerRegisters registers;
    uint64_t seen = 0;  // the counter's highest value that the CPU has read
  };
  using State = std::vector<CpuTimerState>;

  Timers(SystemCounter& counter, std::mutex& device_lock, Vcpus& vcpus, Config config);
  // Set before anything else is called: the timers' interrupts go to `gic`.
  void attach(GicV2& gic, Pl031& rtc);

  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox);
  void stop() { thread_.stop(); }
  uint64_t wakes() const { return thread_.wakes(); }

  // ---- a CPU's thread, without the device lock ----
  // A timer register of the CPU, or its overflow interrupt, changed.
  void changed(const CpuState& cpu);
  // The counter as an instruction of the CPU reads it: never less than any CPU has read before.
  // What is due by then is asserted. No system call.
  uint64_t counter_for(const CpuState& cpu);

  // ---- with the device lock held ----
  // Sets the CPU's interrupts as they are now.
  void update(unsigned cpu) { update(cpu, std::max(counter_.read(), seen_by_any_.load())); }
  // The counter's value at which update() must be called again; kNoDeadline: never. The lock is not
  // needed for the CPU's own thread.
  uint64_t deadline(unsigned cpu) const { return cpus_[cpu].deadline.load(std::memory_order_relaxed); }
  // The guest's time stands still as long as there is a reason. The host's goes on, and with it the
  // RTC's and --timeout's. Precondition: all CPUs wait (CpuHolds), or have not started.
  void hold(Hold why);
  void release(Hold why);
  // Any thread.
  bool is_held(Hold why) const { return held_.load() & static_cast<uint8_t>(why); }
  State save() const;
  // Of a machine with as many CPUs, after the interrupt controller and the counter, before start().
  // The interrupts follow.
  void restore(const State& state);
  uint64_t wall_nanoseconds() override;
  void alarm_changed() override;

 private:
  // A copy of a CPU's timer registers: the timer thread must not see them half changed.
  struct CpuTimers {
    arm::TimerRegisters registers;
    // when the outputs must be looked at again; written under the lock
    std::atomic<uint64_t> deadline{kNoDeadline};
    // the counter's highest value that the CPU has read
    uint64_t seen = 0;
  };

  void update(unsigned cpu, uint64_t now);
  uint64_t not_before_others(uint64_t now);
  void update_alarm();
  void rearm();
  void deadline_passed() override;

  SystemCounter& counter_;
  std::mutex& device_lock_;
  Vcpus& vcpus_;
  Config config_;
  GicV2* gic_ = nullptr;
  Pl031* rtc_ = nullptr;
  std::vector<CpuTimers> cpus_;
  std::atomic<uint64_t> seen_by_any_{0};  // the highest CpuTimers::seen; kept with several CPUs
  // in SystemCounter::host_ticks
  uint64_t timeout_at_ = kNoDeadline, poll_at_ = kNoDeadline;
  uint64_t alarm_at_ = kNoDeadline, clocks_checked_at_ = 0;
  std::atomic<uint8_t> held_{0};  // a set of Hold, written under the lock
  TimerThread thread_;
};

}  // namespace crosswalk::vmm
