// SPDX-License-Identifier: GPL-2.0-or-later
// Arm floating-point arithmetic by integers alone: the functions of the Arm pseudocode (ARM DDI
// 0406C, A2.7.8), bit for bit and flag for flag. It is the slow path of translated code and the
// oracle of its tests.
//
// Nothing here reads or changes MXCSR or an SSE register's rounding state, so it can be called
// while a guest's MXCSR is live. Values are raw encodings: uint16_t half, uint32_t single, uint64_t
// double precision.
#pragma once

#include <cstdint>

namespace crosswalk::softfloat {

// Encoded as FPSCR.RMode.
enum class Rounding : uint8_t { Nearest, PlusInfinity, MinusInfinity, Zero };

// Cumulative exceptions, at their bits in FPSCR.
enum Exception : uint32_t {
  kInvalidOp = 1u << 0,
  kDivideByZero = 1u << 1,
  kOverflow = 1u << 2,
  kUnderflow = 1u << 3,
  kInexact = 1u << 4,
  kInputDenormal = 1u << 7,
};

// What FPSCR says, and the exceptions raised so far.
struct Environment {
  Rounding rounding = Rounding::Nearest;
  bool flush_to_zero = false;
  bool default_nan = false;
  bool alternative_half = false;
  uint32_t flags = 0;  // Exception bits; operations OR into it

  static constexpr Environment from_fpscr(uint32_t fpscr) {
    return {static_cast<Rounding>(fpscr >> 22 & 3), (fpscr >> 24 & 1) != 0, (fpscr >> 25 & 1) != 0,
            (fpscr >> 26 & 1) != 0, 0};
  }
  // StandardFPSCRValue(): what Advanced SIMD arithmetic uses.
  static constexpr Environment standard(uint32_t fpscr) {
    return {Rounding::Nearest, true, true, (fpscr >> 26 & 1) != 0, 0};
  }
};

// NZCV of FPCompare, in bits 3:0.
enum Comparison : uint32_t { kLess = 8, kEqual = 6, kGreater = 2, kUnordered = 3 };

// Bits is uint32_t or uint64_t. Names: FPAdd, FPSub, FPMul, FPDiv, FPSqrt, FPMulAdd, FPMax, FPMin,
// FPCompare.
template <class Bits>
Bits add(Bits a, Bits b, Environment& env);
template <class Bits>
Bits sub(Bits a, Bits b, Environment& env);
template <class Bits>
Bits mul(Bits a, Bits b, Environment& env);
template <class Bits>
Bits div(Bits a, Bits b, Environment& env);
template <class Bits>
Bits sqrt(Bits a, Environment& env);
// addend + a * b, rounded once.
template <class Bits>
Bits mul_add(Bits addend, Bits a, Bits b, Environment& env);
template <class Bits>
Bits max(Bits a, Bits b, Environment& env);
template <class Bits>
Bits min(Bits a, Bits b, Environment& env);
template <class Bits>
uint32_t compare(Bits a, Bits b, bool quiet_nan_is_invalid, Environment& env);
// FPCompareEQ, FPCompareGE, FPCompareGT: GE and GT raise Invalid Operation for every NaN, EQ for
// signalling ones.
template <class Bits>
bool compare_eq(Bits a, Bits b, Environment& env);
template <class Bits>
bool compare_ge(Bits a, Bits b, Environment& env);
template <class Bits>
bool compare_gt(Bits a, Bits b, Environment& env);

// FPToFixed: `size` is 16 or 32 bits; the result is saturated, and sign- or zero-extended to 32
// bits.
template <class Bits>
uint32_t to_fixed(Bits a, unsigned size, unsigned fraction_bits, bool is_unsigned, bool round_towards_zero,
                  Environment& env);
// FixedToFP of the low `size` bits of `operand`.
template <class Bits>
Bits from_fixed(uint32_t operand, unsigned size, unsigned fraction_bits, bool is_unsigned, bool round_to_nearest,
                Environment& env);

uint64_t single_to_double(uint32_t a, Environment& env);
uint32_t double_to_single(uint64_t a, Environment& env);
uint32_t half_to_single(uint16_t a, Environment& env);
uint16_t single_to_half(uint32_t a, Environment& env);

// FPDefaultNaN.
template <class Bits>
constexpr Bits default_nan();
template <>
constexpr uint16_t default_nan() {
  return 0x7e00;
}
template <>
constexpr uint32_t default_nan() {
  return 0x7fc00000;
}
template <>
constexpr uint64_t default_nan() {
  return 0x7ff8000000000000;
}

template <class Bits>
constexpr Bits sign_bit() {
  return static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
}
template <class Bits>
constexpr Bits neg(Bits a) {
  return a ^ sign_bit<Bits>();
}
template <class Bits>
constexpr Bits abs(Bits a) {
  return a & static_cast<Bits>(~sign_bit<Bits>());
}

}  // namespace crosswalk::softfloat
