// SPDX-License-Identifier: GPL-2.0-or-later
// Parallel additions and subtractions of the bytes or halfwords of a core register (ARM DDI 0406C,
// A4.4.7), by SSE in the low 32 bits of a SIMD register. None changes EFLAGS.
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

using ir::Inst;
using ir::Parallel;

// n and m in SIMD registers that may be modified. ASX and SAX have the halfwords of m exchanged.
struct Sources {
  Xmm n, m;
};
Sources sources(EmitContext& e, const Inst& inst, Parallel p) {
  const Reg64 a = e.use(inst.args[0]), b = e.use(inst.args[1]);
  const Sources s{e.xtemp(), e.xtemp()};
  e.code.movd(s.n, a.cvt32());
  e.code.movd(s.m, b.cvt32());
  if (p.operation == Parallel::ASX || p.operation == Parallel::SAX) e.code.pshuflw(s.m, s.m, 0xe1);
  return s;
}

// n = the sum or the difference of each lane. Lanes are the operands' bytes or halfwords, or with
// `log2_halfwords` = 1 words.
void combine(EmitContext& e, Parallel p, const Sources& s, SseOperation add, SseOperation subtract,
             unsigned log2_halfwords = 0) {
  switch (p.operation) {
    case Parallel::ADD16:
    case Parallel::ADD8: add(e.code, s.n, s.m); return;
    case Parallel::SUB16:
    case Parallel::SUB8: subtract(e.code, s.n, s.m); return;
    case Parallel::ASX:
    case Parallel::SAX: break;
  }
  // The upper lane of ASX is a sum, the lower one of SAX.
  const bool upper = p.operation == Parallel::ASX;
  const Xmm sum = e.xtemp();
  e.code.movdqa(sum, s.n);
  add(e.code, sum, s.m);
  subtract(e.code, s.n, s.m);
  e.code.pblendw(s.n, sum, static_cast<uint8_t>(log2_halfwords ? (upper ? 0x0c : 0x03) : (upper ? 0x02 : 0x01)));
}

// By prefix other than SH and UH: bytes and halfwords, sums and differences.
struct Arithmetic {
  SseOperation add[2], subtract[2];
};
const Arithmetic& arithmetic(Parallel::Prefix prefix) {
  static constexpr Arithmetic kWrapping = {{SSE(paddb), SSE(paddw)}, {SSE(psubb), SSE(psubw)}};
  static constexpr Arithmetic kSigned = {{SSE(paddsb), SSE(paddsw)}, {SSE(psubsb), SSE(psubsw)}};
  static constexpr Arithmetic kUnsigned = {{SSE(paddusb), SSE(paddusw)}, {SSE(psubusb), SSE(psubusw)}};
  return prefix == Parallel::Q ? kSigned : prefix == Parallel::UQ ? kUnsigned : kWrapping;
}

// SH and UH: in lanes of twice the width.
void halve(EmitContext& e, Parallel p, const Sources& s) {
  auto& c = e.code;
  if (p.bytes()) {
    for (const Xmm& x : {s.n, s.m}) p.is_signed() ? c.pmovsxbw(x, x) : c.pmovzxbw(x, x);
    combine(e, p, s, SSE(paddw), SSE(psubw), 1);
    c.psraw(s.n, 1);
    // Only sums of unsigned numbers do not fit a signed byte.
    if (!p.is_signed() && p.operation == Parallel::ADD8)
      c.packuswb(s.n, s.n);
    else
      c.packsswb(s.n, s.n);
    return;
  }
  for (const Xmm& x : {s.n, s.m}) p.is_signed() ? c.pmovsxwd(x, x) : c.pmovzxwd(x, x);
  combine(e, p, s, SSE(paddd), SSE(psubd), 1);
  c.psrad(s.n, 1);
  c.pshuflw(s.n, s.n, 0x08);
}

// a >= b of unsigned lanes, in b: exactly when max(a, b) == a.
void greater_or_equal(Xbyak::CodeGenerator& c, bool bytes, const Xmm& a, const Xmm& b) {
  if (bytes) {
    c.pmaxub(b, a);
    c.pcmpeqb(b, a);
  } else {
    c.pmaxuw(b, a);
    c.pcmpeqw(b, a);
  }
}

}  // namespace

void emit_Parallel(EmitContext& e, const Inst& inst) {
  const Parallel p = Parallel::unpack(inst.imm);
  const Sources s = sources(e, inst, p);
  if (p.prefix == Parallel::SH || p.prefix == Parallel::UH) {
    halve(e, p, s);
  } else {
    const Arithmetic& f = arithmetic(p.prefix);
    combine(e, p, s, f.add[!p.bytes()], f.subtract[!p.bytes()]);
  }
  e.code.movd(e.define_overlapping().cvt32(), s.n);
}

// S: the exact result is not negative, and neither is the saturated one then. U: additions carry,
// subtractions do not borrow.
void emit_ParallelGe(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const Parallel p = Parallel::unpack(inst.imm);
  const bool bytes = p.bytes();
  const Sources s = sources(e, inst, p);
  if (p.is_signed()) {
    const Arithmetic& f = arithmetic(Parallel::Q);
    combine(e, p, s, f.add[!bytes], f.subtract[!bytes]);
    c.pcmpeqd(s.m, s.m);
    bytes ? c.pcmpgtb(s.n, s.m) : c.pcmpgtw(s.n, s.m);
    c.movd(e.define_overlapping().cvt32(), s.n);
    return;
  }
  // n + m carries exactly when n > NOT m; both are made signed numbers for the comparison.
  const auto carry = [&](const Xmm& n, const Xmm& m) {
    c.pxor(n, constant(e, bytes ? repeat8(0x80) : repeat16(0x8000)));
    c.pxor(m, constant(e, bytes ? repeat8(0x7f) : repeat16(0x7fff)));
    bytes ? c.pcmpgtb(n, m) : c.pcmpgtw(n, m);
  };
  switch (p.operation) {
    case Parallel::ADD16:
    case Parallel::ADD8:
      carry(s.n, s.m);
      c.movd(e.define_overlapping().cvt32(), s.n);
      return;
    case Parallel::SUB16:
    case Parallel::SUB8: greater_or_equal(c, bytes, s.n, s.m); break;
    case Parallel::ASX:
    case Parallel::SAX: {
      const Xmm n = e.xtemp(), m = e.xtemp();
      c.movdqa(n, s.n);
      c.movdqa(m, s.m);
      carry(n, m);
      greater_or_equal(c, bytes, s.n, s.m);
      c.pblendw(s.m, n, p.operation == Parallel::ASX ? 0x02 : 0x01);
      break;
    }
  }
  c.movd(e.define_overlapping().cvt32(), s.m);
}

void emit_SumAbsDiff(EmitContext& e, const Inst& inst) {
  const Sources s = sources(e, inst, {});
  e.code.psadbw(s.n, s.m);
  e.code.movd(e.define_overlapping().cvt32(), s.n);
}

void emit_GetGe(EmitContext& e, const Inst&) { e.code.mov(e.define().cvt32(), state32(offsetof(CpuState, ge_mask))); }
void emit_SetGe(EmitContext& e, const Inst& inst) {
  const auto ge = state32(offsetof(CpuState, ge_mask));
  if (inst.args[0].is_imm())
    e.code.mov(ge, inst.args[0].imm32());
  else
    e.code.mov(ge, e.use(inst.args[0]).cvt32());
}

}  // namespace crosswalk::x64
