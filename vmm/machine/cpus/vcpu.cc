// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/vcpu.h"

#include "translator/arm32/cpu/events.h"
#include "translator/base/counter.h"
#include "translator/base/host_cpus.h"
#include "vmm/base/futex.h"

namespace crosswalk::vmm {

void Vcpu::raise(uint32_t line) {
  raise_line(state_, line);
  switch (sleep_.load()) {
    case Sleep::Awake: break;
    case Sleep::WaitForInterrupt:
    case Sleep::Stopped:
    case Sleep::Paused: futex_wake(&state_.interrupt_lines); break;
    case Sleep::WaitForEvent: wake_for_event(); break;
    case Sleep::Off: power_.notify(); break;
  }
}

void Vcpu::wake_for_event() {
  if (sleep_.load() != Sleep::WaitForEvent) return;
  std::atomic_ref<uint32_t>(wakes_).fetch_add(1);
  futex_wake(&wakes_);
}

void Vcpu::stop(bool first) {
  if (first) sleep_at_stop_.store(sleep_.load());
  raise(kLineStop);
}

void Vcpu::restore_power(bool on) {
  sleep_.store(on ? Sleep::Awake : Sleep::Off);
  power_.restore(on ? CpuPower::On : CpuPower::Off);
}

uint32_t Vcpu::lines() const { return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(state_.interrupt_lines)).load(); }

// Either this sees the line, or whoever raises it sees `sleep_`.
void Vcpu::sleep_while(uint32_t seen, Sleep how, int64_t nanoseconds) {
  const Sleep before = sleep_.exchange(how);  // a CPU that is off waits here, too
  if (lines() == seen) futex_wait(&state_.interrupt_lines, seen, nanoseconds);
  sleep_.store(before);
}

void Vcpu::switch_off() {
  sleep_.store(Sleep::Off);
  power_.switch_off();
}

// As with sleep_while: who raises a line before this has looked sees that the CPU is off.
std::optional<PowerSwitch::Entry> Vcpu::wait_for_power() {
  const auto entry = power_.wait();
  if (entry) {
    // A stop of the machine is not lost: whoever asks for one has said so before.
    lower(kLineStop);
    sleep_.store(Sleep::Awake);
  }
  return entry;
}

// Either this sees the event or the line, or whoever made it sees `sleep_`, and changes `wakes_`
// after it was read here.
void Vcpu::sleep_until_event(int64_t nanoseconds) {
  const uint32_t wakes = std::atomic_ref<uint32_t>(wakes_).load();
  sleep_.store(Sleep::WaitForEvent);
  if (std::atomic_ref<uint32_t>(state_.pending).load() == 0 && !arm::event_sent(state_))
    futex_wait(&wakes_, wakes, nanoseconds);
  sleep_.store(Sleep::Awake);
}

Vcpus::Vcpus(unsigned count) {
  const HaltPolling polling(count, count_host_cpus());
  for (unsigned i = 0; i < count; ++i) cpus_.push_back(std::make_unique<Vcpu>(i, polling));
}

std::optional<unsigned> Vcpus::awake() const {
  for (unsigned i = 0; i < count(); ++i) {
    if (cpus_[i]->sleep() == Sleep::Awake) return i;
  }
  for (unsigned i = 0; i < count(); ++i) {
    if (cpus_[i]->power() != CpuPower::Off) return i;
  }
  return std::nullopt;
}

VcpuCounters Vcpus::totals() const {
  VcpuCounters sum;
  for (const auto& cpu : cpus_) add_counters(sum, cpu->counters());
  return sum;
}

void Vcpus::wake_for_event() {
  for (const auto& cpu : cpus_) cpu->wake_for_event();
}

void Vcpus::set_cpu_line(unsigned cpu, uint32_t line, bool level) {
  if (level)
    cpus_[cpu]->raise(line);
  else
    cpus_[cpu]->lower(line);
}

}  // namespace crosswalk::vmm
