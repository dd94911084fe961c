// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD integer instructions whose operands and results have elements of one size.
#include <bit>

#include "translator/arm32/helpers/simd_helpers_kernel.h"

namespace crosswalk::helpers::simd {
namespace {

// VSHL, VRSHL, VQSHL, VQRSHL (register): amount is a signed byte; negative shifts right.
template <class T, bool kRound, bool kSaturate>
T shift_by_register(T value, int8_t amount, bool& qc) {
  if (amount < 0) {
    // Beyond one more than the width nothing changes any more.
    const int right = -amount > kBits<T> ? kBits<T> + 1 : -amount;
    return static_cast<T>(shift_right(value, right, kRound));
  }
  if constexpr (kSaturate) {
    if (value == 0) return 0;
    if (amount >= kBits<T>) return saturate<T>(value < 0 ? -(Wide{1} << 100) : Wide{1} << 100, qc);
    return saturate<T>(static_cast<Wide>(value) * (Wide{1} << amount), qc);
  }
  return amount >= kBits<T> ? 0 : static_cast<T>(static_cast<uint64_t>(value) << amount);
}

template <Op op, class T>
struct Binary {
  using U = std::make_unsigned_t<T>;
  static constexpr bool bitwise = op <= Op::Bif;
  static constexpr bool any_size = bitwise || op == Op::QAdd || op == Op::QSub || op == Op::Add || op == Op::Sub ||
                                   (op >= Op::Shl && op <= Op::QRShl);
  static constexpr bool doubling = op == Op::QDMulH || op == Op::QRDMulH;
  static constexpr bool kValid = doubling            ? sizeof(T) == 2 || sizeof(T) == 4
                                 : op == Op::MulPoly ? sizeof(T) == 1
                                                     : any_size || sizeof(T) < 8;

  static T mask(bool b) { return b ? static_cast<T>(~T{0}) : T{0}; }

  static T combine(T d, T n, T m) {
    if constexpr (op == Op::And)
      return n & m;
    else if constexpr (op == Op::Bic)
      return n & ~m;
    else if constexpr (op == Op::Orr)
      return n | m;
    else if constexpr (op == Op::Orn)
      return n | ~m;
    else if constexpr (op == Op::Eor)
      return n ^ m;
    else if constexpr (op == Op::Bsl)
      return (n & d) | (m & ~d);
    else if constexpr (op == Op::Bit)
      return (n & m) | (d & ~m);
    else
      return (d & m) | (n & ~m);
  }

