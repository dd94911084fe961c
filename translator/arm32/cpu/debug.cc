// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/debug.h"

#include <algorithm>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

constexpr uint32_t kDscrMdbgen = 1u << 15, kDscrMoeShift = 2, kDscrMoeMask = 15u << kDscrMoeShift;
constexpr uint8_t kUser = 1, kPrivileged = 2, kAll = kUser | kPrivileged;

// DBGBCR (C11.11.2).
struct BreakpointControl {
  uint32_t bits;
  bool enabled() const { return bits & 1; }
  uint32_t pmc() const { return bits >> 1 & 3; }
  uint32_t bas() const { return bits >> 5 & 15; }
  bool hmc() const { return bits >> 13 & 1; }
  uint32_t ssc() const { return bits >> 14 & 3; }
  uint32_t lbn() const { return bits >> 16 & 15; }
  uint32_t type() const { return bits >> 20 & 15; }
};
// BT. The VMID types do not exist without the Virtualization Extensions; what is not here is
// reserved.
enum BreakpointType : uint32_t {
  kAddressMatch = 0,
  kLinkedAddressMatch = 1,
  kContextMatch = 2,
  kLinkedContextMatch = 3,  // generates nothing itself: others name it
  kAddressMismatch = 4,
  kLinkedAddressMismatch = 5,
};

// DBGWCR (C11.11.44).
struct WatchpointControl {
  uint32_t bits;
  bool enabled() const { return bits & 1; }
  uint32_t pac() const { return bits >> 1 & 3; }
  uint32_t lsc() const { return bits >> 3 & 3; }
  uint32_t bas() const { return bits >> 5 & 0xff; }
  uint32_t ssc() const { return bits >> 14 & 3; }
  uint32_t lbn() const { return bits >> 16 & 15; }
  bool linked() const { return bits >> 20 & 1; }
  uint32_t mask() const { return bits >> 24 & 31; }
};

// Secure state only. There is none.
constexpr uint32_t kSscSecure = 2;

BreakpointControl control(const GuestCpu& cpu, uint32_t n) { return {cpu.debug.dbgbcr[n]}; }

// Software debug events but BKPT need Monitor debug-mode, and neither lock set (C3.2, C6.4, C6.5).
// DBGOSDLR counts only while DBGPRCR.CORENPDRQ does not ask for power.
bool events_enabled(const DebugRegisters& d) {
  return (d.dbgdscr & kDscrMdbgen) && !d.os_locked && !(d.dbgosdlr && !d.dbgprcr);
}

// The breakpoints with the highest numbers compare contexts: DBGDIDR.CTX_CMPs.
bool compares_contexts(const GuestCpu& cpu, uint32_t n) {
  const uint32_t comparers = (id_registers(cpu).dbgdidr >> 20 & 15) + 1;
  return n < kBreakpoints && n >= kBreakpoints - comparers;
}

bool linked_context_matches(const GuestCpu& cpu, uint32_t n) {
  if (!compares_contexts(cpu, n)) return false;
  const BreakpointControl c = control(cpu, n);
  return c.enabled() && c.type() == kLinkedContextMatch && cpu.debug.dbgbvr[n] == cpu.cp15.contextidr;
}

// Whether breakpoint n generates events at all.
bool is_breakpoint(const GuestCpu& cpu, uint32_t n) {
  const BreakpointControl c = control(cpu, n);
  if (!c.enabled() || c.ssc() == kSscSecure) return false;
  switch (c.type()) {
    case kAddressMatch:
    case kLinkedAddressMatch: return c.bas() != 0;
    case kContextMatch: return compares_contexts(cpu, n);
    case kAddressMismatch:
    case kLinkedAddressMismatch: return true;
    default: return false;
  }
}

// The privileges in which breakpoint n can match. PMC = 00 is User, Supervisor and System mode, or
// Hyp mode alone with HMC (table C3-4).
uint8_t privileges(const GuestCpu& cpu, uint32_t n) {
  const BreakpointControl c = control(cpu, n);
  switch (c.pmc()) {
    case 0: return c.hmc() ? 0 : kAll;
    case 1: return kPrivileged;
    case 2: return kUser;
    default: return kAll;
  }
}

