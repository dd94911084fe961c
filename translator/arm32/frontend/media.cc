// SPDX-License-Identifier: GPL-2.0-or-later
// Packing, extension, saturation, reversal, bit fields, and parallel arithmetic (ARM DDI 0406C,
// A4.4.5-A4.4.7, A4.4.9).
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/media_helpers.h"

namespace crosswalk::frontend {
namespace {

using ir::Parallel;

void parallel(TranslateContext& t, Fields<"dmn"> f, Parallel::Prefix prefix, Parallel::Operation operation) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  const Parallel p{prefix, operation};
  const bool sets_ge = prefix == Parallel::S || prefix == Parallel::U;
  const Value n = t.reg(f['n']), m = t.reg(f['m']);
  if (!t.config.native_simd) {
    const Value v = t.ir.call_pure64(helpers::parallel_function(p), n, m);
    if (sets_ge) t.ir.SetGe(t.ir.High(v));
    t.set_reg(f['d'], t.ir.Low(v));
    return;
  }
  if (sets_ge) t.ir.SetGe(t.ir.ParallelGe(p.pack(), n, m));
  t.set_reg(f['d'], t.ir.Parallel(p.pack(), n, m));
}

Value sum_of_absolute_differences(TranslateContext& t, Fields<"mn"> f) {
  const Value n = t.reg(f['n']), m = t.reg(f['m']);
  return t.config.native_simd ? t.ir.SumAbsDiff(n, m) : t.ir.call_pure(&helpers::sum_of_absolute_differences, n, m);
}

enum class Extend : uint8_t { SB, SH, SB16, UB, UH, UB16 };

// One of two values' halfwords: (high & 0xffff) << 16 | (low & 0xffff).
Value join_halves(TranslateContext& t, Value low, Value high) { return t.ir.Or(t.ir.Uxth(low), t.ir.Lsl(16, high)); }

// SXTAB and its family; without the letter n (and with Rn = 1111 fixed) nothing is added.
void extend(TranslateContext& t, Fields<"dm?nr"> f, Extend kind) {
  const uint32_t d = f['d'], m = f['m'];
  const bool add = f.has('n');
  if (any_is_pc(d, m)) return t.unpredictable();
  const uint32_t rotation = f.get('r', 0) * 8;
  const Value v = rotation ? t.ir.Ror(rotation, t.reg(m)) : t.reg(m);
  const Value n = add ? t.reg(f.get('n', 0)) : Value();
  if (kind == Extend::SB16 || kind == Extend::UB16) {
    const Value second = t.ir.Lsr(16, v);
    Value low = kind == Extend::SB16 ? t.ir.Sxtb(v) : t.ir.Uxtb(v);
    Value high = kind == Extend::SB16 ? t.ir.Sxtb(second) : t.ir.Uxtb(second);
    if (add) low = t.ir.Add(low, n), high = t.ir.Add(high, t.ir.Lsr(16, n));
    t.set_reg(d, join_halves(t, low, high));
    return;
  }
  Value x;
  switch (kind) {
    case Extend::SB: x = t.ir.Sxtb(v); break;
    case Extend::SH: x = t.ir.Sxth(v); break;
    case Extend::UB: x = t.ir.Uxtb(v); break;
    default: x = t.ir.Uxth(v); break;
  }
  t.set_reg(d, add ? t.ir.Add(n, x) : x);
}

// SSAT and USAT: field s is the width (less one when signed), h chooses ASR.
void saturate(TranslateContext& t, Fields<"dhins"> f, bool is_signed) {
  if (any_is_pc(f['d'], f['n'])) return t.unpredictable();
  const Value v = shift_immediate(t, t.reg(f['n']), f['h'] * 2, f['i'], false).value;
  const Value result = is_signed ? t.ir.Ssat(f['s'] + 1, v) : t.ir.Usat(f['s'], v);
  t.ir.OrQ(t.ir.Xor(result, v));
  t.set_reg(f['d'], result);
}
void saturate16(TranslateContext& t, Fields<"dns"> f, bool is_signed) {
  if (any_is_pc(f['d'], f['n'])) return t.unpredictable();
  const Value low = t.ir.Sxth(t.reg(f['n'])), high = t.ir.Asr(16, t.reg(f['n']));
  const auto apply = [&](Value v) { return is_signed ? t.ir.Ssat(f['s'] + 1, v) : t.ir.Usat(f['s'], v); };
  const Value new_low = apply(low), new_high = apply(high);
  t.ir.OrQ(t.ir.Or(t.ir.Xor(new_low, low), t.ir.Xor(new_high, high)));
  t.set_reg(f['d'], join_halves(t, new_low, new_high));
}

constexpr uint32_t ones(uint32_t width) { return width >= 32 ? ~0u : (1u << width) - 1; }

}  // namespace

