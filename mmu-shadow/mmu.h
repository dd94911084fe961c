// SPDX-License-Identifier: GPL-2.0-or-later
// The guest MMU as the engine uses it: one Mmu per CPU. It owns the address spaces (one per regime
// key), each with its instruction-page table and either a software TLB or a window, and applies
// guest TLB maintenance. It knows nothing of translated code, KVM exits or signals; whoever catches
// a host fault calls window_fault.
#pragma once

#include <cstdint>
#include <memory>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/windows/window.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/mmu_port.h"
#include "translator/arm32/cpu/platform.h"

namespace crosswalk::mmu {

using crosswalk::AccessKind;
using crosswalk::Translation;

// What became of a host fault inside a window.
enum class FaultOutcome : uint8_t {
  Installed,   // retry the access
  GuestFault,  // the guest's own fault: `translation` says which
  // emulate the access at translation.pa, and do so from now on; when translation.host is set it is
  // RAM that is never entered (the page has a watched byte, or is Device or Strongly-ordered
  // memory); when !translation.ok, it is an alignment fault or this one
  Device,
  CodeWrite,  // the page held translated code; it has been dropped and the page is writable: retry
  Split,      // the access wraps at 4 GiB or reaches the guard: emulate it piecewise
  // RAM that cannot be entered now (it still holds translated code, or the backend is at a limit):
  // do this access at translation.host, by hand; the next one may succeed
  Once,
};

class Mmu : public MmuPort {
 public:
  // The translation regime may have changed (CP15 write, or privilege changed): selects the address
  // space for the CPU's current regime and sets cpu.mem_base, cpu.instruction_pages and cpu.space.
  // Flushes nothing. Cheap when the key is unchanged or recently used.
  virtual void activate(CpuState& cpu) = 0;

  // The software-TLB slow path: translate for the CPU's current privilege, and install the entry
  // for plain RAM. A Store to a page with translated code calls the listener for the 64 bytes from
  // `va` (within its page) before it returns; so the caller may store up to 64 bytes at
  // translation.host. In window modes it does the same, but installs nothing: the way to emulate a
  // store that window_fault returned as Device or Split.
  virtual Translation fill(CpuState& cpu, uint32_t va, AccessKind kind) = 0;

  // A host fault at window offset `offset` (fault address - cpu.mem_base, so it may be negative or
  // >= 4 GiB in the guards) of an access of `bytes` bytes.
  virtual FaultOutcome window_fault(CpuState& cpu, int64_t offset, uint32_t bytes, bool write,
                                    Translation& translation) = 0;

  // Fetch from the page of `va`: walks when cpu.instruction_pages does not have it, checks execute
  // permission, enters it and returns its page id (never 0), unique for (VA page, PA page,
  // `code_flags`); `translation` says where it is. Returns 0 on a fault. Device memory faults as
  // the architecture allows (permission).
  virtual uint32_t fetch_page(CpuState& cpu, uint32_t va, uint32_t code_flags, Translation& translation) = 0;

  // Forgets every instruction page of every address space: `code_flags` will be different ones from
  // now on, and translated code compares page ids without asking.
  virtual void forget_instruction_pages() {}

  // DBGDSCR, DBGVCR, a debug lock or a breakpoint's or watchpoint's register has changed, and
  // recompute_debug (arm/debug.h) been called. Forgets the instruction pages for which
  // arm::page_may_break may answer otherwise now, which is part of `code_flags`, and enters no page
  // with a watched byte from now on: accesses to it come to fill or window_fault, and the engine
  // compares.
  virtual void debug_changed(CpuState&) {}

  // The CPU polls, between blocks of translated code: an address space may get its other form
  // (Form::Hybrid), also when the guest never leaves it.
  virtual void polled(CpuState&) {}

  // The CPU slept for so many ticks of the time-stamp counter: not time that a space ran.
  virtual void slept(uint64_t) {}

  // Code of the page `page_id` was translated, which took so many ticks of the time-stamp counter.
  virtual void translated(uint32_t /*page_id*/, uint64_t /*ticks*/) {}

  // Translated code was made from the RAM page at `pa` / is gone: installed entries lose or may
  // regain write access.
  virtual void protect_code_page(uint64_t pa) = 0;
  virtual void unprotect_code_page(uint64_t pa) = 0;
  // A write by a device or the engine to RAM: drops translations there (listener).
  virtual void note_external_write(uint64_t pa, uint64_t bytes) = 0;

  virtual const Statistics& statistics() const = 0;
  // Form::Flat only: the guest has turned its MMU on, which this mode cannot express. Checked by
  // the machine.
  virtual bool flat_violation() const { return false; }
};

// `backend` is null for soft modes; for Flat it creates one window and RAM is installed once.
std::unique_ptr<Mmu> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                              WindowBackend* backend);

// Measures costs.walk and the refills on this host, in less than a millisecond; false, without
// changes, if there is no memory for it.
bool measure_walk_costs(MmuCosts& costs);

// The mmap(2) backend: windows are reservations in this process, entries are MAP_FIXED mappings of
// ram.fd. Precondition: ram.fd is a memfd. `max_maps` limits the host mappings (VMAs) it makes; 0:
// three quarters of vm.max_map_count. With several backends in one process, divide. `map` is
// mmap(2), or what a test has in its place.
using HostMap = void* (*)(void*, size_t, int, int, int, long);
std::unique_ptr<WindowBackend> make_mmap_backend(const GuestRam& ram, uint32_t max_maps = 0, HostMap map = nullptr);

}  // namespace crosswalk::mmu
