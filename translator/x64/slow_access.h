// SPDX-License-Identifier: GPL-2.0-or-later
// The out-of-line memory path. Translated code pushes what it wants, in terms of its registers, and
// calls Thunks::slow_access, which saves every register and hands them to C++.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"

namespace crosswalk::x64 {

// CpuState.access_kind: MemAccess::pack(), and two bits that it leaves.
inline constexpr uint32_t kAccessStore = 1u << 10;
inline constexpr uint32_t kAccessExclusive = 1u << 11;
inline constexpr uint32_t kAccessKindLow = 12, kAccessKindHigh = 3;  // bits

constexpr uint32_t access_kind(const ir::MemAccess& m, bool store) { return m.pack() | (store ? kAccessStore : 0); }

// What is pushed: the kind, and host register numbers.
struct SlowAccessRequest {
  uint32_t kind = 0;
  uint8_t va = 0;
  uint8_t data = 0;    // what a store takes its value from; what a load writes
  uint8_t status = 0;  // what a store-exclusive writes
  bool simd = false;   // data is an xmm register
  // No access: the page of `va` goes into the software TLB, and `data`, which is the same register,
  // becomes the host address; 0 where the entry would not allow what `kind` says.
  bool fill = false;
  constexpr uint32_t pack() const {
    constexpr uint32_t kLow = (1u << kAccessKindLow) - 1;
    return (kind & kLow) | uint32_t{va} << 12 | uint32_t{data} << 16 | uint32_t{status} << 20 | uint32_t{simd} << 24 |
           kind >> kAccessKindLow << 25 | uint32_t{fill} << 28;
  }
  static constexpr SlowAccessRequest unpack(uint32_t v) {
    SlowAccessRequest r;
    r.kind = (v & ((1u << kAccessKindLow) - 1)) | (v >> 25 & ((1u << kAccessKindHigh) - 1)) << kAccessKindLow;
    r.va = v >> 12 & 15;
    r.data = v >> 16 & 15;
    r.status = v >> 20 & 15;
    r.simd = v >> 24 & 1;
    r.fill = v >> 28 & 1;
    return r;
  }
};

// The stack while C++ runs. Guest registers that have a host register (kPinned) are in CpuState.
struct SlowAccessFrame {
  alignas(16) uint8_t xmm[16][16];
  uint32_t mxcsr;
  uint32_t unused[3];
  uint64_t rsi, rdx, rcx, rax;
  const uint8_t* return_address;  // in translated code
  uint64_t request;
};
static_assert(sizeof(SlowAccessFrame) == 16 * 16 + 16 + 4 * 8 + 16);

// Sets cpu.access_va, access_kind, and access_value for a store (16 bytes, those above the register
// zero).
void take_operands(CpuState& cpu, SlowAccessFrame& frame);
// Writes the result, which is in cpu.access_value: what a load has read, bytes and halfwords
// extended to 32 bits, or the status of a store-exclusive.
void give_result(CpuState& cpu, SlowAccessFrame& frame);
// The answer to a request with `fill`.
void give_host_address(CpuState& cpu, SlowAccessFrame& frame, uint64_t host);

}  // namespace crosswalk::x64
