// SPDX-License-Identifier: GPL-2.0-or-later
// SIMD registers that a block which jumps back to itself keeps in host registers from one round to
// the next. They are loaded once, before the place that the jump goes to, and still stored whenever
// they are written: CpuState is exact at all times, and a round waits for no load of what the round
// before has stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "translator/ir/ir.h"

namespace crosswalk::x64 {

class CarriedVectors {
 public:
  struct Register {
    uint16_t offset;  // in CpuState
    ir::Type type;    // X32, X64 or X128: all accesses of the block are of this one
    uint8_t xmm;
  };

  // None.
  CarriedVectors() = default;
  // Those that a round reads before it writes them, if the block is a loop and calls nothing.
  explicit CarriedVectors(const ir::Block& block);

  bool of_loop() const { return loop_; }
  std::span<const Register> registers() const { return {registers_, count_}; }
  uint32_t xmm_mask() const { return mask_; }
  // The host register of what is at this offset of CpuState.
  std::optional<uint8_t> at(size_t offset) const;

 private:
  static constexpr size_t kMost = 6;
  Register registers_[kMost] = {};
  size_t count_ = 0;
  bool loop_ = false;
  uint32_t mask_ = 0;
};

// Whether a block jumps back to itself after floating-point arithmetic that is for Advanced SIMD
// alone: then it keeps that MXCSR from one round to the next.
bool loops_in_standard_rounding(const ir::Block& block);

}  // namespace crosswalk::x64
