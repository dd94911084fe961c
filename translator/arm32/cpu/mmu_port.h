// SPDX-License-Identifier: GPL-2.0-or-later
// What system registers need of the MMU: address translation operations and TLB maintenance. The
// guest MMU (mmu-shadow/mmu.h) implements it.
#pragma once

#include <cstdint>

#include "translator/base/access_kind.h"
#include "translator/base/tlb_flush.h"

namespace crosswalk {

struct CpuState;

// The result of a translation. When !ok, fsr is the DFSR/IFSR value (format by TTBCR.EAE, with WnR
// and ExT) and far the faulting VA.
struct Translation {
  bool ok = false;
  uint64_t pa = 0;
  // RAM: where the byte at `pa` is; null for devices and unassigned space
  uint8_t* host = nullptr;
  // false: Device or Strongly-ordered; also with a domain or permission fault
  bool normal_memory = true;
  bool watched = false;  // in a page with a watched byte: is never entered
  // Of a store: there is translated code in the page, and will be. Who stores tells the MMU
  // afterwards (CodeProtection::note_external_write): code may be translated meanwhile.
  bool holds_code = false;
  uint32_t fsr = 0;
  uint32_t far = 0;
  // translate() only: PAR as ATS1C* writes it, also for a fault (64 bits with TTBCR.EAE)
  uint64_t par = 0;
};

class MmuPort {
 public:
  using Flush = TlbFlush<uint32_t, uint8_t>;

  virtual ~MmuPort() = default;

  // Walks for one byte access; installs nothing. `privileged` is separate from cpu.mode for
  // LDRT/STRT and for the VA-to-PA operations. Alignment is the caller's.
  virtual Translation translate(CpuState& cpu, uint32_t va, AccessKind kind, bool privileged) = 0;

  // Guest TLB maintenance. Complete for this CPU on return, for all that can be accessed then: an
  // address space that is not current applies what it missed when it becomes current. For other
  // CPUs, a broadcast operation is complete after synchronize(); until then kLineShootdown is
  // raised.
  virtual void flush(CpuState& cpu, Flush operation) = 0;
  // The same: TLBIALL, TLBIASID, TLBIMVA and TLBIMVAA, and those of the Inner Shareable domain.
  void flush_all(CpuState& cpu, bool broadcast = false) { flush(cpu, {Flush::All, 0, 0, broadcast}); }
  void flush_asid(CpuState& cpu, uint8_t asid, bool broadcast = false) {
    flush(cpu, {Flush::OfAsid, asid, 0, broadcast});
  }
  void flush_mva(CpuState& cpu, uint32_t va, uint8_t asid, bool broadcast = false) {
    flush(cpu, {Flush::Page, asid, va, broadcast});
  }
  void flush_mva_all_asids(CpuState& cpu, uint32_t va, bool broadcast = false) {
    flush(cpu, {Flush::PageOfAllAsids, 0, va, broadcast});
  }
  // DSB: returns when no CPU has an entry any more that this CPU's broadcast operations cover, and
  // lowers kLineShootdown. May apply what other CPUs ask for to the current address space.
  virtual void synchronize(CpuState&) {}
  // Maintenance of the instruction cache: what this CPU has stored before is what any CPU that
  // synchronizes from now on executes (A3.5.4).
  virtual void synchronize_code(CpuState&) {}
};

}  // namespace crosswalk
