// SPDX-License-Identifier: GPL-2.0-or-later
// Softfloat against the host's SSE where both architectures agree, and against the rules of the Arm
// pseudocode where they do not: NaN propagation, tininess before rounding, flush-to-zero, default
// NaN, alternative half precision.
#include "translator/softfloat/softfloat.h"

#include <gtest/gtest.h>
#include <immintrin.h>
#include <xbyak/xbyak_util.h>

#include <bit>
#include <cmath>
#include <string>

#include "tests/translator/vfp/operands.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::softfloat {
namespace {

using testing::OperandSource;

constexpr int kRounds = 400000;

template <class Bits>
constexpr int kF = sizeof(Bits) == 2   ? 10
                   : sizeof(Bits) == 4 ? 23
                                       : 52;
template <class Bits>
constexpr Bits kInfinity = static_cast<Bits>(((uint64_t{1} << (sizeof(Bits) * 8 - 1)) - (uint64_t{1} << kF<Bits>)));
template <class Bits>
constexpr Bits kMinNormal = static_cast<Bits>(Bits{1} << kF<Bits>);
template <class Bits>
bool is_nan(Bits v) {
  return abs(v) > kInfinity<Bits>;
}
template <class Bits>
bool is_signalling(Bits v) {
  return is_nan(v) && !(v >> (kF<Bits> - 1) & 1);
}

float as_float(uint32_t v) { return std::bit_cast<float>(v); }
double as_float(uint64_t v) { return std::bit_cast<double>(v); }
uint32_t as_bits(float v) { return std::bit_cast<uint32_t>(v); }
uint64_t as_bits(double v) { return std::bit_cast<uint64_t>(v); }

// Runs `f` with an MXCSR of this FPSCR and no flags; returns the flags as FPSCR cumulative bits.
template <class F>
uint32_t host_flags(uint32_t fpscr, F f) {
  const uint32_t saved = _mm_getcsr();
  _mm_setcsr(arm::mxcsr_control(fpscr));
  f();
  const uint32_t after = _mm_getcsr();
  _mm_setcsr(saved);
  return arm::cumulative_from_mxcsr(after);
}

// Operands go through volatile so that the compiler cannot move the arithmetic out of the MXCSR
// window.
template <class Bits>
struct Host {
  using Float = decltype(as_float(Bits{}));
  static Bits add(Bits a, Bits b) {
    volatile Float x = as_float(a), y = as_float(b);
    volatile Float r = x + y;
    return as_bits(Float(r));
  }
  static Bits sub(Bits a, Bits b) {
    volatile Float x = as_float(a), y = as_float(b);
    volatile Float r = x - y;
    return as_bits(Float(r));
  }
  static Bits mul(Bits a, Bits b) {
    volatile Float x = as_float(a), y = as_float(b);
    volatile Float r = x * y;
    return as_bits(Float(r));
  }
  static Bits div(Bits a, Bits b) {
    volatile Float x = as_float(a), y = as_float(b);
    volatile Float r = x / y;
    return as_bits(Float(r));
  }
};

uint32_t host_sqrt(uint32_t a) {
  return static_cast<uint32_t>(
      _mm_cvtsi128_si32(_mm_castps_si128(_mm_sqrt_ss(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(a)))))));
}
uint64_t host_sqrt(uint64_t a) {
  const __m128d x = _mm_castsi128_pd(_mm_cvtsi64_si128(static_cast<long long>(a)));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_castpd_si128(_mm_sqrt_sd(x, x))));
}
[[gnu::target("fma")]] uint32_t host_fma(uint32_t c, uint32_t a, uint32_t b) {
  const auto load = [](uint32_t v) { return _mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(v))); };
  volatile float r = _mm_cvtss_f32(_mm_fmadd_ss(load(a), load(b), load(c)));
  return as_bits(float(r));
}
[[gnu::target("fma")]] uint64_t host_fma(uint64_t c, uint64_t a, uint64_t b) {
  const auto load = [](uint64_t v) { return _mm_castsi128_pd(_mm_cvtsi64_si128(static_cast<long long>(v))); };
  volatile double r = _mm_cvtsd_f64(_mm_fmadd_sd(load(a), load(b), load(c)));
  return as_bits(double(r));
}

