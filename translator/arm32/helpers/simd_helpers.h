// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD instructions as plain functions on CpuState::vreg, element by element, as the Arm
// pseudocode has them (ARM DDI 0406C, A8.8). They run whatever has no native emitter, and are the
// oracle that the emitters are tested with.
//
// A helper neither reads nor writes the general registers and NZCV. Saturation and cumulative
// exceptions go to CpuState::fpscr.
#pragma once

#include <array>
#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::helpers::simd {

// The operands of one instruction, packed in a helper's first argument. d, n and m are numbers of D
// registers; a Q register is named by its lower half.
struct Operands {
  uint8_t d = 0, n = 0, m = 0;
  // whole operands are 128 bits; ignored where the shape says (long, wide, narrow)
  bool q = false;
  uint8_t imm = 0;      // shift amount, fraction bits, byte position, table length, ...
  bool scalar = false;  // the second operand is element `index` of D register m, for every lane
  uint8_t index = 0;    // 0-7
  constexpr uint32_t pack() const {
    return d | uint32_t{n} << 5 | uint32_t{m} << 10 | uint32_t{q} << 15 | uint32_t{imm} << 16 | uint32_t{scalar} << 24 |
           uint32_t{index} << 25;
  }
  static constexpr Operands unpack(uint32_t v) {
    return {static_cast<uint8_t>(v & 31),       static_cast<uint8_t>(v >> 5 & 31),
            static_cast<uint8_t>(v >> 10 & 31), (v >> 15 & 1) != 0,
            static_cast<uint8_t>(v >> 16),      (v >> 24 & 1) != 0,
            static_cast<uint8_t>(v >> 25 & 7)};
  }
};

enum class Op : uint8_t {
  // Same length, integer: d = f(d, n, m). `size` is the element's. The shifts take the value from
  // m, the amount from n.
  And,
  Bic,
  Orr,
  Orn,
  Eor,
  Bsl,
  Bit,
  Bif,
  HAdd,
  RHAdd,
  HSub,
  QAdd,
  QSub,
  Add,
  Sub,
  CmpGt,
  CmpGe,
  CmpEq,
  Tst,
  Shl,
  QShl,
  RShl,
  QRShl,
  Max,
  Min,
  Abd,
  Aba,
  Mla,
  Mls,
  Mul,
  MulPoly,
  QDMulH,
  QRDMulH,
  // Same length, one operand and perhaps an immediate: d = f(d, m, imm).
  ShrImm,
  SraImm,
  RShrImm,
  RSraImm,
  SriImm,
  ShlImm,
  SliImm,
  QShluImm,
  QShlImm,
  Cls,
  Clz,
  Cnt,
  Mvn,
  QAbs,
  QNeg,
  Abs,
  Neg,
  CmpGt0,
  CmpGe0,
  CmpEq0,
  CmpLe0,
  CmpLt0,
  // Pairs of adjacent elements.
  PAdd,
  PMax,
  PMin,
  PAddL,
  PAdaL,
  // Long and wide: `size` is the narrow operand's; the result has twice its width.
  AddL,
  SubL,
  AbaL,
  AbdL,
  MlaL,
  MlsL,
  MulL,
  MulLPoly,
  QDMlaL,
  QDMlsL,
  QDMulL,
  ShlL,
  AddW,
  SubW,
  // Narrowing: `size` is the result's.
  AddHN,
  RAddHN,
  SubHN,
  RSubHN,
  ShrN,
  RShrN,
  QShrN,
  QRShrN,
  QShrUN,
  QRShrUN,
  MovN,
  QMovN,
  QMovUN,
  // Moves of elements. Dup: element `index`. Ext: imm bytes. Tbl: imm table registers from n.
  Rev64,
  Rev32,
  Rev16,
  Swp,
  Trn,
  Uzp,
  Zip,
  Dup,
  Ext,
  Tbl,
  Tbx,
  // Single precision, with the standard FPSCR value (A2.7.5).
  FAdd,
  FSub,
  FMul,
  FMla,
  FMls,
  FFma,
  FFms,
  FAbd,
  FMax,
  FMin,
  FCmpEq,
  FCmpGe,
  FCmpGt,
  FAbsCmpGe,
  FAbsCmpGt,
  FRecps,
  FRsqrts,
  FPAdd,
  FPMax,
  FPMin,
  FCmpGt0,
  FCmpGe0,
  FCmpEq0,
  FCmpLe0,
  FCmpLt0,
  FAbs,
  FNeg,
  FRecpe,
  FRsqrte,
  URecpe,
  URsqrte,
  // Between single precision and 32-bit integers or fixed point with imm fraction bits; half
  // precision.
  FToS,
  FToU,
  FFromS,
  FFromU,
  FToHalf,
  FFromHalf,
  Count
};

using Helper = uint64_t (*)(CpuState* cpu, uint32_t operands, uint32_t, uint32_t);

// The helper for elements of (8 << size) bits; null when the instruction has no such form.
// `is_unsigned` matters only where the pseudocode reads U.
Helper helper(Op op, unsigned size, bool is_unsigned);

// One lane-wise floating-point operation on operands in memory, for the slow paths of native code:
// `slots` are d, n and m, 16 bytes each; d receives the result. The conversions with fraction bits
// take their number from the first word of n.
using SlowPath = void (*)(CpuState* cpu, void* slots);
SlowPath slow_path(Op op);
// The same for the shifts by register; all 16 bytes.
SlowPath shift_path(Op op, unsigned size, bool is_unsigned);

// Bits 22:0 of VRECPE's and VRSQRTE's results by their operand: bits 22:15; bits 23:16.
using EstimateTable = std::array<uint32_t, 256>;
extern const EstimateTable kRecipEstimates, kRsqrtEstimates;

}  // namespace crosswalk::helpers::simd
