// SPDX-License-Identifier: GPL-2.0-or-later
// System instructions (ARM DDI 0406C, B9.3), exception-generating instructions and hints. Privilege
// is not part of a translation's key: what depends on it is decided at run time, in
// translator/arm32/helpers/helpers.cc.
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

Value is_privileged(TranslateContext& t) { return t.checked.privileged ? imm32(1) : t.ir.Privileged(); }

// Those that MRS shows: not IT, J and T.
Value cpsr(TranslateContext& t) {
  const auto bit = [&](uint32_t offset, uint32_t shift) { return t.ir.Lsl(shift, t.ir.LoadState8(offset)); };
  // Four bytes in a row.
  static_assert(offsetof(CpuState, a) == offsetof(CpuState, mode) + 1 &&
                offsetof(CpuState, i) == offsetof(CpuState, mode) + 2 &&
                offsetof(CpuState, f) == offsetof(CpuState, mode) + 3);
  const Value fields = t.ir.LoadState32(offsetof(CpuState, mode));
  Value v = t.ir.And(fields, imm32(arm::kPsrA | arm::kPsrModeMask));
  v = t.ir.Or(v, t.ir.And(t.ir.Lsr(9, fields), imm32(arm::kPsrI)));
  v = t.ir.Or(v, t.ir.And(t.ir.Lsr(18, fields), imm32(arm::kPsrF)));
  v = t.ir.Or(v, bit(offsetof(CpuState, e), 9));
  // As read_ge().
  const Value ge = t.ir.Lsr(24, t.ir.Mul(t.ir.And(t.ir.GetGe(), imm32(0x08040201)), imm32(0x01010101)));
  v = t.ir.Or(v, t.ir.Lsl(16, ge));
  v = t.ir.Or(v, bit(offsetof(CpuState, q), 27));
  return t.ir.Or(v, t.ir.GetNZCV());
}

// After CPSR.I may have been cleared, outside IT blocks: goes on to the next instruction, or lets
// an interrupt be taken before it. Ends the path.
void go_on_unmasked(TranslateContext& t) {
  const uint32_t nothing = t.ir.new_label();
  const Value lines = t.ir.LoadState32(offsetof(CpuState, interrupt_lines));
  t.ir.skip_if_zero(t.ir.Or(lines, t.ir.LoadState32(offsetof(CpuState, pending))), nothing);
  t.ir.call(&helpers::recompute_pending, ir::kCallNoFlags | ir::kCallNoRegs);
  t.ir.ExitTo(t.target(t.next_pc()));
  t.ir.Label(nothing);
  t.branch(t.next_pc());
}

// MSR CPSR_c where it changes nothing but I, in a privileged mode: how kernels restore their
// interrupt mask. Falls through where it is not so.
void restore_mask(TranslateContext& t, Value v) {
  const uint32_t other = t.ir.new_label();
  const Value mode = t.ir.LoadState8(offsetof(CpuState, mode)), f = t.ir.LoadState8(offsetof(CpuState, f));
  const Value same = t.ir.Equal(t.ir.And(v, imm32(arm::kPsrModeMask | arm::kPsrF)), t.ir.Or(mode, t.ir.Lsl(6, f)));
  t.ir.skip_if_zero(t.ir.And(same, is_privileged(t)), other);
  t.ir.StoreState8(offsetof(CpuState, i), t.ir.Bit(7, v));
  go_on_unmasked(t);
  t.ir.Label(other);
  t.outcome.path_ended = false;
}

void move_to_psr(TranslateContext& t, bool spsr, uint32_t fields, Value v) {
  if (fields == 0) return t.unpredictable();
  if (spsr) {
    t.require_privileged();
    // SPSRWriteByInstr (B1.3.3): bits [23:20] are reserved; all others are written.
    const uint32_t bytes = (fields & arm::kPsrFieldC ? 0x000000ffu : 0) | (fields & arm::kPsrFieldX ? 0x0000ff00u : 0) |
                           (fields & arm::kPsrFieldS ? 0x000f0000u : 0) | (fields & arm::kPsrFieldF ? 0xff000000u : 0);
    t.ir.SetSpsr(bytes, v);
    return;
  }
  if (fields == arm::kPsrFieldF) {
    t.ir.SetNZCV(t.ir.Lsr(28, v));
    t.ir.StoreState8(offsetof(CpuState, q), t.ir.Bit(27, v));
    return;
  }
  if (fields == arm::kPsrFieldC && !t.in_it_block()) restore_mask(t, v);
  t.ir.call(&helpers::write_cpsr, ir::kCallPlain, v, imm32(fields));
  // E, the masks and the mode change how or whether the next instruction runs.
  if (fields & (arm::kPsrFieldX | arm::kPsrFieldC)) t.end_block_exit();
}

}  // namespace

HANDLER(MRS) {
  if (f['d'] == 15) return t.unpredictable();
  if (f['r']) t.require_privileged();
  t.set_reg(f['d'], f['r'] ? t.ir.GetSpsr() : cpsr(t));
}
HANDLER(MSR_register) {
  if (f['n'] == 15) return t.unpredictable();
  move_to_psr(t, f['r'], f['k'], t.reg(f['n']));
}
HANDLER(MSR_immediate) { move_to_psr(t, f['r'], f['k'], expand_immediate(f).value); }

// These CPUs have neither the Security nor the Virtualization Extensions (ID_PFR1): what they add
// is UNDEFINED, but for HVC, which calls the firmware as on QEMU's virt board.
HANDLER(MRS_banked) { t.undefined(); }
HANDLER(MSR_banked) { t.undefined(); }

