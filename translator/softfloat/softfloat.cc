// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/softfloat/softfloat.h"

#include <bit>
#include <utility>

namespace crosswalk::softfloat {
namespace {

using u128 = unsigned __int128;

template <class Bits>
struct Format;
template <>
struct Format<uint16_t> {
  static constexpr int kExponentBits = 5, kFractionBits = 10;
};
template <>
struct Format<uint32_t> {
  static constexpr int kExponentBits = 8, kFractionBits = 23;
};
template <>
struct Format<uint64_t> {
  static constexpr int kExponentBits = 11, kFractionBits = 52;
};

template <class Bits>
constexpr Bits kFractionMask = static_cast<Bits>((Bits{1} << Format<Bits>::kFractionBits) - 1);
template <class Bits>
constexpr Bits kQuietBit = static_cast<Bits>(Bits{1} << (Format<Bits>::kFractionBits - 1));
template <class Bits>
constexpr int kMaxBiased = (1 << Format<Bits>::kExponentBits) - 1;
template <class Bits>
constexpr int kMinimumExponent = 2 - (1 << (Format<Bits>::kExponentBits - 1));

enum class Kind : uint8_t { Nonzero, Zero, Infinity, QuietNaN, SignallingNaN };

// value = significand * 2^(exponent - 63), bit 63 of significand set, when Nonzero.
struct Unpacked {
  Kind kind;
  bool sign;
  int exponent = 0;
  uint64_t significand = 0;

