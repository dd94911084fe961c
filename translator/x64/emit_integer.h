// SPDX-License-Identifier: GPL-2.0-or-later
// What the emitters of integer arithmetic and of flags share.
#pragma once

#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

// An operand of an ALU instruction: `alu(destination, operand)` with an immediate where the value
// is constant.
template <class F>
void with_operand(EmitContext& e, ir::Value v, F f) {
  if (v.is_imm())
    f(static_cast<uint32_t>(v.imm32()));
  else if (const auto offset = e.registers.in_memory(v))
    f(state32(*offset));
  else
    f(e.use(v).cvt32());
}

// CF = C, or !C when it is a borrow that is wanted. From EFLAGS if they still hold it; else from
// the byte in CpuState, read as a byte: a wider load would wait for the byte store before it to
// reach the cache.
inline void load_carry(EmitContext& e, bool borrow) {
  switch (e.flags.form()) {
    case EflagsForm::Add:
    case EflagsForm::Shift:
      if (borrow) e.code.cmc();
      return;
    case EflagsForm::Sub:
      if (!borrow) e.code.cmc();
      return;
    default:
      e.flags.check_stored();
      e.code.cmp(state8(offsetof(CpuState, c)), 1);  // CF = !C
      if (!borrow) e.code.cmc();
  }
}

// An ALU instruction that reads C: `alu(r, operand)` with the first operand in r and the carry in
// CF.
template <class F>
void with_carry(EmitContext& e, const ir::Inst& inst, bool borrow, F alu) {
  with_operand(e, inst.args[1], [&](const auto& rm) {
    const Reg64 r = e.define_from(inst.args[0]);
    load_carry(e, borrow);
    alu(r, rm);
  });
}

}  // namespace crosswalk::x64
