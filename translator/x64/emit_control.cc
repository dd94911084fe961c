// SPDX-License-Identifier: GPL-2.0-or-later
// Emitters of calls and control flow, and the jumps between blocks.
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/block_emitter.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Inst;
using ir::Value;
using Gen = Xbyak::CodeGenerator;

namespace {

void put_call_arguments(EmitContext& e, const Inst& inst) {
  for (int i = 0; i < 3; i++) {
    const Value v = inst.args[i];
    const auto slot = e.state32(offsetof(CpuState, call_args) + 4 * i);
    if (v.is_imm()) {
      e.code.mov(slot, v.imm32());
    } else {
      const Reg64 r = e.use(v);
      e.code.mov(slot, r.cvt32());
      core(e).release(r);
    }
  }
}

void call(EmitContext& e, const Inst& inst, bool wide) {
  auto& b = core(e);
  auto& c = e.code;
  put_call_arguments(e, inst);
  b.spill_across_call(!(inst.imm & ir::kCallNoRegs));
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  b.store_guest_position();
  e.take(rax);
  c.mov(rax, inst.aux);
  c.call(b.config.thunks->call);
  b.record_call_site();
  if (b.guest().it) c.mov(e.state8(offsetof(CpuState, it)), 0);
  if (!wide) c.mov(eax, eax);
  e.define_as(rax);
}

// Pure functions see no guest state, so the pinned registers only have to survive: the shared path saves them anyway.
void call_pure(EmitContext& e, const Inst& inst, bool wide) {
  auto& b = core(e);
  auto& c = e.code;
  put_call_arguments(e, inst);
  b.spill_across_call(false);
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  e.take(rax);
  c.mov(rax, inst.aux);
  c.call(b.config.thunks->call_pure);
  if (!wide) c.mov(eax, eax);
  e.define_as(rax);
}

}  // namespace

void emit_Call(EmitContext& e, const Inst& inst) { call(e, inst, false); }
void emit_Call64(EmitContext& e, const Inst& inst) { call(e, inst, true); }
void emit_CallPure(EmitContext& e, const Inst& inst) { call_pure(e, inst, false); }
void emit_CallPure64(EmitContext& e, const Inst& inst) { call_pure(e, inst, true); }

void emit_SkipUnless(EmitContext& e, const Inst& inst) {
  auto& b = core(e);
  b.spill_for_merge();
  b.condition_jump(inst.imm, b.label(static_cast<uint32_t>(inst.aux)), true);
  b.keep_flags();  // the taken-through side may still use them; the label forgets them
}
void emit_SkipIfZero(EmitContext& e, const Inst& inst) {
  auto& b = core(e);
  const Reg64 v = e.use(inst.args[0]);
  e.code.mov(e.state32(offsetof(CpuState, access_kind)), v.cvt32());
  b.release(v);
  b.spill_for_merge();
  e.code.cmp(e.state32(offsetof(CpuState, access_kind)), 0);
  e.labels.jcc(kEqual, b.label(static_cast<uint32_t>(inst.aux)));
}
void emit_Label(EmitContext& e, const Inst& inst) {
  core(e).spill_for_merge();
  core(e).known_alignment().forget();
  e.labels.bind(core(e).label(inst.imm));
}

void emit_Jump(EmitContext& e, const Inst& inst) { core(e).chained_jump(inst.imm); }

void emit_JumpIf(EmitContext& e, const Inst& inst) {
  auto& b = core(e);
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  const uint32_t target = static_cast<uint32_t>(inst.aux);
  const bool backward = (target & ~1u) <= b.guest().pc;
  if (b.same_page(target) && !backward) {
    if (const auto cc = b.x86_condition(inst.imm)) {
      b.chained_jcc(*cc, target);
      b.keep_flags();
      return;
    }
  }
  if (backward) {  // a loop, usually taken: its jump is inline
    const Label go_on = e.labels.make();
    b.condition_jump(inst.imm, go_on, true);
    b.keep_flags();
    b.chained_jump(target);
    e.labels.bind(go_on);
    return;
  }
  // The jump goes out of line with its checks; what follows is the fall-through.
  const Label taken = e.labels.make();
  b.condition_jump(inst.imm, taken, false);
  b.keep_flags();
  e.out_of_line([&b, taken, target, i = b.position()] {
    BlockEmitter::Reposition at(b, i);
    b.labels.bind(taken);
    b.chained_jump(target);
  });
}

