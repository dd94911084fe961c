// SPDX-License-Identifier: GPL-2.0-or-later
// Translated VFP instructions against softfloat: values and every FPSCR bit, for biased operands in
// every FPSCR mode.
#include <gtest/gtest.h>

#include <functional>

#include "tests/translator/vfp/guest_code.h"
#include "tests/translator/vfp/operands.h"
#include "translator/softfloat/softfloat.h"

namespace crosswalk {
namespace {

using softfloat::Environment;
using testing::GuestCode;
using testing::OperandSource;

constexpr int kRounds = 20000;

// A random FPSCR: any rounding mode, FZ, DN, AHP, and flags; Len and Stride 0.
uint32_t random_fpscr(OperandSource& source) {
  uint32_t v = source.below(4) << 22 | source.below(16) << 28;
  if (source.below(3) == 0) v |= arm::kFpscrFz;
  if (source.below(3) == 0) v |= arm::kFpscrDn;
  if (source.below(3) == 0) v |= arm::kFpscrAhp;
  // The flush-to-zero path depends on IXC.
  if (source.below(2)) v |= static_cast<uint32_t>(source.bits()) & arm::kFpscrCumulativeMask;
  return v;
}

// A32 encodings with Vd = 0, Vn = 1, Vm = 2.
constexpr uint32_t kDouble = 1u << 8;

template <class Bits>
struct Registers {
  Bits d, n, m;
};

// What the instruction does to Vd and, returned in place of flags, FPSCR.
template <class Bits>
using Reference = std::function<Bits(const Registers<Bits>&, Environment&)>;

template <class Bits>
class VfpArithmetic : public ::testing::Test {
 protected:
  static constexpr bool kIsDouble = sizeof(Bits) == 8;
  // S0, S2 (Vn = 1), S4 (Vm = 2); or D0, D1, D2.
  Bits get(uint32_t v) {
    if constexpr (kIsDouble)
      return code_.d(v);
    else
      return code_.s(v * 2);
  }
  void set(uint32_t v, Bits value) {
    if constexpr (kIsDouble)
      code_.set_d(v, value);
    else
      code_.set_s(v * 2, value);
  }

  void check(const char* name, uint32_t encoding, const Reference<Bits>& reference, int rounds = kRounds) {
    code_.translate({encoding | (kIsDouble ? kDouble : 0)});
    OperandSource source(encoding);
    for (int i = 0; i < rounds; i++) {
      Registers<Bits> r{source.operand<Bits>(), source.operand<Bits>(), source.operand<Bits>()};
      if (source.below(4) == 0)
        r.m = r.n ^ static_cast<Bits>(source.below(3)) ^ (source.below(2) ? softfloat::sign_bit<Bits>() : 0);
      const uint32_t fpscr = random_fpscr(source);
      set(0, r.d);
      set(1, r.n);
      set(2, r.m);
      arm::write_fpscr(code_.cpu, fpscr);
      code_.run();
      Environment env = Environment::from_fpscr(fpscr);
      const Bits expected = reference(r, env);
      ASSERT_EQ(get(0), expected) << name << std::hex << " d " << r.d << " n " << r.n << " m " << r.m << " fpscr "
                                  << fpscr << "\n"
                                  << code_.ir();
      ASSERT_EQ(arm::read_fpscr(code_.cpu), fpscr | env.flags)
          << name << std::hex << " d " << r.d << " n " << r.n << " m " << r.m << " fpscr " << fpscr << "\n"
          << code_.ir();
    }
  }

