// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/softfloat/softfloat.h"

#include <bit>
#include <utility>

#include "translator/softfloat/formats.h"

namespace crosswalk::softfloat {
namespace {

using u128 = unsigned __int128;

// FPRound from a 128-bit magnitude: value = magnitude * 2^(exponent - 126). magnitude != 0.
template <class Bits>
Bits round_wide(bool sign, int exponent, u128 magnitude, bool sticky, Environment& env) {
  const uint64_t high = static_cast<uint64_t>(magnitude >> 64);
  const int shift = high ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<uint64_t>(magnitude));
  magnitude <<= shift;  // NOLINT(clang-analyzer-core.uninitialized.Assign): shift < 128, since magnitude != 0
  return round<Bits>(sign, exponent + 1 - shift, static_cast<uint64_t>(magnitude >> 64),
                     sticky || static_cast<uint64_t>(magnitude) != 0, env);
}

template <class Bits>
Bits invalid(Environment& env) {
  env.flags |= kInvalidOp;
  return default_nan<Bits>();
}

// FPProcessNaN.
template <class Bits>
Bits process_nan(const Unpacked& u, Bits v, Environment& env) {
  if (u.kind == Kind::SignallingNaN) env.flags |= kInvalidOp;
  return env.default_nan ? default_nan<Bits>() : static_cast<Bits>(v | kQuietBit<Bits>);
}

struct Term {
  bool sign;
  int exponent;  // value = magnitude * 2^(exponent - 126), bit 126 set
  u128 magnitude;
};

// The rounded sum of two non-zero terms. No term may have bits that a right shift by one would
// lose.
template <class Bits>
Bits add_terms(Term a, Term b, Environment& env) {
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.magnitude < b.magnitude)) std::swap(a, b);
  const int shift = a.exponent - b.exponent;
  bool sticky = false;
  if (shift > 127) {
    sticky = true;
    b.magnitude = 0;
  } else if (shift > 0) {
    sticky = (b.magnitude & ((u128{1} << shift) - 1)) != 0;
    b.magnitude >>= shift;
  }
  // With bits lost, the true difference lies below by less than one unit: floor and sticky.
  const u128 sum = a.sign == b.sign ? a.magnitude + b.magnitude : a.magnitude - b.magnitude - sticky;
  if (sum == 0) return zero<Bits>(env.rounding == Rounding::MinusInfinity);
  return round_wide<Bits>(a.sign, a.exponent, sum, sticky, env);
}

Term term(const Unpacked& u) { return {u.sign, u.exponent, u128{u.significand} << 63}; }

template <class Bits>
bool process_nans(const Unpacked& ua, const Unpacked& ub, Bits a, Bits b, Environment& env, Bits& result) {
  if (ua.kind == Kind::SignallingNaN)
    result = process_nan(ua, a, env);
  else if (ub.kind == Kind::SignallingNaN)
    result = process_nan(ub, b, env);
  else if (ua.kind == Kind::QuietNaN)
    result = process_nan(ua, a, env);
  else if (ub.kind == Kind::QuietNaN)
    result = process_nan(ub, b, env);
  else
    return false;
  return true;
}

template <class Bits>
Bits add_or_sub(Bits a, Bits b, bool negate, Environment& env) {
  const Unpacked ua = unpack(a, env);
  Unpacked ub = unpack(b, env);
  Bits result;
  if (process_nans(ua, ub, a, b, env, result)) return result;
  ub.sign ^= negate;
  if (ua.infinity() && ub.infinity() && ua.sign != ub.sign) return invalid<Bits>(env);
  if (ua.infinity()) return infinity<Bits>(ua.sign);
  if (ub.infinity()) return infinity<Bits>(ub.sign);
  if (ua.zero() && ub.zero()) return zero<Bits>(ua.sign == ub.sign ? ua.sign : env.rounding == Rounding::MinusInfinity);
  if (ua.zero()) return round<Bits>(ub.sign, ub.exponent, ub.significand, false, env);
  if (ub.zero()) return round<Bits>(ua.sign, ua.exponent, ua.significand, false, env);
  return add_terms<Bits>(term(ua), term(ub), env);
}

