// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine (translator, MMU, system registers) needs from the machine around it. The VMM
// implements Platform; unit tests implement a small one.
#pragma once

#include <cstdint>

#include "translator/base/guest_ram.h"

namespace crosswalk {

struct CpuState;

class Platform {
 public:
  virtual ~Platform() = default;

  // Device access at a guest-physical address outside RAM. `bytes` is 1, 2, 4 or 8; the value is
  // zero-extended. Returns false when nothing answers there: the engine raises a synchronous
  // external abort.
  virtual bool mmio_read(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t& value) = 0;
  virtual bool mmio_write(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t value) = 0;

  // HVC with the SMC calling convention: arguments and results in cpu.r[0..3]. PSCI lives here.
  // Returns false when the call is not known (the engine then sets r0 = -1, NOT_SUPPORTED).
  virtual bool firmware_call(CpuState& cpu) = 0;

  // Semihosting (SVC 0x123456, Thumb SVC 0xAB, HLT 0xF000, Thumb HLT 0x3C, never from User mode):
  // operation in r0, parameter in r1, result to r0. Returns false when semihosting is off: the
  // instruction then has its architectural meaning.
  virtual bool semihosting(CpuState& cpu) = 0;

  // Blocks the calling thread until an interrupt line of `cpu` is raised (WFI; spurious returns are
  // allowed).
  virtual void wait_for_interrupt(CpuState& cpu) = 0;

  // WFE: blocks the calling thread until an event is sent (arm::event_sent), `cpu.pending` is set
  // or `nanoseconds` have passed. Spurious returns are allowed. A platform with one CPU need not
  // have these two.
  virtual void wait_for_event(CpuState&, int64_t nanoseconds) { static_cast<void>(nanoseconds); }
  // SEV, after arm::send_event: wakes the CPUs that are in wait_for_event.
  virtual void send_event(CpuState&) {}

  // The system counter, CNTFRQ ticks a second (62.5 MHz). Must be cheap: no system call.
  virtual uint64_t counter() = 0;
  // The same as an instruction of `cpu` reads it. What is due by then is asserted when this
  // returns: a guest that has seen that it is time finds its interrupt pending. As cheap while
  // nothing is due.
  virtual uint64_t counter_for(CpuState&) { return counter(); }
  // The same time in nanoseconds, 16 to a tick: as finely as the host tells.
  virtual uint64_t nanoseconds() { return counter() * 16; }
  // A timer register of this CPU (cp15.cnt*) or its overflow interrupt (performance.interrupt*)
  // changed: recompute its outputs and its next deadline.
  virtual void timers_changed(CpuState& cpu) = 0;

  // kLineWork was raised for `cpu`: lowers it and performs what other threads queued. On the CPU's
  // thread, between two blocks of translated code. Devices' writes to RAM are reported to the MMU
  // here, before the guest is told that a request is complete. A platform that never raises
  // kLineWork need not have it.
  virtual void run_queued_work(CpuState&) {}
};

}  // namespace crosswalk
