// SPDX-License-Identifier: GPL-2.0-or-later
// Executes an IR block one instruction at a time, straight from the comments of opcodes.inc: the
// oracle of emitted code. Covers the core table (opcodes.inc).
#pragma once

#include <cstdint>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"

namespace crosswalk::test {

// Guest memory of a block under test: kPages pages at kBase, of which one is missing.
inline constexpr uint32_t kBase = 0x40000000, kPageBytes = 0x1000, kPages = 16, kMissingPage = 5;

struct GuestMemory {
  uint8_t bytes[kPages * kPageBytes];

  static bool present(uint32_t va) {
    return va >= kBase && va - kBase < sizeof bytes && (va - kBase) / kPageBytes != kMissingPage;
  }
  // Null when any byte of the access is not there.
  uint8_t* at(uint32_t va, uint32_t size) {
    return present(va) && present(va + size - 1) ? bytes + (va - kBase) : nullptr;
  }
};

// HostSpan finds nothing there: such a page is in no software TLB.
inline bool is_apart(uint32_t va) { return (va - kBase) / kPageBytes % 4 == 3; }

// What one access does; also the out-of-line path of the emitted code under test. False: it faults.
bool access_memory(CpuState& cpu, GuestMemory& memory, uint32_t va, uint32_t kind, uint8_t* data);

// Runs `block` on `cpu` until it leaves: r[0..15], T, flags, vreg, exit_reason and the monitor are
// then what emitted code must leave. A fault sets exit_reason = kExitException and r[15] to the
// guest instruction. Links, the jump cache and page ids are empty. Leaves with kExitApart before
// the guest instruction `stop` (an index), and by HostSpan. Jumps that `followed` has, by
// instruction, go on in the block.
void interpret(const ir::Block& block, CpuState& cpu, GuestMemory& memory, uint32_t stop = UINT32_MAX,
               const std::vector<bool>& followed = {});

}  // namespace crosswalk::test