// -1, 0, 1; neither is a NaN.
int order(const Unpacked& a, const Unpacked& b) {
  const auto magnitude_order = [](const Unpacked& x, const Unpacked& y) {
    const auto rank = [](const Unpacked& u) { return u.zero() ? 0 : u.infinity() ? 2 : 1; };
    if (rank(x) != rank(y)) return rank(x) < rank(y) ? -1 : 1;
    if (rank(x) != 1) return 0;
    if (x.exponent != y.exponent) return x.exponent < y.exponent ? -1 : 1;
    return x.significand == y.significand ? 0 : x.significand < y.significand ? -1 : 1;
  };
  if (a.zero() && b.zero()) return 0;
  if (a.sign != b.sign) return a.sign ? -1 : 1;
  const int m = magnitude_order(a, b);
  return a.sign ? -m : m;
}

template <class Bits>
Bits max_or_min(Bits a, Bits b, bool want_max, Environment& env) {
  const Unpacked ua = unpack(a, env), ub = unpack(b, env);
  Bits result;
  if (process_nans(ua, ub, a, b, env, result)) return result;
  const int o = order(ua, ub);
  // Zeros of different sign: max is +0, min is -0.
  if (ua.zero() && ub.zero()) return zero<Bits>(want_max ? ua.sign && ub.sign : ua.sign || ub.sign);
  const bool first = want_max ? o > 0 : o < 0;
  const Unpacked& u = first ? ua : ub;
  return u.zero() ? zero<Bits>(u.sign) : first ? a : b;  // a flushed denormal is a zero
}

}  // namespace

template <class Bits>
Bits add(Bits a, Bits b, Environment& env) {
  return add_or_sub(a, b, false, env);
}
template <class Bits>
Bits sub(Bits a, Bits b, Environment& env) {
  return add_or_sub(a, b, true, env);
}

template <class Bits>
Bits mul(Bits a, Bits b, Environment& env) {
  const Unpacked ua = unpack(a, env), ub = unpack(b, env);
  Bits result;
  if (process_nans(ua, ub, a, b, env, result)) return result;
  const bool sign = ua.sign != ub.sign;
  if ((ua.infinity() && ub.zero()) || (ua.zero() && ub.infinity())) return invalid<Bits>(env);
  if (ua.infinity() || ub.infinity()) return infinity<Bits>(sign);
  if (ua.zero() || ub.zero()) return zero<Bits>(sign);
  return round_wide<Bits>(sign, ua.exponent + ub.exponent, u128{ua.significand} * ub.significand, false, env);
}

template <class Bits>
Bits div(Bits a, Bits b, Environment& env) {
  const Unpacked ua = unpack(a, env), ub = unpack(b, env);
  Bits result;
  if (process_nans(ua, ub, a, b, env, result)) return result;
  const bool sign = ua.sign != ub.sign;
  if ((ua.infinity() && ub.infinity()) || (ua.zero() && ub.zero())) return invalid<Bits>(env);
  if (ua.infinity()) return infinity<Bits>(sign);
  if (ub.zero()) {
    env.flags |= kDivideByZero;
    return infinity<Bits>(sign);
  }
  if (ua.zero() || ub.infinity()) return zero<Bits>(sign);
  const u128 dividend = u128{ua.significand} << 63;
  const u128 quotient = dividend / ub.significand;  // 2^62 < quotient < 2^64
  const bool sticky = quotient * ub.significand != dividend;
  return round_wide<Bits>(sign, ua.exponent - ub.exponent, quotient << 63, sticky, env);
}

template <class Bits>
Bits sqrt(Bits a, Environment& env) {
  const Unpacked u = unpack(a, env);
  if (u.nan()) return process_nan(u, a, env);
  if (u.zero()) return zero<Bits>(u.sign);
  if (u.sign) return invalid<Bits>(env);
  if (u.infinity()) return infinity<Bits>(false);
  const bool odd = u.exponent & 1;
  const u128 target = u128{u.significand} << (odd ? 64 : 63);
  uint64_t root = 0;  // digit by digit; 2^63 <= root < 2^64 afterwards
  u128 square = 0;    // root^2
  for (int bit = 63; bit >= 0; bit--) {
    const uint64_t candidate = root | uint64_t{1} << bit;
    const u128 candidate_square = u128{candidate} * candidate;
    if (candidate_square <= target) {
      root = candidate;
      square = candidate_square;
    }
  }
  return round<Bits>(false, (u.exponent - odd) / 2, root, square != target, env);
}

