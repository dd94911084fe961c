// SPDX-License-Identifier: GPL-2.0-or-later
// Break- and watchpoints of a debugger on the host. Where one matches, the CPU stops between two
// instructions instead of taking a debug exception, and the guest sees nothing of it; its own debug
// registers (debug.h) work meanwhile.
//
// HostDebug is the CPU's own, CpuState::host_debug points to it: only its thread uses it, but while
// the CPU is stopped. A stop is noted in `hit`, and kLineWork raised; so the CPU comes to
// Platform::run_queued_work before it executes another instruction, and waits there.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {

// Bytes of VA that are looked at, whatever the address space; `last` is the last one.
struct HostWatchpoint {
  uint32_t first, last;
  bool loads, stores;
};

struct HostPoints {
  std::vector<uint32_t> breakpoints;        // VAs of instructions, whatever the address space
  std::vector<HostWatchpoint> watchpoints;  // kHostWatchpoints at most
  uint8_t catches = 0;                      // a bit for each Exception: the CPU stops at the vector
};

enum class HostStop : uint8_t { None, Breakpoint, Step, Load, Store, LoadOrStore, Caught };
struct HostHit {
  HostStop stop = HostStop::None;
  uint32_t address = 0;  // of a watchpoint: the first watched byte of the access
  Exception caught = Exception::Reset;
};

struct HostDebug {
  HostPoints points;
  // Single steps: interrupts are not taken meanwhile, and the CPU stops at the first instruction
  // outside of [step_first, step_end) behind the one at step_pc.
  enum class Step : uint8_t { Off, First, Behind } step = Step::Off;
  uint32_t step_pc = 0, step_first = 0, step_end = 0;
  HostHit hit;
};

// Whether the instructions of the page of `va` are to be asked for before each executes.
bool host_page_may_stop(const HostDebug& debug, uint32_t va);
// Adds what is of the debugger to what the guest has.
void add_host_points(const HostDebug& debug, BreakPages& pages);
void add_host_points(const HostDebug& debug, Watched& watched);

// Of the instruction at r[15], before it executes. True: the CPU stops here.
bool host_stops_at_instruction(CpuState& cpu);
// Of an access, before it is made. True: the CPU stops at its instruction, which is at r[15].
bool host_stops_at_access(CpuState& cpu, uint32_t va, uint32_t bytes, bool store);
// The CPU has taken an exception, and is at its vector.
void host_exception_taken(CpuState& cpu, Exception kind);
// The instruction at r[15] has not been executed, and is begun anew.
inline void host_instruction_restarts(CpuState& cpu) {
  HostDebug* const debug = cpu.host_debug;
  if (!debug || debug->step != HostDebug::Step::Behind) return;
  debug->step = HostDebug::Step::First;
  debug->step_pc = cpu.r[15];
}
inline bool host_steps(const CpuState& cpu) { return cpu.host_debug && cpu.host_debug->step != HostDebug::Step::Off; }

}  // namespace crosswalk::arm
