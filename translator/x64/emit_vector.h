// SPDX-License-Identifier: GPL-2.0-or-later
// What the emitters of opcodes_vector.inc share.
#pragma once

#include "translator/arm32/cpu/fp_system.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

// imm of a vector opcode.
inline unsigned vector_size(const ir::Inst& inst) { return inst.imm & 3; }
inline unsigned vector_number(const ir::Inst& inst) { return inst.imm >> 4; }

constexpr uint64_t repeat8(uint8_t v) { return v * 0x0101010101010101u; }
constexpr uint64_t repeat16(uint16_t v) { return v * 0x0001000100010001u; }
constexpr uint64_t repeat32(uint32_t v) { return v * 0x0000000100000001u; }

inline Xbyak::Address constant(EmitContext& e, uint64_t v) { return e.constant128(v, v); }

// r = first argument, then f(r, second argument).
template <class F>
void two_operands(EmitContext& e, const ir::Inst& inst, F f) {
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm r = e.xdefine_from(inst.args[0]);
  f(r, b);
}

template <class F>
void one_operand(EmitContext& e, const ir::Inst& inst, F f) {
  f(e.xdefine_from(inst.args[0]));
}

}  // namespace crosswalk::x64
