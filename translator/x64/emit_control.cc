// SPDX-License-Identifier: GPL-2.0-or-later
// Emitters of calls and control flow, and the jumps between blocks.
#include "translator/arm32/cpu/events.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Inst;
using ir::Value;

namespace {

// For C++: the position of the current instruction.
void store_guest_position(EmitContext& e) {
  e.code.mov(state32(reg_offset(15)), e.guest().pc);
  e.relocations.add(Relocation::GuestAddress);
  e.code.mov(state8(offsetof(CpuState, t)), e.block.thumb);
  if (e.guest().it) e.code.mov(state8(offsetof(CpuState, it)), e.guest().it);
}

// Both paths to a label agree on where values are and on MXCSR.
void spill_for_merge(EmitContext& e) {
  e.values.spill_for_merge();
  e.need_mxcsr(Rounding::Vfp);
}

void put_call_arguments(EmitContext& e, const Inst& inst) {
  for (size_t i = 0; i < 3; i++) {
    const Value v = inst.args[i];
    const auto slot = state32(offsetof(CpuState, call_args) + 4 * i);
    if (v.is_imm()) {
      e.code.mov(slot, v.imm32());
    } else {
      const Reg64 r = e.use(v);
      e.code.mov(slot, r.cvt32());
      e.release(r);
    }
  }
}

void call_light(EmitContext& e, const Inst& inst) {
  e.values.spill_across_call(false);
  e.take(rax);
  e.code.mov(rax, inst.aux);
  e.call_thunk(&Thunks::call_light);
  e.define_as(rax);
}

void call(EmitContext& e, const Inst& inst, bool wide) {
  if (inst.imm & ir::kCallLight) return call_light(e, inst);
  auto& c = e.code;
  put_call_arguments(e, inst);
  e.values.spill_across_call(!(inst.imm & ir::kCallNoRegs));
  e.need_mxcsr(Rounding::Vfp);
  store_guest_position(e);
  e.take(rax);
  c.mov(rax, inst.aux);
  e.call_thunk(&Thunks::call);
  e.sites.call();
  if (e.guest().it) c.mov(state8(offsetof(CpuState, it)), 0);
  if (!wide) c.mov(eax, eax);
  e.define_as(rax);
}

// Pure functions see no guest state, so the pinned registers only have to survive: the shared path
// saves them anyway.
void call_pure(EmitContext& e, const Inst& inst, bool wide) {
  auto& c = e.code;
  put_call_arguments(e, inst);
  e.values.spill_across_call(false);
  e.need_mxcsr(Rounding::Vfp);
  e.take(rax);
  c.mov(rax, inst.aux);
  e.call_thunk(&Thunks::call_pure);
  if (!wide) c.mov(eax, eax);
  e.define_as(rax);
}

}  // namespace

void emit_Call(EmitContext& e, const Inst& inst) { call(e, inst, false); }
void emit_Call64(EmitContext& e, const Inst& inst) { call(e, inst, true); }
void emit_CallPure(EmitContext& e, const Inst& inst) { call_pure(e, inst, false); }
void emit_CallPure64(EmitContext& e, const Inst& inst) { call_pure(e, inst, true); }

void emit_RequirePrivileged(EmitContext& e, const Inst& inst) {
  e.need_mxcsr(Rounding::Vfp);
  const Label user = e.labels.make();
  e.code.cmp(state8(offsetof(CpuState, mode)), static_cast<uint8_t>(Mode::User));
  e.labels.jcc(kEqual, user);
  e.out_of_line([&e, user, function = inst.aux] {
    e.labels.bind(user);
    store_guest_position(e);
    e.code.mov(rax, function);
    e.call_thunk(&Thunks::call);
    e.sites.call();
    e.code.ud2();  // it does not return
  });
}

// Kernels execute it at each unlock; mostly nobody watches.
void emit_SendEvent(EmitContext& e, const Inst&) {
  const Label watched = e.labels.make(), done = e.labels.make();
  const Reg64 events = e.temp();
  e.code.mov(events, state64(offsetof(CpuState, events)));
  e.code.cmp(dword[events + offsetof(arm::Events, watchers)], 0);
  e.labels.jcc(kNotEqual, watched);
  e.labels.bind(done);
  e.out_of_line([&e, watched, done] {
    e.labels.bind(watched);
    e.call_thunk(&Thunks::send_event);
    e.labels.jmp(done);
  });
}

void emit_SkipUnless(EmitContext& e, const Inst& inst) {
  spill_for_merge(e);
  e.flags.jump_if(inst.imm & 15, e.label(static_cast<uint32_t>(inst.aux)), true);
  e.flags.keep();
  e.flags_at_label(inst.aux).skipped(e.flags.form());
}
namespace {
void skip_if(EmitContext& e, const Inst& inst, Condition condition) {
  if (const auto offset = e.registers.in_memory(inst.args[0])) {
    e.code.cmp(state32(*offset), 0);
  } else {
    const Reg64 v = e.use(inst.args[0]);
    e.code.test(v.cvt32(), v.cvt32());
    e.release(v);
  }
  spill_for_merge(e);  // moves, which keep EFLAGS
  e.labels.jcc(condition, e.label(static_cast<uint32_t>(inst.aux)));
  e.flags_at_label(inst.aux).skipped(EflagsForm::None);
}
}  // namespace
void emit_SkipIfZero(EmitContext& e, const Inst& inst) { skip_if(e, inst, kEqual); }
void emit_SkipIfNotZero(EmitContext& e, const Inst& inst) { skip_if(e, inst, kNotEqual); }
void emit_Label(EmitContext& e, const Inst& inst) {
  spill_for_merge(e);
  e.alignment.forget();
  e.labels.bind(e.label(inst.imm));
  e.flags.join(e.flags_at_label(inst.imm));
}

