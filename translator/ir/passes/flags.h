// SPDX-License-Identifier: GPL-2.0-or-later
// What passes know of NZCV and of conditions.
#pragma once

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"

namespace crosswalk::ir {

// Of NZCV, what an Arm condition depends on, as Inst::flags_live.
constexpr uint8_t flags_of_condition(uint32_t condition) {
  constexpr uint8_t kByPair[] = {1, 2, 1, 4, 3, 5, 5};
  return kByPair[condition >> 1];
}

// The flags that an instruction reads, as Inst::flags_live.
inline uint8_t flags_read(const Inst& inst) {
  switch (inst.op) {
    case Opcode::SkipUnless:
    case Opcode::JumpIf:
    case Opcode::Select:
    case Opcode::TestCond: return flags_of_condition(inst.imm & 15);
    default: return info(inst.op).flags_read();
  }
}

// HI and those behind it in the encoding; those before are of one flag.
constexpr bool is_of_several_flags(uint32_t condition) { return condition >= kHi && condition < kConditions; }

// Bit NZCV: the condition holds with these flags (ARM DDI 0406C, A8.3).
constexpr uint16_t holds_with(uint32_t condition) {
  uint16_t mask = 0;
  for (uint32_t f = 0; f < 16; f++) {
    const bool n = f & 8, z = f & 4, c = f & 2, v = f & 1;
    const bool pairs[] = {z, c, n, v, c && !z, n == v, n == v && !z};
    if (pairs[condition >> 1] != (condition & 1)) mask |= 1 << f;
  }
  return mask;
}
// Wherever condition `a` holds, `b` does.
constexpr bool implies(uint32_t a, uint32_t b) { return (holds_with(a) & ~holds_with(b)) == 0; }

}  // namespace crosswalk::ir
