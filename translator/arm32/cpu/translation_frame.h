// SPDX-License-Identifier: GPL-2.0-or-later
// What translated code and the engine around it need to run a CPU, and the guest does not see.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace crosswalk {

namespace trace {
class Ring;
}
namespace arm {
class ExceptionObserver;
struct Events;
struct HostDebug;
}  // namespace arm

// Bits of NearFrame::interrupt_lines.
enum InterruptLine : uint32_t {
  kLineIrq = 1u << 0,  // from the GIC's CPU interface
  kLineFiq = 1u << 1,
  kLineStop = 1u << 2,  // the machine wants this CPU to leave the run loop
  kLineWork = 1u << 3,  // cross-CPU work is queued for this CPU
  // the CPU is to poll once more, though there is nothing to see; wakes no CPU
  kLinePoll = 1u << 4,
  // broadcast TLB maintenance of this CPU is not complete for others: a DSB is to see to it. Raised
  // by the CPU itself, and by no poll seen.
  kLineShootdown = 1u << 5,
};

// One entry of the jump cache: where translated code for (virtual address | T) begins. Valid only
// while the instruction-page table of the current address space holds `page_id` for the address's
// page.
struct JumpCacheEntry {
  uint32_t target;  // guest VA, bit 0 = T; 0xffffffff when empty
  uint32_t page_id;
  const void* code;
};
inline constexpr uint32_t kJumpCacheEntries = 65536;  // power of two
// Where the entry of a target is: by word, with high bits folded in, and bit 1 as the highest bit,
// so that two Thumb instructions in one word do not meet. Translated code computes the same.
inline constexpr int kJumpCacheFold = 14;
inline constexpr uint32_t jump_cache_index(uint32_t target) {
  return (std::rotr(target, kJumpCacheFold) + target * 4) / sizeof(JumpCacheEntry) & (kJumpCacheEntries - 1);
}

// Spill slots of the register allocator, for integers and for SIMD values; the first for integers
// are in NearFrame.
inline constexpr int kSpillSlots = 64, kNearSpillSlots = 9;

// Within reach of a byte displacement from r15.
struct NearFrame {
  uint64_t spill[kNearSpillSlots];
  JumpCacheEntry* jump_cache;  // jump_caches[memory_window]
  uint64_t host_sp;            // stack pointer that translated code runs with
  // Non-zero makes translated code leave at its next poll. Written by any thread.
  uint32_t pending;
  // Any thread sets bits (InterruptLine), then `pending`.
  uint32_t interrupt_lines;
};

// Constants that translated code looks up: what NZCV, as a number in bits 3:0, is in GuestCpu, and
// what LAHF leaves in AH after UCOMIS for the four results of a comparison (Intel SDM vol. 2).
struct FlagTables {
  enum Relation : uint8_t { Less = 8, Equal = 6, Greater = 2, Unordered = 3 };  // NZCV of VCMP

  uint64_t nz[16] = {};
  struct {
    uint8_t c, v;
  } cv[16] = {};
  uint8_t ah[16] = {};          // by NZCV of a comparison
  uint8_t relation[0x48] = {};  // NZCV by AH

  constexpr FlagTables() {
    for (unsigned n = 0; n < 16; n++) {
      nz[n] = uint64_t{n >> 3} << 63 | (n & 4 ? 0 : 1);
      cv[n] = {static_cast<uint8_t>(n >> 1 & 1), static_cast<uint8_t>(n & 1)};
    }
    ah[Less] = 0x03, ah[Equal] = 0x42, ah[Greater] = 0x02, ah[Unordered] = 0x47;
    for (const uint8_t r : {Less, Equal, Greater, Unordered}) relation[ah[r]] = r;
  }
};

struct FarFrame {
  FlagTables flag_tables;
  uint64_t spill_more[kSpillSlots - kNearSpillSlots];
  alignas(16) uint8_t vspill[kSpillSlots * 16];
  // Arguments of the out-of-line memory path and of calls (translator/x64): never live across
  // instructions.
  alignas(16) uint8_t access_value[16];
  uint32_t access_va, access_kind;
  uint32_t call_args[3];
  uint32_t host_mxcsr;  // of the C++ code around
  // operands of an out-of-line floating-point operation; [0] becomes its result
  uint64_t fp_operands[3];
  uint64_t saved_rax;    // of out-of-line paths (Thunks::call_preserving)
  uint32_t exit_reason;  // ExitReason of the last exit from translated code
  uint32_t exit_link;    // with kExitLink: the link's number in the code cache
  // by memory_window: going from one form to the other costs no entry
  JumpCacheEntry* jump_caches[2];
  uint64_t instructions;                       // guest instructions executed, when counting is on
  uint64_t blocks;                             // and translated blocks entered
  void* engine;                                // helpers::EngineServices, for what translated code calls
  arm::Events* events;                         // events.h: of the machine; never null while it runs
  uint32_t event_generation;                   // Events::generation when the CPU last looked
  trace::Ring* trace;                          // trace.h; null: off
  arm::ExceptionObserver* exception_observer;  // exception_observer.h; null: none
  arm::HostDebug* host_debug;                  // host_debug.h; null: no debugger on the host
};

}  // namespace crosswalk
