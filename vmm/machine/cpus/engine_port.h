// SPDX-License-Identifier: GPL-2.0-or-later
// What the machine needs from the engine that runs its CPUs. Called on CPU threads.
#pragma once

#include <cstdint>

namespace crosswalk {

struct CpuState;

namespace vmm {

struct StateReport;

class EnginePort {
 public:
  virtual ~EnginePort() = default;
  // A device wrote guest RAM: translations of code there must go (mmu::Mmu::note_external_write).
  virtual void external_write(CpuState& cpu, uint64_t pa, uint64_t bytes) = 0;
  // A bank of flash is readable no more: entries and translations of it must go
  // (mmu::Mmu::flash_hidden).
  virtual void flash_hidden(CpuState&) {}
  // VA to PA in the CPU's current regime, for semihosting. False: a fault.
  virtual bool translate(CpuState& cpu, uint32_t va, bool write, uint64_t& pa) = 0;
  // The same for a debugger: whatever the permissions are, and without an effect on the guest.
  virtual bool translate_for_debugger(CpuState& cpu, uint32_t va, uint64_t& pa) {
    return translate(cpu, va, false, pa);
  }
  // What CpuState::host_debug looks at has changed, and with `registers` the CPU's registers too.
  // In Platform::run_queued_work.
  virtual void debugger_changed(CpuState&, bool /*registers*/) {}
  // All code is translated anew: instructions that have met a watched page need not be slow any
  // more. All CPUs do queued work, or are off; on the thread of one.
  virtual void forget_translations() {}
  // What the engine and the MMU have to say about the CPU's state. The CPU may be running, on
  // another thread.
  virtual void add_state(const CpuState&, StateReport&) {}
};

}  // namespace vmm
}  // namespace crosswalk
