// SPDX-License-Identifier: GPL-2.0-or-later
// Self-hosted debug (ARM DDI 0406C, C3): which breakpoints, vector catches and watchpoints match,
// in Monitor debug-mode. Cortex-A15 and A7 have v7.1 Debug: synchronous watchpoints, no breakpoint
// address masks, vector catch by address (DBGDEVID).
//
// Matches are decided from the registers as they are when an instruction is about to execute, or an
// access about to be made. Who executes needs not look where the summaries here say that nothing
// can match.
#pragma once

#include <cstdint>
#include <optional>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::arm {

inline constexpr uint32_t kBreakpoints = 6, kWatchpoints = 4;
// What a debugger on the host has besides (host_debug.h): pages with breakpoints that are known one
// by one, and watchpoints.
inline constexpr uint32_t kHostBreakPages = 32, kHostWatchpoints = 12;

// Sets debug.breaking and debug.watching. To be called when DBGDSCR, DBGVCR, a lock, or a value or
// control register has changed.
void recompute_debug(GuestCpu& cpu);

// ---- breakpoints and vector catch

// DBGDSCR.MOE for each (table C11-26).
enum class DebugEvent : uint8_t { Breakpoint = 1, BkptInstruction = 3, VectorCatch = 5, SynchronousWatchpoint = 10 };

// The event of the instruction at `va` in the current mode, before it executes and whether its
// condition passes or not (C3.3.1).
std::optional<DebugEvent> instruction_debug_event(const GuestCpu& cpu, uint32_t va);
// Takes it: a Prefetch Abort with IFSR = debug event; IFAR is UNKNOWN, 0 as in QEMU. Returns
// effects.
uint32_t take_instruction_debug_event(CpuState& cpu, DebugEvent event, uint32_t pc);

// The pages where instruction_debug_event may find something, by privilege (bit 0: User mode, bit
// 1: the others).
struct BreakPages {
  uint8_t everywhere = 0;
  uint8_t count = 0;
  // VA >> 12; those of equal VAs are merged
  uint32_t page[kBreakpoints + kHostBreakPages] = {};
  uint8_t privileges[kBreakpoints + kHostBreakPages] = {};

  bool operator==(const BreakPages&) const = default;
  // Of one page.
  uint8_t at(uint32_t va) const;
};
BreakPages break_pages(const GuestCpu& cpu);
// Whether the page of `va` is one, as long as the address space stays the current one: with the MMU
// off, all modes share one.
bool page_may_break(const GuestCpu& cpu, uint32_t va);

// ---- watchpoints

// All the bytes that enabled watchpoints look at, for any access, mode and context: `last` is the
// last byte.
struct WatchedBytes {
  uint32_t first, last;
  bool operator==(const WatchedBytes&) const = default;
};
struct Watched {
  uint32_t count = 0;
  WatchedBytes ranges[kWatchpoints + kHostWatchpoints] = {};
};
Watched watched_bytes(const GuestCpu& cpu);

// The first watched byte of an access, if a watchpoint matches it. `privileged` is the access's
// (LDRT is not).
std::optional<uint32_t> watchpoint_match(const GuestCpu& cpu, uint32_t va, uint32_t bytes, bool store, bool privileged);
// Records a match by the instruction at r[15] in DBGDSCR.MOE and DBGWFAR; returns DFSR. Watchpoints
// are synchronous: the Data Abort follows at once, DFAR is what watchpoint_match returned.
uint32_t note_watchpoint(GuestCpu& cpu, bool store);

void set_method_of_entry(GuestCpu& cpu, DebugEvent event);

}  // namespace crosswalk::arm