  GuestCode code_;
};
using Precisions = ::testing::Types<uint32_t, uint64_t>;
TYPED_TEST_SUITE(VfpArithmetic, Precisions);

TYPED_TEST(VfpArithmetic, ThreeRegisters) {
  using B = TypeParam;
  using R = const Registers<B>&;
  using E = Environment&;
  using namespace softfloat;
  this->check("VADD", 0xee310a02, [](R r, E e) { return add(r.n, r.m, e); });
  this->check("VSUB", 0xee310a42, [](R r, E e) { return sub(r.n, r.m, e); });
  this->check("VMUL", 0xee210a02, [](R r, E e) { return mul(r.n, r.m, e); });
  this->check("VNMUL", 0xee210a42, [](R r, E e) { return neg(mul(r.n, r.m, e)); });
  this->check("VDIV", 0xee810a02, [](R r, E e) { return div(r.n, r.m, e); });
  this->check("VMLA", 0xee010a02, [](R r, E e) { return add(r.d, mul(r.n, r.m, e), e); });
  this->check("VMLS", 0xee010a42, [](R r, E e) { return add(r.d, neg(mul(r.n, r.m, e)), e); });
  this->check("VNMLS", 0xee110a02, [](R r, E e) { return add(neg(r.d), mul(r.n, r.m, e), e); });
  this->check("VNMLA", 0xee110a42, [](R r, E e) { return add(neg(r.d), neg(mul(r.n, r.m, e)), e); });
  this->check("VFMA", 0xeea10a02, [](R r, E e) { return mul_add(r.d, r.n, r.m, e); });
  this->check("VFMS", 0xeea10a42, [](R r, E e) { return mul_add(r.d, neg(r.n), r.m, e); });
  this->check("VFNMS", 0xee910a02, [](R r, E e) { return mul_add(neg(r.d), r.n, r.m, e); });
  this->check("VFNMA", 0xee910a42, [](R r, E e) { return mul_add(neg(r.d), neg(r.n), r.m, e); });
}

TYPED_TEST(VfpArithmetic, TwoRegisters) {
  using B = TypeParam;
  using R = const Registers<B>&;
  using E = Environment&;
  this->check("VMOV", 0xeeb00a42, [](R r, E) { return r.m; });
  this->check("VABS", 0xeeb00ac2, [](R r, E) { return softfloat::abs(r.m); });
  this->check("VNEG", 0xeeb10a42, [](R r, E) { return softfloat::neg(r.m); });
  this->check("VSQRT", 0xeeb10ac2, [](R r, E e) { return softfloat::sqrt(r.m, e); });
}

// The least normal number out of a rounding that tininess detection sees differently on x86.
TYPED_TEST(VfpArithmetic, LeastNormalResult) {
  using B = TypeParam;
  constexpr int kFraction = sizeof(B) == 4 ? 23 : 52;
  const B least = B{1} << kFraction;
  const B one = (softfloat::sign_bit<B>() >> 1) - least;
  this->code_.translate({0xee210a02u | (this->kIsDouble ? kDouble : 0)});
  for (bool fz : {false, true}) {
    for (bool negative : {false, true}) {
      this->set(1, negative ? softfloat::neg(least) : least);
      this->set(2, one - 1);
      arm::write_fpscr(this->code_.cpu, (fz ? uint32_t{arm::kFpscrFz} : 0) | arm::kFpscrIxc);
      this->code_.run();
      EXPECT_EQ(softfloat::abs(this->get(0)), fz ? 0 : least);
      EXPECT_EQ(arm::read_fpscr(this->code_.cpu) & arm::kFpscrCumulativeMask, arm::kFpscrUfc | arm::kFpscrIxc);
    }
  }
}

// Comparison, alone and with the move of its result to APSR.
TYPED_TEST(VfpArithmetic, Compare) {
  using B = TypeParam;
  OperandSource source(3);
  const uint32_t precision = this->kIsDouble ? kDouble : 0;
  struct Form {
    uint32_t encoding;
    bool signal, zero;
  };
  for (const Form form : {Form{0xeeb40a42, false, false}, Form{0xeeb40ac2, true, false}, Form{0xeeb50a40, false, true},
                          Form{0xeeb50ac0, true, true}}) {
    for (int sequence = 0; sequence < 3; sequence++) {
      constexpr uint32_t kVmrsApsr = 0xeef1fa10, kNop = 0xe320f000;
      if (sequence == 0)
        this->code_.translate({form.encoding | precision});
      else if (sequence == 1)
        this->code_.translate({form.encoding | precision, kVmrsApsr});
      else
        this->code_.translate({form.encoding | precision, kNop, 0xe2800001 /* ADD r0, r0, #1 */, kVmrsApsr});
      for (int i = 0; i < kRounds / 4; i++) {
        const B d = source.operand<B>();
        const B m = source.below(4) ? source.operand<B>()
                                    : d ^ (source.below(2) ? softfloat::sign_bit<B>() : 0) ^ source.below(2);
        const uint32_t fpscr = random_fpscr(source), apsr = source.below(16) << 28;
        this->set(0, d);
        this->set(2, m);
        arm::write_fpscr(this->code_.cpu, fpscr);
        write_nzcv(this->code_.cpu, apsr);
        this->code_.run();
        Environment env = Environment::from_fpscr(fpscr);
        const uint32_t nzcv = softfloat::compare(d, form.zero ? B{0} : m, form.signal, env) << 28;
        ASSERT_EQ(arm::read_fpscr(this->code_.cpu), (fpscr & 0x0fffffff) | env.flags | nzcv)
            << std::hex << form.encoding << " " << d << " " << m << " " << fpscr << "\n"
            << this->code_.ir();
        ASSERT_EQ(read_nzcv(this->code_.cpu), sequence ? nzcv : apsr) << this->code_.ir();
      }
    }
  }
}

TYPED_TEST(VfpArithmetic, IntegerAndFixedPoint) {
  using B = TypeParam;
  using namespace softfloat;
  const uint32_t precision = this->kIsDouble ? kDouble : 0;
  OperandSource source(4);
  auto& code = this->code_;
  // S0 <- (S4 or D2), the integer forms.
  for (const bool is_unsigned : {false, true}) {
    for (const bool truncate : {false, true}) {
      code.translate({0xeebc0a42u | precision | !is_unsigned << 16 | truncate << 7});
      for (int i = 0; i < kRounds; i++) {
        const B m = source.operand<B>();
        const uint32_t fpscr = random_fpscr(source);
        this->set(2, m);
        arm::write_fpscr(code.cpu, fpscr);
        code.run();
        Environment env = Environment::from_fpscr(fpscr);
        const uint32_t expected = to_fixed(m, 32, 0, is_unsigned, truncate, env);
        ASSERT_EQ(code.s(0), expected) << std::hex << m << " " << fpscr << " " << is_unsigned << truncate << "\n"
                                       << code.ir();
        ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << m << " " << fpscr << "\n" << code.ir();
      }
    }
    // (S0 or D0) <- S4.
    code.translate({0xeeb80a42u | precision | !is_unsigned << 7});
    for (int i = 0; i < kRounds / 2; i++) {
      const uint32_t m = static_cast<uint32_t>(source.bits()) >> source.below(32), fpscr = random_fpscr(source);
      code.set_s(4, m);
      arm::write_fpscr(code.cpu, fpscr);
      code.run();
      Environment env = Environment::from_fpscr(fpscr);
      ASSERT_EQ(this->get(0), from_fixed<B>(m, 32, 0, is_unsigned, false, env)) << std::hex << m << " " << fpscr;
      ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << m << " " << fpscr;
    }
  }
  // Fixed point, in place.
  for (const unsigned size : {16u, 32u}) {
    // an immediate of 32 has no encoding
    for (unsigned fraction = size == 32; fraction <= size; fraction++) {
      const uint32_t immediate = size - fraction;
      for (const bool is_unsigned : {false, true}) {
        const uint32_t fields =
            precision | (size == 32) << 7 | (immediate & 1) << 5 | immediate >> 1 | is_unsigned << 16;
        code.translate({0xeebe0a40u | fields});
        for (int i = 0; i < kRounds / 50; i++) {
          const B d = source.operand<B>();
          const uint32_t fpscr = random_fpscr(source);
          this->set(0, d);
          arm::write_fpscr(code.cpu, fpscr);
          code.run();
          Environment env = Environment::from_fpscr(fpscr);
          const uint32_t low = to_fixed(d, size, fraction, is_unsigned, true, env);
          const B expected =
              is_unsigned ? static_cast<B>(low) : static_cast<B>(static_cast<int64_t>(static_cast<int32_t>(low)));
          ASSERT_EQ(this->get(0), expected)
              << std::hex << d << " " << fpscr << " " << size << " " << fraction << is_unsigned;
          ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags)
              << std::hex << d << " " << fpscr << " " << size << " " << fraction;
        }
        code.translate({0xeeba0a40u | fields});
        for (int i = 0; i < kRounds / 50; i++) {
          const B d = static_cast<B>(source.bits()) >> source.below(32);
          const uint32_t fpscr = random_fpscr(source);
          this->set(0, d);
          arm::write_fpscr(code.cpu, fpscr);
          code.run();
          Environment env = Environment::from_fpscr(fpscr);
          ASSERT_EQ(this->get(0), from_fixed<B>(static_cast<uint32_t>(d), size, fraction, is_unsigned, true, env))
              << std::hex << d << " " << fpscr;
          ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags)
              << std::hex << d << " " << fpscr << " " << size << " " << fraction;
        }
      }
    }
  }
}

