// SPDX-License-Identifier: GPL-2.0-or-later
// Which host register holds what while translated code runs; see emit_context.h.
#pragma once

#include <cstdint>

namespace crosswalk::x64 {

// Host register numbers as in instruction encodings.
enum HostReg : int8_t { kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi, kR8, kR9, kR10, kR11, kR12, kR13, kR14, kR15 };

// Guest registers that live in host registers at all times; -1: in CpuState only. R15 is never in a
// register.
inline constexpr int8_t kPinned[15] = {kRbx, kRbp, kRdi, kR8, kR12, kR13, kR9, kR10, -1, -1, -1, -1, -1, kR11, -1};
inline constexpr int8_t kMemBase = kR14, kState = kR15;
inline constexpr int8_t kTemps[4] = {kRax, kRcx, kRdx, kRsi};

// Flags of FaultSite.
enum SiteFlags : uint8_t { kSiteWrite = 1, kSiteStandardMxcsr = 2, kSiteCall = 4 };

// A host instruction that may fault on behalf of the guest, or the return address of a call out of
// translated code.
struct FaultSite {
  uint32_t offset;  // from the block's code
  uint16_t guest;   // index of the guest instruction
  uint8_t bytes;    // of the access; 0 for calls
  uint8_t flags;
  int32_t displacement;  // accesses: the address is r14 + address_reg + displacement
  uint8_t address_reg;
};

// No page has this id, and no empty slot of instruction pages: it equals none of them.
inline constexpr uint32_t kNoPageId = UINT32_MAX;

// Before an id of 4 bytes, the displacement of the instruction page that it is compared with.
inline constexpr uint32_t kPageBeforeId = 4;

// A chained jump. The jump's rel32 goes to the stub until the engine links it.
//
// Other CPUs may be executing what is patched. Both fields lie in one naturally aligned word of 8
// bytes each, from which a store of 4 bytes is seen whole or not at all by instruction fetch too; a
// patch must be such a store. A CPU may be between the comparison and the jump for any time: it has
// seen the old id and jumps to the new target. So the target of a link that has an id goes from one
// page to another only by way of the stub, and of a time when each CPU was outside this code.
struct LinkSite {
  uint32_t jump_offset;  // of the rel32
  // of the imm32 that the target page's id is compared with, kNoPageId until the engine links it;
  // 0: same page, no check
  uint32_t id_offset;
  uint32_t stub_offset;
  uint32_t number_offset;  // in the stub, of the imm32 that is the link's number
  uint32_t target;         // VA | T
  // Of a jump to one of many places that guesses one (ir::kOneTarget): the imm32 that eax is
  // compared with, kNoGuess until the engine has chosen, and the rel32 of the jump for all others,
  // which goes to the stub until then. `target` is what is guessed. 0: a direct jump.
  uint32_t guess_offset = 0, miss_offset = 0;
  uint32_t own_entry = 0;    // where in the block's code it goes if the target is the block itself
  bool only_itself = false;  // goes to no other block than its own
};

// No indirect jump goes there: ARM state is entered at multiples of 4 (ARM DDI 0406C, A2.3.1).
inline constexpr uint32_t kNoGuess = 2;

// How guest memory is reached.
enum class MemoryMode : uint8_t { Window, SoftInline, SoftCall };

}  // namespace crosswalk::x64
