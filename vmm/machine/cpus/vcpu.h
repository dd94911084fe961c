// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU of the guest as the machine sees it: its state, its sleep, and how other threads reach it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/devices/gicv2_cpu_interface.h"

namespace crosswalk::vmm {

enum class Sleep : uint8_t { Awake, WaitForInterrupt, Off };

// Written by the CPU's thread, read at exit.
struct VcpuCounters {
  uint64_t waits = 0, wait_ticks = 0;  // for an interrupt; ticks of the system counter
  uint64_t mmio_reads = 0, mmio_writes = 0, mmio_unassigned = 0;
  uint64_t firmware_calls = 0;
};

class Vcpu {
 public:
  explicit Vcpu(unsigned index) { state_.cpu_index = index; }

  CpuState& state() { return state_; }
  const CpuState& state() const { return state_; }
  VcpuCounters& counters() { return counters_; }
  const VcpuCounters& counters() const { return counters_; }

  // ---- any thread ----
  // `line` is of InterruptLine. Wakes the CPU if it sleeps.
  void raise(uint32_t line);
  void lower(uint32_t line) { lower_line(state_, line); }
  Sleep sleep() const { return sleep_.load(); }
  // How it was when the machine was asked to stop: raises kLineStop, and remembers it the first
  // time.
  void stop(bool first);
  Sleep sleep_at_stop() const { return sleep_at_stop_.load(); }

  // ---- its own thread ----
  uint32_t lines() const;
  // Sleeps until the lines are no longer `seen`, or for `nanoseconds`; negative: without a limit.
  // May return early.
  void sleep_while(uint32_t seen, Sleep how, int64_t nanoseconds);

 private:
  CpuState state_{};
  std::atomic<Sleep> sleep_{Sleep::Awake}, sleep_at_stop_{Sleep::Awake};
  VcpuCounters counters_;
};

// All CPUs of a machine, by index.
class Vcpus final : public CpuInterruptOutputs {
 public:
  explicit Vcpus(unsigned count);

  unsigned count() const { return static_cast<unsigned>(cpus_.size()); }
  Vcpu& operator[](unsigned index) { return *cpus_[index]; }
  const Vcpu& operator[](unsigned index) const { return *cpus_[index]; }
  Vcpu& of(const CpuState& state) { return *cpus_[state.cpu_index]; }
  auto begin() const { return cpus_.begin(); }
  auto end() const { return cpus_.end(); }

  // One that runs, if any does: it sees work soonest.
  unsigned awake() const;
  VcpuCounters totals() const;
  // The interrupt controller's outputs. `line` is kLineIrq or kLineFiq.
  void set_cpu_line(unsigned cpu, uint32_t line, bool level) override;

 private:
  std::vector<std::unique_ptr<Vcpu>> cpus_;
};

}  // namespace crosswalk::vmm
