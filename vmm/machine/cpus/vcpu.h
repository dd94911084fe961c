// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU of the guest as the machine sees it: its state, its sleep, and how other threads reach it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/devices/gicv2_cpu_interface.h"
#include "vmm/machine/cpus/halt_polling.h"
#include "vmm/machine/cpus/power_switch.h"

namespace crosswalk::vmm {

// Stopped: by a debugger. Paused: by anybody else.
enum class Sleep : uint8_t { Awake, WaitForInterrupt, WaitForEvent, Off, Stopped, Paused };

// Written by the CPU's thread, read at exit.
struct VcpuCounters {
  uint64_t waits = 0, wait_ticks = 0;  // for an interrupt; ticks of the system counter
  uint64_t mmio_reads = 0, mmio_writes = 0, mmio_unassigned = 0;
  uint64_t firmware_calls = 0;
  uint64_t on_ticks = 0;  // while it was on; of the system counter
};

class Vcpu {
 public:
  // CPU 0 is on from the start, the others are off.
  Vcpu(unsigned index, const HaltPolling& polling)
      : polling_(polling),
        sleep_(index == 0 ? Sleep::Awake : Sleep::Off),
        power_(index == 0 ? CpuPower::On : CpuPower::Off) {
    state_.cpu_index = index;
  }

  CpuState& state() { return state_; }
  const CpuState& state() const { return state_; }
  VcpuCounters& counters() { return counters_; }
  const VcpuCounters& counters() const { return counters_; }

  // ---- any thread ----
  // `line` is of InterruptLine. Wakes the CPU if it sleeps, and its thread if it is off.
  void raise(uint32_t line);
  void lower(uint32_t line) { lower_line(state_, line); }
  // After arm::send_event: wakes the CPU if it sleeps until an event.
  void wake_for_event();
  Sleep sleep() const { return sleep_.load(); }
  // How it was when the machine was asked to stop: raises kLineStop, and remembers it the first
  // time.
  void stop(bool first);
  Sleep sleep_at_stop() const { return sleep_at_stop_.load(); }
  CpuPower power() const { return power_.state(); }
  // False, without effect, when it is not off.
  bool switch_on(const PowerSwitch::Entry& entry) { return power_.switch_on(entry); }

  // Of a CPU whose thread has not started.
  void restore_power(bool on);

  // ---- its own thread ----
  uint32_t lines() const;
  HaltPolling& polling() { return polling_; }
  // Sleeps until the lines are no longer `seen`, or for `nanoseconds`; negative: without a limit.
  // May return early.
  void sleep_while(uint32_t seen, Sleep how, int64_t nanoseconds);
  // Sleeps until an event is sent or `pending` is set, or for `nanoseconds`. May return early.
  void sleep_until_event(int64_t nanoseconds);
  // It has left the guest, and does not go on before it is switched on.
  void switch_off();
  // While it is off: until it is switched on, and then where it begins; it is on, and kLineStop
  // lowered. Or until a line is raised: nothing. May return early.
  std::optional<PowerSwitch::Entry> wait_for_power();

 private:
  CpuState state_{};
  HaltPolling polling_;
  std::atomic<Sleep> sleep_, sleep_at_stop_{Sleep::Awake};
  PowerSwitch power_;
  uint32_t wakes_ = 0;  // from the sleep until an event; any thread
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

  // One that runs, if any does: it sees work soonest. Nothing: all are off.
  std::optional<unsigned> awake() const;
  VcpuCounters totals() const;
  void wake_for_event();
  // The interrupt controller's outputs. `line` is kLineIrq or kLineFiq.
  void set_cpu_line(unsigned cpu, uint32_t line, bool level) override;

 private:
  std::vector<std::unique_ptr<Vcpu>> cpus_;
};

}  // namespace crosswalk::vmm
