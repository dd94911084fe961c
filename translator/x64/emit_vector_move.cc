// SPDX-License-Identifier: GPL-2.0-or-later
// Vector opcodes that move elements, and the bitwise ones. None changes EFLAGS.
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

// A pshufb control of 16 bytes.
struct Control {
  uint8_t at[16];
  Xbyak::Address in(EmitContext& e) const {
    uint64_t half[2] = {};
    for (int i = 0; i < 16; i++) half[i / 8] |= uint64_t{at[i]} << (i % 8 * 8);
    return e.constants.at(half[0], half[1]);
  }
};

// Every second element of 1 or 2 bytes, from element `first` on, into the lower half; the upper
// half becomes zero.
Control every_second(unsigned size, unsigned first) {
  Control c;
  for (unsigned i = 0; i < 16; i++) {
    const unsigned from = (2 * (i >> size) + first) << size | (i & ((1u << size) - 1));
    c.at[i] = i < 8 ? static_cast<uint8_t>(from) : 0x80;
  }
  return c;
}

void unzip(EmitContext& e, const ir::Inst& inst, unsigned first) {
  const unsigned size = vector_size(inst);
  const Xmm b = e.xuse(inst.args[1]);
  if (size == 2) {
    const Xmm r = e.xdefine_from(inst.args[0]);
    e.code.shufps(r, b, first ? 0xdd : 0x88);
    return;
  }
  const Xbyak::Address control = every_second(size, first).in(e);
  const Xmm t = e.xtemp();
  e.code.movdqa(t, b);
  e.code.pshufb(t, control);
  const Xmm r = e.xdefine_from(inst.args[0]);
  e.code.pshufb(r, control);
  e.code.punpcklqdq(r, t);
}

}  // namespace

void emit_VecFromD(EmitContext& e, const ir::Inst& inst) { e.xdefine_from(inst.args[0]); }
void emit_VecLow(EmitContext& e, const ir::Inst& inst) { e.xdefine_from(inst.args[0]); }

void emit_VecFromDZero(EmitContext& e, const ir::Inst& inst) {
  const Xmm a = e.xuse(inst.args[0]);
  e.code.movq(e.xdefine(), a);
}

void emit_VecHigh(EmitContext& e, const ir::Inst& inst) {
  const Xmm a = e.xuse(inst.args[0]);
  e.code.pshufd(e.xdefine(), a, 0xee);
}

void emit_VecPair(EmitContext& e, const ir::Inst& inst) { two_operands(e, inst, SSE(punpcklqdq)); }

void emit_VecConst(EmitContext& e, const ir::Inst& inst) {
  const Xmm r = e.xdefine();
  if (inst.aux == 0)
    e.code.pxor(r, r);
  else if (inst.aux == ~uint64_t{0})
    e.code.pcmpeqd(r, r);
  else
    e.code.movaps(r, constant(e, inst.aux));
}

void emit_VecDup(EmitContext& e, const ir::Inst& inst) {
  const unsigned size = vector_size(inst), index = vector_number(inst);
  if (size == 2) {
    const Xmm a = e.xuse(inst.args[0]);
    e.code.pshufd(e.xdefine(), a, static_cast<uint8_t>(index * 0x55));
    return;
  }
  Control control;
  for (unsigned i = 0; i < 16; i++) control.at[i] = static_cast<uint8_t>(index << size | (i & ((1u << size) - 1)));
  one_operand(e, inst, [&](const Xmm& r) { e.code.pshufb(r, control.in(e)); });
}

