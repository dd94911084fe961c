// SPDX-License-Identifier: GPL-2.0-or-later
// The formats of floating point, what their bits stand for, and rounding to them. For softfloat's
// own files.
#pragma once

#include <bit>
#include <cstdint>

#include "translator/softfloat/softfloat.h"

namespace crosswalk::softfloat {
// Each file has copies of its own, whose calling conventions the compiler chooses.
namespace {

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

// Whether a magnitude between two representable ones becomes the larger one. `odd`: the lower one
// is; `error` is the fraction of 2^64 that lies above it, and `sticky` whether there is more below
// that.
[[gnu::always_inline]] inline bool rounds_up(Rounding rounding, bool sign, bool odd, uint64_t error, bool sticky) {
  constexpr uint64_t kHalf = uint64_t{1} << 63;
  switch (rounding) {
    case Rounding::Nearest: return error > kHalf || (error == kHalf && (sticky || odd));
    case Rounding::PlusInfinity: return (error != 0 || sticky) && !sign;
    case Rounding::MinusInfinity: return (error != 0 || sticky) && sign;
    case Rounding::Zero: break;
  }
  return false;
}

// Whether a magnitude beyond the largest representable one becomes infinity, or that one.
inline bool overflows_to_infinity(Rounding rounding, bool sign) {
  return rounding == Rounding::Nearest || rounding == (sign ? Rounding::MinusInfinity : Rounding::PlusInfinity);
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

  if (rounds_up(env.rounding, sign, mantissa & 1, error, sticky)) {
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
    return overflows_to_infinity(env.rounding, sign) ? infinity<Bits>(sign)
                                                     : static_cast<Bits>(infinity<Bits>(sign) - 1);
  }
  if (inexact) env.flags |= kInexact;
  return zero<Bits>(sign) | static_cast<Bits>(static_cast<Bits>(biased) << kF) |
         static_cast<Bits>(mantissa & kFractionMask<Bits>);
}

}  // namespace
}  // namespace crosswalk::softfloat
