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

Timers::Timers(const SystemCounter& counter, std::mutex& device_lock, Vcpus& vcpus, Config config)
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
  if (config_.timeout_seconds > 0) timeout_at_ = counter_.read() + ticks_of(config_.timeout_seconds);
  if (config_.poll_seconds > 0) poll_at_ = counter_.read() + ticks_of(config_.poll_seconds);
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
  alarm_at_ = alarm ? counter_.read() + *alarm / kNanosecondsPerTick + 1 : kNoDeadline;
}

void Timers::alarm_changed() {
  update_alarm();
  rearm();
}

// Precondition: the device lock is held.
void Timers::rearm() {
  if (held_) return thread_.set_deadline(std::min(timeout_at_, counter_.read() + kClockCheckTicks));
  uint64_t next = std::min({timeout_at_, poll_at_, alarm_at_, clocks_checked_at_ + kClockCheckTicks});
  for (const CpuTimers& timers : cpus_) next = std::min(next, timers.deadline.load());
  thread_.set_deadline(next);
}

void Timers::deadline_passed() {
  const std::lock_guard lock(device_lock_);
  if (counter_.read() >= clocks_checked_at_ + kClockCheckTicks) {
    counter_.check();
    clocks_checked_at_ = counter_.read();
  }
  if (counter_.read() >= timeout_at_) {
    timeout_at_ = kNoDeadline;
    config_.timed_out();
  }
  if (held_) return rearm();
  if (counter_.read() >= poll_at_) {
    for (const auto& cpu : vcpus_) raise_line(cpu->state(), kLinePoll);
    poll_at_ = counter_.read() + ticks_of(config_.poll_seconds);
  }
  for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) update(cpu);
  rtc_->check_alarm();
  update_alarm();
  rearm();
}

void Timers::hold() {
  held_ = true;
  rearm();
}

void Timers::release(uint64_t ticks) {
  held_ = false;
  for (uint64_t* at : {&timeout_at_, &poll_at_}) {
    if (*at != kNoDeadline) *at -= std::min(*at, ticks);
  }
  clocks_checked_at_ = 0;
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