TEST(VfpConversion, Precision) {
  GuestCode code;
  OperandSource source(8);
  code.translate({0xeeb70ac2});  // VCVT.F64.F32 d0, s4
  for (int i = 0; i < kRounds; i++) {
    const uint32_t m = source.single(), fpscr = random_fpscr(source);
    code.set_s(4, m);
    arm::write_fpscr(code.cpu, fpscr);
    code.run();
    Environment env = Environment::from_fpscr(fpscr);
    ASSERT_EQ(code.d(0), softfloat::single_to_double(m, env)) << std::hex << m << " " << fpscr;
    ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << m << " " << fpscr;
  }
  code.translate({0xeeb70bc2});  // VCVT.F32.F64 s0, d2
  for (int i = 0; i < kRounds; i++) {
    uint64_t m = source.double_();
    if (source.below(2)) {  // near a single-precision number, small ones too
      Environment any;
      m = softfloat::single_to_double(source.single(), any) + (source.below(3) - 1) * (source.bits() >> 34);
    }
    const uint32_t fpscr = random_fpscr(source);
    code.set_d(2, m);
    arm::write_fpscr(code.cpu, fpscr);
    code.run();
    Environment env = Environment::from_fpscr(fpscr);
    ASSERT_EQ(code.s(0), softfloat::double_to_single(m, env)) << std::hex << m << " " << fpscr;
    ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << m << " " << fpscr;
  }
}

