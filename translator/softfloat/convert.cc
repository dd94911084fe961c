// SPDX-License-Identifier: GPL-2.0-or-later
// Conversions between formats, and to and from fixed point.
#include <bit>

#include "translator/softfloat/formats.h"
#include "translator/softfloat/softfloat.h"

namespace crosswalk::softfloat {
namespace {

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
  const Rounding rounding = round_towards_zero ? Rounding::Zero : env.rounding;
  magnitude += rounds_up(rounding, u.sign, magnitude & 1, error, sticky);
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

template uint32_t to_fixed(uint32_t, unsigned, unsigned, bool, bool, Environment&);
template uint32_t to_fixed(uint64_t, unsigned, unsigned, bool, bool, Environment&);
template uint32_t from_fixed(uint32_t, unsigned, unsigned, bool, bool, Environment&);
template uint64_t from_fixed(uint32_t, unsigned, unsigned, bool, bool, Environment&);

}  // namespace crosswalk::softfloat