template <class Bits>
class ArithmeticTest : public ::testing::Test {
 protected:
  // Without flush-to-zero the two differ in which NaN results (checked by rule below), and in the
  // underflow flag of a result that rounding makes the least normal number.
  template <class Soft, class HostOp>
  void compare_with_host(const char* name, Soft soft, HostOp host) {
    OperandSource source(0x1234 + sizeof(Bits));
    for (int i = 0; i < kRounds; i++) {
      const Bits a = source.operand<Bits>(), b = source.operand<Bits>(), c = source.operand<Bits>();
      const uint32_t fpscr = source.below(4) << 22;
      Environment env = Environment::from_fpscr(fpscr);
      Bits expected = 0;
      const uint32_t flags = host_flags(fpscr, [&] { expected = host(a, b, c); });
      const Bits actual = soft(a, b, c, env);
      const std::string what = std::string(name) + " " + std::to_string(a) + " " + std::to_string(b) + " " +
                               std::to_string(c) + " fpscr " + std::to_string(fpscr);
      if (is_nan(expected)) {
        ASSERT_TRUE(is_nan(actual)) << what;
      } else {
        ASSERT_EQ(expected, actual) << what;
      }
      const uint32_t ignored = abs(actual) == kMinNormal<Bits> ? uint32_t{kUnderflow} : 0;
      // 0 * infinity + NaN: by rule
      if (is_nan(a) + is_nan(b) + is_nan(c) && name == std::string("fma")) continue;
      ASSERT_EQ(flags & ~ignored, env.flags & ~ignored) << what;
      ASSERT_EQ(flags & ~env.flags, 0u) << what;  // never less than x86
    }
  }
};
using BothFormats = ::testing::Types<uint32_t, uint64_t>;
TYPED_TEST_SUITE(ArithmeticTest, BothFormats);

TYPED_TEST(ArithmeticTest, AgreesWithSse) {
  using B = TypeParam;
  this->compare_with_host(
      "add", [](B a, B b, B, auto& e) { return add(a, b, e); }, [](B a, B b, B) { return Host<B>::add(a, b); });
  this->compare_with_host(
      "sub", [](B a, B b, B, auto& e) { return sub(a, b, e); }, [](B a, B b, B) { return Host<B>::sub(a, b); });
  this->compare_with_host(
      "mul", [](B a, B b, B, auto& e) { return mul(a, b, e); }, [](B a, B b, B) { return Host<B>::mul(a, b); });
  this->compare_with_host(
      "div", [](B a, B b, B, auto& e) { return div(a, b, e); }, [](B a, B b, B) { return Host<B>::div(a, b); });
  this->compare_with_host(
      "sqrt", [](B a, B, B, auto& e) { return sqrt(a, e); }, [](B a, B, B) { return host_sqrt(a); });
}

TYPED_TEST(ArithmeticTest, MulAddAgreesWithFma) {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this host has no FMA";
  using B = TypeParam;
  this->compare_with_host(
      "fma", [](B a, B b, B c, auto& e) { return mul_add(c, a, b, e); },
      [](B a, B b, B c) { return host_fma(c, a, b); });
}