TEST(VfpConversion, HalfPrecision) {
  GuestCode code;
  OperandSource source(9);
  for (const bool top : {false, true}) {
    code.translate({0xeeb20a42u | top << 7});  // VCVT(B,T).F32.F16 s0, s4
    for (int i = 0; i < kRounds; i++) {
      const uint16_t h = source.half();
      const uint32_t other = source.half(), fpscr = random_fpscr(source);
      code.set_s(4, top ? uint32_t{h} << 16 | other : h | other << 16);
      code.set_s(5, static_cast<uint32_t>(source.bits()));
      arm::write_fpscr(code.cpu, fpscr);
      code.run();
      Environment env = Environment::from_fpscr(fpscr);
      ASSERT_EQ(code.s(0), softfloat::half_to_single(h, env)) << std::hex << h << " " << fpscr;
      ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << h << " " << fpscr;
    }
    code.translate({0xeeb30a42u | top << 7});  // VCVT(B,T).F16.F32 s0, s4
    for (int i = 0; i < kRounds; i++) {
      uint32_t m = source.single();
      if (source.below(2)) {
        Environment any;
        m = softfloat::half_to_single(source.half(), any) + (source.below(3) - 1) * source.below(0x4000);
      }
      const uint32_t old = static_cast<uint32_t>(source.bits()), fpscr = random_fpscr(source);
      code.set_s(0, old);
      code.set_s(4, m);
      code.set_s(5, source.single());
      arm::write_fpscr(code.cpu, fpscr);
      code.run();
      Environment env = Environment::from_fpscr(fpscr);
      const uint32_t h = softfloat::single_to_half(m, env);
      ASSERT_EQ(code.s(0), top ? h << 16 | (old & 0xffff) : h | (old & 0xffff0000)) << std::hex << m << " " << fpscr;
      ASSERT_EQ(arm::read_fpscr(code.cpu), fpscr | env.flags) << std::hex << m << " " << fpscr;
    }
  }
}

}  // namespace
}  // namespace crosswalk