  bool nan() const { return kind == Kind::QuietNaN || kind == Kind::SignallingNaN; }
  bool zero() const { return kind == Kind::Zero; }
  bool infinity() const { return kind == Kind::Infinity; }
};

// FPUnpack. Half-precision inputs are never flushed.
template <class Bits>
Unpacked unpack(Bits v, Environment& env) {
  constexpr int kF = Format<Bits>::kFractionBits;
  Unpacked u{Kind::Nonzero, (v & sign_bit<Bits>()) != 0};
  const int biased = static_cast<int>(v >> kF) & kMaxBiased<Bits>;
  const uint64_t fraction = v & kFractionMask<Bits>;
  const bool half = sizeof(Bits) == 2;
  if (biased == 0) {
    if (fraction == 0) {
      u.kind = Kind::Zero;
    } else if (env.flush_to_zero && !half) {
      u.kind = Kind::Zero;
      env.flags |= kInputDenormal;
    } else {
      const int shift = std::countl_zero(fraction);
      u.significand = fraction << shift;
      u.exponent = kMinimumExponent<Bits> - kF + 63 - shift;
    }
  } else if (biased == kMaxBiased<Bits> && !(half && env.alternative_half)) {
    if (fraction == 0)
      u.kind = Kind::Infinity;
    else
      u.kind = fraction & kQuietBit<Bits> ? Kind::QuietNaN : Kind::SignallingNaN;
  } else {
    u.significand = (fraction | uint64_t{1} << kF) << (63 - kF);
    u.exponent = biased - 1 + kMinimumExponent<Bits>;
  }
  return u;
}

template <class Bits>
constexpr Bits zero(bool sign) {
  return sign ? sign_bit<Bits>() : 0;
}
template <class Bits>
constexpr Bits infinity(bool sign) {
  return zero<Bits>(sign) | static_cast<Bits>(static_cast<Bits>(kMaxBiased<Bits>) << Format<Bits>::kFractionBits);
}

// FPRound of (-1)^sign * (significand + sticky * epsilon) * 2^(exponent - 63); bit 63 of
// significand is set.
template <class Bits>
Bits round(bool sign, int exponent, uint64_t significand, bool sticky, Environment& env) {
  constexpr int kF = Format<Bits>::kFractionBits;
  constexpr bool half = sizeof(Bits) == 2;
  if (env.flush_to_zero && !half && exponent < kMinimumExponent<Bits>) {
    env.flags |= kUnderflow;  // and not Inexact
    return zero<Bits>(sign);
  }
  int biased = exponent - kMinimumExponent<Bits> + 1;
  int shift = 63 - kF;
  if (biased <= 0) {
    shift += 1 - biased;
    biased = 0;
  }
  // The discarded part as a fraction of 2^64, and whether anything lies below it.
  uint64_t mantissa, error;
  if (shift < 64) {
    mantissa = significand >> shift;
    error = significand << (64 - shift);
  } else {
    mantissa = 0;
    error = shift == 64 ? significand : 1;
    sticky |= shift > 64;
  }
  const bool inexact = error != 0 || sticky;
  // Tininess is detected before rounding.
  if (biased == 0 && inexact) env.flags |= kUnderflow;

  constexpr uint64_t kHalf = uint64_t{1} << 63;
  bool round_up = false, overflow_to_infinity = false;
  switch (env.rounding) {
    case Rounding::Nearest:
      round_up = error > kHalf || (error == kHalf && (sticky || (mantissa & 1)));
      overflow_to_infinity = true;
      break;
    case Rounding::PlusInfinity:
      round_up = inexact && !sign;
      overflow_to_infinity = !sign;
      break;
    case Rounding::MinusInfinity:
      round_up = inexact && sign;
      overflow_to_infinity = sign;
      break;
    case Rounding::Zero: break;
  }
  if (round_up) {
    mantissa++;
    if (mantissa == uint64_t{1} << kF) biased = 1;
    if (mantissa == uint64_t{2} << kF) {
      biased++;
      mantissa >>= 1;
    }
  }
  if (half && env.alternative_half) {
    if (biased > kMaxBiased<Bits>) {
      env.flags |= kInvalidOp;  // and not Inexact
      return zero<Bits>(sign) | static_cast<Bits>(~sign_bit<Bits>());
    }
  } else if (biased >= kMaxBiased<Bits>) {
    env.flags |= kOverflow | kInexact;
    return overflow_to_infinity ? infinity<Bits>(sign) : static_cast<Bits>(infinity<Bits>(sign) - 1);
  }
  if (inexact) env.flags |= kInexact;
  return zero<Bits>(sign) | static_cast<Bits>(static_cast<Bits>(biased) << kF) |
         static_cast<Bits>(mantissa & kFractionMask<Bits>);
}

// The same from a 128-bit magnitude: value = magnitude * 2^(exponent - 126). magnitude != 0.
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

// FPConvertNaN between formats: the most significant fraction bits are kept.
template <class To, class From>
To convert_nan(From v, bool sign, Environment& env) {
  if (env.default_nan) return default_nan<To>();
  constexpr int kFrom = Format<From>::kFractionBits, kTo = Format<To>::kFractionBits;
  const uint64_t fraction = v & kFractionMask<From>;
  const uint64_t moved =
      kTo > kFrom ? fraction << (kTo > kFrom ? kTo - kFrom : 0) : fraction >> (kFrom > kTo ? kFrom - kTo : 0);
  return infinity<To>(sign) | kQuietBit<To> | static_cast<To>(moved);
}

template <class To, class From>
To convert(From a, Environment& env) {
  const Unpacked u = unpack(a, env);
  if (u.nan()) {
    if (u.kind == Kind::SignallingNaN) env.flags |= kInvalidOp;
    return convert_nan<To>(a, u.sign, env);
  }
  if (u.infinity()) return infinity<To>(u.sign);
  if (u.zero()) return zero<To>(u.sign);
  return round<To>(u.sign, u.exponent, u.significand, false, env);
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

template <class Bits>
uint32_t to_fixed(Bits a, unsigned size, unsigned fraction_bits, bool is_unsigned, bool round_towards_zero,
                  Environment& env) {
  const Unpacked u = unpack(a, env);
  if (u.nan()) {
    env.flags |= kInvalidOp;
    return 0;
  }
  if (u.zero()) return 0;
  // |a| * 2^fraction_bits as an integer and a fraction of 2^64; anything from 2^33 on is out of
  // range.
  const int exponent = u.infinity() ? 64 : u.exponent + static_cast<int>(fraction_bits);
  uint64_t magnitude = 0, error = 0;
  bool sticky = false, huge = false;
  if (exponent > 33) {
    huge = true;
  } else if (exponent >= 0) {
    magnitude = u.significand >> (63 - exponent);
    error = u.significand << (exponent + 1);
  } else if (exponent == -1) {
    error = u.significand;
  } else {
    sticky = true;  // below one half
  }
  const bool inexact = error != 0 || sticky;
  constexpr uint64_t kHalf = uint64_t{1} << 63;
  bool away = false;  // from zero
  switch (round_towards_zero ? Rounding::Zero : env.rounding) {
    case Rounding::Nearest: away = error > kHalf || (error == kHalf && (magnitude & 1)); break;
    case Rounding::PlusInfinity: away = inexact && !u.sign; break;
    case Rounding::MinusInfinity: away = inexact && u.sign; break;
    case Rounding::Zero: break;
  }
  magnitude += away;
  const uint64_t limit = is_unsigned ? (u.sign ? 0 : (uint64_t{1} << size) - 1) : (uint64_t{1} << (size - 1)) - !u.sign;
  if (huge || magnitude > limit) {
    env.flags |= kInvalidOp;
    magnitude = limit;
  } else if (inexact) {
    env.flags |= kInexact;
  }
  return static_cast<uint32_t>(u.sign ? -magnitude : magnitude);
}

template <class Bits>
Bits from_fixed(uint32_t operand, unsigned size, unsigned fraction_bits, bool is_unsigned, bool round_to_nearest,
                Environment& env) {
  const int unused = 32 - static_cast<int>(size);
  const int64_t value =
      is_unsigned ? int64_t{operand << unused >> unused} : int64_t{static_cast<int32_t>(operand << unused) >> unused};
  if (value == 0) return 0;
  const uint64_t magnitude = static_cast<uint64_t>(value < 0 ? -value : value);
  const int shift = std::countl_zero(magnitude);
  const Rounding rounding = env.rounding;
  if (round_to_nearest) env.rounding = Rounding::Nearest;
  const Bits result =
      round<Bits>(value < 0, 63 - shift - static_cast<int>(fraction_bits), magnitude << shift, false, env);
  env.rounding = rounding;
  return result;
}

uint64_t single_to_double(uint32_t a, Environment& env) { return convert<uint64_t>(a, env); }
uint32_t double_to_single(uint64_t a, Environment& env) { return convert<uint32_t>(a, env); }
uint32_t half_to_single(uint16_t a, Environment& env) { return convert<uint32_t>(a, env); }

uint16_t single_to_half(uint32_t a, Environment& env) {
  if (env.alternative_half) {  // this format has no infinities and no NaNs
    const Unpacked u = unpack(a, env);
    if (u.nan() || u.infinity()) {
      env.flags |= kInvalidOp;
      return static_cast<uint16_t>((u.sign ? 0x8000 : 0) | (u.nan() ? 0 : 0x7fff));
    }
  }
  return convert<uint16_t>(a, env);
}

#define CROSSWALK_INSTANTIATE(Bits)                                               \
  template Bits add(Bits, Bits, Environment&);                                    \
  template Bits sub(Bits, Bits, Environment&);                                    \
  template Bits mul(Bits, Bits, Environment&);                                    \
  template Bits div(Bits, Bits, Environment&);                                    \
  template Bits sqrt(Bits, Environment&);                                         \
  template Bits mul_add(Bits, Bits, Bits, Environment&);                          \
  template Bits max(Bits, Bits, Environment&);                                    \
  template Bits min(Bits, Bits, Environment&);                                    \
  template uint32_t compare(Bits, Bits, bool, Environment&);                      \
  template bool compare_eq(Bits, Bits, Environment&);                             \
  template bool compare_ge(Bits, Bits, Environment&);                             \
  template bool compare_gt(Bits, Bits, Environment&);                             \
  template uint32_t to_fixed(Bits, unsigned, unsigned, bool, bool, Environment&); \
  template Bits from_fixed(uint32_t, unsigned, unsigned, bool, bool, Environment&);
CROSSWALK_INSTANTIATE(uint32_t)
CROSSWALK_INSTANTIATE(uint64_t)
#undef CROSSWALK_INSTANTIATE

}  // namespace crosswalk::softfloat