HANDLER(CPS) {
  // T16's im is imod<0> of enable (2) and disable (3).
  const uint32_t imod = f.row->isa == Isa::T16 ? 2 | f['k'] : f['k'];
  const bool change_mode = f.get('M', 0);
  const uint32_t operation =
      imod | f['A'] << 2 | f['I'] << 3 | f['F'] << 4 | uint32_t{change_mode} << 5 | f.get('m', 0) << 6;
  const uint32_t flags = f['A'] | f['I'] | f['F'];
  if (imod == 1 || (f.row->isa != Isa::T16 && (imod >= 2) != (flags != 0)) || (imod == 0 && !change_mode)) {
    return t.unpredictable();
  }
  if (!change_mode && f['I'] && !f['A'] && !f['F'] && !t.in_it_block()) {
    if (t.checked.privileged) {
      t.ir.StoreState8(offsetof(CpuState, i), imm32(imod == 3));
    } else {
      const Value masked = t.ir.LoadState8(offsetof(CpuState, i)), privileged = t.ir.Privileged();
      t.ir.StoreState8(offsetof(CpuState, i),
                       imod == 3 ? t.ir.Or(masked, privileged) : t.ir.AndNot(masked, privileged));
    }
    if (imod != 3) go_on_unmasked(t);
    return;
  }
  if (change_mode) {
    t.ir.call(&helpers::change_processor_state, ir::kCallPlain, imm32(operation));
  } else {
    const uint32_t affected = (f['A'] ? arm::kPsrA : 0u) | (f['I'] ? arm::kPsrI : 0u) | (f['F'] ? arm::kPsrF : 0u);
    t.ir.call(&helpers::change_masks, ir::kCallPlain, imm32(imod == 3 ? affected : 0), imm32(affected));
  }
  if (imod != 3 || change_mode) t.end_block_exit();
}

HANDLER(SETEND) {
  t.ir.StoreState8(offsetof(CpuState, e), imm32(f['E']));
  t.end_block_exit();
}

// SRS and RFE: A32 has P and U; T32's two encodings are DB (bits 24:23 = 00) and IA (11).
namespace {
struct Stacking {
  bool increment, before, wback;
  uint32_t first_offset() const { return (increment ? 0u : 0u - 8u) + (before == increment ? 4u : 0u); }
  uint32_t last_offset() const { return increment ? 8u : 0u - 8u; }
};
Stacking stacking_of(Fields<"W"> f) {
  const bool u = f.word >> 23 & 1;
  const bool p = f.row->isa == Isa::A32 ? f.word >> 24 & 1 : !u;
  return {u, p, f['W'] != 0};
}
}  // namespace

HANDLER(SRS) {
  const Stacking s = stacking_of(f);
  const uint32_t mode = f['m'];
  const Value base = t.ir.call(&helpers::srs_base, ir::kCallMayExit, imm32(mode));
  const Value spsr = t.ir.GetSpsr();
  store(t, 2, t.ir.Add(base, imm32(s.first_offset())), t.reg(14), 2);
  store(t, 2, t.ir.Add(base, imm32(s.first_offset() + 4)), spsr);
  if (s.wback) {
    t.ir.call(&helpers::srs_write_back, ir::kCallPlain, imm32(mode), t.ir.Add(base, imm32(s.last_offset())));
  }
}

HANDLER(RFE) {
  const Stacking s = stacking_of(f);
  const uint32_t n = f['n'];
  if (n == 15) return t.unpredictable();
  t.require_privileged();
  const Value base = t.reg(n);
  const Value new_pc = load(t, 2, t.ir.Add(base, imm32(s.first_offset())), false, 2);
  const Value psr = load(t, 2, t.ir.Add(base, imm32(s.first_offset() + 4)));
  if (s.wback) t.set_reg(n, t.ir.Add(base, imm32(s.last_offset())));
  t.call_and_leave(&helpers::return_from_exception, new_pc, psr);
}

HANDLER(SUBS_PC_LR) { t.call_and_leave(&helpers::exception_return, t.ir.Sub(t.reg(14), imm32(f['i']))); }
// T32's encoding is one of SUBS PC, LR, which these CPUs have (B9.3.3).
HANDLER(ERET) { t.undefined(); }

HANDLER(SVC) { t.call_and_leave(&helpers::supervisor_call, imm32(f['i']), imm32(t.bytes)); }
HANDLER(BKPT) {
  if (!t.thumb && t.cond != 14) return t.unpredictable();
  t.call_and_leave(&helpers::breakpoint);
}
// UNDEFINED on ARMv7. One number of each instruction set is a semihosting trap all the same
// ("Semihosting for AArch32 and AArch64", 2.2), and heeds its condition as an UNDEFINED instruction
// does.
HANDLER(HLT) {
  if (f['i'] != (t.thumb ? 0x3cu : 0xf000u)) return t.undefined();
  t.call_and_leave(&helpers::halting_breakpoint, imm32(t.bytes));
}
HANDLER(HVC) { t.call_and_leave(&helpers::hypervisor_call, imm32(0), imm32(t.bytes)); }
HANDLER(SMC) { t.undefined(); }
HANDLER(UDF) { t.undefined(); }
// ThumbEE is not there (ID_PFR0.State3).
HANDLER(ENTERX) { t.undefined(); }

HANDLER(NOP) {}
HANDLER(YIELD) {}
HANDLER(WFE) {
  t.ir.call(&helpers::wait_for_event, ir::kCallMayExit, imm32(t.bytes));
  t.end_block_exit();
}
HANDLER(SEV) { t.ir.SendEvent(); }
HANDLER(DBG) {}
HANDLER(WFI) { t.call_and_leave(&helpers::wait_for_interrupt, imm32(t.bytes)); }

}  // namespace crosswalk::frontend
