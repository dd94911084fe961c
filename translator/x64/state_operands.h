// SPDX-License-Identifier: GPL-2.0-or-later
// Fields of CpuState as memory operands of translated code. `offset` is in bytes from the start of
// CpuState.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/x64/assembler.h"

namespace crosswalk::x64 {

inline int state_displacement(size_t offset) { return static_cast<int>(offset) - kStateBias; }
inline Xbyak::Address state16(size_t offset) {
  return Xbyak::util::word[Xbyak::util::r15 + state_displacement(offset)];
}
inline StateField<8> state8(size_t offset) { return {state_displacement(offset)}; }
inline StateField<32> state32(size_t offset) { return {state_displacement(offset)}; }
inline StateField<64> state64(size_t offset) { return {state_displacement(offset)}; }
inline Xbyak::Address state128(size_t offset) {
  return Xbyak::util::xword[Xbyak::util::r15 + state_displacement(offset)];
}

constexpr size_t reg_offset(uint32_t n) { return offsetof(CpuState, r) + size_t{4} * n; }

}  // namespace crosswalk::x64
