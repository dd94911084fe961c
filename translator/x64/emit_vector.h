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

inline Xbyak::Address constant(EmitContext& e, uint64_t v) { return e.constants.at(v, v); }

// One SSE instruction r = r op b.
using SseOperation = void (*)(Xbyak::CodeGenerator& c, const Xmm& r, const Xmm& b);
template <auto kInstruction>
void sse(Xbyak::CodeGenerator& c, const Xmm& r, const Xmm& b) {
  (c.*kInstruction)(r, b);
}

inline void two_operands(EmitContext& e, const ir::Inst& inst, SseOperation f) {
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm r = e.xdefine_from(inst.args[0]);
  f(e.code, r, b);
}

template <class F>
void one_operand(EmitContext& e, const ir::Inst& inst, F f) {
  f(e.xdefine_from(inst.args[0]));
}

// Sets FPSCR.QC when any bit of `difference` is set.
inline void note_saturation(EmitContext& e, const Xmm& difference) {
  Xbyak::Label done;
  e.code.ptest(difference, difference);
  e.code.jz(done, Xbyak::CodeGenerator::T_SHORT);
  e.code.or_(state32(offsetof(CpuState, fpscr)), arm::kFpscrQc);
  e.code.L(done);
}

}  // namespace crosswalk::x64

// Rows of opcodes that are one SSE instruction for each size of element, from bytes up: of two
// operands, and of one. SSE names an instruction of Xbyak::CodeGenerator.
#define SSE(name) crosswalk::x64::sse<&Xbyak::CodeGenerator::name>
#define TWO_OPERANDS_BY_SIZE(opcode, ...)                     \
  void emit_##opcode(EmitContext& e, const ir::Inst& inst) {  \
    static constexpr SseOperation kBySize[4] = {__VA_ARGS__}; \
    two_operands(e, inst, kBySize[vector_size(inst)]);        \
  }
#define ONE_OPERAND_BY_SIZE(opcode, ...)                      \
  void emit_##opcode(EmitContext& e, const ir::Inst& inst) {  \
    static constexpr SseOperation kBySize[4] = {__VA_ARGS__}; \
    const Xmm a = e.xuse(inst.args[0]);                       \
    const Xmm r = e.xdefine();                                \
    kBySize[vector_size(inst)](e.code, r, a);                 \
  }
