// SPDX-License-Identifier: GPL-2.0-or-later
// Exclusives and SWP (ARM DDI 0406C, A3.4, A5.2.10, A6.3.6), and barriers (A3.8.3).
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/arm32/frontend/operands.h"

namespace crosswalk::frontend {
namespace {

uint32_t exclusive_access(uint8_t log2_bytes) {
  ir::MemAccess m;
  m.log2_bytes = log2_bytes;
  m.align_log2 = log2_bytes;
  return m.pack();
}

Value swap_bytes(TranslateContext& t, uint8_t log2_bytes, Value v) {
  if (!t.flags.big_endian || log2_bytes == 0) return v;
  return log2_bytes == 1 ? t.ir.Uxth(t.ir.Rev16(v)) : t.ir.Rev(v);
}

// Rn + imm8:00 in T32's word forms, Rn elsewhere.
Value exclusive_address(TranslateContext& t, Fields<"n?i"> f) {
  const Value base = t.reg(f['n']);
  return f.has('i') ? t.ir.Add(base, imm32(f.get('i', 0) * 4)) : base;
}

// SP in T32, besides as the base.
bool bad_t32_registers(const TranslateContext& t, Fields<"t?du"> f) {
  return t.thumb && (f['t'] == 13 || f.get('d', 0) == 13 || f.get('u', 0) == 13);
}

void load_exclusive(TranslateContext& t, Fields<"nt?i"> f, uint8_t log2_bytes) {
  if (any_is_pc(f['n'], f['t']) || bad_t32_registers(t, f)) return t.unpredictable();
  const Value v = t.ir.LoadExclusive(exclusive_access(log2_bytes), exclusive_address(t, f));
  t.set_reg(f['t'], swap_bytes(t, log2_bytes, v));
}
void store_exclusive(TranslateContext& t, Fields<"dnt?i"> f, uint8_t log2_bytes) {
  if (any_is_pc(f['n'], f['t'], f['d']) || bad_t32_registers(t, f)) return t.unpredictable();
  if (f['d'] == f['n'] || f['d'] == f['t']) return t.unpredictable();
  const Value v = swap_bytes(t, log2_bytes, t.reg(f['t']));
  t.set_reg(f['d'], t.ir.StoreExclusive(exclusive_access(log2_bytes), exclusive_address(t, f), v));
}

// The second register of the doubleword forms: the next one in A32, where Rt is even.
uint32_t second_register(Fields<"t?u"> f) { return f.get('u', f['t'] + 1); }
bool bad_pair(Fields<"nt?u"> f) {
  return any_is_pc(f['n'], f['t'], second_register(f)) || (f.row->isa == Isa::A32 && (f['t'] & 1));
}

// An atomic exchange from the exclusives: when another observer wrote in between, the instruction
// starts again.
void swap(TranslateContext& t, Fields<"mnt"> f, uint8_t log2_bytes) {
  if (any_is_pc(f['n'], f['t'], f['m'])) return t.unpredictable();
  const Value sw = t.ir.And(t.ir.LoadState32(offsetof(CpuState, cp15.sctlr)), imm32(arm::kSctlrSw));
  t.undefined_if(t.ir.Equal(sw, imm32(0)));
  const Value address = t.reg(f['n']);
  const Value old = t.ir.LoadExclusive(exclusive_access(log2_bytes), address);
  const Value failed =
      t.ir.StoreExclusive(exclusive_access(log2_bytes), address, swap_bytes(t, log2_bytes, t.reg(f['m'])));
  t.ir.JumpIfNotZero(t.target(t.pc), failed);
  t.outcome.conditional_branches++;
  t.set_reg(f['t'], swap_bytes(t, log2_bytes, old));
}

// ST, ISHST, NSHST, OSHST (A8.8.43). Reserved options are SY.
bool orders_only_stores(uint32_t option) { return (option & 3) == 2; }

}  // namespace

HANDLER(LDREX) { load_exclusive(t, f, 2); }
HANDLER(LDREXB) { load_exclusive(t, f, 0); }
HANDLER(LDREXH) { load_exclusive(t, f, 1); }
HANDLER(STREX) { store_exclusive(t, f, 2); }
HANDLER(STREXB) { store_exclusive(t, f, 0); }
HANDLER(STREXH) { store_exclusive(t, f, 1); }

HANDLER(LDREXD) {
  if (bad_pair(f) || f['t'] == second_register(f) || bad_t32_registers(t, f)) return t.unpredictable();
  const Value v = t.ir.LoadExclusive64(exclusive_access(3), t.reg(f['n']));
  t.set_reg(f['t'], swap_bytes(t, 2, t.ir.Low(v)));
  t.set_reg(second_register(f), swap_bytes(t, 2, t.ir.High(v)));
}
HANDLER(STREXD) {
  const uint32_t d = f['d'];
  if (bad_t32_registers(t, f)) return t.unpredictable();
  if (bad_pair(f) || any_is_pc(d) || d == f['n'] || d == f['t'] || d == second_register(f)) return t.unpredictable();
  const Value v = t.ir.Pack(swap_bytes(t, 2, t.reg(f['t'])), swap_bytes(t, 2, t.reg(second_register(f))));
  t.set_reg(f['d'], t.ir.StoreExclusive64(exclusive_access(3), t.reg(f['n']), v));
}

HANDLER(SWP) { swap(t, f, 2); }
HANDLER(SWPB) { swap(t, f, 0); }

HANDLER(CLREX) { t.ir.ClearExclusive(); }
// x86 makes stores visible in program order (Intel SDM vol. 3, 8.2.2), and no pass moves one.
HANDLER(DMB) {
  if (!orders_only_stores(f['o'])) t.ir.MemoryBarrier();
}
HANDLER(DSB) { t.ir.SynchronizationBarrier(); }
// What could change how code is fetched has taken effect already, or does at a poll; and with it,
// the identity of the next instruction's page is another, or its code has no link any more.
HANDLER(ISB) { t.end_block_anew(true); }

}  // namespace crosswalk::frontend