// Close operands, where cancellation and exact halves happen.
TYPED_TEST(ArithmeticTest, MulAddCancels) {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this host has no FMA";
  using B = TypeParam;
  OperandSource source(77);
  for (int i = 0; i < kRounds; i++) {
    Environment env;
    const B a = source.operand<B>(), b = source.operand<B>();
    const B c = neg(mul(a, b, env)) + source.below(5) - 2;
    if (is_nan(a) || is_nan(b) || is_nan(c)) continue;
    const uint32_t fpscr = source.below(4) << 22;
    env = Environment::from_fpscr(fpscr);
    B expected = 0;
    const uint32_t flags = host_flags(fpscr, [&] { expected = host_fma(c, a, b); });
    const B actual = mul_add(c, a, b, env);
    if (!is_nan(expected)) {
      ASSERT_EQ(expected, actual) << std::hex << a << " " << b << " " << c;
    }
    const uint32_t ignored = abs(actual) == kMinNormal<B> ? uint32_t{kUnderflow} : 0;
    ASSERT_EQ(flags & ~ignored, env.flags & ~ignored) << std::hex << a << " " << b << " " << c;
  }
}

// FPProcessNaNs: the first signalling operand, else the first quiet one, made quiet; Invalid
// Operation for signalling ones.
TYPED_TEST(ArithmeticTest, PropagatesNaNs) {
  using B = TypeParam;
  const B quiet_bit = B{1} << (kF<B> - 1);
  OperandSource source(99);
  for (int i = 0; i < kRounds; i++) {
    const B a = source.operand<B>(), b = source.operand<B>(), c = source.operand<B>();
    const bool dn = source.below(2);
    const auto expect = [&](std::initializer_list<B> operands, auto operation, const char* name) {
      Environment env;
      env.default_nan = dn;
      const B result = operation(env);
      B chosen = 0;
      for (B v : operands)
        if (is_signalling(v)) {
          chosen = v;
          break;
        }
      const bool signalling = chosen != 0;
      for (B v : operands)
        if (!chosen && is_nan(v)) chosen = v;
      if (!chosen) {
        if (is_nan(result)) {
          ASSERT_EQ(result, default_nan<B>()) << name;
        }
        return;
      }
      ASSERT_EQ(result, dn ? default_nan<B>() : static_cast<B>(chosen | quiet_bit)) << name;
      ASSERT_EQ((env.flags & kInvalidOp) != 0, signalling) << name;
    };
    expect(
        {a, b}, [&](auto& e) { return add(a, b, e); }, "add");
    expect(
        {a, b}, [&](auto& e) { return sub(a, b, e); }, "sub");
    expect(
        {a, b}, [&](auto& e) { return mul(a, b, e); }, "mul");
    expect(
        {a, b}, [&](auto& e) { return div(a, b, e); }, "div");
    expect(
        {a, b}, [&](auto& e) { return max(a, b, e); }, "max");
    expect(
        {a, b}, [&](auto& e) { return min(a, b, e); }, "min");
    expect(
        {a}, [&](auto& e) { return sqrt(a, e); }, "sqrt");
    const bool zero_times_infinity = (abs(a) == 0 && abs(b) == kInfinity<B>) || (abs(a) == kInfinity<B> && abs(b) == 0);
    if (!(zero_times_infinity && is_nan(c) && !is_signalling(c)))
      expect(
          {c, a, b}, [&](auto& e) { return mul_add(c, a, b, e); }, "mul_add");
  }
}

TYPED_TEST(ArithmeticTest, ZeroTimesInfinityPlusQuietNaNIsInvalid) {
  using B = TypeParam;
  const B quiet = default_nan<B>() | 5;
  for (bool swap : {false, true}) {
    Environment env;
    EXPECT_EQ(mul_add(quiet, swap ? kInfinity<B> : B{0}, swap ? B{0} : kInfinity<B>, env), default_nan<B>());
    EXPECT_EQ(env.flags, kInvalidOp);
  }
}