template <class Bits>
Bits mul_add(Bits addend, Bits a, Bits b, Environment& env) {
  const Unpacked uc = unpack(addend, env), ua = unpack(a, env), ub = unpack(b, env);
  const bool invalid_product = (ua.infinity() && ub.zero()) || (ua.zero() && ub.infinity());
  if (uc.kind == Kind::QuietNaN && invalid_product) return invalid<Bits>(env);
  // FPProcessNaNs3: signalling ones first, each time in the order addend, a, b.
  if (uc.kind == Kind::SignallingNaN) return process_nan(uc, addend, env);
  Bits result;
  if (ua.kind != Kind::SignallingNaN && ub.kind != Kind::SignallingNaN && uc.nan()) return process_nan(uc, addend, env);
  if (process_nans(ua, ub, a, b, env, result)) return result;

  const bool sign = ua.sign != ub.sign;
  const bool infinite_product = ua.infinity() || ub.infinity(), zero_product = ua.zero() || ub.zero();
  if (invalid_product || (uc.infinity() && infinite_product && uc.sign != sign)) return invalid<Bits>(env);
  if (uc.infinity()) return infinity<Bits>(uc.sign);
  if (infinite_product) return infinity<Bits>(sign);
  if (zero_product) {
    if (uc.zero()) return zero<Bits>(uc.sign == sign ? sign : env.rounding == Rounding::MinusInfinity);
    return round<Bits>(uc.sign, uc.exponent, uc.significand, false, env);
  }
  // The product has at most 106 significant bits, so normalising it to bit 126 loses nothing.
  u128 product = u128{ua.significand} * ub.significand;
  int exponent = ua.exponent + ub.exponent;
  if (product >> 127) {
    product >>= 1;
    exponent++;
  }
  if (uc.zero()) return round_wide<Bits>(sign, exponent, product, false, env);
  return add_terms<Bits>(term(uc), Term{sign, exponent, product}, env);
}

template <class Bits>
Bits max(Bits a, Bits b, Environment& env) {
  return max_or_min(a, b, true, env);
}
template <class Bits>
Bits min(Bits a, Bits b, Environment& env) {
  return max_or_min(a, b, false, env);
}

template <class Bits>
uint32_t compare(Bits a, Bits b, bool quiet_nan_is_invalid, Environment& env) {
  const Unpacked ua = unpack(a, env), ub = unpack(b, env);
  if (ua.nan() || ub.nan()) {
    if (quiet_nan_is_invalid || ua.kind == Kind::SignallingNaN || ub.kind == Kind::SignallingNaN)
      env.flags |= kInvalidOp;
    return kUnordered;
  }
  const int o = order(ua, ub);
  return o < 0 ? kLess : o == 0 ? kEqual : kGreater;
}

template <class Bits>
bool compare_eq(Bits a, Bits b, Environment& env) {
  return compare(a, b, false, env) == kEqual;
}
template <class Bits>
bool compare_ge(Bits a, Bits b, Environment& env) {
  const uint32_t r = compare(a, b, true, env);
  return r == kEqual || r == kGreater;
}
template <class Bits>
bool compare_gt(Bits a, Bits b, Environment& env) {
  return compare(a, b, true, env) == kGreater;
}

#define CROSSWALK_INSTANTIATE(Bits)                          \
  template Bits add(Bits, Bits, Environment&);               \
  template Bits sub(Bits, Bits, Environment&);               \
  template Bits mul(Bits, Bits, Environment&);               \
  template Bits div(Bits, Bits, Environment&);               \
  template Bits sqrt(Bits, Environment&);                    \
  template Bits mul_add(Bits, Bits, Bits, Environment&);     \
  template Bits max(Bits, Bits, Environment&);               \
  template Bits min(Bits, Bits, Environment&);               \
  template uint32_t compare(Bits, Bits, bool, Environment&); \
  template bool compare_eq(Bits, Bits, Environment&);        \
  template bool compare_ge(Bits, Bits, Environment&);        \
  template bool compare_gt(Bits, Bits, Environment&);
CROSSWALK_INSTANTIATE(uint32_t)
CROSSWALK_INSTANTIATE(uint64_t)
#undef CROSSWALK_INSTANTIATE

}  // namespace crosswalk::softfloat
