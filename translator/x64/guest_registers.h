// SPDX-License-Identifier: GPL-2.0-or-later
// Writes guest registers. Values that were read from one and are still there move out first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "translator/ir/ir.h"
#include "translator/x64/live_values.h"
#include "translator/x64/register_allocator.h"

namespace crosswalk::x64 {

class GuestRegisters {
 public:
  GuestRegisters(Assembler& code, const ir::Block& block, LiveValues& values, RegisterAllocator& registers,
                 const CarriedVectors& carried)
      : code_(code), block_(block), values_(values), registers_(registers), carried_(carried) {}

  // Register n, 0-14.
  void set(uint32_t n, ir::Value v);
  // The same by a constant of 32 bits, which are the last 4 bytes emitted.
  void set_constant(uint32_t n, uint32_t constant);
  // Register n may be written by what is emitted next.
  void vacate(uint32_t n) { displace(n, {}); }
  // Before the first round of a loop.
  void load_carried();
  // The part of a SIMD register at this offset of CpuState: 4, 8 or 16 bytes.
  void set_simd(size_t offset, uint32_t bytes, ir::Value v);

 private:
  void displace(uint32_t n, ir::Value except);

  Assembler& code_;
  const ir::Block& block_;
  LiveValues& values_;
  RegisterAllocator& registers_;
  const CarriedVectors& carried_;
};

}  // namespace crosswalk::x64
