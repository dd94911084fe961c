// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/vcpu.h"

#include "translator/base/counter.h"
#include "vmm/base/futex.h"

namespace crosswalk::vmm {

void Vcpu::raise(uint32_t line) {
  raise_line(state_, line);
  switch (sleep_.load()) {
    case Sleep::Awake: break;
    case Sleep::WaitForInterrupt: futex_wake(&state_.interrupt_lines); break;
    case Sleep::Off: power_.notify(); break;
  }
}

void Vcpu::stop(bool first) {
  if (first) sleep_at_stop_.store(sleep_.load());
  raise(kLineStop);
}

uint32_t Vcpu::lines() const { return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(state_.interrupt_lines)).load(); }

// Either this sees the line, or whoever raises it sees `sleep_`.
void Vcpu::sleep_while(uint32_t seen, Sleep how, int64_t nanoseconds) {
  sleep_.store(how);
  if (lines() == seen) futex_wait(&state_.interrupt_lines, seen, nanoseconds);
  sleep_.store(Sleep::Awake);
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

Vcpus::Vcpus(unsigned count) {
  for (unsigned i = 0; i < count; ++i) cpus_.push_back(std::make_unique<Vcpu>(i));
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

void Vcpus::set_cpu_line(unsigned cpu, uint32_t line, bool level) {
  if (level)
    cpus_[cpu]->raise(line);
  else
    cpus_[cpu]->lower(line);
}

}  // namespace crosswalk::vmm
