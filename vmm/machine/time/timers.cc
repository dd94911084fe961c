// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/time/timers.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "vmm/machine/board/memory_map.h"

namespace crosswalk::vmm {
namespace {

// How often the host's clocks are looked at: the TSC may restart, and the wall clock be set.
constexpr uint64_t kClockCheckTicks = kCounterFrequency;

uint64_t ticks_of(double seconds) { return static_cast<uint64_t>(seconds * static_cast<double>(kCounterFrequency)); }

}  // namespace

Timers::Timers(SystemCounter& counter, std::mutex& device_lock, Vcpus& vcpus, Config config)
    : counter_(counter),
      device_lock_(device_lock),
      vcpus_(vcpus),
      config_(std::move(config)),
      cpus_(vcpus.count()),
      thread_(counter, *this) {}

void Timers::attach(GicV2& gic, Pl031& rtc) {
  gic_ = &gic;
  rtc_ = &rtc;
}

void Timers::start(const Sandbox* sandbox) {
  if (config_.timeout_seconds > 0) timeout_at_ = counter_.host_ticks() + ticks_of(config_.timeout_seconds);
  if (config_.poll_seconds > 0) poll_at_ = counter_.host_ticks() + ticks_of(config_.poll_seconds);
  thread_.start(sandbox);
  const std::lock_guard lock(device_lock_);
  rearm();
}

void Timers::update(unsigned cpu, uint64_t now) {
  CpuTimers& timers = cpus_[cpu];
  const arm::TimerOutputs outputs = arm::evaluate_timers(timers.registers, now);
  timers.deadline.store(outputs.next_deadline.value_or(kNoDeadline), std::memory_order_relaxed);
  gic_->set_private_interrupt(cpu, kVirtualTimerInterrupt, outputs.virtual_timer);
  gic_->set_private_interrupt(cpu, kPhysicalTimerInterrupt, outputs.physical);
  gic_->set_private_interrupt(cpu, kPerformanceInterrupt, outputs.overflow);
}

// The counter is the same for all CPUs (B8.1.1): one that has seen what another one stored after it
// read the counter reads no less. Neither is true of the TSC by itself: those of two sockets may
// differ, and an RDTSC may be executed before a load that comes first in the program.
uint64_t Timers::not_before_others(uint64_t now) {
  uint64_t seen = seen_by_any_.load();
  while (now > seen && !seen_by_any_.compare_exchange_weak(seen, now)) {
  }
  return std::max(now, seen);
}

uint64_t Timers::counter_for(const CpuState& cpu) {
  CpuTimers& timers = cpus_[cpu.cpu_index];
  // However the host's TSCs differ, a CPU never sees the counter go back.
  uint64_t now = std::max(timers.seen, counter_.read());
  if (cpus_.size() > 1) now = not_before_others(now);
  timers.seen = now;
  if (now >= timers.deadline.load(std::memory_order_relaxed)) {
    const std::lock_guard lock(device_lock_);
    update(cpu.cpu_index, now);
  }
  return now;
}

void Timers::changed(const CpuState& cpu) {
  const std::lock_guard lock(device_lock_);
  cpus_[cpu.cpu_index].registers = arm::timer_registers(cpu);
  update(cpu.cpu_index);
  rearm();
}

// Precondition: the device lock is held.
void Timers::update_alarm() {
  const auto alarm = rtc_->next_alarm();
  alarm_at_ = alarm ? counter_.host_ticks() + *alarm / kNanosecondsPerTick + 1 : kNoDeadline;
}

void Timers::alarm_changed() {
  update_alarm();
  rearm();
}

// Precondition: the device lock is held.
void Timers::rearm() {
  uint64_t next = std::min(timeout_at_, clocks_checked_at_ + kClockCheckTicks);
  if (held_ == 0) {
    next = std::min({next, poll_at_, alarm_at_});
    for (const CpuTimers& timers : cpus_) {
      const uint64_t deadline = timers.deadline.load();
      if (deadline != kNoDeadline) next = std::min(next, counter_.to_host_ticks(deadline));
    }
  }
  thread_.set_deadline(next);
}

void Timers::deadline_passed() {
  const std::lock_guard lock(device_lock_);
  if (counter_.host_ticks() >= clocks_checked_at_ + kClockCheckTicks) {
    counter_.check();
    clocks_checked_at_ = counter_.host_ticks();
  }
  if (counter_.host_ticks() >= timeout_at_) {
    timeout_at_ = kNoDeadline;
    config_.timed_out();
  }
  if (held_ != 0) return rearm();
  if (counter_.host_ticks() >= poll_at_) {
    for (const auto& cpu : vcpus_) raise_line(cpu->state(), kLinePoll);
    poll_at_ = counter_.host_ticks() + ticks_of(config_.poll_seconds);
  }
  for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) update(cpu);
  rtc_->check_alarm();
  update_alarm();
  rearm();
}

void Timers::hold(Hold why) {
  held_ |= static_cast<uint8_t>(why);
  counter_.stand_still();
  rearm();
}

void Timers::release(Hold why) {
  held_ &= static_cast<uint8_t>(~static_cast<uint8_t>(why));
  if (held_ != 0) return;
  counter_.go_on();
  for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) update(cpu);
  rtc_->check_alarm();
  update_alarm();
  rearm();
}

Timers::State Timers::save() const {
  State state;
  for (const CpuTimers& timers : cpus_) state.push_back({timers.registers, timers.seen});
  return state;
}

void Timers::restore(const State& state) {
  for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) {
    cpus_[cpu].registers = state[cpu].registers;
    cpus_[cpu].seen = state[cpu].seen;
    not_before_others(state[cpu].seen);
    update(cpu);
  }
  update_alarm();
}

uint64_t Timers::wall_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace crosswalk::vmm
