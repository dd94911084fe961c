// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD instructions that move elements: VREV, VSWP, VTRN, VUZP, VZIP, VDUP, VEXT, VTBL,
// VTBX.
#include <algorithm>

#include "translator/arm32/helpers/simd_helpers_kernel.h"

namespace crosswalk::helpers::simd {
namespace {

template <Op op, class T>
struct Permute {
  static constexpr int reversed_bytes = op == Op::Rev64 ? 8 : op == Op::Rev32 ? 4 : 2;
  static constexpr bool reverse = op == Op::Rev64 || op == Op::Rev32 || op == Op::Rev16;
  static constexpr bool whole = op == Op::Swp || op == Op::Ext || op == Op::Tbl || op == Op::Tbx;
  static constexpr bool kValid = std::is_unsigned_v<T> && (reverse ? sizeof(T) < reversed_bytes
                                                           : whole ? sizeof(T) == 1
                                                                   : sizeof(T) < 8);

  static uint64_t run(CpuState* cpu, uint32_t packed, uint32_t, uint32_t) {
    const Operands o = Operands::unpack(packed);
    const int count = lanes<T>(o.q);
    const Elements<T> d = read<T>(*cpu, o.d, o.q), n = read<T>(*cpu, o.n, o.q), m = read<T>(*cpu, o.m, o.q);
    Elements<T> new_d = d, new_m = m;
    bool two = false;
    if constexpr (reverse) {
      constexpr int group = reversed_bytes / static_cast<int>(sizeof(T));
      for (int i = 0; i < count; i++) new_d[i] = m[i ^ (group - 1)];
    } else if constexpr (op == Op::Swp) {
      new_d = m;
      new_m = d;
      two = true;
    } else if constexpr (op == Op::Trn) {
      for (int i = 0; i < count; i += 2) {
        new_d[i + 1] = m[i];
        new_m[i] = d[i + 1];
      }
      two = true;
    } else if constexpr (op == Op::Uzp || op == Op::Zip) {
      // One sequence of twice the length: register d, then register m.
      const auto at = [&](int i) { return i < count ? d[i] : m[i - count]; };
      const auto from = [&](int i) {
        if constexpr (op == Op::Uzp)
          return i < count ? at(2 * i) : at(2 * (i - count) + 1);
        else
          return i % 2 == 0 ? d[i / 2] : m[i / 2];
      };
      for (int i = 0; i < count; i++) {
        new_d[i] = from(i);
        new_m[i] = from(count + i);
      }
      two = true;
    } else if constexpr (op == Op::Dup) {
      const T s = read<T>(*cpu, o.m, false)[o.index];
      for (int i = 0; i < count; i++) new_d[i] = s;
    } else if constexpr (op == Op::Ext) {
      for (int i = 0; i < count; i++) new_d[i] = i + o.imm < count ? n[i + o.imm] : m[i + o.imm - count];
    } else {
      // VTBL, VTBX: imm registers from n on.
      for (int i = 0; i < 8; i++) {
        const unsigned index = m[i];
        if (index < 8u * o.imm)
          new_d[i] = static_cast<T>(cpu->vreg[(8 * o.n + index) % sizeof(cpu->vreg)]);
        else if (op == Op::Tbl)
          new_d[i] = 0;
      }
    }
    // With d = m both results go to one register and its content is UNKNOWN (A8.8.421): the second
    // is kept.
    write(*cpu, o.d, o.q, new_d);
    if (two) write(*cpu, o.m, o.q, new_m);
    return 0;
  }
};

constexpr Table<Op::Rev64, Op::Tbx, Permute> kPermute;

}  // namespace

Helper permute_helper(Op op, unsigned size) { return kPermute.at(op, size, true); }

}  // namespace crosswalk::helpers::simd
