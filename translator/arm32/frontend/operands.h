// SPDX-License-Identifier: GPL-2.0-or-later
// Operands that the data-processing and load/store handlers share.
#pragma once

#include "translator/arm32/frontend/handler.h"

namespace crosswalk::frontend {

using decoder::Isa;

inline Value imm32(uint32_t v) { return ir::Builder::Imm(v); }

// A value and the shifter's carry out; carry is none when APSR.C stays as it is.
struct ShiftedOperand {
  Value value;
  Value carry;
};

enum class Shift : uint8_t { LSL, LSR, ASR, ROR };

// DecodeImmShift and Shift_C (A8.4.3) by a constant. The carry is only computed when asked for.
ShiftedOperand shift_immediate(TranslateContext& t, Value v, uint32_t type, uint32_t imm5, bool want_carry);
// Shift_C by the bottom byte of a register value.
ShiftedOperand shift_register(TranslateContext& t, Value v, uint32_t type, Value amount, bool want_carry);

// ARMExpandImm_C (A5.2.4), ThumbExpandImm_C (A6.3.2), or the plain immediate of T16, from field i.
// 0 where the encoding has none.
ShiftedOperand expand_immediate(Fields<"?i"> f);
// Rm shifted by the constant of fields y and i (LSL #0 where the encoding has none).
ShiftedOperand shifted_rm(TranslateContext& t, Fields<"m?iy"> f, bool want_carry);

// Whether the instruction sets flags: field S, or outside IT blocks in T16.
inline bool sets_flags(const TranslateContext& t, Fields<"?S"> f) {
  return f.row->isa == Isa::T16 ? !t.in_it_block() : f.get('S', 0) != 0;
}

// Rd = v; R15 is UNPREDICTABLE there.
inline void write_register(TranslateContext& t, uint32_t d, Value v) {
  if (d == 15)
    t.unpredictable();
  else
    t.set_reg(d, v);
}
template <class... N>
bool any_is_pc(N... n) {
  return ((n == 15) || ...);
}

}  // namespace crosswalk::frontend
