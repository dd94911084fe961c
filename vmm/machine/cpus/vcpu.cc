// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/vcpu.h"

#include "vmm/base/futex.h"

namespace crosswalk::vmm {

void Vcpu::raise(uint32_t line) {
  raise_line(state_, line);
  if (sleep_.load() != Sleep::Awake) futex_wake(&state_.interrupt_lines);
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

Vcpus::Vcpus(unsigned count) {
  for (unsigned i = 0; i < count; ++i) cpus_.push_back(std::make_unique<Vcpu>(i));
}

unsigned Vcpus::awake() const {
  for (unsigned i = 0; i < count(); ++i) {
    if (cpus_[i]->sleep() == Sleep::Awake) return i;
  }
  for (unsigned i = 0; i < count(); ++i) {
    if (cpus_[i]->sleep() != Sleep::Off) return i;
  }
  return 0;
}

VcpuCounters Vcpus::totals() const {
  VcpuCounters sum;
  for (const auto& cpu : cpus_) {
    const VcpuCounters& c = cpu->counters();
    sum.mmio_reads += c.mmio_reads;
    sum.mmio_writes += c.mmio_writes;
    sum.mmio_unassigned += c.mmio_unassigned;
    sum.waits += c.waits;
    sum.wait_ticks += c.wait_ticks;
    sum.firmware_calls += c.firmware_calls;
  }
  return sum;
}

void Vcpus::set_cpu_line(unsigned cpu, uint32_t line, bool level) {
  if (level)
    cpus_[cpu]->raise(line);
  else
    cpus_[cpu]->lower(line);
}

}  // namespace crosswalk::vmm
