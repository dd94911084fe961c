// SPDX-License-Identifier: GPL-2.0-or-later
// The fixed pieces of code around translated blocks: entry, exits, and the paths into C++.
#pragma once

#include <xbyak/xbyak.h>

#include "translator/arm/cpu_state.h"

namespace crosswalk::x64 {

// Does what frame.request asks for. Non-zero: the guest took an exception, leave the block; 2 when MXCSR holds the
// Advanced SIMD value.
struct SlowAccessFrame;
using SlowAccess = uint64_t (*)(CpuState*, SlowAccessFrame* frame);

struct Thunks {
  void (*enter)(CpuState*, const void* code);  // runs translated code until it exits
  // From translated code: leave. Registers, position and exit_reason go to CpuState.
  const uint8_t* exit_link;               // eax = target | T, ecx = the link's number
  const uint8_t* exit_indirect;           // eax = what an interworking branch is to
  const uint8_t* exit_to;                 // eax = target | T, ecx = reason
  const uint8_t* dispatch;                // eax = target | T: there through the jump cache, or exit_to with kExitLookup
  const uint8_t* exit_no_spill;           // CpuState is already complete; resets rsp itself
  const uint8_t* exit_no_spill_standard;  // the same while MXCSR holds the Advanced SIMD value
  const uint8_t* call;                    // rax = function, cpu.call_args: calls it, result in rax; see emit_call
  const uint8_t* call_pure;               // rax = function of cpu.call_args alone; result in rax
  const uint8_t* slow_access;             // a SlowAccessRequest is on the stack, and removed; every register preserved
};

// Emits the thunks at the start of `code`.
Thunks emit_thunks(Xbyak::CodeGenerator& code, SlowAccess slow_access);

}  // namespace crosswalk::x64
