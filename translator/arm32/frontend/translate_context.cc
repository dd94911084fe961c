// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/translate_context.h"

#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {

// ---- writes to R15 (A2.3.1)

void TranslateContext::alu_write_pc(Value v, Targets targets) {
  if (thumb)
    branch_write_pc(v, targets);
  else
    bx_write_pc(v, targets);
}

namespace {
uint32_t indirect(TranslateContext::Targets targets) {
  return targets == TranslateContext::Targets::One ? ir::kOneTarget : 0;
}
}  // namespace

void TranslateContext::bx_write_pc(Value v, Targets targets) {
  if (v.is_imm()) {
    branch_exchange(v.imm32() & (v.imm32() & 1 ? ~0u : ~3u));
    return;
  }
  ir.JumpIndirect(indirect(targets), v);
  outcome.path_ended = true;
}

void TranslateContext::branch_write_pc(Value v, Targets targets) {
  if (v.is_imm()) {
    branch(v.imm32() & (thumb ? ~1u : ~3u));
    return;
  }
  ir.JumpIndirect(indirect(targets), thumb ? ir.Or(v, ir::Builder::Imm(1)) : ir.AndNot(v, ir::Builder::Imm(3)));
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

void TranslateContext::require_privileged() {
  if (checked.privileged) return;
  checked.privileged = true;
  ir.append(ir::Opcode::RequirePrivileged, 0, reinterpret_cast<uint64_t>(&helpers::undefined_instruction), {});
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

void TranslateContext::end_block_anew(bool polls) {
  if (it_after() != 0) return end_block_exit();
  ir.append(ir::Opcode::JumpAnew, target(next_pc()), polls, {});
  outcome.path_ended = true;
}

bool TranslateContext::fp_mode_is(uint8_t set, uint8_t clear) {
  if (!flags.fp_mode) return false;
  ir.block.fp_mode = flags.fp_mode;
  return (*flags.fp_mode & (set | clear)) == set;
}

void TranslateContext::check_fp_enabled() {
  if (fp_mode_is(arm::kFpModeEnabled, 0) || checked.fp) return;
  checked.fp = true;
  constexpr uint8_t kBit = arm::kFpModeEnabled;
  undefined_if(
      ir.Equal(ir.And(ir.LoadState8(offsetof(CpuState, fp_mode)), ir::Builder::Imm(kBit)), ir::Builder::Imm(0)));
}

void TranslateContext::check_simd_enabled() {
  if (fp_mode_is(arm::kFpModeSimdEnabled, 0) || checked.simd) return;
  checked.fp = checked.simd = true;
  constexpr uint8_t kBit = arm::kFpModeSimdEnabled;
  undefined_if(
      ir.Equal(ir.And(ir.LoadState8(offsetof(CpuState, fp_mode)), ir::Builder::Imm(kBit)), ir::Builder::Imm(0)));
}

// These instructions would work on short vectors; with FPSCR.Len or Stride set and no such hardware
// they are UNDEFINED. FPSCR changes only by VMSR, so one check covers a block.
void TranslateContext::check_fp_scalar() {
  check_fp_enabled();
  if (fp_mode_is(0, arm::kFpModeShortVectors) || checked.scalar) return;
  checked.scalar = true;
  undefined_if(ir.And(ir.LoadState8(offsetof(CpuState, fp_mode)), ir::Builder::Imm(arm::kFpModeShortVectors)));
}

void TranslateContext::fpscr_written() {
  checked.scalar = checked_outside.scalar = false;
  if (!flags.fp_mode) return;
  if (it_after() != 0) return end_block_exit();
  branch(next_pc());
}

}  // namespace crosswalk::frontend
