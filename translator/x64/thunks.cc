// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/thunks.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/host_features.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/slow_access.h"
#include "translator/x64/state_operands.h"

namespace crosswalk::x64 {
namespace {

using namespace Xbyak::util;

// What the ABI has a function preserve, in the order in which it is pushed.
constexpr int kSavedCount = 6;
constexpr int kSaved[kSavedCount] = {kRbx, kRbp, kR12, kR13, kR14, kR15};

// Whether guest register n is in a host register, and, with `but_saved`, one that functions change.
bool is_pinned(uint32_t n, bool but_saved) {
  const int r = kPinned[n];
  return r >= 0 && !(but_saved && std::find(std::begin(kSaved), std::end(kSaved), r) != std::end(kSaved));
}

class ThunkEmitter {
 public:
  explicit ThunkEmitter(Xbyak::CodeGenerator& code) : c_(code) {}

  Thunks emit(const ThunkTargets& targets) {
    emit_enter();
    emit_dispatch();
    emit_exits();
    emit_exits_of_faults();
    emit_call(targets.go_on_after_exceptions);
    emit_call_light();
    emit_call_pure();
    emit_call_preserving();
    emit_slow_access(targets.slow_access);
    thunks_.synchronize = emit_aside(targets.synchronize);
    thunks_.send_event = emit_aside(targets.send_event);
    return thunks_;
  }

 private:
  const uint8_t* begin() {
    c_.align(16);
    return c_.getCurr();
  }
  // `but_saved`: not those that the ABI has functions preserve.
  void spill_pinned(bool but_saved = false);
  void load_pinned(bool but_saved = false);
  void leave_guest_mxcsr();
  void call_function(const Xbyak::Reg32 (&arguments)[3]);

  void emit_enter();
  void emit_dispatch();
  void emit_exits();
  void emit_exits_of_faults();
  void emit_call(bool goes_on);
  void emit_call_light();
  void emit_call_pure();
  void emit_call_preserving();
  void emit_slow_access(SlowAccess slow_access);
  const uint8_t* emit_aside(void (*function)(CpuState*));

  Xbyak::CodeGenerator& c_;
  Thunks thunks_{};
  // Within the exits: eax = target | T and ecx = reason; CpuState is complete; so is MXCSR the
  // host's.
  Xbyak::Label exit_to_, no_spill_, restore_;
};

void ThunkEmitter::spill_pinned(bool but_saved) {
  for (uint32_t n = 0; n < 15; n++)
    if (is_pinned(n, but_saved)) c_.mov(state32(reg_offset(n)), Xbyak::Reg32(kPinned[n]));
}

void ThunkEmitter::load_pinned(bool but_saved) {
  for (uint32_t n = 0; n < 15; n++)
    if (is_pinned(n, but_saved)) c_.mov(Xbyak::Reg32(kPinned[n]), state32(reg_offset(n)));
}

// The guest's MXCSR must not be changed by C++ code, and C++ code must not run with the guest's
// rounding.
void ThunkEmitter::leave_guest_mxcsr() {
  c_.stmxcsr(state32(offsetof(CpuState, mxcsr)));
  c_.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
}

void ThunkEmitter::emit_enter() {
  c_.align(16);
  thunks_.enter = c_.getCurr<void (*)(CpuState*, const void*)>();
  for (const int r : kSaved) c_.push(Xbyak::Reg64(r));
  c_.sub(rsp, 8);  // 16-byte alignment: 6 pushes + return address + 8
  c_.lea(r15, ptr[rdi + kStateBias]);
  c_.mov(state64(offsetof(CpuState, host_sp)), rsp);
  c_.stmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c_.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));
  c_.mov(rax, rsi);
  load_pinned();
  c_.jmp(rax);
}

// After an instruction that may have changed regime, masks or code flags: the jump cache holds what
// may run with the current instruction pages, except inside an IT block.
void ThunkEmitter::emit_dispatch() {
  thunks_.dispatch = begin();
  Xbyak::Label look_up;
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));
  c_.cmp(state32(offsetof(CpuState, pending)), 0);
  c_.jne(look_up);
  c_.cmp(state8(offsetof(CpuState, it)), 0);
  c_.jne(look_up);
  c_.mov(cl, state8(offsetof(CpuState, e)));
  c_.cmp(cl, state8(offsetof(CpuState, page_ids_e)));
  c_.jne(look_up);
  c_.mov(cl, state8(offsetof(CpuState, strict_alignment)));
  c_.cmp(cl, state8(offsetof(CpuState, page_ids_a)));
  c_.jne(look_up);
  jump_through_cache(c_, host_features().bmi2, [&] { c_.jne(look_up); });
  c_.L(look_up);
  c_.mov(ecx, kExitLookup);
  c_.jmp(exit_to_);
}

