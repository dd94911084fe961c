// SPDX-License-Identifier: GPL-2.0-or-later
// Vector opcodes on integers that neither saturate nor change EFLAGS.
#include <algorithm>

#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

// One SSE instruction that shifts the elements of r by n bits.
using SseShift = void (*)(Xbyak::CodeGenerator& c, const Xmm& r, uint8_t n);
#define SSE_SHIFT(name) [](Xbyak::CodeGenerator& c, const Xmm& r, uint8_t n) { c.name(r, n); }

// By the opcode's number. SSE does not shift bytes: they are shifted as words, and `kept` are the
// bits of each that then do not come from its neighbour.
void shift(EmitContext& e, const ir::Inst& inst, const SseShift (&by_size)[4], unsigned (*kept)(unsigned number)) {
  const unsigned size = vector_size(inst);
  one_operand(e, inst, [&](const Xmm& r) {
    by_size[size](e.code, r, static_cast<uint8_t>(vector_number(inst)));
    if (size == 0) e.code.pand(r, constant(e, repeat8(static_cast<uint8_t>(kept(vector_number(inst))))));
  });
}

}  // namespace

TWO_OPERANDS_BY_SIZE(VecAdd, SSE(paddb), SSE(paddw), SSE(paddd), SSE(paddq))
TWO_OPERANDS_BY_SIZE(VecSub, SSE(psubb), SSE(psubw), SSE(psubd), SSE(psubq))

void emit_VecMul(EmitContext& e, const ir::Inst& inst) {
  if (vector_size(inst) != 0) {
    two_operands(e, inst, vector_size(inst) == 1 ? SSE(pmullw) : SSE(pmulld));
    return;
  }
  // Bytes: even and odd ones as words; an odd product comes out at its place when one factor stays
  // in the high byte.
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm odd = e.xtemp(), factor = e.xtemp();
  const Xmm r = e.xdefine_from(inst.args[0]);
  e.code.movdqa(odd, r);
  e.code.psrlw(odd, 8);
  e.code.movdqa(factor, b);
  e.code.pand(factor, constant(e, repeat16(0xff00)));
  e.code.pmullw(odd, factor);
  e.code.pmullw(r, b);
  e.code.pand(r, constant(e, repeat16(0x00ff)));
  e.code.por(r, odd);
}

TWO_OPERANDS_BY_SIZE(VecMaxS, SSE(pmaxsb), SSE(pmaxsw), SSE(pmaxsd))
TWO_OPERANDS_BY_SIZE(VecMaxU, SSE(pmaxub), SSE(pmaxuw), SSE(pmaxud))
TWO_OPERANDS_BY_SIZE(VecMinS, SSE(pminsb), SSE(pminsw), SSE(pminsd))
TWO_OPERANDS_BY_SIZE(VecMinU, SSE(pminub), SSE(pminuw), SSE(pminud))
TWO_OPERANDS_BY_SIZE(VecEq, SSE(pcmpeqb), SSE(pcmpeqw), SSE(pcmpeqd), SSE(pcmpeqq))
TWO_OPERANDS_BY_SIZE(VecGtS, SSE(pcmpgtb), SSE(pcmpgtw), SSE(pcmpgtd))

void emit_VecGeU(EmitContext& e, const ir::Inst& inst) {
  // a >= b exactly when max(a, b) == a.
  static constexpr SseOperation kMaximum[] = {SSE(pmaxub), SSE(pmaxuw), SSE(pmaxud)};
  static constexpr SseOperation kCompare[] = {SSE(pcmpeqb), SSE(pcmpeqw), SSE(pcmpeqd)};
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine_from(inst.args[1]);
  kMaximum[vector_size(inst)](e.code, r, a);
  kCompare[vector_size(inst)](e.code, r, a);
}

TWO_OPERANDS_BY_SIZE(VecAvgU, SSE(pavgb), SSE(pavgw))
ONE_OPERAND_BY_SIZE(VecAbs, SSE(pabsb), SSE(pabsw), SSE(pabsd))

void emit_VecCount(EmitContext& e, const ir::Inst& inst) {
  // A table of the bits in each nibble, looked up twice.
  const Xmm low = e.xuse_copy(inst.args[0]);
  const Xmm high = e.xtemp(), table = e.xtemp();
  const Xmm r = e.xdefine();
  e.code.movdqa(high, low);
  e.code.psrlw(high, 4);
  e.code.pand(low, constant(e, repeat8(0x0f)));
  e.code.pand(high, constant(e, repeat8(0x0f)));
  e.code.movdqa(table, e.constants.at(0x0302020102010100, 0x0403030203020201));
  e.code.movdqa(r, table);
  e.code.pshufb(r, low);
  e.code.pshufb(table, high);
  e.code.paddb(r, table);
}