bool mode_matches(const GuestCpu& cpu, uint32_t n) {
  const Mode mode = static_cast<Mode>(cpu.mode);
  if (!(privileges(cpu, n) & (is_privileged(mode) ? kPrivileged : kUser))) return false;
  if (control(cpu, n).pmc() == 0 && mode != Mode::User && mode != Mode::Supervisor && mode != Mode::System)
    return false;
  // Those that match nearly everything must not match in the handler that they enter: it would
  // never get anywhere. UNPREDICTABLE (C3.2.2); ignored here.
  return mode != Mode::Abort || control(cpu, n).type() <= kLinkedAddressMatch;
}

bool address_matches(const GuestCpu& cpu, uint32_t n, uint32_t va) {
  return ((va ^ cpu.debug.dbgbvr[n]) & ~3u) == 0 && (control(cpu, n).bas() >> (va & 3) & 1);
}

bool breakpoint_matches(const GuestCpu& cpu, uint32_t n, uint32_t va) {
  if (!is_breakpoint(cpu, n) || !mode_matches(cpu, n)) return false;
  const BreakpointControl c = control(cpu, n);
  switch (c.type()) {
    case kAddressMatch: return address_matches(cpu, n, va);
    case kLinkedAddressMatch: return address_matches(cpu, n, va) && linked_context_matches(cpu, c.lbn());
    case kContextMatch: return cpu.debug.dbgbvr[n] == cpu.cp15.contextidr;
    case kAddressMismatch: return !address_matches(cpu, n, va);
    case kLinkedAddressMismatch: return !address_matches(cpu, n, va) && linked_context_matches(cpu, c.lbn());
    default: return false;
  }
}

// Those of the Prefetch and Data Abort vectors are UNPREDICTABLE in Monitor debug-mode, since their
// handler would not get anywhere (C3.2.2): ignored.
constexpr uint32_t kVectorCatches = 0xdf & ~(1u << 3 | 1u << 4);

bool vector_catch_matches(const GuestCpu& cpu, uint32_t va) {
  const uint32_t offset = va - vector_address(cpu, Exception::Reset);
  return offset < 32 && (offset & 3) == 0 && (cpu.debug.dbgvcr & kVectorCatches) >> (offset / 4) & 1;
}

bool is_watchpoint(const GuestCpu& cpu, uint32_t n) {
  const WatchpointControl c{cpu.debug.dbgwcr[n]};
  if (!c.enabled() || c.pac() == 0 || c.lsc() == 0 || c.ssc() == kSscSecure) return false;
  if (c.mask() != 0) return c.mask() > 2;  // 1 and 2 are reserved
  return (cpu.debug.dbgwvr[n] & 4 ? c.bas() & 15 : c.bas()) != 0;
}

// BAS selects bytes of a doubleword, or of a word where DBGWVR names one (C3.4.2). With MASK, BAS
// has to be all ones.
bool selects(const GuestCpu& cpu, uint32_t n, uint32_t va) {
  const WatchpointControl c{cpu.debug.dbgwcr[n]};
  const uint32_t wvr = cpu.debug.dbgwvr[n];
  if (c.mask() != 0) return (va ^ wvr) >> c.mask() == 0;
  const uint32_t last = wvr & 4 ? 3 : 7;
  return ((va ^ wvr) & ~last) == 0 && (c.bas() >> (va & last) & 1);
}

}  // namespace

void set_method_of_entry(GuestCpu& cpu, DebugEvent event) {
  cpu.debug.dbgdscr = (cpu.debug.dbgdscr & ~kDscrMoeMask) | static_cast<uint32_t>(event) << kDscrMoeShift;
}

void recompute_debug(GuestCpu& cpu) {
  DebugRegisters& d = cpu.debug;
  d.breaking = d.watching = 0;
  if (!events_enabled(d)) return;
  d.breaking = (d.dbgvcr & kVectorCatches) != 0;
  for (uint32_t n = 0; n < kBreakpoints; n++) d.breaking |= is_breakpoint(cpu, n);
  for (uint32_t n = 0; n < kWatchpoints; n++) d.watching |= is_watchpoint(cpu, n);
}