// Flush-to-zero: inputs raise Input Denormal alone; outputs that are tiny before rounding raise
// Underflow alone.
TYPED_TEST(ArithmeticTest, FlushesToZero) {
  using B = TypeParam;
  Environment fz;
  fz.flush_to_zero = true;
  const B one = kInfinity<B> / 2 & ~((B{1} << kF<B>)-1);  // exponent = bias
  const B half = one - kMinNormal<B>, min = kMinNormal<B>, denormal = min - 1;
  ASSERT_EQ(as_float(one), 1.0);

  Environment env = fz;
  EXPECT_EQ(add(denormal, B{0}, env), B{0});
  EXPECT_EQ(env.flags, kInputDenormal);
  env = fz;
  EXPECT_EQ(mul(neg(denormal), one, env), sign_bit<B>());
  EXPECT_EQ(env.flags, kInputDenormal);
  env = fz;
  EXPECT_EQ(div(one, denormal, env), kInfinity<B>);
  EXPECT_EQ(env.flags, kInputDenormal | kDivideByZero);
  env = fz;
  EXPECT_EQ(mul(min, half, env), B{0});  // exact, yet Underflow
  EXPECT_EQ(env.flags, kUnderflow);
  env = fz;
  // tiny before rounding: rounding would give the least normal
  EXPECT_EQ(mul(neg(min), one - 1, env), sign_bit<B>());
  EXPECT_EQ(env.flags, kUnderflow);
  env = fz;
  EXPECT_EQ(sub(B(min + 1), min, env), B{0});
  EXPECT_EQ(env.flags, kUnderflow);
  env = fz;
  EXPECT_EQ(compare(denormal, B{0}, false, env), kEqual);
  EXPECT_EQ(env.flags, kInputDenormal);
  env = fz;
  EXPECT_EQ(max(neg(denormal), neg(one), env), sign_bit<B>());
  EXPECT_EQ(env.flags, kInputDenormal);
  env = fz;
  EXPECT_EQ(to_fixed(denormal, 32, 31, false, false, env), 0u);
  EXPECT_EQ(env.flags, kInputDenormal);

  // Without it: tiny before rounding, the least normal after it: Underflow.
  env = {};
  EXPECT_EQ(mul(min, B(one - 1), env), min);
  EXPECT_EQ(env.flags, kUnderflow | kInexact);
  env = {};
  EXPECT_EQ(mul(min, half, env), min / 2);
  EXPECT_EQ(env.flags, 0u);
}

TYPED_TEST(ArithmeticTest, CompareAgreesWithSse) {
  using B = TypeParam;
  OperandSource source(5);
  for (int i = 0; i < kRounds; i++) {
    const B a = source.operand<B>(), b = source.below(4) ? source.operand<B>() : a;
    Environment quiet, all;
    const uint32_t r = compare(a, b, false, quiet);
    ASSERT_EQ(r, compare(a, b, true, all));
    const auto x = as_float(a), y = as_float(b);
    const uint32_t expected = is_nan(a) || is_nan(b) ? 3 : x < y ? 8 : x == y ? 6 : 2;
    ASSERT_EQ(r, expected);
    ASSERT_EQ(quiet.flags, is_signalling(a) || is_signalling(b) ? kInvalidOp : 0u);
    ASSERT_EQ(all.flags, is_nan(a) || is_nan(b) ? kInvalidOp : 0u);
    Environment env;
    const B high = max(a, b, env), low = min(a, b, env);
    if (expected != 3) {
      ASSERT_EQ(as_float(high), std::max(x, y));
      ASSERT_EQ(as_float(low), std::min(x, y));
      ASSERT_EQ(high ^ low, a ^ b);
      if (abs(a) == 0 && abs(b) == 0 && a != b) {
        ASSERT_EQ(high, B{0});
      }
    }
  }
}