  static T element(T d, T n, T m, bool& qc) {
    const Wide wn = n, wm = m, wd = d;
    if constexpr (bitwise)
      return combine(d, n, m);
    else if constexpr (op == Op::HAdd)
      return static_cast<T>((wn + wm) >> 1);
    else if constexpr (op == Op::RHAdd)
      return static_cast<T>((wn + wm + 1) >> 1);
    else if constexpr (op == Op::HSub)
      return static_cast<T>((wn - wm) >> 1);
    else if constexpr (op == Op::QAdd)
      return saturate<T>(wn + wm, qc);
    else if constexpr (op == Op::QSub)
      return saturate<T>(wn - wm, qc);
    else if constexpr (op == Op::Add)
      return static_cast<T>(wn + wm);
    else if constexpr (op == Op::Sub)
      return static_cast<T>(wn - wm);
    else if constexpr (op == Op::CmpGt)
      return mask(n > m);
    else if constexpr (op == Op::CmpGe)
      return mask(n >= m);
    else if constexpr (op == Op::CmpEq)
      return mask(n == m);
    else if constexpr (op == Op::Tst)
      return mask((n & m) != 0);
    else if constexpr (op == Op::Shl)
      return shift_by_register<T, false, false>(m, static_cast<int8_t>(n), qc);
    else if constexpr (op == Op::QShl)
      return shift_by_register<T, false, true>(m, static_cast<int8_t>(n), qc);
    else if constexpr (op == Op::RShl)
      return shift_by_register<T, true, false>(m, static_cast<int8_t>(n), qc);
    else if constexpr (op == Op::QRShl)
      return shift_by_register<T, true, true>(m, static_cast<int8_t>(n), qc);
    else if constexpr (op == Op::Max)
      return n > m ? n : m;
    else if constexpr (op == Op::Min)
      return n < m ? n : m;
    else if constexpr (op == Op::Abd)
      return static_cast<T>(n > m ? wn - wm : wm - wn);
    else if constexpr (op == Op::Aba)
      return static_cast<T>(wd + (n > m ? wn - wm : wm - wn));
    else if constexpr (op == Op::Mla)
      return static_cast<T>(wd + wn * wm);
    else if constexpr (op == Op::Mls)
      return static_cast<T>(wd - wn * wm);
    else if constexpr (op == Op::Mul)
      return static_cast<T>(wn * wm);
    else if constexpr (op == Op::MulPoly)
      return static_cast<T>(polynomial_product(n, m));
    else if constexpr (op == Op::QDMulH || op == Op::QRDMulH) {
      using S = std::make_signed_t<T>;
      const Wide product = 2 * Wide{static_cast<S>(n)} * static_cast<S>(m);
      return static_cast<T>(
          saturate<S>((product + (op == Op::QRDMulH ? Wide{1} << (kBits<T> - 1) : 0)) >> kBits<T>, qc));
    }
  }

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    const Elements<T> n = read<T>(*cpu, o.n, o.q), m = read_second<T>(*cpu, o, o.q);
    Elements<T> d = read<T>(*cpu, o.d, o.q);
    bool qc = false;
    for (int i = 0; i < lanes<T>(o.q); i++) d[i] = element(d[i], n[i], m[i], qc);
    write(*cpu, o.d, o.q, d);
    note_saturation(*cpu, qc);
    return 0;
  }
};

template <Op op, class T>
struct Unary {
  using U = std::make_unsigned_t<T>;
  using S = std::make_signed_t<T>;
  static constexpr bool kValid = op == Op::Cnt ? sizeof(T) == 1 : op <= Op::QShlImm || op == Op::Mvn || sizeof(T) < 8;

  static T mask(bool b) { return b ? static_cast<T>(~T{0}) : T{0}; }

  // Shifts right by 1 to the width, left by 0 to the width less one.
  static T element(T d, T m, int imm, bool& qc) {
    const Wide wm = m;
    const S s = static_cast<S>(m);
    if constexpr (op == Op::ShrImm)
      return static_cast<T>(wm >> imm);
    else if constexpr (op == Op::SraImm)
      return static_cast<T>(d + (wm >> imm));
    else if constexpr (op == Op::RShrImm)
      return static_cast<T>(shift_right(wm, imm, true));
    else if constexpr (op == Op::RSraImm)
      return static_cast<T>(d + shift_right(wm, imm, true));
    else if constexpr (op == Op::SriImm) {
      const Wide keep = (Wide{static_cast<U>(~U{0})} >> imm);
      return static_cast<T>((Wide{static_cast<U>(m)} >> imm) | (d & ~keep));
    } else if constexpr (op == Op::ShlImm)
      return static_cast<T>(static_cast<U>(m) * (Wide{1} << imm));
    else if constexpr (op == Op::SliImm) {
      const Wide keep = (Wide{1} << imm) - 1;
      return static_cast<T>((static_cast<Wide>(static_cast<U>(m)) << imm) | (d & keep));
    } else if constexpr (op == Op::QShluImm)
      return static_cast<T>(saturate<U>(Wide{s} * (Wide{1} << imm), qc));
    else if constexpr (op == Op::QShlImm)
      return saturate<T>(wm * (Wide{1} << imm), qc);
    else if constexpr (op == Op::Cls)
      return static_cast<T>(std::countl_zero(static_cast<U>(s ^ (s >> 1))) - 1);
    else if constexpr (op == Op::Clz)
      return static_cast<T>(std::countl_zero(static_cast<U>(m)));
    else if constexpr (op == Op::Cnt)
      return static_cast<T>(std::popcount(static_cast<U>(m)));
    else if constexpr (op == Op::Mvn)
      return static_cast<T>(~m);
    else if constexpr (op == Op::QAbs)
      return static_cast<T>(saturate<S>(s < 0 ? -Wide{s} : Wide{s}, qc));
    else if constexpr (op == Op::QNeg)
      return static_cast<T>(saturate<S>(-Wide{s}, qc));
    else if constexpr (op == Op::Abs)
      return static_cast<T>(s < 0 ? -Wide{s} : Wide{s});
    else if constexpr (op == Op::Neg)
      return static_cast<T>(-Wide{s});
    else if constexpr (op == Op::CmpGt0)
      return mask(s > 0);
    else if constexpr (op == Op::CmpGe0)
      return mask(s >= 0);
    else if constexpr (op == Op::CmpEq0)
      return mask(s == 0);
    else if constexpr (op == Op::CmpLe0)
      return mask(s <= 0);
    else if constexpr (op == Op::CmpLt0)
      return mask(s < 0);
  }

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    const Elements<T> m = read<T>(*cpu, o.m, o.q);
    Elements<T> d = read<T>(*cpu, o.d, o.q);
    bool qc = false;
    for (int i = 0; i < lanes<T>(o.q); i++) d[i] = element(d[i], m[i], o.imm, qc);
    write(*cpu, o.d, o.q, d);
    note_saturation(*cpu, qc);
    return 0;
  }
};