HANDLER(SADD16) { parallel(t, f, Parallel::S, Parallel::ADD16); }
HANDLER(SASX) { parallel(t, f, Parallel::S, Parallel::ASX); }
HANDLER(SSAX) { parallel(t, f, Parallel::S, Parallel::SAX); }
HANDLER(SSUB16) { parallel(t, f, Parallel::S, Parallel::SUB16); }
HANDLER(SADD8) { parallel(t, f, Parallel::S, Parallel::ADD8); }
HANDLER(SSUB8) { parallel(t, f, Parallel::S, Parallel::SUB8); }
HANDLER(QADD16) { parallel(t, f, Parallel::Q, Parallel::ADD16); }
HANDLER(QASX) { parallel(t, f, Parallel::Q, Parallel::ASX); }
HANDLER(QSAX) { parallel(t, f, Parallel::Q, Parallel::SAX); }
HANDLER(QSUB16) { parallel(t, f, Parallel::Q, Parallel::SUB16); }
HANDLER(QADD8) { parallel(t, f, Parallel::Q, Parallel::ADD8); }
HANDLER(QSUB8) { parallel(t, f, Parallel::Q, Parallel::SUB8); }
HANDLER(SHADD16) { parallel(t, f, Parallel::SH, Parallel::ADD16); }
HANDLER(SHASX) { parallel(t, f, Parallel::SH, Parallel::ASX); }
HANDLER(SHSAX) { parallel(t, f, Parallel::SH, Parallel::SAX); }
HANDLER(SHSUB16) { parallel(t, f, Parallel::SH, Parallel::SUB16); }
HANDLER(SHADD8) { parallel(t, f, Parallel::SH, Parallel::ADD8); }
HANDLER(SHSUB8) { parallel(t, f, Parallel::SH, Parallel::SUB8); }
HANDLER(UADD16) { parallel(t, f, Parallel::U, Parallel::ADD16); }
HANDLER(UASX) { parallel(t, f, Parallel::U, Parallel::ASX); }
HANDLER(USAX) { parallel(t, f, Parallel::U, Parallel::SAX); }
HANDLER(USUB16) { parallel(t, f, Parallel::U, Parallel::SUB16); }
HANDLER(UADD8) { parallel(t, f, Parallel::U, Parallel::ADD8); }
HANDLER(USUB8) { parallel(t, f, Parallel::U, Parallel::SUB8); }
HANDLER(UQADD16) { parallel(t, f, Parallel::UQ, Parallel::ADD16); }
HANDLER(UQASX) { parallel(t, f, Parallel::UQ, Parallel::ASX); }
HANDLER(UQSAX) { parallel(t, f, Parallel::UQ, Parallel::SAX); }
HANDLER(UQSUB16) { parallel(t, f, Parallel::UQ, Parallel::SUB16); }
HANDLER(UQADD8) { parallel(t, f, Parallel::UQ, Parallel::ADD8); }
HANDLER(UQSUB8) { parallel(t, f, Parallel::UQ, Parallel::SUB8); }
HANDLER(UHADD16) { parallel(t, f, Parallel::UH, Parallel::ADD16); }
HANDLER(UHASX) { parallel(t, f, Parallel::UH, Parallel::ASX); }
HANDLER(UHSAX) { parallel(t, f, Parallel::UH, Parallel::SAX); }
HANDLER(UHSUB16) { parallel(t, f, Parallel::UH, Parallel::SUB16); }
HANDLER(UHADD8) { parallel(t, f, Parallel::UH, Parallel::ADD8); }
HANDLER(UHSUB8) { parallel(t, f, Parallel::UH, Parallel::SUB8); }

