// SPDX-License-Identifier: GPL-2.0-or-later
// Coprocessor instructions (ARM DDI 0406C, A5.6, A6.3.18): MRC, MCR, MRRC and MCRR reach the system
// registers of coprocessors 14 and 15; everything else is UNDEFINED on Cortex-A15 and A7. Registers
// that are plain state are accessed inline.
#include <cstddef>

#include "translator/arm32/cpu/coprocessor.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

using arm::SystemRegister;

// After these, the next instruction must be looked up again.
constexpr uint32_t kEndsBlock = arm::kEffectEndBlock | arm::kEffectRegimeChanged |
                                arm::kEffectInstructionCacheInvalidate | arm::kEffectFpEnableChanged |
                                arm::kEffectAlignmentChanged | arm::kEffectTlbMaintenance | arm::kEffectContextSync |
                                arm::kEffectPrivilegeChanged | arm::kEffectInterruptsUnmasked |
                                arm::kEffectTimersChanged | arm::kEffectAccessChanged;

const SystemRegister* find(Fields<"mnopq"> f) {
  return arm::find_system_register(f['p'], f['n'], f['o'], f['m'], f['q']);
}

Value row_low(const SystemRegister* row) { return imm32(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(row))); }
Value row_high(const SystemRegister* row) {
  return imm32(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(row) >> 32));
}

// The static access check, at run time as far as it depends on privilege. False when no mode may
// access: the path has ended.
bool check_access(TranslateContext& t, const SystemRegister& row, bool write) {
  const bool user = arm::can_ever_access(row, write, false), privileged = arm::can_ever_access(row, write, true);
  if (!privileged) {  // nothing is accessible at PL0 only
    t.undefined();
    return false;
  }
  if (!user) t.require_privileged();
  return true;
}

void write_rt(TranslateContext& t, uint32_t rt, Value v) {
  if (rt == 15)
    t.ir.SetNZCV(t.ir.Lsr(28, v));  // APSR_nzcv
  else
    t.set_reg(rt, v);
}

}  // namespace

HANDLER(MRC) {
  const SystemRegister* row = find(f);
  if (!row) return t.undefined();
  if (row->plain_read() && row->bytes == 4 && row->condition == arm::Condition::None) {
    if (check_access(t, *row, false)) write_rt(t, f['t'], t.ir.LoadState32(row->offset));
    return;
  }
  write_rt(t, f['t'], t.ir.call(&helpers::read_system_register, ir::kCallMayExit, row_low(row), row_high(row)));
}

HANDLER(MCR) {
  const SystemRegister* row = find(f);
  if (!row) return t.undefined();
  if (f['t'] == 15) return t.unpredictable();
  if (row->write_effects == arm::kEffectBarrier) {  // CP15DMB, CP15DSB: at any privilege
    const Value enabled = t.ir.And(t.ir.LoadState32(offsetof(CpuState, cp15.sctlr)), imm32(arm::kSctlrCp15Ben));
    t.undefined_if(t.ir.Equal(enabled, imm32(0)));
    if (f['q'] == 4)
      t.ir.SynchronizationBarrier();  // CP15DSB
    else
      t.ir.MemoryBarrier();
    return;
  }
  const Value v = t.reg(f['t']);
  const bool regime = (row->write_effects & ~uint32_t{arm::kEffectRegimeChanged | arm::kEffectAccessChanged}) == 0;
  if (row->plain_write() && row->bytes == 4 && row->condition == arm::Condition::None && regime) {
    if (!check_access(t, *row, true)) return;
    const auto mask = static_cast<uint32_t>(row->write_mask);
    t.ir.StoreState32(row->offset, mask == ~0u ? v : t.ir.And(v, imm32(mask)));
    if (row->write_effects == 0) return;
    constexpr uint32_t kFlags = ir::kCallLight | ir::kCallNoFlags | ir::kCallNoRegs;
    t.ir.call(row->write_effects & arm::kEffectRegimeChanged ? &helpers::regime_changed : &helpers::access_changed,
              kFlags);
    return t.end_block_anew();
  }
  t.ir.call(&helpers::write_system_register, ir::kCallMayExit, row_low(row), row_high(row), v);
  if (row->write_effects & kEndsBlock) t.end_block_exit();
}

HANDLER(MRRC) {
  const uint32_t rt = f['t'], rt2 = f['u'];
  const SystemRegister* row = arm::find_system_register_64(f['p'], f['o'], f['m']);
  if (!row) return t.undefined();
  if (any_is_pc(rt, rt2) || rt == rt2) return t.unpredictable();
  const uint32_t encoding = f['p'] << 8 | f['o'] << 4 | f['m'];
  const Value v = t.ir.call64(&helpers::read_system_register_64, ir::kCallMayExit, imm32(encoding));
  t.set_reg(rt, t.ir.Low(v));
  t.set_reg(rt2, t.ir.High(v));
}
HANDLER(MCRR) {
  const uint32_t rt = f['t'], rt2 = f['u'];
  const SystemRegister* row = arm::find_system_register_64(f['p'], f['o'], f['m']);
  if (!row) return t.undefined();
  if (any_is_pc(rt, rt2)) return t.unpredictable();
  const uint32_t encoding = f['p'] << 8 | f['o'] << 4 | f['m'];
  t.ir.call(&helpers::write_system_register_64, ir::kCallMayExit, imm32(encoding), t.reg(rt), t.reg(rt2));
  if (row->write_effects & kEndsBlock) t.end_block_exit();
}

// No coprocessor has data processing or, outside VFP, memory transfers: UNDEFINED by choice (see
// docs/coverage.md).
HANDLER(CDP) { t.undefined(); }
HANDLER(LDC) { t.undefined(); }
HANDLER(STC) { t.undefined(); }
// MCR2 and the like to coprocessors 14 and 15 are UNPREDICTABLE, to others UNDEFINED.
HANDLER(coprocessor_2) { t.undefined(); }

}  // namespace crosswalk::frontend
