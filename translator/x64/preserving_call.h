// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <xbyak/xbyak.h>

#include <initializer_list>

namespace crosswalk::x64 {

// Calls uint64_t f(uint64_t a, uint64_t b, uint64_t c, uint64_t d) from the given general registers
// with every other register (general and SIMD, not flags) preserved; the result goes to `result`.
// Slow; for rare paths, out of line.
void call_preserving(Xbyak::CodeGenerator& code, const void* f, std::initializer_list<Xbyak::Operand> args,
                     Xbyak::Reg64 result);

}  // namespace crosswalk::x64
