// SPDX-License-Identifier: GPL-2.0-or-later
// What an access to a system register, or a write to a PSR, asks of the engine that executed it.
#pragma once

#include <cstdint>

namespace crosswalk::arm {

// A mask: several may apply at once.
enum Effect : uint32_t {
  kEffectNone = 0,
  // translated code after this instruction may differ: look up again
  kEffectEndBlock = 1u << 0,
  // call Mmu::activate before the next guest memory access
  kEffectRegimeChanged = 1u << 1,
  kEffectInstructionCacheInvalidate = 1u << 2,  // guest code may have changed
  // Platform::timers_changed has been called; outputs may differ
  kEffectTimersChanged = 1u << 3,
  kEffectFpEnableChanged = 1u << 4,  // what fp_mode says of it has changed
  // FPSCR's DN, AHP, FZ, RMode, Len or Stride may differ; reload MXCSR
  kEffectFpModeChanged = 1u << 5,
  kEffectAlignmentChanged = 1u << 6,  // strict_alignment was recomputed
  // MmuPort has done the flush
  kEffectTlbMaintenance = 1u << 7,
  kEffectBarrier = 1u << 8,      // a DSB or DMB (CP15 forms): a full host fence
  kEffectContextSync = 1u << 9,  // an ISB (CP15 form)
  // User <-> privileged
  kEffectPrivilegeChanged = 1u << 10,
  kEffectInterruptsUnmasked = 1u << 11,  // poll `pending` before the next instruction
  // call Mmu::debug_changed: breakpoints or watchpoints may differ
  kEffectDebugChanged = 1u << 12,
  // take the Undefined Instruction exception; nothing was changed
  kEffectUndefined = 1u << 13,
  // take a Data Abort with SystemContext::abort_fsr and abort_far
  kEffectDataAbort = 1u << 14,
  // the privilege or DACR is another one, and nothing else that decides what a walk returns: call
  // Mmu::access_changed before the next guest memory access
  kEffectAccessChanged = 1u << 15,
};

}  // namespace crosswalk::arm
