// SPDX-License-Identifier: GPL-2.0-or-later
// What the files that implement simd_helpers.h share: operands as arrays of elements, saturation,
// dispatch tables.
#pragma once

#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "translator/arm32/helpers/simd_helpers.h"

namespace crosswalk::helpers::simd {

using Wide = __int128;  // holds every sum, product and shifted value of 64-bit elements

template <class T>
inline constexpr int kBits = static_cast<int>(sizeof(T)) * 8;

template <class T>
using Longer = std::conditional_t<
    std::is_signed_v<T>,
    std::conditional_t<sizeof(T) == 1, int16_t, std::conditional_t<sizeof(T) == 2, int32_t, int64_t>>,
    std::conditional_t<sizeof(T) == 1, uint16_t, std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t>>>;

// A D or Q register as elements.
template <class T>
struct Elements {
  T e[16 / sizeof(T)] = {};
  T& operator[](int i) { return e[i]; }
  T operator[](int i) const { return e[i]; }
};

template <class T>
Elements<T> read(const CpuState& cpu, unsigned d, bool q) {
  Elements<T> v;
  std::memcpy(v.e, cpu.vreg + size_t{8} * d, q ? 16 : 8);
  return v;
}

template <class T>
void write(CpuState& cpu, unsigned d, bool q, const Elements<T>& v) {
  std::memcpy(cpu.vreg + size_t{8} * d, v.e, q ? 16 : 8);
}

// The second source operand: register m, or one element of it in every lane.
template <class T>
Elements<T> read_second(const CpuState& cpu, const Operands& o, bool q) {
  if (!o.scalar) return read<T>(cpu, o.m, q);
  const T s = read<T>(cpu, o.m, false)[o.index];
  Elements<T> v;
  for (T& x : v.e) x = s;
  return v;
}

template <class T>
int lanes(bool q) {
  return (q ? 16 : 8) / static_cast<int>(sizeof(T));
}

// SatQ (P.5.3): saturates to T and notes it.
template <class T>
T saturate(Wide v, bool& qc) {
  constexpr Wide low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  if (v < low) return qc = true, static_cast<T>(low);
  if (v > high) return qc = true, static_cast<T>(high);
  return static_cast<T>(v);
}

inline void note_saturation(CpuState& cpu, bool qc) { cpu.fpscr |= uint32_t{qc} << 27; }

// (v + rounding) >> amount, amount >= 0.
inline Wide shift_right(Wide v, int amount, bool round) {
  return amount == 0 ? v : (v + (round ? Wide{1} << (amount - 1) : 0)) >> amount;
}

// Carry-less product of two bytes.
inline uint16_t polynomial_product(uint8_t a, uint8_t b) {
  uint16_t r = 0;
  for (int i = 0; i < 8; i++)
    if (b >> i & 1) r ^= static_cast<uint16_t>(a << i);
  return r;
}

// Table of Kernel<op, T>::run for the operations First..Last and the eight element types; a kernel
// without such a form has kValid = false.
template <Op First, Op Last, template <Op, class> class Kernel>
class Table {
 public:
  constexpr Table() { fill(std::make_integer_sequence<int, kCount>()); }
  constexpr bool has(Op op) const { return op >= First && op <= Last; }
  constexpr Helper at(Op op, unsigned size, bool is_unsigned) const {
    return entry_[static_cast<int>(op) - static_cast<int>(First)][size * 2 + is_unsigned];
  }

 private:
  static constexpr int kCount = static_cast<int>(Last) - static_cast<int>(First) + 1;
  template <Op op, class T>
  static constexpr Helper one() {
    if constexpr (Kernel<op, T>::kValid)
      return &Kernel<op, T>::run;
    else
      return nullptr;
  }
  template <Op op>
  constexpr void row(int i) {
    const Helper all[8] = {one<op, int8_t>(),  one<op, uint8_t>(),  one<op, int16_t>(), one<op, uint16_t>(),
                           one<op, int32_t>(), one<op, uint32_t>(), one<op, int64_t>(), one<op, uint64_t>()};
    for (int j = 0; j < 8; j++) entry_[i][j] = all[j];
  }
  template <int... i>
  constexpr void fill(std::integer_sequence<int, i...>) {
    (row<static_cast<Op>(static_cast<int>(First) + i)>(i), ...);
  }
  Helper entry_[kCount][8] = {};
};

// Each file's part of helper().
Helper same_length_helper(Op op, unsigned size, bool is_unsigned);
Helper change_length_helper(Op op, unsigned size, bool is_unsigned);
Helper permute_helper(Op op, unsigned size);
Helper float_helper(Op op);

}  // namespace crosswalk::helpers::simd