void emit_VecClz(EmitContext& e, const ir::Inst& inst) {
  auto& c = e.code;
  // Of each byte: tables for its nibbles, of which the upper one's has 8 for 0.
  const Xmm low = e.xuse_copy(inst.args[0]);
  const Xmm high = e.xtemp(), t = e.xtemp();
  const Xmm r = e.xdefine();
  c.movdqa(high, low);
  c.psrlw(high, 4);
  c.pand(low, constant(e, repeat8(0x0f)));
  c.pand(high, constant(e, repeat8(0x0f)));
  c.movdqa(r, e.constants.at(0x0505050506060708, 0x0404040404040404));
  c.movdqa(t, e.constants.at(0x0101010102020308, 0));
  c.pshufb(r, low);
  c.pshufb(t, high);
  c.pminub(r, t);
  // Of twice the width: the upper half's and, if that is all zeros, the lower half's.
  if (vector_size(inst) >= 1) {
    c.movdqa(t, r);
    c.psrlw(t, 8);
    c.pand(r, constant(e, repeat16(0xff)));
    c.movdqa(high, t);
    c.pcmpeqw(high, constant(e, repeat16(8)));
    c.pand(r, high);
    c.paddw(r, t);
  }
  if (vector_size(inst) == 2) {
    c.movdqa(t, r);
    c.psrld(t, 16);
    c.pand(r, constant(e, repeat32(0xffff)));
    c.movdqa(high, t);
    c.pcmpeqd(high, constant(e, repeat32(16)));
    c.pand(r, high);
    c.paddd(r, t);
  }
}

void emit_VecShl(EmitContext& e, const ir::Inst& inst) {
  static constexpr SseShift kBySize[] = {SSE_SHIFT(psllw), SSE_SHIFT(psllw), SSE_SHIFT(pslld), SSE_SHIFT(psllq)};
  shift(e, inst, kBySize, [](unsigned n) { return 0xffu << n; });
}

void emit_VecShrU(EmitContext& e, const ir::Inst& inst) {
  static constexpr SseShift kBySize[] = {SSE_SHIFT(psrlw), SSE_SHIFT(psrlw), SSE_SHIFT(psrld), SSE_SHIFT(psrlq)};
  shift(e, inst, kBySize, [](unsigned n) { return 0xffu >> n; });
}

void emit_VecShrS(EmitContext& e, const ir::Inst& inst) {
  const unsigned size = vector_size(inst);
  const uint8_t n = static_cast<uint8_t>(std::min(vector_number(inst), (8u << size) - 1));
  if (size == 3) {
    if (n == 0) {
      e.xdefine_from(inst.args[0]);
      return;
    }
    // The upper words are shifted as words; the lower ones take bits from above them.
    const Xmm upper = e.xtemp();
    const Xmm r = e.xdefine_from(inst.args[0]);
    e.code.movdqa(upper, r);
    e.code.psrad(upper, std::min<uint8_t>(n, 31));
    if (n < 32) {
      e.code.psrlq(r, n);
    } else {
      e.code.psrad(r, n - 32);
      e.code.pshufd(r, r, 0xf5);
    }
    e.code.pblendw(r, upper, 0xcc);
    return;
  }
  one_operand(e, inst, [&](const Xmm& r) {
    switch (size) {
      case 0: {
        // Shift in zeros, then extend the sign from where it is now.
        const Xbyak::Address sign = constant(e, repeat8(static_cast<uint8_t>(0x80 >> n)));
        e.code.psrlw(r, n);
        e.code.pand(r, constant(e, repeat8(static_cast<uint8_t>(0xff >> n))));
        e.code.pxor(r, sign);
        e.code.psubb(r, sign);
        break;
      }
      case 1: e.code.psraw(r, n); break;
      default: e.code.psrad(r, n); break;
    }
  });
}

ONE_OPERAND_BY_SIZE(VecWidenS, SSE(pmovsxbw), SSE(pmovsxwd), SSE(pmovsxdq))
ONE_OPERAND_BY_SIZE(VecWidenU, SSE(pmovzxbw), SSE(pmovzxwd), SSE(pmovzxdq))

