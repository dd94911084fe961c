// SPDX-License-Identifier: GPL-2.0-or-later
// What emitted code belongs to.
#pragma once

#include <cstdint>

#include "translator/ir/ir.h"

namespace crosswalk::x64 {

// What MXCSR holds while translated code runs: the guest's VFP or Advanced SIMD arithmetic.
enum class Rounding : uint8_t { Vfp, Standard };

// Code out of line has the position of the instruction that it belongs to.
struct Position {
  const ir::Inst* inst = nullptr;
  Rounding rounding = Rounding::Vfp;
};

}  // namespace crosswalk::x64