namespace {
void jump_if_zero(EmitContext& e, const Inst& inst, bool zero) {
  auto& b = core(e);
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  const Reg64 v = e.use(inst.args[0]);
  const Label taken = e.labels.make();
  e.code.test(v.cvt32(), v.cvt32());
  e.labels.jcc(zero ? kEqual : kNotEqual, taken);
  e.out_of_line([&b, taken, target = inst.imm, i = b.position()] {
    BlockEmitter::Reposition at(b, i);
    b.labels.bind(taken);
    b.chained_jump(target);
  });
}
}  // namespace
void emit_JumpIfZero(EmitContext& e, const Inst& inst) { jump_if_zero(e, inst, true); }
void emit_JumpIfNotZero(EmitContext& e, const Inst& inst) { jump_if_zero(e, inst, false); }

void emit_JumpIndirect(EmitContext& e, const Inst& inst) { core(e).indirect_jump(inst.args[0]); }

void emit_ExitTo(EmitContext& e, const Inst& inst) {
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  auto& b = core(e);
  if (!b.config.chain) return b.exit_with(kExitLookup, inst.imm);
  e.code.mov(eax, inst.imm);
  e.code.jmp(b.config.thunks->dispatch, Gen::T_NEAR);
}
void emit_ExitException(EmitContext& e, const Inst&) {
  // The call has left through the exit path already when it took an exception; being here means that it did not.
  e.need_mxcsr(EmitContext::Rounding::Vfp);
  e.code.mov(e.state32(offsetof(CpuState, exit_reason)), kExitException);
  e.code.jmp(core(e).config.thunks->exit_no_spill, Gen::T_NEAR);
}

// ---- jumps between blocks --------------------------------------------------------------------------------------

void BlockEmitter::poll(uint32_t target) {
  const Label leave = labels.make();
  code.cmp(state32(offsetof(CpuState, pending)), 0);
  labels.jcc(kNotEqual, leave);
  out_of_line([this, leave, target] {
    labels.bind(leave);
    exit_with(kExitPoll, target);
  });
}

void BlockEmitter::chained_jump(uint32_t target) {
  need_mxcsr(Rounding::Vfp);
  const uint32_t to = target & ~1u;
  if (to <= guest().pc) poll(target);  // every loop has a backward or an indirect jump
  uint32_t id_offset = 0;
  const Label stub = labels.make();
  if (!same_page(to)) {
    code.mov(rax, state64(offsetof(CpuState, instruction_pages)));
    code.db(0x81);  // cmp dword [rax + disp32], imm32, in a fixed form so that the engine can find the immediate
    code.db(0xb8);
    code.dd(4 * (to >> 12 & (kInstructionPageEntries - 1)));
    id_offset = static_cast<uint32_t>(code.getCurr() - start_);
    code.dd(0);  // page ids are never 0
    labels.jcc(kNotEqual, stub);
  }
  labels.jmp(stub);
  add_link(id_offset, target, stub);
}

void BlockEmitter::chained_jcc(Condition condition, uint32_t target) {
  const Label stub = labels.make();
  labels.jcc(condition, stub);
  add_link(0, target, stub);
}

// Notes the jump that was just emitted, and emits the stub that it goes to until the engine links it.
void BlockEmitter::add_link(uint32_t id_offset, uint32_t target, Label stub) {
  const size_t n = result_.links.size();
  result_.links.push_back({static_cast<uint32_t>(code.getCurr() - start_) - 4, id_offset, 0, target});
  out_of_line([this, n, stub, target] {
    labels.bind(stub);
    result_.links[n].stub_offset = static_cast<uint32_t>(code.getCurr() - start_);
    code.mov(eax, target);
    code.mov(ecx, first_link_ + static_cast<uint32_t>(n));
    code.jmp(config.thunks->exit_link, Gen::T_NEAR);
  });
}

void BlockEmitter::indirect_jump(ir::Value target) {
  auto& c = code;
  need_mxcsr(Rounding::Vfp);
  take(rax);
  const Reg64 v = use(target);
  c.mov(eax, v.cvt32());
  const void* const leave = config.thunks->exit_indirect;
  c.cmp(state32(offsetof(CpuState, pending)), 0);
  c.jne(leave);
  jump_through_cache(c, leave);
}

}  // namespace crosswalk::x64