void emit_VecNarrow(EmitContext& e, const ir::Inst& inst) {
  static constexpr uint64_t kControl[] = {0x0e0c0a0806040200, 0x0d0c090805040100};
  const unsigned size = vector_size(inst);
  if (size == 2) {
    const Xmm a = e.xuse(inst.args[0]);
    e.code.pshufd(e.xdefine(), a, 0x08);
    return;
  }
  one_operand(e, inst, [&](const Xmm& r) { e.code.pshufb(r, e.constants.at(kControl[size], repeat8(0x80))); });
}

TWO_OPERANDS_BY_SIZE(VecMulLongS, SSE(pmullw), SSE(pmulld), SSE(pmuldq))
TWO_OPERANDS_BY_SIZE(VecMulLongU, SSE(pmullw), SSE(pmulld), SSE(pmuludq))

namespace {

// Three products in one: with factors at bits 0, 16 and 48 of both, theirs are at 0, 32 and 96, and
// those of different elements elsewhere.
void polynomial_by_pclmul(EmitContext& e, const ir::Inst& inst) {
  constexpr uint64_t kNone = 0x8080808080808080;
  auto& c = e.code;
  const Xmm a = e.xuse_copy(inst.args[0]), b = e.xuse_copy(inst.args[1]);
  const Xmm t = e.xtemp(), u = e.xtemp();
  const Xmm r = e.xdefine();
  // Elements 6 and 7.
  c.movdqa(r, a);
  c.movdqa(t, b);
  c.psrldq(r, 12);
  c.psrldq(t, 12);
  c.pclmulqdq(r, t, 0x00);
  c.pshufb(r, e.constants.at(kNone, 0x0504010080808080));
  // Elements 0 to 2 in the lower half, 3 to 5 in the upper one.
  const Xbyak::Address spread = e.constants.at(0x0504808003020100, 0x0b0a808009080706);
  c.pshufb(a, spread);
  c.pshufb(b, spread);
  c.movdqa(t, a);
  c.pclmulqdq(t, b, 0x00);
  c.movdqa(u, a);
  c.pclmulqdq(u, b, 0x11);
  c.pshufb(t, e.constants.at(0x80800d0c05040100, kNone));
  c.pshufb(u, e.constants.at(0x0100808080808080, 0x808080800d0c0504));
  c.por(r, t);
  c.por(r, u);
}

}  // namespace

void emit_VecAddPairsS(EmitContext& e, const ir::Inst& inst) {
  if (vector_size(inst) == 1) {
    one_operand(e, inst, [&](const Xmm& r) { e.code.pmaddwd(r, constant(e, repeat16(1))); });
    return;
  }
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.movdqa(r, constant(e, repeat8(1)));
  e.code.pmaddubsw(r, a);  // unsigned factors, signed ones
}

void emit_VecAddPairsU(EmitContext& e, const ir::Inst& inst) {
  auto& c = e.code;
  if (vector_size(inst) == 0) {
    one_operand(e, inst, [&](const Xmm& r) { c.pmaddubsw(r, constant(e, repeat8(1))); });
    return;
  }
  const bool words = vector_size(inst) == 2;
  const Xmm upper = e.xtemp();
  const Xmm r = e.xdefine_from(inst.args[0]);
  c.movdqa(upper, r);
  c.pand(r, constant(e, words ? 0xffffffff : repeat32(0xffff)));
  if (words) {
    c.psrlq(upper, 32);
    c.paddq(r, upper);
  } else {
    c.psrld(upper, 16);
    c.paddd(r, upper);
  }
}

void emit_VecPolynomial(EmitContext& e, const ir::Inst& inst) {
  if (e.config.features.pclmul) return polynomial_by_pclmul(e, inst);
  // The sum without carries of the first factor shifted to each bit of the second.
  const Xmm factor = e.xuse(inst.args[1]);
  const Xmm shifted = e.xuse_copy(inst.args[0]);
  const Xmm bit = e.xtemp();
  const Xmm r = e.xdefine();
  e.code.pxor(r, r);
  for (uint8_t i = 0; i < 8; i++) {
    if (i) e.code.paddw(shifted, shifted);
    e.code.movdqa(bit, factor);
    e.code.psllw(bit, 15 - i);
    e.code.psraw(bit, 15);
    e.code.pand(bit, shifted);
    e.code.pxor(r, bit);
  }
}

}  // namespace crosswalk::x64
