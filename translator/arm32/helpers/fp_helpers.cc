// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/helpers/fp_helpers.h"

#include "translator/arm32/cpu/fp_system.h"
#include "translator/ir/ir.h"
#include "translator/softfloat/softfloat.h"

namespace crosswalk::helpers {

uint64_t read_fp_system_register(CpuState* cpu, uint32_t reg, uint32_t, uint32_t) {
  uint32_t value = 0;
  if (arm::read_fp_register(*cpu, reg, value) & arm::kEffectUndefined) return uint64_t{1} << 32;
  return value;
}

// The other effects need nothing here: MXCSR is reloaded after every call, and the frontend ends
// the block after FPEXC.
uint64_t write_fp_system_register(CpuState* cpu, uint32_t reg, uint32_t value, uint32_t) {
  return (arm::write_fp_register(*cpu, reg, value) & arm::kEffectUndefined) != 0;
}

namespace {

using softfloat::Environment;

// Runs `f` with FPSCR's environment; stores its result and accumulates its exceptions.
template <class F>
uint64_t run(CpuState* cpu, F f) {
  Environment env = Environment::from_fpscr(cpu->fpscr);
  cpu->fp_operands[0] = f(env);
  cpu->fpscr |= env.flags;
  return 0;
}

template <class Bits>
Bits operand(const CpuState* cpu, unsigned n) {
  return static_cast<Bits>(cpu->fp_operands[n]);
}

template <class Bits, Bits (*F)(Bits, Bits, Environment&)>
uint64_t binary(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return F(operand<Bits>(cpu, 0), operand<Bits>(cpu, 1), env); });
}

template <class Bits>
uint64_t mul_add(CpuState* cpu) {
  return run(cpu, [=](Environment& env) {
    return softfloat::mul_add(operand<Bits>(cpu, 0), operand<Bits>(cpu, 1), operand<Bits>(cpu, 2), env);
  });
}

template <class Bits>
uint64_t compare(CpuState* cpu, bool signal) {
  return run(cpu, [=](Environment& env) {
    return softfloat::compare(operand<Bits>(cpu, 0), operand<Bits>(cpu, 1), signal, env);
  });
}

template <class Bits>
uint64_t to_fixed(CpuState* cpu) {
  const ir::FixedPoint fixed = ir::FixedPoint::unpack(operand<uint32_t>(cpu, 1));
  return run(cpu, [=](Environment& env) {
    return softfloat::to_fixed(operand<Bits>(cpu, 0), fixed.size, fixed.fraction_bits, fixed.is_unsigned,
                               fixed.fixed_rounding, env);
  });
}

template <class Bits>
uint64_t from_fixed(CpuState* cpu) {
  const ir::FixedPoint fixed = ir::FixedPoint::unpack(operand<uint32_t>(cpu, 1));
  return run(cpu, [=](Environment& env) {
    return softfloat::from_fixed<Bits>(operand<uint32_t>(cpu, 0), fixed.size, fixed.fraction_bits, fixed.is_unsigned,
                                       fixed.fixed_rounding, env);
  });
}

}  // namespace

uint64_t fp_add32(CpuState* cpu) { return binary<uint32_t, softfloat::add>(cpu); }
uint64_t fp_add64(CpuState* cpu) { return binary<uint64_t, softfloat::add>(cpu); }
uint64_t fp_sub32(CpuState* cpu) { return binary<uint32_t, softfloat::sub>(cpu); }
uint64_t fp_sub64(CpuState* cpu) { return binary<uint64_t, softfloat::sub>(cpu); }
uint64_t fp_mul32(CpuState* cpu) { return binary<uint32_t, softfloat::mul>(cpu); }
uint64_t fp_mul64(CpuState* cpu) { return binary<uint64_t, softfloat::mul>(cpu); }
uint64_t fp_div32(CpuState* cpu) { return binary<uint32_t, softfloat::div>(cpu); }
uint64_t fp_div64(CpuState* cpu) { return binary<uint64_t, softfloat::div>(cpu); }
uint64_t fp_sqrt32(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::sqrt(operand<uint32_t>(cpu, 0), env); });
}
uint64_t fp_sqrt64(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::sqrt(operand<uint64_t>(cpu, 0), env); });
}
uint64_t fp_mul_add32(CpuState* cpu) { return mul_add<uint32_t>(cpu); }
uint64_t fp_mul_add64(CpuState* cpu) { return mul_add<uint64_t>(cpu); }
uint64_t fp_compare32(CpuState* cpu) { return compare<uint32_t>(cpu, false); }
uint64_t fp_compare64(CpuState* cpu) { return compare<uint64_t>(cpu, false); }
uint64_t fp_compare_signal32(CpuState* cpu) { return compare<uint32_t>(cpu, true); }
uint64_t fp_compare_signal64(CpuState* cpu) { return compare<uint64_t>(cpu, true); }
uint64_t fp_single_to_double(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::single_to_double(operand<uint32_t>(cpu, 0), env); });
}
uint64_t fp_double_to_single(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::double_to_single(operand<uint64_t>(cpu, 0), env); });
}
uint64_t fp_half_to_single(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::half_to_single(operand<uint16_t>(cpu, 0), env); });
}
uint64_t fp_single_to_half(CpuState* cpu) {
  return run(cpu, [=](Environment& env) { return softfloat::single_to_half(operand<uint32_t>(cpu, 0), env); });
}
uint64_t fp_to_fixed32(CpuState* cpu) { return to_fixed<uint32_t>(cpu); }
uint64_t fp_to_fixed64(CpuState* cpu) { return to_fixed<uint64_t>(cpu); }
uint64_t fp_from_fixed32(CpuState* cpu) { return from_fixed<uint32_t>(cpu); }
uint64_t fp_from_fixed64(CpuState* cpu) { return from_fixed<uint64_t>(cpu); }

}  // namespace crosswalk::helpers