TYPED_TEST(ArithmeticTest, FixedPointConversions) {
  using B = TypeParam;
  OperandSource source(6);
  for (int i = 0; i < kRounds; i++) {
    const B a = source.operand<B>();
    const unsigned size = source.below(2) ? 32 : 16, fraction_bits = source.below(size + 1);
    const bool is_unsigned = source.below(2), towards_zero = source.below(2);
    Environment env;
    env.rounding = static_cast<Rounding>(source.below(4));
    const Rounding rounding = towards_zero ? Rounding::Zero : env.rounding;
    const uint32_t actual = to_fixed(a, size, fraction_bits, is_unsigned, towards_zero, env);
    // long double holds a * 2^n and its rounding exactly.
    const long double value = std::ldexp(static_cast<long double>(as_float(a)), static_cast<int>(fraction_bits));
    const long double low = is_unsigned ? 0 : -std::ldexp(1.0L, static_cast<int>(size) - 1);
    const long double high = std::ldexp(1.0L, static_cast<int>(size) - !is_unsigned) - 1;
    uint32_t expected, flags = 0;
    if (is_nan(a)) {
      expected = 0, flags = kInvalidOp;
    } else {
      const long double rounded = rounding == Rounding::Nearest         ? std::nearbyint(value)
                                  : rounding == Rounding::PlusInfinity  ? std::ceil(value)
                                  : rounding == Rounding::MinusInfinity ? std::floor(value)
                                                                        : std::trunc(value);
      const long double saturated = std::min(std::max(rounded, low), high);
      if (saturated != rounded)
        flags = kInvalidOp;
      else if (rounded != value)
        flags = kInexact;
      expected = static_cast<uint32_t>(static_cast<int64_t>(saturated));
    }
    ASSERT_EQ(actual, expected) << std::hex << a << " " << size << " " << fraction_bits;
    ASSERT_EQ(env.flags, flags) << std::hex << a << " " << size << " " << fraction_bits;

    // And back.
    const uint32_t operand = static_cast<uint32_t>(source.bits()) >> source.below(33) % 32;
    const bool nearest = source.below(2);
    env.flags = 0;
    const B result = from_fixed<B>(operand, size, fraction_bits, is_unsigned, nearest, env);
    const int64_t integer = size == 16 ? (is_unsigned ? int64_t{uint16_t(operand)} : int64_t{int16_t(operand)})
                                       : (is_unsigned ? int64_t{operand} : int64_t{int32_t(operand)});
    B host = 0;
    const uint32_t host_raised = host_flags(nearest ? 0 : static_cast<uint32_t>(env.rounding) << 22, [&] {
      volatile int64_t n = integer;
      volatile typename Host<B>::Float f = static_cast<typename Host<B>::Float>(n);
      host = as_bits(typename Host<B>::Float(f));
    });
    ASSERT_EQ(as_float(result), std::ldexp(as_float(host), -static_cast<int>(fraction_bits)));
    ASSERT_EQ(env.flags, host_raised);
  }
}

TEST(ConversionTest, BetweenSingleAndDouble) {
  OperandSource source(7);
  for (int i = 0; i < kRounds; i++) {
    const uint32_t fpscr = source.below(4) << 22;
    const uint32_t s = source.single();
    uint64_t d = source.below(2) ? source.double_() : 0;
    if (d == 0) {  // a double around the range of singles
      d = as_bits(static_cast<double>(as_float(source.single()))) + (source.below(3) - 1) * (source.bits() >> 34);
    }
    Environment env = Environment::from_fpscr(fpscr);
    uint64_t wide = 0;
    uint32_t narrow = 0;
    uint32_t flags = host_flags(fpscr, [&] {
      const __m128 x = _mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(s)));
      wide = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_castpd_si128(_mm_cvtss_sd(_mm_setzero_pd(), x))));
      asm volatile("" : "+r"(wide));
    });
    ASSERT_EQ(single_to_double(s, env), wide);
    ASSERT_EQ(env.flags, flags);
    env.flags = 0;
    flags = host_flags(fpscr, [&] {
      const __m128d x = _mm_castsi128_pd(_mm_cvtsi64_si128(static_cast<long long>(d)));
      narrow = static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_castps_si128(_mm_cvtsd_ss(_mm_setzero_ps(), x))));
      asm volatile("" : "+r"(narrow));
    });
    ASSERT_EQ(double_to_single(d, env), narrow) << std::hex << d;
    const uint32_t ignored = abs(narrow) == kMinNormal<uint32_t> ? uint32_t{kUnderflow} : 0;
    ASSERT_EQ(env.flags & ~ignored, flags & ~ignored) << std::hex << d;

    Environment dn;
    dn.default_nan = true;
    if (is_nan(s)) {
      ASSERT_EQ(single_to_double(s, dn), default_nan<uint64_t>());
    }
    if (is_nan(d)) {
      ASSERT_EQ(double_to_single(d, dn), default_nan<uint32_t>());
    }
  }
}

