// SPDX-License-Identifier: GPL-2.0-or-later
// What an access to a system register, or a write to a PSR, asks of the engine that executed it.
#pragma once

#include <cstdint>

namespace crosswalk::arm {

// A mask: several may apply at once.
enum Effect : uint32_t {
  kEffectNone = 0,
  kEffectEndBlock = 1u << 0,                    // translated code after this instruction may differ: look up again
  kEffectRegimeChanged = 1u << 1,               // call Mmu::activate before the next guest memory access
  kEffectInstructionCacheInvalidate = 1u << 2,  // guest code may have changed
  kEffectTimersChanged = 1u << 3,               // Platform::timers_changed has been called; outputs may differ
  kEffectFpEnableChanged = 1u << 4,             // fp_enabled/simd_enabled were recomputed
  kEffectFpModeChanged = 1u << 5,               // FPSCR's DN, AHP, FZ, RMode, Len or Stride may differ; reload MXCSR
  kEffectAlignmentChanged = 1u << 6,            // strict_alignment was recomputed
  kEffectTlbMaintenance = 1u << 7,              // the local flush is done; see kEffectBroadcast for the others
  kEffectBroadcast = 1u << 8,                   // an inner-shareable operation: repeat it on every other CPU
  kEffectBarrier = 1u << 9,                     // a DSB or DMB (CP15 forms): a full host fence
  kEffectContextSync = 1u << 10,                // an ISB (CP15 form)
  kEffectPrivilegeChanged = 1u << 11,           // User <-> privileged: regime key and code key differ
  kEffectInterruptsUnmasked = 1u << 12,         // poll `pending` before the next instruction
  kEffectDebugChanged = 1u << 13,               // call Mmu::debug_changed: breakpoints or watchpoints may differ
  kEffectUndefined = 1u << 14,                  // take the Undefined Instruction exception; nothing was changed
  kEffectDataAbort = 1u << 15,                  // take a Data Abort with SystemContext::abort_fsr and abort_far
};

}  // namespace crosswalk::arm
