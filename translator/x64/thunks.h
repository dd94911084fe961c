// SPDX-License-Identifier: GPL-2.0-or-later
// The fixed pieces of code around translated blocks: entry, exits, and the paths into C++.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::x64 {

// Does what frame.request asks for. Non-zero: the guest took an exception, leave the block; 2 when
// MXCSR holds the Advanced SIMD value.
struct SlowAccessFrame;
using SlowAccess = uint64_t (*)(CpuState*, SlowAccessFrame* frame);

// What thunks call.
struct ThunkTargets {
  SlowAccess slow_access;
  // Between two instructions: guest registers are as they are, but the position is not set.
  void (*synchronize)(CpuState*);  // DSB with `pending` set
  void (*send_event)(CpuState*);   // SEV with watchers
  // Where a helper took an exception or returned from one, translated code goes on by itself if the
  // jump cache has what comes next.
  bool go_on_after_exceptions = false;
};

struct Thunks {
  void (*enter)(CpuState*, const void* code);  // runs translated code until it exits
  // From translated code: leave. Registers, position and exit_reason go to CpuState.
  const uint8_t* exit_link;      // eax = target | T, ecx = the link's number
  const uint8_t* exit_indirect;  // eax = what an interworking branch is to
  const uint8_t* jump_cached;    // eax = the same: there through the jump cache, or exit_indirect
  const uint8_t* exit_to;        // eax = target | T, ecx = reason
  // eax = target | T: there through the jump cache, or exit_to with kExitLookup
  const uint8_t* dispatch;
  const uint8_t* exit_no_spill;           // CpuState is already complete; resets rsp itself
  const uint8_t* exit_no_spill_standard;  // the same while MXCSR holds the Advanced SIMD value
  // rax = function, cpu.call_args: calls it, result in rax; see emit_call
  const uint8_t* call;
  // rax = function(CpuState*), of ir::kCallLight
  const uint8_t* call_light;
  const uint8_t* call_pure;  // rax = function of cpu.call_args alone; result in rax
  // rax = function(CpuState*, rsp at the call), cpu.saved_rax: calls it with the MXCSR that there
  // is; every register preserved, and rax loaded from cpu.saved_rax
  const uint8_t* call_preserving;
  // a SlowAccessRequest is on the stack, and removed; every register preserved
  const uint8_t* slow_access;
  // Call their namesakes in ThunkTargets; every register preserved but r14, which is loaded anew.
  const uint8_t* synchronize;
  const uint8_t* send_event;

  // The same code where its memory is mapped a second time, `distance` bytes further.
  Thunks moved(ptrdiff_t distance) const;
};

// Goes to what the jump cache has for eax = target | T, if its page is that of the current
// instruction pages; else to where jump_if_not_equal(), called twice, emits a jump to. Changes ecx,
// edx, rsi and flags.
template <class Jump>
void jump_through_cache(Xbyak::CodeGenerator& c, bool bmi2, Jump jump_if_not_equal) {
  using namespace Xbyak::util;
  const auto state64 = [](size_t offset) { return qword[r15 + (static_cast<int>(offset) - kStateBias)]; };
  const auto rotate_right = [&c, bmi2](const Xbyak::Reg32& to, int n) {
    if (bmi2) return c.rorx(to, eax, static_cast<uint8_t>(n));
    c.mov(to, eax);
    c.ror(to, n);
  };
  rotate_right(ecx, kJumpCacheFold);  // jump_cache_index()
  c.lea(ecx, ptr[rcx + rax * 4]);
  c.and_(ecx, (kJumpCacheEntries - 1) << 4);
  c.add(rcx, state64(offsetof(CpuState, jump_cache)));
  c.cmp(dword[rcx + offsetof(JumpCacheEntry, target)], eax);
  jump_if_not_equal();
  rotate_right(edx, 12 - 2);
  c.and_(edx, (kInstructionPageEntries - 1) * 4);
  c.mov(rsi, state64(offsetof(CpuState, instruction_pages)));
  c.mov(edx, dword[rsi + rdx]);
  c.cmp(edx, dword[rcx + offsetof(JumpCacheEntry, page_id)]);
  jump_if_not_equal();
  c.jmp(qword[rcx + offsetof(JumpCacheEntry, code)]);
}

// Emits the thunks at the start of `code`.
Thunks emit_thunks(Xbyak::CodeGenerator& code, const ThunkTargets& targets);

}  // namespace crosswalk::x64