constexpr Table<Op::And, Op::QRDMulH, Binary> kBinary;
constexpr Table<Op::ShrImm, Op::CmpLt0, Unary> kUnary;

template <Op op, class T>
void run_shift(CpuState* cpu, void* slots) {
  Elements<T> v[3];
  std::memcpy(v, slots, sizeof v);
  bool qc = false;
  for (int i = 0; i < lanes<T>(true); i++) v[0][i] = Binary<op, T>::element(T{0}, v[1][i], v[2][i], qc);
  std::memcpy(slots, v, sizeof v[0]);
  note_saturation(*cpu, qc);
}

template <Op op>
SlowPath shift_of(unsigned size, bool is_unsigned) {
  switch (size * 2 + is_unsigned) {
    case 0: return &run_shift<op, int8_t>;
    case 1: return &run_shift<op, uint8_t>;
    case 2: return &run_shift<op, int16_t>;
    case 3: return &run_shift<op, uint16_t>;
    case 4: return &run_shift<op, int32_t>;
    case 5: return &run_shift<op, uint32_t>;
    case 6: return &run_shift<op, int64_t>;
    default: return &run_shift<op, uint64_t>;
  }
}

}  // namespace

SlowPath shift_path(Op op, unsigned size, bool is_unsigned) {
  switch (op) {
    case Op::Shl: return shift_of<Op::Shl>(size, is_unsigned);
    case Op::QShl: return shift_of<Op::QShl>(size, is_unsigned);
    case Op::RShl: return shift_of<Op::RShl>(size, is_unsigned);
    default: return shift_of<Op::QRShl>(size, is_unsigned);
  }
}

Helper same_length_helper(Op op, unsigned size, bool is_unsigned) {
  return kBinary.has(op)  ? kBinary.at(op, size, is_unsigned)
         : kUnary.has(op) ? kUnary.at(op, size, is_unsigned)
                          : nullptr;
}

Helper helper(Op op, unsigned size, bool is_unsigned) {
  if (op <= Op::CmpLt0) return same_length_helper(op, size, is_unsigned);
  if (op <= Op::QMovUN) return change_length_helper(op, size, is_unsigned);
  if (op <= Op::Tbx) return permute_helper(op, size);
  return float_helper(op);
}

}  // namespace crosswalk::helpers::simd
