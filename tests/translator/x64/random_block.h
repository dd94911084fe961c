// SPDX-License-Identifier: GPL-2.0-or-later
// Random valid IR blocks of the core opcodes.
#pragma once

#include <random>

#include "translator/ir/ir.h"

namespace crosswalk::test {

inline constexpr uint32_t kBlockPc = 0x8000;

struct BlockShape {
  int instructions = 40;
  bool control = true;  // skips and conditional jumps
  bool memory = true;
  bool neighbours = true;  // of memory: several accesses close to each other
  bool calls = true;
  bool simd = true;  // moves to and from SIMD registers
};

ir::Block random_block(std::mt19937_64& random, const BlockShape& shape);

}  // namespace crosswalk::test
