// SPDX-License-Identifier: GPL-2.0-or-later
// Moves: immediates, between registers, to and from core registers and scalars, and the system
// registers (ARM DDI 0406C, A7.8, A7.9).
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/frontend/vfp_common.h"
#include "translator/arm32/helpers/fp_helpers.h"

namespace crosswalk::frontend {

using namespace vfp;

namespace {

// VFPExpandImm (A7.5.1).
constexpr uint32_t expand_single(uint32_t imm8) {
  const uint32_t exponent = (imm8 >> 6 & 1 ? 0x7c : 0x80) | (imm8 >> 4 & 3);
  return (imm8 >> 7) << 31 | exponent << 23 | (imm8 & 15) << 19;
}
constexpr uint64_t expand_double(uint32_t imm8) {
  const uint64_t exponent = (imm8 >> 6 & 1 ? 0x3fc : 0x400) | (imm8 >> 4 & 3);
  return uint64_t{imm8 >> 7} << 63 | exponent << 52 | uint64_t{imm8 & 15} << 48;
}

}  // namespace

HANDLER(VfpMoveImmediate) {
  t.check_fp_scalar();
  if (is_double(f))
    set_d(t, f, t.ir.X64FromI64(ir::Builder::Imm64(expand_double(f['i']))));
  else
    set_d(t, f, t.ir.X32FromI32(ir::Builder::Imm(expand_single(f['i']))));
}

HANDLER(VfpMoveRegister) {
  t.check_fp_scalar();
  set_d(t, f, get_m(t, f));
}

// ---- core register and single

HANDLER(VfpMoveCoreToSingle) {
  if (f['t'] == 15) return t.unpredictable();
  t.check_fp_enabled();
  t.ir.SetS(single_n(f), t.ir.X32FromI32(t.reg(f['t'])));
}

HANDLER(VfpMoveSingleToCore) {
  if (f['t'] == 15) return t.unpredictable();
  t.check_fp_enabled();
  t.set_reg(f['t'], t.ir.I32FromX32(t.ir.GetS(single_n(f))));
}

// ---- system registers

namespace {

// The value that FPSCR.NZCV was last set to, where a comparison just before did it: VCMP; VMRS
// APSR_nzcv, FPSCR.
Value recent_fpscr_flags(const ir::Block& block) {
  constexpr size_t kDistance = 24;
  const size_t n = block.insts.size();
  for (size_t i = n; i-- > 0 && n - i <= kDistance;) {
    const ir::Inst& inst = block.insts[i];
    if (inst.op == ir::Opcode::FpSetNzcv) return inst.args[0];
    if (inst.op == ir::Opcode::Label || inst.op == ir::Opcode::FpWriteFpscr || (ir::info(inst.op).attributes & ir::C))
      break;
  }
  return Value();
}

}  // namespace

HANDLER(VfpMoveFromSystem) {
  const uint32_t rt = f['t'];
  if (f['r'] == static_cast<uint32_t>(arm::FpSystemRegister::FPSCR)) {
    t.check_fp_enabled();
    if (rt != 15) {
      t.set_reg(rt, t.ir.FpReadFpscr());
      return;
    }
    Value flags = recent_fpscr_flags(t.ir.block);
    if (flags.is_none()) flags = t.ir.LoadState8(offsetof(CpuState, fpscr_nzcv));
    t.ir.SetNZCV(flags);
    return;
  }
  if (rt == 15) return t.unpredictable();
  const Value result =
      t.ir.call64(&helpers::read_fp_system_register, ir::kCallNoFlags | ir::kCallNoRegs, ir::Builder::Imm(f['r']));
  t.undefined_if(t.ir.High(result));
  t.set_reg(rt, t.ir.Low(result));
}

HANDLER(VfpMoveToSystem) {
  const uint32_t rt = f['t'];
  if (rt == 15) return t.unpredictable();
  if (f['r'] == static_cast<uint32_t>(arm::FpSystemRegister::FPSCR)) {
    t.check_fp_enabled();
    t.ir.FpWriteFpscr(t.reg(rt));
    t.fpscr_written();
    return;
  }
  const Value undefined = t.ir.call(&helpers::write_fp_system_register, ir::kCallNoFlags | ir::kCallNoRegs,
                                    ir::Builder::Imm(f['r']), t.reg(rt));
  t.undefined_if(undefined);
  // FPEXC decides whether the following instructions exist.
  t.end_block_exit();
}

// ---- core register and scalar; the 8 and 16-bit forms are Advanced SIMD instructions

namespace {

enum ElementSize : uint32_t { kByte, kHalfword, kWord };
constexpr uint32_t element(uint32_t size, uint32_t index) { return size | index << 4; }

void core_to_scalar(TranslateContext& t, Fields<"Ddtx"> f, uint32_t size) {
  if (f['t'] == 15) return t.unpredictable();
  if (size == kWord)
    t.check_fp_enabled();
  else
    t.check_simd_enabled();
  const uint32_t d = double_d(f), index = f['x'];
  if (size == kWord && d < 16) {
    t.ir.SetS(d * 2 + index, t.ir.X32FromI32(t.reg(f['t'])));
    return;
  }
  const Value old = t.ir.VecFromD(t.ir.GetD(d));
  t.ir.SetD(d, t.ir.VecLow(t.ir.VecInsert(element(size, index), old, t.reg(f['t']))));
}

void scalar_to_core(TranslateContext& t, Fields<"Nntx?u"> f, uint32_t size) {
  if (f['t'] == 15) return t.unpredictable();
  if (size == kWord)
    t.check_fp_enabled();
  else
    t.check_simd_enabled();
  const uint32_t n = double_n(f), index = f['x'];
  if (size == kWord && n < 16) {
    t.set_reg(f['t'], t.ir.I32FromX32(t.ir.GetS(n * 2 + index)));
    return;
  }
  Value v = t.ir.VecExtract(element(size, index), t.ir.VecFromD(t.ir.GetD(n)));
  if (size != kWord && f.get('u', 0) == 0) v = size == kByte ? t.ir.Sxtb(v) : t.ir.Sxth(v);
  t.set_reg(f['t'], v);
}

}  // namespace

HANDLER(VfpMoveCoreToScalar8) { core_to_scalar(t, f, kByte); }
HANDLER(VfpMoveCoreToScalar16) { core_to_scalar(t, f, kHalfword); }
HANDLER(VfpMoveCoreToScalar32) { core_to_scalar(t, f, kWord); }
HANDLER(VfpMoveScalarToCore8) { scalar_to_core(t, f, kByte); }
HANDLER(VfpMoveScalarToCore16) { scalar_to_core(t, f, kHalfword); }
HANDLER(VfpMoveScalarToCore32) { scalar_to_core(t, f, kWord); }

HANDLER(VfpDuplicateCore) {
  const uint32_t d = double_d(f);
  const bool quad = f['q'] != 0;
  if ((quad && (d & 1)) || (f['b'] && f['e'])) return t.undefined();
  if (f['t'] == 15) return t.unpredictable();
  t.check_simd_enabled();
  const Value v = t.ir.VecDupReg(f['b'] ? kByte : f['e'] ? kHalfword : kWord, t.reg(f['t']));
  if (quad)
    t.ir.SetQ(d / 2, v);
  else
    t.ir.SetD(d, t.ir.VecLow(v));
}

// ---- two core registers

HANDLER(VfpMoveCoresToSingles) {
  const uint32_t m = single_m(f);
  if (f['t'] == 15 || f['u'] == 15 || m == 31) return t.unpredictable();
  t.check_fp_enabled();
  t.ir.SetS(m, t.ir.X32FromI32(t.reg(f['t'])));
  t.ir.SetS(m + 1, t.ir.X32FromI32(t.reg(f['u'])));
}

HANDLER(VfpMoveSinglesToCores) {
  const uint32_t m = single_m(f);
  if (f['t'] == 15 || f['u'] == 15 || m == 31 || f['t'] == f['u']) return t.unpredictable();
  t.check_fp_enabled();
  t.set_reg(f['t'], t.ir.I32FromX32(t.ir.GetS(m)));
  t.set_reg(f['u'], t.ir.I32FromX32(t.ir.GetS(m + 1)));
}

HANDLER(VfpMoveCoresToDouble) {
  if (f['t'] == 15 || f['u'] == 15) return t.unpredictable();
  t.check_fp_enabled();
  t.ir.SetD(double_m(f), t.ir.X64FromI64(t.ir.Pack(t.reg(f['t']), t.reg(f['u']))));
}

HANDLER(VfpMoveDoubleToCores) {
  if (f['t'] == 15 || f['u'] == 15 || f['t'] == f['u']) return t.unpredictable();
  t.check_fp_enabled();
  const Value v = t.ir.I64FromX64(t.ir.GetD(double_m(f)));
  t.set_reg(f['t'], t.ir.Low(v));
  t.set_reg(f['u'], t.ir.High(v));
}

}  // namespace crosswalk::frontend