[[gnu::target("f16c")]] uint16_t host_to_half(uint32_t v) {
  return static_cast<uint16_t>(
      _mm_extract_epi16(_mm_cvtps_ph(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(v))), 4), 0));
}
[[gnu::target("f16c")]] uint32_t host_from_half(uint16_t v) {
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_castps_si128(_mm_cvtph_ps(_mm_cvtsi32_si128(v)))));
}

TEST(ConversionTest, HalfAgreesWithF16c) {
  if (!Xbyak::util::Cpu().has(Xbyak::util::Cpu::tF16C)) GTEST_SKIP() << "this host has no F16C";
  for (uint32_t h = 0; h < 0x10000; h++) {
    Environment env;
    uint32_t expected = 0;
    const uint32_t flags = host_flags(0, [&] {
      expected = host_from_half(static_cast<uint16_t>(h));
      asm volatile("" : "+r"(expected));
    });
    ASSERT_EQ(half_to_single(static_cast<uint16_t>(h), env), expected) << h;
    ASSERT_EQ(env.flags, flags) << h;
  }
  OperandSource source(8);
  for (int i = 0; i < kRounds; i++) {
    uint32_t s = source.single();
    if (source.below(2)) {
      Environment env;
      s = half_to_single(source.half(), env) + static_cast<uint32_t>(source.below(3) - 1) * source.below(0x4000);
    }
    const uint32_t fpscr = source.below(4) << 22;
    Environment env = Environment::from_fpscr(fpscr);
    uint16_t expected = 0;
    const uint32_t flags = host_flags(fpscr, [&] {
      expected = host_to_half(s);
      asm volatile("" : "+r"(expected));
    });
    const uint16_t actual = single_to_half(s, env);
    ASSERT_EQ(actual, expected) << std::hex << s;
    const uint32_t ignored = (actual & 0x7fff) == 0x400 ? uint32_t{kUnderflow} : 0;
    ASSERT_EQ(env.flags & ~ignored, flags & ~ignored) << std::hex << s;
  }
}

TEST(ConversionTest, AlternativeHalf) {
  Environment ahp;
  ahp.alternative_half = true;
  Environment env = ahp;
  EXPECT_EQ(half_to_single(0x7c00, env), as_bits(65536.0f));
  EXPECT_EQ(half_to_single(0xffff, env), as_bits(-131008.0f));
  EXPECT_EQ(env.flags, 0u);
  EXPECT_EQ(single_to_half(as_bits(-131008.0f), env), 0xffff);
  EXPECT_EQ(env.flags, 0u);
  EXPECT_EQ(single_to_half(as_bits(131072.0f), env), 0x7fff);
  EXPECT_EQ(env.flags, kInvalidOp);  // not Overflow, not Inexact
  env = ahp;
  EXPECT_EQ(single_to_half(0xff800000, env), 0xffff);
  EXPECT_EQ(env.flags, kInvalidOp);
  env = ahp;
  EXPECT_EQ(single_to_half(0xffc00001, env), 0x8000);
  EXPECT_EQ(env.flags, kInvalidOp);
  env = ahp;
  env.flush_to_zero = true;  // inputs are flushed, half-precision results are not
  EXPECT_EQ(single_to_half(0x80000001, env), 0x8000);
  EXPECT_EQ(env.flags, kInputDenormal);
  env = {};
  env.flush_to_zero = true;
  EXPECT_EQ(single_to_half(as_bits(0x1p-24f), env), 0x0001);
  EXPECT_EQ(half_to_single(0x0001, env), as_bits(0x1p-24f));
  EXPECT_EQ(env.flags, 0u);
}

}  // namespace
}  // namespace crosswalk::softfloat
