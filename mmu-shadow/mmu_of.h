// SPDX-License-Identifier: GPL-2.0-or-later
// The guest MMU as the engine uses it, of a guest of any architecture (walker/guest.h): one for
// each CPU, used on that CPU's thread alone. It owns the address spaces (one per regime key), each
// with its instruction-page table and either a software TLB or a window, and applies guest TLB
// maintenance. It knows nothing of translated code, KVM exits or signals; whoever catches a host
// fault calls window_fault.
//
// Guest::Port is the part that the CPU's system registers use, CodeProtection the part that devices
// use.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/code_protection.h"
#include "mmu-shadow/base/running_cpus.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/walker/guest.h"
#include "translator/base/access_kind.h"

namespace crosswalk::mmu {

using crosswalk::AccessKind;

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
  // RAM that cannot be entered now (the backend is at a limit): do this access at translation.host,
  // by hand; the next one may succeed
  Once,
  // A store to RAM whose page holds translated code of other bytes: as Once, but the next store of
  // this kind will not succeed either. translation.holds_code is true
  BesideCode,
};

template <GuestArchitecture Guest>
class MmuOf : public Guest::Port, public CodeProtection {
 public:
  using Cpu = typename Guest::Cpu;
  using Va = typename Guest::Va;
  using Translation = typename Guest::Translation;
  static constexpr uint32_t kAsids = uint32_t{1} << 8 * sizeof(typename Guest::Asid);

  // The CPU that uses it from now on, which is parked. Without this, it is the machine's only one.
  virtual void attach(Cpu&) {}
  // The CPU executes no guest code until unpark(), and others need not wait for it. unpark()
  // applies what was asked for meanwhile, and waits while another CPU has stopped all.
  virtual void park(Cpu&) {}
  virtual void unpark(Cpu&) {}
  // The machine's CPUs, and which one this is. After a RunningCpus::Stop, unpark() has to follow.
  struct Self {
    RunningCpus* cpus;
    RunningCpus::Index index;
  };
  virtual Self self() = 0;

  // The translation regime may have changed (registers, or privilege): selects the address space
  // for the CPU's current regime and sets cpu.mem_base, cpu.instruction_pages and cpu.space.
  // Flushes nothing. Cheap when the key is unchanged or recently used.
  virtual void activate(Cpu& cpu) = 0;
  // The same, where nothing is another since then but what Guest::access_of answers. Does no
  // floating-point arithmetic if it returns true; false: activate() has to follow.
  virtual bool access_changed(Cpu&) { return false; }

  // The software-TLB slow path: translate for the CPU's current privilege, and install the entry
  // for plain RAM, and for flash that is read. A Store to a page with translated code calls the
  // listener for `bytes` bytes from `va` (within its page) before it returns; so the caller may
  // store these at translation.host. In window modes it does the same, but installs nothing: the
  // way to emulate a store that window_fault returned as Device or Split.
  virtual Translation fill(Cpu& cpu, Va va, AccessKind kind, uint32_t bytes) = 0;
  Translation fill(Cpu& cpu, Va va, AccessKind kind) { return fill(cpu, va, kind, 64); }

  // The same for what most misses are, a Load or Store that finds RAM, enters its page and touches
  // no translated code. `host` is null where it is not so; then fill() gives one all the same only
  // if `unsure`.
  struct Refilled {
    uint8_t* host;
    bool unsure;
  };
  virtual Refilled refill(Cpu& cpu, Va va, AccessKind kind) = 0;

  // A host fault at window offset `offset` (fault address - cpu.mem_base, so it may be negative or
  // >= 4 GiB in the guards) of an access of `bytes` bytes.
  virtual FaultOutcome window_fault(Cpu& cpu, int64_t offset, uint32_t bytes, bool write, Translation& translation) = 0;

  // Fetch from the page of `va`: walks when cpu.instruction_pages does not have it, checks execute
  // permission, enters it and returns its page id (never 0), unique for (VA page, PA page,
  // `code_flags`); `translation` says where it is. Returns 0 on a fault. Device memory faults as
  // the architecture allows (permission).
  virtual uint32_t fetch_page(Cpu& cpu, Va va, uint32_t code_flags, Translation& translation) = 0;

  // Forgets every instruction page of every address space: `code_flags` will be different ones from
  // now on, and translated code compares page ids without asking.
  virtual void forget_instruction_pages() {}

  // A bank of flash was readable and is so no more (FlashBanks): every CPU's entries for flash go,
  // and its translations. After a store of the CPU, which may be in translated code, and before its
  // next access; others may run.
  virtual void flash_hidden(Cpu&) {}

  // What Guest::break_pages or Guest::watched answers may have changed. Forgets the instruction
  // pages whose `code_flags` differ by it, and enters no page with a watched byte from now on:
  // accesses to it come to fill or window_fault, and the engine compares.
  virtual void debug_changed(Cpu&) {}

  // The CPU polls, between blocks of translated code: an address space may get its other form
  // (Form::Hybrid), also when the guest never leaves it; and what other CPUs wait for is applied.
  virtual void polled(Cpu&) {}

  // The CPU slept for so many ticks of the time-stamp counter: not time that a space ran.
  virtual void slept(uint64_t) {}

  // Code of the page `page_id` was translated, which took so many ticks of the time-stamp counter.
  virtual void translated(uint32_t /*page_id*/, uint64_t /*ticks*/) {}

  virtual const Statistics& statistics() const = 0;
  // Form::Flat only: the guest has turned its MMU on, which this mode ignores.
  virtual bool flat_violation() const { return false; }
};

}  // namespace crosswalk::mmu
