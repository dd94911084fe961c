// SPDX-License-Identifier: GPL-2.0-or-later
// Branches (ARM DDI 0406C, A4.3) and IT.
#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/operands.h"

namespace crosswalk::frontend {
namespace {

// S:I1:I2:imm of the T32 encodings T4 of B and T1/T2 of BL/BLX, where I = NOT(J EOR S),
// sign-extended. `bits` is the width of field i.
int32_t t32_branch_offset(Fields<"i?sxy"> f, unsigned bits) {
  const uint32_t s = f.get('s', 0), i1 = (f.get('x', 0) ^ s ^ 1) & 1, i2 = (f.get('y', 0) ^ s ^ 1) & 1;
  const uint32_t imm = s << (bits + 2) | i1 << (bits + 1) | i2 << bits | f['i'];
  return static_cast<int32_t>(imm << (29 - bits)) >> (29 - bits);
}

int32_t branch_offset(Fields<"i?sxy"> f) {
  switch (f.row->isa) {
    case Isa::A32: return f.sx('i') * 4;
    case Isa::T32: return t32_branch_offset(f, 21) * 2;
    default: return f.sx('i') * 2;
  }
}

void branch_if(TranslateContext& t, uint32_t cond, uint32_t va) {
  if (cond >= 14) return t.branch(va);
  t.ir.jump_if(cond, t.target(va));
  t.outcome.conditional_branches++;
}

void set_link(TranslateContext& t) { t.set_reg(14, t.ir.GuestAddress(t.next_pc() | t.thumb)); }

void table_branch(TranslateContext& t, Fields<"mn"> f, uint32_t log2_bytes) {
  const uint32_t m = f['m'];
  if (m == 15) return t.unpredictable();
  const Value index = log2_bytes ? t.ir.Lsl(1, t.reg(m)) : t.reg(m);
  const Value halfwords = load(t, log2_bytes, t.ir.Add(t.reg(f['n']), index));
  t.branch_write_pc(t.ir.Add(t.ir.Lsl(1, halfwords), t.reg(15)), TranslateContext::Targets::Many);
}

}  // namespace

// One to the next instruction is a delay, as Linux has them against Spectre-BHB.
HANDLER(B) {
  const uint32_t va = t.pc_value() + static_cast<uint32_t>(branch_offset(f));
  if (t.cond < 14 || va != t.next_pc()) branch_if(t, t.cond, va);
}

// T16 T1 and T32 T3, outside IT blocks.
HANDLER(B_conditional) {
  const uint32_t cond = f['c'];
  int32_t offset = 0;
  if (f.row->isa == Isa::T16) {
    offset = f.sx('i') * 2;
  } else {
    if (cond >= 14) return t.undefined();  // unallocated miscellaneous control (table A6-12)
    const uint32_t imm = f.get('s', 0) << 19 | f.get('y', 0) << 18 | f.get('x', 0) << 17 | f['i'];
    offset = (static_cast<int32_t>(imm << 12) >> 12) * 2;
  }
  branch_if(t, cond, t.pc_value() + static_cast<uint32_t>(offset));
}

HANDLER(BL_immediate) {
  set_link(t);
  t.branch(t.pc_value() + static_cast<uint32_t>(branch_offset(f)));
}

HANDLER(BLX_immediate) {
  set_link(t);
  if (f.row->isa == Isa::A32) {
    const uint32_t offset = static_cast<uint32_t>(f.sx('i') * 4) + f.get('h', 0) * 2;
    t.branch_exchange((t.pc_value() + offset) | 1);
  } else {
    t.branch_exchange(t.pc_aligned() + static_cast<uint32_t>(t32_branch_offset(f, 20) * 4));
  }
}

// BX PC in Thumb state needs a word-aligned one.
HANDLER(BX) {
  if (f['m'] != 15) return t.bx_write_pc(t.reg(f['m']), t.targets_of_register(f['m']));
  if (t.pc & 2) return t.unpredictable();
  t.branch_exchange(t.pc_value());
}
// Without Jazelle, BXJ is BX (A8.8.28).
HANDLER(BXJ) {
  if (f['m'] == 15) return t.unpredictable();
  t.bx_write_pc(t.reg(f['m']));
}
HANDLER(BLX_register) {
  if (f['m'] == 15) return t.unpredictable();
  const Value target = t.reg(f['m']);
  set_link(t);
  t.bx_write_pc(target);
}

HANDLER(CBZ) {
  t.ir.JumpIfZero(t.target(t.pc_value() + f['i'] * 2), t.reg(f['n']));
  t.outcome.conditional_branches++;
}
HANDLER(CBNZ) {
  t.ir.JumpIfNotZero(t.target(t.pc_value() + f['i'] * 2), t.reg(f['n']));
  t.outcome.conditional_branches++;
}

HANDLER(TBB) { table_branch(t, f, 0); }
HANDLER(TBH) { table_branch(t, f, 1); }

HANDLER(IT) {
  if (t.in_it_block()) return t.unpredictable();
  t.outcome.next_it = static_cast<uint8_t>(f['i']);
}

}  // namespace crosswalk::frontend