void ThunkEmitter::emit_exits() {
  thunks_.exit_link = begin();
  c_.mov(state32(offsetof(CpuState, exit_link)), ecx);
  c_.mov(ecx, kExitLink);
  c_.jmp(exit_to_);

  thunks_.jump_cached = begin();
  Xbyak::Label indirect;
  jump_through_cache(c_, host_features().bmi2, [&] { c_.jne(indirect); });

  thunks_.exit_indirect = begin();
  c_.L(indirect);
  c_.mov(ecx, kExitIndirect);

  thunks_.exit_to = begin();
  c_.L(exit_to_);
  c_.mov(state32(offsetof(CpuState, exit_reason)), ecx);
  // Bit 0 selects the instruction set; in A32 bit 1 is ignored (A2.3.2, BXWritePC), as the engine's
  // lookup does.
  c_.mov(ecx, eax);
  c_.and_(ecx, 1);
  c_.mov(state8(offsetof(CpuState, t)), cl);
  c_.and_(eax, ~1u);
  c_.mov(state32(reg_offset(15)), eax);
  spill_pinned();
  c_.L(no_spill_);
  leave_guest_mxcsr();
  c_.L(restore_);
  c_.mov(rsp, state64(offsetof(CpuState, host_sp)));
  c_.add(rsp, 8);
  for (int i = kSavedCount - 1; i >= 0; i--) c_.pop(Xbyak::Reg64(kSaved[i]));
  c_.vzeroupper();
  c_.ret();
}

// MXCSR still holds the guest's.
void ThunkEmitter::emit_exits_of_faults() {
  thunks_.exit_no_spill = begin();
  c_.jmp(no_spill_, Xbyak::CodeGenerator::T_NEAR);

  thunks_.exit_no_spill_standard = begin();
  c_.stmxcsr(state32(offsetof(CpuState, mxcsr_standard)));
  c_.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c_.jmp(restore_, Xbyak::CodeGenerator::T_NEAR);
}

// Calls rax with call_args in these registers.
void ThunkEmitter::call_function(const Xbyak::Reg32 (&arguments)[3]) {
  for (size_t i = 0; i < 3; i++) c_.mov(arguments[i], state32(offsetof(CpuState, call_args) + 4 * i));
  c_.sub(rsp, 8);
  c_.call(rax);
  c_.add(rsp, 8);
}

// With `goes_on`, as Engine::run() would: it looks for what there is to do, and then for the code.
void ThunkEmitter::emit_call(bool goes_on) {
  Xbyak::Label left;
  thunks_.call = begin();
  spill_pinned();
  leave_guest_mxcsr();
  c_.lea(rdi, ptr[r15 - kStateBias]);
  call_function({esi, edx, ecx});
  c_.mov(ecx, state32(offsetof(CpuState, exit_reason)));
  c_.test(ecx, ecx);
  c_.jnz(left, Xbyak::CodeGenerator::T_NEAR);
  c_.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));
  load_pinned();
  c_.ret();
  c_.L(left);
  if (goes_on) {
    c_.cmp(ecx, kExitException);
    c_.jne(restore_, Xbyak::CodeGenerator::T_NEAR);
    c_.cmp(state32(offsetof(CpuState, pending)), 0);
    c_.jne(restore_, Xbyak::CodeGenerator::T_NEAR);
    c_.mov(state32(offsetof(CpuState, exit_reason)), kExitNone);
    c_.mov(rsp, state64(offsetof(CpuState, host_sp)));
    c_.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
    load_pinned();
    c_.movzx(eax, state8(offsetof(CpuState, t)));
    c_.or_(eax, state32(reg_offset(15)));
    c_.jmp(thunks_.dispatch);
  } else {
    c_.jmp(restore_, Xbyak::CodeGenerator::T_NEAR);
  }
}

// What the ABI has a function change goes to CpuState meanwhile.
void ThunkEmitter::emit_call_light() {
  thunks_.call_light = begin();
  spill_pinned(true);
  c_.lea(rdi, ptr[r15 - kStateBias]);
  c_.sub(rsp, 8);
  c_.call(rax);
  c_.add(rsp, 8);
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));
  load_pinned(true);
  c_.ret();
}

void ThunkEmitter::emit_call_pure() {
  thunks_.call_pure = begin();
  spill_pinned();
  leave_guest_mxcsr();
  call_function({edi, esi, edx});
  c_.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  load_pinned();
  c_.ret();
}

void ThunkEmitter::emit_call_preserving() {
  const Xbyak::Reg64 saved[] = {rcx, rdx, rsi, rdi, r8, r9, r10, r11};
  constexpr int kXmmBytes = 16 * 16 + 8;  // 16-byte alignment: return address + 8 pushes + 8
  thunks_.call_preserving = begin();
  for (const auto& r : saved) c_.push(r);
  c_.lea(rsi, ptr[rsp + 8 * static_cast<int>(std::size(saved) + 1)]);
  c_.lea(rdi, ptr[r15 - kStateBias]);
  c_.sub(rsp, kXmmBytes);
  for (int i = 0; i < 16; i++) c_.movups(xword[rsp + size_t{16} * i], Xbyak::Xmm(i));
  c_.call(rax);
  for (int i = 0; i < 16; i++) c_.movups(Xbyak::Xmm(i), xword[rsp + size_t{16} * i]);
  c_.add(rsp, kXmmBytes);
  for (size_t i = std::size(saved); i-- > 0;) c_.pop(saved[i]);
  c_.mov(rax, state64(offsetof(CpuState, saved_rax)));
  c_.ret();
}