// ---- breakpoints and vector catch

std::optional<DebugEvent> instruction_debug_event(const GuestCpu& cpu, uint32_t va) {
  if (!cpu.debug.breaking) return {};
  for (uint32_t n = 0; n < kBreakpoints; n++)
    if (breakpoint_matches(cpu, n, va)) return DebugEvent::Breakpoint;
  if (vector_catch_matches(cpu, va)) return DebugEvent::VectorCatch;
  return {};
}

uint32_t take_instruction_debug_event(CpuState& cpu, DebugEvent event, uint32_t pc) {
  set_method_of_entry(cpu, event);
  return prefetch_abort(cpu, pc, debug_event_status(cpu), 0);
}

uint8_t BreakPages::at(uint32_t va) const {
  uint8_t found = everywhere;
  for (uint32_t i = 0; i < count; i++)
    if (page[i] == va >> 12) found |= privileges[i];
  return found;
}

BreakPages break_pages(const GuestCpu& cpu) {
  BreakPages pages;
  if (!cpu.debug.breaking) return pages;
  // The vectors may move (VBAR, SCTLR.V).
  if (cpu.debug.dbgvcr & kVectorCatches) pages.everywhere = kAll;
  for (uint32_t n = 0; n < kBreakpoints; n++) {
    if (!is_breakpoint(cpu, n)) continue;
    if (control(cpu, n).type() > kLinkedAddressMatch) {
      pages.everywhere |= privileges(cpu, n);
      continue;
    }
    const uint32_t page = cpu.debug.dbgbvr[n] >> 12;
    uint32_t i = 0;
    while (i < pages.count && pages.page[i] != page) i++;
    if (i == pages.count) pages.page[pages.count++] = page;
    pages.privileges[i] |= privileges(cpu, n);
  }
  return pages;
}

bool page_may_break(const GuestCpu& cpu, uint32_t va) {
  if (!cpu.debug.breaking) return false;
  const bool shared = !(cpu.cp15.sctlr & kSctlrM);
  const uint8_t here = shared ? kAll : is_privileged(static_cast<Mode>(cpu.mode)) ? kPrivileged : kUser;
  return break_pages(cpu).at(va) & here;
}

// ---- watchpoints

Watched watched_bytes(const GuestCpu& cpu) {
  Watched watched;
  if (!cpu.debug.watching) return watched;
  for (uint32_t n = 0; n < kWatchpoints; n++) {
    if (!is_watchpoint(cpu, n)) continue;
    const uint32_t mask = WatchpointControl{cpu.debug.dbgwcr[n]}.mask();
    const uint32_t low = mask != 0 ? (1u << mask) - 1 : 7;
    const uint32_t first = cpu.debug.dbgwvr[n] & ~low;
    watched.ranges[watched.count++] = {first, first | low};
  }
  return watched;
}

std::optional<uint32_t> watchpoint_match(const GuestCpu& cpu, uint32_t va, uint32_t bytes, bool store,
                                         bool privileged) {
  if (!cpu.debug.watching) return {};
  std::optional<uint32_t> first;
  for (uint32_t n = 0; n < kWatchpoints; n++) {
    const WatchpointControl c{cpu.debug.dbgwcr[n]};
    if (!is_watchpoint(cpu, n) || !(c.lsc() & (store ? 2 : 1)) || !(c.pac() & (privileged ? 1 : 2))) continue;
    if (c.linked() && !linked_context_matches(cpu, c.lbn())) continue;
    for (uint32_t i = 0; i < bytes && !(first && i >= *first - va); i++)
      if (selects(cpu, n, va + i)) first = va + i;
  }
  return first;
}

uint32_t note_watchpoint(GuestCpu& cpu, bool store) {
  set_method_of_entry(cpu, DebugEvent::SynchronousWatchpoint);
  cpu.debug.dbgwfar = cpu.r[15] + (cpu.t ? 4 : 8);
  return debug_event_status(cpu) | (store ? kFsrWnr : 0u);
}

}  // namespace crosswalk::arm