void emit_Jump(EmitContext& e, const Inst& inst) { e.exits.jump(inst.imm); }

void emit_JumpAnew(EmitContext& e, const Inst& inst) { e.exits.jump_anew(inst.imm, inst.aux != 0); }

void emit_JumpIf(EmitContext& e, const Inst& inst) {
  const uint32_t target = static_cast<uint32_t>(inst.aux);
  const Rounding mxcsr = e.exits.mxcsr_for(target);
  e.need_mxcsr(mxcsr);
  const bool backward = (target & ~1u) <= e.guest().pc;
  if (e.exits.same_page(target) && !backward) {
    if (const auto cc = e.flags.x86_condition(inst.imm)) {
      e.exits.jump_if(*cc, target);
      e.flags.keep();
      return;
    }
  }
  if (backward) {  // a loop, usually taken: its jump is inline
    const Label go_on = e.labels.make();
    e.flags.jump_if(inst.imm, go_on, true);
    e.flags.keep();
    e.exits.jump(target);
    e.labels.bind(go_on);
    e.mxcsr_is(mxcsr);
    return;
  }
  // The jump goes out of line with its checks; what follows is the fall-through.
  const Label taken = e.labels.make();
  e.flags.jump_if(inst.imm, taken, false);
  e.flags.keep();
  e.out_of_line([&e, taken, target] {
    e.labels.bind(taken);
    e.exits.jump(target);
  });
}

namespace {

Comparison operands(EmitContext& e, const Inst& inst) {
  const auto a = static_cast<uint8_t>(e.use(inst.args[0]).getIdx());
  const Value b = inst.args[1];
  const bool of_difference = inst.imm & ir::kOfDifference;
  if (b.is_imm()) return {a, Comparison::Constant, of_difference, b.imm32()};
  if (const auto offset = e.registers.in_memory(b))
    return {a, Comparison::Field, of_difference, static_cast<uint32_t>(*offset)};
  return {a, Comparison::Register, of_difference, static_cast<uint32_t>(e.use(b).getIdx())};
}

}  // namespace

void emit_JumpIfCompare(EmitContext& e, const Inst& inst) {
  const Rounding mxcsr = e.exits.mxcsr_for(static_cast<uint32_t>(inst.aux));
  e.need_mxcsr(mxcsr);
  const Condition condition = GuestFlags::after_compare(inst.imm & 15);
  const bool seen = inst.flags_live & ir::kNzcv;  // where it is not taken
  const auto target = static_cast<uint32_t>(inst.aux);
  const Comparison comparison = operands(e, inst);
  const Label away = e.labels.make();
  if (inst.imm & ir::kFlagsAreSetAgain) {
    e.flags.compare(comparison);
    e.flags.produced(EflagsForm::Sub);
    e.labels.jcc(static_cast<Condition>(condition ^ 1), away);
    e.exits.loop(comparison);
    e.labels.bind(away);
    e.mxcsr_is(mxcsr);
    if (seen) e.flags.store_difference(comparison, e.temp().cvt32());
    return;
  }
  if (seen) {
    if (comparison.of_difference) e.flags.compare(comparison);
    e.flags.produced(EflagsForm::Sub);
    e.flags.store_difference(comparison, e.temp().cvt32());
    if (e.exits.same_page(target)) return e.exits.jump_if(condition, target);
  } else {
    e.flags.compare(comparison);
    e.flags.produced(EflagsForm::Sub);
  }
  e.labels.jcc(condition, away);
  e.out_of_line([&e, away, target, comparison, seen] {
    e.labels.bind(away);
    if (!seen) e.flags.store_difference_and_leave(comparison, true);
    e.exits.jump(target);
  });
}

namespace {
void jump_if_zero(EmitContext& e, const Inst& inst, bool zero) {
  e.need_mxcsr(Rounding::Vfp);
  const Reg64 v = e.use(inst.args[0]);
  const Label taken = e.labels.make();
  e.code.test(v.cvt32(), v.cvt32());
  e.labels.jcc(zero ? kEqual : kNotEqual, taken);
  e.out_of_line([&e, taken, target = inst.imm] {
    e.labels.bind(taken);
    e.exits.jump(target);
  });
}
}  // namespace
void emit_JumpIfZero(EmitContext& e, const Inst& inst) { jump_if_zero(e, inst, true); }
void emit_JumpIfNotZero(EmitContext& e, const Inst& inst) { jump_if_zero(e, inst, false); }

void emit_JumpIndirect(EmitContext& e, const Inst& inst) {
  e.exits.jump_indirect(inst.args[0], inst.imm & ir::kOneTarget);
}

void emit_ExitTo(EmitContext& e, const Inst& inst) {
  e.need_mxcsr(Rounding::Vfp);
  if (!e.config.chain) return e.exits.leave(kExitLookup, inst.imm);
  e.exits.load_target(inst.imm);
  e.jump_to_thunk(&Thunks::dispatch);
}
void emit_ExitException(EmitContext& e, const Inst&) {
  // The call has left through the exit path already when it took an exception; being here means
  // that it did not.
  e.need_mxcsr(Rounding::Vfp);
  e.code.mov(state32(offsetof(CpuState, exit_reason)), kExitException);
  e.jump_to_thunk(&Thunks::exit_no_spill);
}

}  // namespace crosswalk::x64
