// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/translate_context.h"

#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {

// ---- writes to R15 (A2.3.1)

void TranslateContext::alu_write_pc(Value v) {
  if (thumb)
    branch_write_pc(v);
  else
    bx_write_pc(v);
}

void TranslateContext::bx_write_pc(Value v) {
  if (v.is_imm()) {
    branch_exchange(v.imm32() & (v.imm32() & 1 ? ~0u : ~3u));
    return;
  }
  ir.JumpIndirect(v);
  outcome.path_ended = true;
}

void TranslateContext::branch_write_pc(Value v) {
  if (v.is_imm()) {
    branch(v.imm32() & (thumb ? ~1u : ~3u));
    return;
  }
  ir.JumpIndirect(thumb ? ir.Or(v, ir::Builder::Imm(1)) : ir.AndNot(v, ir::Builder::Imm(3)));
  outcome.path_ended = true;
}

void TranslateContext::branch(uint32_t va) { branch_exchange(target(va)); }

void TranslateContext::branch_exchange(uint32_t target_with_t) {
  ir.Jump(target_with_t);
  outcome.path_ended = true;
}

// ---- ends of the block

void TranslateContext::undefined() { call_and_leave(&helpers::undefined_instruction); }

void TranslateContext::undefined_if(Value condition) {
  const uint32_t label = ir.new_label();
  ir.skip_if_zero(condition, label);
  ir.call(&helpers::undefined_instruction, ir::kCallPlain);
  ir.ExitException();
  ir.Label(label);
}

void TranslateContext::unpredictable() {
  saw_unpredictable = true;
  undefined();
}

uint8_t TranslateContext::it_after() const { return outcome.next_it.value_or(arm::it_advance(it)); }

void TranslateContext::end_block_exit() {
  if (const uint8_t next = it_after()) ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(next));
  ir.ExitTo(target(next_pc()));
  outcome.path_ended = true;
}

void TranslateContext::check_fp_enabled() {
  if (checked.fp) return;
  checked.fp = true;
  undefined_if(ir.Equal(ir.LoadState8(offsetof(CpuState, fp_enabled)), ir::Builder::Imm(0)));
}

void TranslateContext::check_simd_enabled() {
  if (checked.simd) return;
  checked.fp = checked.simd = true;
  undefined_if(ir.Equal(ir.LoadState8(offsetof(CpuState, simd_enabled)), ir::Builder::Imm(0)));
}

// These instructions would work on short vectors; with FPSCR.Len or Stride set and no such hardware
// they are UNDEFINED. FPSCR changes only by VMSR, so one check covers a block.
void TranslateContext::check_fp_scalar() {
  check_fp_enabled();
  if (checked.scalar) return;
  checked.scalar = true;
  constexpr uint32_t kVectors = arm::kFpscrLenMask | arm::kFpscrStrideMask;
  undefined_if(ir.And(ir.LoadState32(offsetof(CpuState, fpscr)), ir::Builder::Imm(kVectors)));
}

}  // namespace crosswalk::frontend
