// SPDX-License-Identifier: GPL-2.0-or-later
// The machine as a debugger's session uses it, on the debugger's thread: what needs a CPU is done
// on that CPU's thread, where it waits.
#pragma once

#include <chrono>
#include <mutex>
#include <utility>

#include "translator/arm32/cpu/platform.h"
#include "vmm/debugger/target.h"
#include "vmm/machine/control/state_reporter.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/debug/cpu_stops.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

struct DebugPorts {
  std::mutex& device_lock;
  Vcpus& vcpus;
  Rendezvous& rendezvous;
  CpuHolds& holds;
  Timers& timers;
  StateReporter& reporter;
  StopSwitch& stop;
  const GuestRam& ram;
};

class MachineTarget final : public DebugTarget {
 public:
  MachineTarget(const DebugPorts& ports, CpuStops& stops) : m_(ports), stops_(stops) {}

  // Who performs accesses outside of RAM. Before the first session.
  void attach(Platform& platform) { platform_ = &platform; }
  // Who translates addresses; null: VA = PA.
  void set_engine(EnginePort* engine) { engine_ = engine; }

  unsigned cpu_count() const override { return m_.vcpus.count(); }
  std::string describe_cpu(unsigned cpu) override;
  void interrupt() override {
    stops_.stop_all();
    interrupted_ = true;
  }
  // Whether interrupt() was called since the last time.
  bool take_interrupt() { return std::exchange(interrupted_, false); }
  // While all CPUs are stopped, the guest's time stands still for the debugger. It goes on by
  // resume() and release(), as far as that is the only reason.
  void hold_time();
  bool holds_time() const { return m_.timers.is_held(Hold::Debugger); }
  void resume(const std::vector<DebugResume>& how) override;
  bool with_cpu(unsigned cpu, bool writes, const std::function<void(CpuState&)>& work) override;
  bool read_memory(unsigned cpu, uint64_t address, bool physical, std::span<uint8_t> to) override;
  bool write_memory(unsigned cpu, uint64_t address, bool physical, std::span<const uint8_t> from) override;
  void set_points(const arm::HostPoints& points) override {
    watched_ = watched_ || !points.watchpoints.empty();
    stops_.set_points(points);
  }
  // While all CPUs are stopped: they go on, with nothing to look at.
  void release();
  std::string describe_state() override;
  void quit() override { m_.stop.request(StopReason::UserQuit); }

 private:
  // How long a CPU that waits may take for what it is asked.
  static constexpr std::chrono::milliseconds kPatience{5000};

  // Calls `transfer(pa, offset, bytes)` for each stretch of pages, on the CPU's thread, until one
  // is refused. False then.
  bool each_page(unsigned cpu, uint64_t address, bool physical, size_t bytes,
                 const std::function<bool(CpuState&, uint64_t, size_t, size_t)>& transfer);
  void release_time();
  bool read_device(CpuState& cpu, uint64_t pa, std::span<uint8_t> to) const;
  bool write_device(CpuState& cpu, uint64_t pa, std::span<const uint8_t> from) const;

  const DebugPorts m_;
  CpuStops& stops_;
  bool interrupted_ = false;
  bool watched_ = false;  // there were watchpoints since the last release
  Platform* platform_ = nullptr;
  EnginePort* engine_ = nullptr;
};

}  // namespace crosswalk::vmm
