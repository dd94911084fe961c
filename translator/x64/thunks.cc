// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/thunks.h"

#include <cstddef>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/slow_access.h"

namespace crosswalk::x64 {
namespace {

using namespace Xbyak::util;

Xbyak::Address state8(size_t offset) { return byte[r15 + (static_cast<int>(offset) - kStateBias)]; }
Xbyak::Address state32(size_t offset) { return dword[r15 + (static_cast<int>(offset) - kStateBias)]; }
Xbyak::Address state64(size_t offset) { return qword[r15 + (static_cast<int>(offset) - kStateBias)]; }

void spill_pinned(Xbyak::CodeGenerator& c) {
  for (int n = 0; n < 15; n++)
    if (kPinned[n] >= 0) c.mov(state32(offsetof(CpuState, r) + 4 * n), Xbyak::Reg32(kPinned[n]));
}

void load_pinned(Xbyak::CodeGenerator& c) {
  for (int n = 0; n < 15; n++)
    if (kPinned[n] >= 0) c.mov(Xbyak::Reg32(kPinned[n]), state32(offsetof(CpuState, r) + 4 * n));
}

// The guest's MXCSR must not be changed by C++ code, and C++ code must not run with the guest's
// rounding.
void leave_guest_mxcsr(Xbyak::CodeGenerator& c) {
  c.stmxcsr(state32(offsetof(CpuState, mxcsr)));
  c.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
}

}  // namespace

Thunks Thunks::moved(ptrdiff_t distance) const {
  static_assert(sizeof(Thunks) == 10 * sizeof(void*), "every thunk is moved");
  Thunks t = *this;
  t.enter = reinterpret_cast<decltype(enter)>(reinterpret_cast<uintptr_t>(enter) + static_cast<uintptr_t>(distance));
  for (const uint8_t** code : {&t.exit_link, &t.exit_indirect, &t.exit_to, &t.dispatch, &t.exit_no_spill,
                               &t.exit_no_spill_standard, &t.call, &t.call_pure, &t.slow_access})
    *code += distance;
  return t;
}

Thunks emit_thunks(Xbyak::CodeGenerator& c, SlowAccess slow_access) {
  Thunks t{};
  const Xbyak::Reg64 saved[] = {rbx, rbp, r12, r13, r14, r15};

  c.align(16);
  t.enter = c.getCurr<void (*)(CpuState*, const void*)>();
  for (const auto& r : saved) c.push(r);
  c.sub(rsp, 8);  // 16-byte alignment: 6 pushes + return address + 8
  c.lea(r15, ptr[rdi + kStateBias]);
  c.mov(state64(offsetof(CpuState, host_sp)), rsp);
  c.stmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  c.mov(r14, state64(offsetof(CpuState, mem_base)));
  c.mov(rax, rsi);
  load_pinned(c);
  c.jmp(rax);

  // After an instruction that may have changed regime, masks or code flags: the jump cache holds
  // what may run with the current instruction pages, except inside an IT block.
  c.align(16);
  t.dispatch = c.getCurr();
  Xbyak::Label look_up;
  c.mov(r14, state64(offsetof(CpuState, mem_base)));
  c.cmp(state32(offsetof(CpuState, pending)), 0);
  c.jne(look_up);
  c.cmp(state8(offsetof(CpuState, it)), 0);
  c.jne(look_up);
  c.mov(cl, state8(offsetof(CpuState, e)));
  c.cmp(cl, state8(offsetof(CpuState, page_ids_e)));
  c.jne(look_up);
  c.mov(cl, state8(offsetof(CpuState, strict_alignment)));
  c.cmp(cl, state8(offsetof(CpuState, page_ids_a)));
  c.jne(look_up);
  jump_through_cache(c, look_up);
  c.L(look_up);
  c.mov(ecx, kExitLookup);
  Xbyak::Label exit_to;
  c.jmp(exit_to);

  c.align(16);
  t.exit_link = c.getCurr();
  c.mov(state32(offsetof(CpuState, exit_link)), ecx);
  c.mov(ecx, kExitLink);
  c.jmp(exit_to);

  c.align(16);
  t.exit_indirect = c.getCurr();
  c.mov(ecx, kExitIndirect);

  c.align(16);
  c.L(exit_to);
  t.exit_to = c.getCurr();
  c.mov(state32(offsetof(CpuState, exit_reason)), ecx);
  // Bit 0 selects the instruction set; in A32 bit 1 is ignored (A2.3.2, BXWritePC), as lookup()
  // does.
  c.mov(ecx, eax);
  c.and_(ecx, 1);
  c.mov(state8(offsetof(CpuState, t)), cl);
  c.and_(eax, ~1u);
  c.mov(state32(offsetof(CpuState, r) + 4 * 15), eax);
  spill_pinned(c);
  Xbyak::Label no_spill;
  c.L(no_spill);
  c.stmxcsr(state32(offsetof(CpuState, mxcsr)));
  c.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  Xbyak::Label restore;
  c.L(restore);
  c.mov(rsp, state64(offsetof(CpuState, host_sp)));
  c.add(rsp, 8);
  for (int i = 5; i >= 0; i--) c.pop(saved[i]);
  c.vzeroupper();
  c.ret();

  // From a fault handler: MXCSR still holds the guest's.
  c.align(16);
  t.exit_no_spill = c.getCurr();
  c.jmp(no_spill, Xbyak::CodeGenerator::T_NEAR);

  c.align(16);
  t.exit_no_spill_standard = c.getCurr();
  c.stmxcsr(state32(offsetof(CpuState, mxcsr_standard)));
  c.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c.jmp(restore, Xbyak::CodeGenerator::T_NEAR);

  c.align(16);
  t.call = c.getCurr();
  spill_pinned(c);
  leave_guest_mxcsr(c);
  c.lea(rdi, ptr[r15 - kStateBias]);
  for (int i = 0; i < 3; i++) {
    const Xbyak::Reg32 argument[] = {esi, edx, ecx};
    c.mov(argument[i], state32(offsetof(CpuState, call_args) + 4 * i));
  }
  c.sub(rsp, 8);
  c.call(rax);
  c.add(rsp, 8);
  c.cmp(state32(offsetof(CpuState, exit_reason)), 0);
  c.jne(restore, Xbyak::CodeGenerator::T_NEAR);
  c.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  c.mov(r14, state64(offsetof(CpuState, mem_base)));
  load_pinned(c);
  c.ret();

  c.align(16);
  t.call_pure = c.getCurr();
  spill_pinned(c);
  leave_guest_mxcsr(c);
  for (int i = 0; i < 3; i++) {
    const Xbyak::Reg32 argument[] = {edi, esi, edx};
    c.mov(argument[i], state32(offsetof(CpuState, call_args) + 4 * i));
  }
  c.sub(rsp, 8);
  c.call(rax);
  c.add(rsp, 8);
  c.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  load_pinned(c);
  c.ret();

  c.align(16);
  t.slow_access = c.getCurr();
  const Xbyak::Reg64 temps[] = {rax, rcx, rdx, rsi};
  for (const auto& r : temps) c.push(r);
  spill_pinned(c);
  constexpr int kMxcsr = offsetof(SlowAccessFrame, mxcsr), kTemps = offsetof(SlowAccessFrame, rsi);
  c.sub(rsp, kTemps);
  for (int i = 0; i < 16; i++) c.movups(xword[rsp + 16 * i], Xbyak::Xmm(i));
  // MXCSR may be the standard one here; keep it as it is around the call.
  c.stmxcsr(dword[rsp + kMxcsr]);
  c.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c.lea(rdi, ptr[r15 - kStateBias]);
  c.mov(rsi, rsp);
  c.mov(rax, reinterpret_cast<uint64_t>(slow_access));
  c.call(rax);
  c.ldmxcsr(dword[rsp + kMxcsr]);
  Xbyak::Label leave;
  c.test(eax, eax);
  c.jnz(leave, Xbyak::CodeGenerator::T_NEAR);
  for (int i = 0; i < 16; i++) c.movups(Xbyak::Xmm(i), xword[rsp + 16 * i]);
  c.add(rsp, kTemps);
  load_pinned(c);
  for (int i = 3; i >= 0; i--) c.pop(temps[i]);
  c.ret(8);
  c.L(leave);
  // eax = 2: MXCSR holds the standard (Advanced SIMD) value, which goes back to its own field.
  c.cmp(eax, 2);
  Xbyak::Label vfp;
  c.jne(vfp);
  c.jmp(t.exit_no_spill_standard, Xbyak::CodeGenerator::T_NEAR);
  c.L(vfp);
  c.jmp(no_spill, Xbyak::CodeGenerator::T_NEAR);
  return t;
}

}  // namespace crosswalk::x64