void emit_VecDupReg(EmitContext& e, const ir::Inst& inst) {
  const Reg64 a = e.use(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.movd(r, a.cvt32());
  if (vector_size(inst) == 0) {
    e.code.pshufb(r, constant(e, 0));
    return;
  }
  if (vector_size(inst) == 1) e.code.pshuflw(r, r, 0);
  e.code.pshufd(r, r, 0);
}

void emit_VecInsert(EmitContext& e, const ir::Inst& inst) {
  const Reg64 value = e.use(inst.args[1]);
  const Xmm r = e.xdefine_from(inst.args[0]);
  const uint8_t index = static_cast<uint8_t>(vector_number(inst));
  switch (vector_size(inst)) {
    case 0: e.code.pinsrb(r, value.cvt32(), index); break;
    case 1: e.code.pinsrw(r, value.cvt32(), index); break;
    default: e.code.pinsrd(r, value.cvt32(), index); break;
  }
}

void emit_VecExtract(EmitContext& e, const ir::Inst& inst) {
  const Xmm a = e.xuse(inst.args[0]);
  const Reg32 r = e.define().cvt32();
  const uint8_t index = static_cast<uint8_t>(vector_number(inst));
  switch (vector_size(inst)) {
    case 0: e.code.pextrb(r, a, index); break;
    case 1: e.code.pextrw(r, a, index); break;
    default: e.code.pextrd(r, a, index); break;
  }
}

void emit_VecReverse(EmitContext& e, const ir::Inst& inst) {
  const unsigned size = vector_size(inst), flip = (1u << vector_number(inst)) - (1u << size);
  Control control;
  for (unsigned i = 0; i < 16; i++) control.at[i] = static_cast<uint8_t>(i ^ flip);
  one_operand(e, inst, [&](const Xmm& r) { e.code.pshufb(r, control.in(e)); });
}

void emit_VecExt(EmitContext& e, const ir::Inst& inst) {
  const Xmm low = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine_from(inst.args[1]);
  e.code.palignr(r, low, static_cast<uint8_t>(inst.imm));
}

TWO_OPERANDS_BY_SIZE(VecZipLow, SSE(punpcklbw), SSE(punpcklwd), SSE(punpckldq), SSE(punpcklqdq))
TWO_OPERANDS_BY_SIZE(VecZipHigh, SSE(punpckhbw), SSE(punpckhwd), SSE(punpckhdq), SSE(punpckhqdq))

void emit_VecEven(EmitContext& e, const ir::Inst& inst) { unzip(e, inst, 0); }
void emit_VecOdd(EmitContext& e, const ir::Inst& inst) { unzip(e, inst, 1); }

void emit_VecLookup(EmitContext& e, const ir::Inst& inst) {
  // Adding 0x70 with saturation keeps the low four bits of 0-15 and sets bit 7, which makes pshufb
  // write 0, above.
  const Xmm t = e.xtemp();
  e.code.movdqa(t, e.xuse(inst.args[1]));
  e.code.paddusb(t, constant(e, repeat8(0x70)));
  e.code.pshufb(e.xdefine_from(inst.args[0]), t);
}

void emit_VecShuffle(EmitContext& e, const ir::Inst& inst) {
  uint64_t control = inst.aux;
  for (int i = 0; i < 8; i++)
    if ((control >> (8 * i) & 0xff) > 15) control |= uint64_t{0x80} << (8 * i);
  one_operand(e, inst, [&](const Xmm& r) { e.code.pshufb(r, constant(e, control)); });
}

void emit_VecAnd(EmitContext& e, const ir::Inst& inst) { two_operands(e, inst, SSE(pand)); }
void emit_VecOr(EmitContext& e, const ir::Inst& inst) { two_operands(e, inst, SSE(por)); }
void emit_VecXor(EmitContext& e, const ir::Inst& inst) { two_operands(e, inst, SSE(pxor)); }
void emit_VecAndNot(EmitContext& e, const ir::Inst& inst) {
  const Xmm a = e.xuse(inst.args[0]);
  e.code.pandn(e.xdefine_from(inst.args[1]), a);
}
void emit_VecNot(EmitContext& e, const ir::Inst& inst) {
  one_operand(e, inst, [&](const Xmm& r) { e.code.pxor(r, constant(e, ~uint64_t{0})); });
}

}  // namespace crosswalk::x64