HANDLER(SXTB) { extend(t, f, Extend::SB); }
HANDLER(SXTAB) { extend(t, f, Extend::SB); }
HANDLER(SXTH) { extend(t, f, Extend::SH); }
HANDLER(SXTAH) { extend(t, f, Extend::SH); }
HANDLER(SXTB16) { extend(t, f, Extend::SB16); }
HANDLER(SXTAB16) { extend(t, f, Extend::SB16); }
HANDLER(UXTB) { extend(t, f, Extend::UB); }
HANDLER(UXTAB) { extend(t, f, Extend::UB); }
HANDLER(UXTH) { extend(t, f, Extend::UH); }
HANDLER(UXTAH) { extend(t, f, Extend::UH); }
HANDLER(UXTB16) { extend(t, f, Extend::UB16); }
HANDLER(UXTAB16) { extend(t, f, Extend::UB16); }

HANDLER(SSAT) { saturate(t, f, true); }
HANDLER(USAT) { saturate(t, f, false); }
HANDLER(SSAT16) { saturate16(t, f, true); }
HANDLER(USAT16) { saturate16(t, f, false); }

HANDLER(SEL) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  const Value ge = t.ir.GetGe(), n = t.reg(f['n']), m = t.reg(f['m']);
  t.set_reg(f['d'], t.ir.Xor(t.ir.And(t.ir.Xor(n, m), ge), m));
}
HANDLER(USAD8) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], sum_of_absolute_differences(t, f));
}
HANDLER(USADA8) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Add(sum_of_absolute_differences(t, f), t.reg(f['a'])));
}

HANDLER(PKHBT) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  const Value m = f['i'] ? t.ir.Lsl(f['i'], t.reg(f['m'])) : t.reg(f['m']);
  t.set_reg(f['d'], t.ir.Or(t.ir.Uxth(t.reg(f['n'])), t.ir.And(m, imm32(0xffff0000))));
}
HANDLER(PKHTB) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  // ASR #32 is ASR #31 but for the carry
  const Value m = t.ir.Asr(f['i'] ? f['i'] : 31, t.reg(f['m']));
  t.set_reg(f['d'], t.ir.Or(t.ir.And(t.reg(f['n']), imm32(0xffff0000)), t.ir.Uxth(m)));
}

HANDLER(CLZ) {
  if (any_is_pc(f['d'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Clz(t.reg(f['m'])));
}
HANDLER(RBIT) {
  if (any_is_pc(f['d'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Rbit(t.reg(f['m'])));
}
HANDLER(REV) {
  if (any_is_pc(f['d'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Rev(t.reg(f['m'])));
}
HANDLER(REV16) {
  if (any_is_pc(f['d'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Rev16(t.reg(f['m'])));
}
HANDLER(REVSH) {
  if (any_is_pc(f['d'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.RevSh(t.reg(f['m'])));
}

// Bit fields: l is the lowest bit, m the highest one (BFC, BFI), w the width less one.
HANDLER(BFC) {
  const uint32_t d = f['d'], lsb = f['l'], msb = f['m'];
  if (d == 15 || msb < lsb) return t.unpredictable();
  t.set_reg(d, t.ir.And(t.reg(d), imm32(~(ones(msb - lsb + 1) << lsb))));
}
HANDLER(BFI) {
  const uint32_t d = f['d'], lsb = f['l'], msb = f['m'];
  if (d == 15 || msb < lsb) return t.unpredictable();
  const uint32_t mask = ones(msb - lsb + 1);
  const Value kept = t.ir.And(t.reg(d), imm32(~(mask << lsb)));
  const Value field = t.ir.And(t.reg(f['n']), imm32(mask));
  t.set_reg(d, t.ir.Or(kept, lsb ? t.ir.Lsl(lsb, field) : field));
}
HANDLER(UBFX) {
  const uint32_t lsb = f['l'], width = f['w'] + 1;
  if (any_is_pc(f['d'], f['n']) || lsb + width > 32) return t.unpredictable();
  const Value v = lsb ? t.ir.Lsr(lsb, t.reg(f['n'])) : t.reg(f['n']);
  t.set_reg(f['d'], t.ir.And(v, imm32(ones(width))));
}
HANDLER(SBFX) {
  const uint32_t lsb = f['l'], width = f['w'] + 1;
  if (any_is_pc(f['d'], f['n']) || lsb + width > 32) return t.unpredictable();
  const uint32_t left = 32 - width - lsb;
  const Value v = left ? t.ir.Lsl(left, t.reg(f['n'])) : t.reg(f['n']);
  t.set_reg(f['d'], width == 32 ? v : t.ir.Asr(32 - width, v));
}

}  // namespace crosswalk::frontend
