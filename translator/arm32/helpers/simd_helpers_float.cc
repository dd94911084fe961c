// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD floating point, with the standard FPSCR value, and the reciprocal estimates (ARM
// DDI 0406C, A2.7.8).
#include <array>

#include "translator/arm32/helpers/simd_helpers_kernel.h"
#include "translator/softfloat/softfloat.h"

namespace crosswalk::helpers::simd {
namespace {

namespace sf = crosswalk::softfloat;

constexpr uint32_t kInfinity = 0x7f800000, kSmallestNormal = 0x00800000, kTwo = 0x40000000, kThree = 0x40400000,
                   kHalf = 0x3f000000, kSign = 0x80000000;

bool is_nan(uint32_t a) { return sf::abs(a) > kInfinity; }

// FPUnpack's zero test: a denormal is flushed and noted.
bool is_zero(uint32_t a, sf::Environment& env) {
  const uint32_t magnitude = sf::abs(a);
  if (magnitude >= kSmallestNormal) return false;
  if (magnitude != 0) env.flags |= sf::kInputDenormal;
  return true;
}

uint32_t process_nan(uint32_t a, sf::Environment& env) {
  if (!(a >> 22 & 1)) env.flags |= sf::kInvalidOp;  // signalling
  return sf::default_nan<uint32_t>();
}

// recip_estimate(): 256 times the estimate, for 512 times the scaled operand, 256-511.
constexpr uint32_t recip_estimate(uint32_t q) { return (2 * 262144u + (2 * q + 1)) / (2 * (2 * q + 1)); }

// recip_sqrt_estimate(): 256 times the estimate. The operand is in [0.25, 0.5) (512 times it is
// given, 128-255) or in [0.5, 1.0) (256 times).
constexpr uint32_t compute_recip_sqrt(uint32_t q, bool upper) {
  // s = floor(sqrt(limit / (2q+1)) / 2 + 1/2)
  const uint64_t limit = upper ? uint64_t{1} << 27 : uint64_t{1} << 28;
  uint64_t s = 511;
  while ((2 * s - 1) * (2 * s - 1) * (2 * q + 1) > limit) s--;
  return static_cast<uint32_t>(s);
}
constexpr auto kRecipSqrt = [] {
  std::array<std::array<uint16_t, 128>, 2> t{};
  for (uint32_t i = 0; i < 128; i++)
    for (int upper = 0; upper < 2; upper++)
      t[upper][i] = static_cast<uint16_t>(compute_recip_sqrt(128 + i, upper != 0));
  return t;
}();

// FPRecipEstimate.
uint32_t recip_estimate_fp(uint32_t a, sf::Environment& env) {
  const uint32_t sign = a & kSign, exponent = a >> 23 & 0xff;
  if (is_nan(a)) return process_nan(a, env);
  if (sf::abs(a) == kInfinity) return sign;
  if (is_zero(a, env)) return env.flags |= sf::kDivideByZero, sign | kInfinity;
  if (exponent >= 253) return env.flags |= sf::kUnderflow, sign;  // |a| >= 2^126
  const uint32_t s = recip_estimate(256 + (a >> 15 & 0xff));
  return sign | (253 - exponent) << 23 | (s & 0xff) << 15;
}

// FPRSqrtEstimate.
uint32_t rsqrt_estimate_fp(uint32_t a, sf::Environment& env) {
  const uint32_t exponent = a >> 23 & 0xff;
  if (is_nan(a)) return process_nan(a, env);
  if (is_zero(a, env)) return env.flags |= sf::kDivideByZero, (a & kSign) | kInfinity;
  if (a & kSign) return env.flags |= sf::kInvalidOp, sf::default_nan<uint32_t>();
  if (a == kInfinity) return 0;
  const uint32_t s = kRecipSqrt[(exponent & 1) == 0][a >> 16 & 0x7f];
  return (380 - exponent) / 2 << 23 | (s & 0xff) << 15;
}

uint32_t unsigned_recip_estimate(uint32_t a) { return a >> 31 ? recip_estimate(a >> 23) << 23 : 0xffffffff; }

uint32_t unsigned_rsqrt_estimate(uint32_t a) {
  if (a >> 30 == 0) return 0xffffffff;
  const bool upper = a >> 31;
  return uint32_t{kRecipSqrt[upper][(upper ? a >> 24 : a >> 23) & 0x7f]} << 23;
}

// The product of FPRecipStep and FPRSqrtStep: infinity times zero is zero.
uint32_t step_product(uint32_t n, uint32_t m, sf::Environment& env) {
  if ((sf::abs(n) == kInfinity && is_zero(m, env)) || (sf::abs(m) == kInfinity && is_zero(n, env))) return 0;
  return sf::mul(n, m, env);
}

constexpr bool is_comparison(Op op) {
  return (op >= Op::FCmpEq && op <= Op::FAbsCmpGt) || (op >= Op::FCmpGt0 && op <= Op::FCmpLt0);
}

template <Op op>
bool compare(uint32_t n, uint32_t m, sf::Environment& env) {
  if constexpr (op == Op::FCmpEq)
    return sf::compare_eq(n, m, env);
  else if constexpr (op == Op::FCmpGe)
    return sf::compare_ge(n, m, env);
  else if constexpr (op == Op::FCmpGt)
    return sf::compare_gt(n, m, env);
  else if constexpr (op == Op::FAbsCmpGe)
    return sf::compare_ge(sf::abs(n), sf::abs(m), env);
  else if constexpr (op == Op::FAbsCmpGt)
    return sf::compare_gt(sf::abs(n), sf::abs(m), env);
  else if constexpr (op == Op::FCmpGt0)
    return sf::compare_gt(m, 0u, env);
  else if constexpr (op == Op::FCmpGe0)
    return sf::compare_ge(m, 0u, env);
  else if constexpr (op == Op::FCmpEq0)
    return sf::compare_eq(m, 0u, env);
  else if constexpr (op == Op::FCmpLe0)
    return sf::compare_ge(0u, m, env);
  else
    return sf::compare_gt(0u, m, env);
}

template <Op op>
uint32_t element(uint32_t d, uint32_t n, uint32_t m, unsigned imm, sf::Environment& env) {
  if constexpr (op == Op::FAdd || op == Op::FPAdd)
    return sf::add(n, m, env);
  else if constexpr (op == Op::FSub)
    return sf::sub(n, m, env);
  else if constexpr (op == Op::FMul)
    return sf::mul(n, m, env);
  else if constexpr (op == Op::FMla)
    return sf::add(d, sf::mul(n, m, env), env);
  else if constexpr (op == Op::FMls)
    return sf::add(d, sf::neg(sf::mul(n, m, env)), env);
  else if constexpr (op == Op::FFma)
    return sf::mul_add(d, n, m, env);
  else if constexpr (op == Op::FFms)
    return sf::mul_add(d, sf::neg(n), m, env);
  else if constexpr (op == Op::FAbd)
    return sf::abs(sf::sub(n, m, env));
  else if constexpr (op == Op::FMax || op == Op::FPMax)
    return sf::max(n, m, env);
  else if constexpr (op == Op::FMin || op == Op::FPMin)
    return sf::min(n, m, env);
  else if constexpr (is_comparison(op))
    return compare<op>(n, m, env) ? 0xffffffff : 0;
  else if constexpr (op == Op::FRecps)
    return sf::sub(kTwo, step_product(n, m, env), env);
  else if constexpr (op == Op::FRsqrts)  // FPHalvedSub: halving is exact here
    return sf::mul(sf::sub(kThree, step_product(n, m, env), env), kHalf, env);
  else if constexpr (op == Op::FAbs)
    return sf::abs(m);
  else if constexpr (op == Op::FNeg)
    return sf::neg(m);
  else if constexpr (op == Op::FRecpe)
    return recip_estimate_fp(m, env);
  else if constexpr (op == Op::FRsqrte)
    return rsqrt_estimate_fp(m, env);
  else if constexpr (op == Op::URecpe)
    return unsigned_recip_estimate(m);
  else if constexpr (op == Op::URsqrte)
    return unsigned_rsqrt_estimate(m);
  else if constexpr (op == Op::FToS || op == Op::FToU)
    return sf::to_fixed(m, 32, imm, op == Op::FToU, true, env);
  else
    return sf::from_fixed<uint32_t>(m, 32, imm, op == Op::FFromU, true, env);
}

// Four of them; halves are the lower 64 bits.
template <Op op>
void convert_half(uint32_t* d, const uint32_t* m, sf::Environment& env) {
  uint16_t half[4];
  if constexpr (op == Op::FToHalf) {
    for (int i = 0; i < 4; i++) half[i] = sf::single_to_half(m[i], env);
    std::memcpy(d, half, sizeof half);
  } else {
    std::memcpy(half, m, sizeof half);
    for (int i = 0; i < 4; i++) d[i] = sf::half_to_single(half[i], env);
  }
}

template <Op op>
uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
  const Operands o = Operands::unpack(packed);
  sf::Environment env = sf::Environment::standard(cpu->fpscr);
  if constexpr (op == Op::FToHalf || op == Op::FFromHalf) {
    const Elements<uint32_t> m = read<uint32_t>(*cpu, o.m, op == Op::FToHalf);
    Elements<uint32_t> d;
    convert_half<op>(d.e, m.e, env);
    write(*cpu, o.d, op == Op::FFromHalf, d);
  } else {
    const Elements<uint32_t> n = read<uint32_t>(*cpu, o.n, o.q), m = read_second<uint32_t>(*cpu, o, o.q);
    Elements<uint32_t> d = read<uint32_t>(*cpu, o.d, o.q);
    if constexpr (op == Op::FPAdd || op == Op::FPMax || op == Op::FPMin) {
      d[0] = element<op>(0, n[0], n[1], 0, env);
      d[1] = element<op>(0, m[0], m[1], 0, env);
    } else {
      for (int i = 0; i < lanes<uint32_t>(o.q); i++) d[i] = element<op>(d[i], n[i], m[i], o.imm, env);
    }
    write(*cpu, o.d, o.q, d);
  }
  cpu->fpscr |= env.flags;
  return 0;
}

template <Op op>
void run_slow(CpuState* cpu, void* slots) {
  uint32_t v[3][4];
  std::memcpy(v, slots, sizeof v);
  sf::Environment env = sf::Environment::standard(cpu->fpscr);
  if constexpr (op == Op::FToHalf || op == Op::FFromHalf) {
    convert_half<op>(v[0], v[2], env);
  } else {
    const unsigned imm = v[1][0];
    for (int i = 0; i < 4; i++) v[0][i] = element<op>(v[0][i], v[1][i], v[2][i], imm, env);
  }
  std::memcpy(slots, v[0], sizeof v[0]);
  cpu->fpscr |= env.flags;
}

constexpr int kFirst = static_cast<int>(Op::FAdd), kCount = static_cast<int>(Op::Count) - kFirst;

template <int... i>
constexpr std::array<Helper, kCount> all_helpers(std::integer_sequence<int, i...>) {
  return {&run<static_cast<Op>(kFirst + i)>...};
}
constexpr auto kHelpers = all_helpers(std::make_integer_sequence<int, kCount>());

template <int i>
constexpr SlowPath slow() {
  return &run_slow<static_cast<Op>(kFirst + i)>;
}
template <int... i>
constexpr std::array<SlowPath, kCount> all_slow(std::integer_sequence<int, i...>) {
  return {slow<i>()...};
}
constexpr auto kSlow = all_slow(std::make_integer_sequence<int, kCount>());

}  // namespace

constinit const EstimateTable kRecipEstimates = [] {
  EstimateTable t{};
  for (uint32_t i = 0; i < 256; i++) t[i] = (recip_estimate(256 + i) & 0xff) << 15;
  return t;
}();
constinit const EstimateTable kRsqrtEstimates = [] {
  EstimateTable t{};
  for (uint32_t i = 0; i < 256; i++) t[i] = (kRecipSqrt[i < 128][i & 0x7f] & 0xffu) << 15;
  return t;
}();

Helper float_helper(Op op) { return kHelpers[static_cast<int>(op) - kFirst]; }
SlowPath slow_path(Op op) { return kSlow[static_cast<int>(op) - kFirst]; }

}  // namespace crosswalk::helpers::simd