void ThunkEmitter::emit_slow_access(SlowAccess slow_access) {
  constexpr int kMxcsr = offsetof(SlowAccessFrame, mxcsr), kTemps = offsetof(SlowAccessFrame, rsi);
  const Xbyak::Reg64 temps[] = {rax, rcx, rdx, rsi};
  thunks_.slow_access = begin();
  for (const auto& r : temps) c_.push(r);
  spill_pinned();
  c_.sub(rsp, kTemps);
  for (int i = 0; i < 16; i++) c_.movups(xword[rsp + size_t{16} * i], Xbyak::Xmm(i));
  // MXCSR may be the standard one here; keep it as it is around the call.
  c_.stmxcsr(dword[rsp + kMxcsr]);
  c_.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c_.lea(rdi, ptr[r15 - kStateBias]);
  c_.mov(rsi, rsp);
  c_.mov(rax, reinterpret_cast<uint64_t>(slow_access));
  c_.call(rax);
  c_.ldmxcsr(dword[rsp + kMxcsr]);
  Xbyak::Label leave;
  c_.test(eax, eax);
  c_.jnz(leave, Xbyak::CodeGenerator::T_NEAR);
  for (int i = 0; i < 16; i++) c_.movups(Xbyak::Xmm(i), xword[rsp + size_t{16} * i]);
  c_.add(rsp, kTemps);
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));  // the software TLB may have another size
  load_pinned();
  for (int i = 3; i >= 0; i--) c_.pop(temps[i]);
  c_.ret(8);
  c_.L(leave);
  // eax = 2: MXCSR holds the standard (Advanced SIMD) value, which goes back to its own field.
  c_.cmp(eax, 2);
  Xbyak::Label vfp;
  c_.jne(vfp);
  c_.jmp(thunks_.exit_no_spill_standard, Xbyak::CodeGenerator::T_NEAR);
  c_.L(vfp);
  c_.jmp(no_spill_, Xbyak::CodeGenerator::T_NEAR);
}

// A call between two instructions, which sees the guest's registers as they are and changes none.
const uint8_t* ThunkEmitter::emit_aside(void (*function)(CpuState*)) {
  constexpr int kXmmBytes = 16 * 16;
  const Xbyak::Reg64 temps[] = {rax, rcx, rdx, rsi};
  const uint8_t* const thunk = begin();
  for (const auto& r : temps) c_.push(r);
  spill_pinned();
  c_.sub(rsp, kXmmBytes + 8);  // 16-byte alignment: return address + 4 pushes + 8
  for (int i = 0; i < 16; i++) c_.movups(xword[rsp + size_t{16} * i], Xbyak::Xmm(i));
  // MXCSR may be the standard one here; keep it as it is around the call.
  c_.stmxcsr(dword[rsp + kXmmBytes]);
  c_.ldmxcsr(state32(offsetof(CpuState, host_mxcsr)));
  c_.lea(rdi, ptr[r15 - kStateBias]);
  c_.mov(rax, reinterpret_cast<uint64_t>(function));
  c_.call(rax);
  c_.ldmxcsr(dword[rsp + kXmmBytes]);
  for (int i = 0; i < 16; i++) c_.movups(Xbyak::Xmm(i), xword[rsp + size_t{16} * i]);
  c_.add(rsp, kXmmBytes + 8);
  c_.mov(r14, state64(offsetof(CpuState, mem_base)));
  load_pinned();
  for (int i = 3; i >= 0; i--) c_.pop(temps[i]);
  c_.ret();
  return thunk;
}

}  // namespace

Thunks Thunks::moved(ptrdiff_t distance) const {
  static_assert(sizeof(Thunks) == 15 * sizeof(void*), "every thunk is moved");
  Thunks t = *this;
  t.enter = reinterpret_cast<decltype(enter)>(reinterpret_cast<uintptr_t>(enter) + static_cast<uintptr_t>(distance));
  for (const uint8_t** code : {&t.exit_link, &t.exit_indirect, &t.jump_cached, &t.exit_to, &t.dispatch,
                               &t.exit_no_spill, &t.exit_no_spill_standard, &t.call, &t.call_light, &t.call_pure,
                               &t.call_preserving, &t.slow_access, &t.synchronize, &t.send_event})
    *code += distance;
  return t;
}

Thunks emit_thunks(Xbyak::CodeGenerator& c, const ThunkTargets& targets) { return ThunkEmitter(c).emit(targets); }

}  // namespace crosswalk::x64
