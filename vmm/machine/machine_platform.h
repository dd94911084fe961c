// SPDX-License-Identifier: GPL-2.0-or-later
// The machine as the engine sees it. All calls are made on the thread of the CPU that they name.
#pragma once

#include <mutex>

#include "translator/arm32/cpu/platform.h"
#include "vmm/devices/console.h"
#include "vmm/machine/board/board.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/psci.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/reset_gate.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/debug/cpu_stops.h"
#include "vmm/machine/semihosting/semihosting.h"
#include "vmm/machine/time/counter.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

// The parts of the machine that it uses.
struct PlatformPorts {
  std::mutex& device_lock;
  Vcpus& vcpus;
  Board& board;
  ConsoleOutputs consoles;
  const SystemCounter& counter;
  Timers& timers;
  Rendezvous& rendezvous;
  CpuHolds& holds;
  StopSwitch& stop;
  ResetGate* reset;  // null: a reset ends the run
  Semihosting& semihosting;
  CpuStops* stops;  // null: no debugger
};

class MachinePlatform final : public Platform, private PsciHost {
 public:
  explicit MachinePlatform(const PlatformPorts& ports) : m_(ports) {}
  // Whom changes of memory are reported to; null: nobody.
  void set_engine(EnginePort* engine) { engine_ = engine; }

  bool mmio_read(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t& value) override;
  bool mmio_write(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t value) override;
  bool firmware_call(CpuState& cpu) override;
  bool semihosting(CpuState& cpu) override;
  void wait_for_interrupt(CpuState& cpu) override;
  void wait_for_event(CpuState& cpu, int64_t nanoseconds) override { m_.vcpus.of(cpu).sleep_until_event(nanoseconds); }
  void send_event(CpuState&) override { m_.vcpus.wake_for_event(); }
  uint64_t counter() override { return m_.counter.read(); }
  uint64_t counter_for(CpuState& cpu) override { return m_.timers.counter_for(cpu); }
  uint64_t nanoseconds() override { return m_.counter.nanoseconds(); }
  void timers_changed(CpuState& cpu) override { m_.timers.changed(cpu); }
  void run_queued_work(CpuState& cpu) override;

 private:
  unsigned cpu_count() const override { return m_.vcpus.count(); }
  CpuPower power(unsigned cpu) const override { return m_.vcpus[cpu].power(); }
  bool cpu_on(unsigned cpu, uint32_t entry, uint32_t context) override {
    return m_.vcpus[cpu].switch_on({entry, context});
  }
  void system_off() override { m_.stop.request(StopReason::PowerOff); }
  void system_reset() override {
    if (m_.reset)
      m_.reset->request();
    else
      m_.stop.request(StopReason::Reset);
  }
  void suspend(CpuState& cpu) override { wait_for_interrupt(cpu); }
  // The rest is done by the CPU's thread, when it has left the guest (run_cpu).
  void cpu_off(CpuState& cpu) override { m_.vcpus.of(cpu).raise(kLineStop); }

  void report(CpuState& cpu, const MemoryChanges& changes);

  PlatformPorts m_;
  EnginePort* engine_ = nullptr;
};

}  // namespace crosswalk::vmm
