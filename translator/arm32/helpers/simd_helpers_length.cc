// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD integer instructions that pair, lengthen or narrow elements.
#include "translator/arm32/helpers/simd_helpers_kernel.h"

namespace crosswalk::helpers::simd {
namespace {

template <Op op, class T>
struct Pairwise {
  static constexpr bool kValid = sizeof(T) < 8;

  static T element(T a, T b) {
    if constexpr (op == Op::PAdd)
      return static_cast<T>(a + b);
    else if constexpr (op == Op::PMax)
      return a > b ? a : b;
    else
      return a < b ? a : b;
  }

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    if constexpr (op == Op::PAddL || op == Op::PAdaL) {
      using L = Longer<T>;
      const Elements<T> m = read<T>(*cpu, o.m, o.q);
      Elements<L> d = read<L>(*cpu, o.d, o.q);
      for (int i = 0; i < lanes<L>(o.q); i++)
        d[i] = static_cast<L>((op == Op::PAdaL ? Wide{d[i]} : Wide{0}) + m[2 * i] + m[2 * i + 1]);
      write(*cpu, o.d, o.q, d);
    } else {
      const Elements<T> n = read<T>(*cpu, o.n, false), m = read<T>(*cpu, o.m, false);
      Elements<T> d;
      const int half = lanes<T>(false) / 2;
      for (int i = 0; i < half; i++) {
        d[i] = element(n[2 * i], n[2 * i + 1]);
        d[half + i] = element(m[2 * i], m[2 * i + 1]);
      }
      write(*cpu, o.d, false, d);
    }
    return 0;
  }
};

template <Op op, class T>
struct Lengthen {
  using L = Longer<T>;
  static constexpr bool saturating = op == Op::QDMlaL || op == Op::QDMlsL || op == Op::QDMulL;
  static constexpr bool kValid = saturating           ? std::is_signed_v<T> && (sizeof(T) == 2 || sizeof(T) == 4)
                                 : op == Op::MulLPoly ? sizeof(T) == 1
                                                      : sizeof(T) < 8;

  static L element(L d, Wide n, Wide m, int imm, bool& qc) {
    const Wide wd = d, difference = n > m ? n - m : m - n;
    if constexpr (op == Op::AddL || op == Op::AddW)
      return static_cast<L>(n + m);
    else if constexpr (op == Op::SubL || op == Op::SubW)
      return static_cast<L>(n - m);
    else if constexpr (op == Op::AbaL)
      return static_cast<L>(wd + difference);
    else if constexpr (op == Op::AbdL)
      return static_cast<L>(difference);
    else if constexpr (op == Op::MlaL)
      return static_cast<L>(wd + n * m);
    else if constexpr (op == Op::MlsL)
      return static_cast<L>(wd - n * m);
    else if constexpr (op == Op::MulL)
      return static_cast<L>(n * m);
    else if constexpr (op == Op::MulLPoly)
      return static_cast<L>(polynomial_product(static_cast<uint8_t>(n), static_cast<uint8_t>(m)));
    else if constexpr (op == Op::QDMlaL)
      return saturate<L>(wd + saturate<L>(2 * n * m, qc), qc);
    else if constexpr (op == Op::QDMlsL)
      return saturate<L>(wd - saturate<L>(2 * n * m, qc), qc);
    else if constexpr (op == Op::QDMulL)
      return saturate<L>(2 * n * m, qc);
    else
      return static_cast<L>(m * (Wide{1} << imm));  // ShlL
  }

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    const Elements<T> n = read<T>(*cpu, o.n, false), m = read_second<T>(*cpu, o, false);
    const Elements<L> wide_n = read<L>(*cpu, o.n & ~1, true);
    Elements<L> d = read<L>(*cpu, o.d, true);
    bool qc = false;
    for (int i = 0; i < lanes<L>(true); i++)
      d[i] = element(d[i], op == Op::AddW || op == Op::SubW ? Wide{wide_n[i]} : Wide{n[i]}, m[i], o.imm, qc);
    write(*cpu, o.d, true, d);
    note_saturation(*cpu, qc);
    return 0;
  }
};

template <Op op, class T>
struct Narrow {
  using L = Longer<T>;
  using U = std::make_unsigned_t<T>;
  static constexpr bool kValid = sizeof(T) < 8;

  static T element(L n, L m, int imm, bool& qc) {
    constexpr Wide half = Wide{1} << (kBits<T> - 1);
    const Wide wn = n, wm = m;
    if constexpr (op == Op::AddHN)
      return static_cast<T>((wn + wm) >> kBits<T>);
    else if constexpr (op == Op::RAddHN)
      return static_cast<T>((wn + wm + half) >> kBits<T>);
    else if constexpr (op == Op::SubHN)
      return static_cast<T>((wn - wm) >> kBits<T>);
    else if constexpr (op == Op::RSubHN)
      return static_cast<T>((wn - wm + half) >> kBits<T>);
    else if constexpr (op == Op::ShrN)
      return static_cast<T>(wm >> imm);
    else if constexpr (op == Op::RShrN)
      return static_cast<T>(shift_right(wm, imm, true));
    else if constexpr (op == Op::QShrN)
      return saturate<T>(wm >> imm, qc);
    else if constexpr (op == Op::QRShrN)
      return saturate<T>(shift_right(wm, imm, true), qc);
    else if constexpr (op == Op::MovN)
      return static_cast<T>(m);
    else if constexpr (op == Op::QMovN)
      return saturate<T>(wm, qc);
    else {
      const Wide s = static_cast<std::make_signed_t<L>>(m);  // signed to unsigned
      if constexpr (op == Op::QShrUN)
        return static_cast<T>(saturate<U>(s >> imm, qc));
      else if constexpr (op == Op::QRShrUN)
        return static_cast<T>(saturate<U>(shift_right(s, imm, true), qc));
      else
        return static_cast<T>(saturate<U>(s, qc));  // QMovUN
    }
  }

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    const Elements<L> n = read<L>(*cpu, o.n & ~1, true), m = read<L>(*cpu, o.m, true);
    Elements<T> d;
    bool qc = false;
    for (int i = 0; i < lanes<T>(false); i++) d[i] = element(n[i], m[i], o.imm, qc);
    write(*cpu, o.d, false, d);
    note_saturation(*cpu, qc);
    return 0;
  }
};

constexpr Table<Op::PAdd, Op::PAdaL, Pairwise> kPairwise;
constexpr Table<Op::AddL, Op::SubW, Lengthen> kLengthen;
constexpr Table<Op::AddHN, Op::QMovUN, Narrow> kNarrow;

}  // namespace

Helper change_length_helper(Op op, unsigned size, bool is_unsigned) {
  if (kPairwise.has(op)) return kPairwise.at(op, size, is_unsigned);
  if (kLengthen.has(op)) return kLengthen.at(op, size, is_unsigned);
  return kNarrow.has(op) ? kNarrow.at(op, size, is_unsigned) : nullptr;
}

}  // namespace crosswalk::helpers::simd
