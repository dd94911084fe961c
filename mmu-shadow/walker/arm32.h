// SPDX-License-Identifier: GPL-2.0-or-later What an MMU has to know of an ARMv7-A guest: its
// addresses, which registers select an address space, and how its tables are walked. Nothing else
// in mmu-shadow/ reads the CPU's registers.
#pragma once

#include <cstdint>

#include "mmu-shadow/walker/regime.h"
#include "mmu-shadow/walker/walk_memo.h"
#include "mmu-shadow/walker/walker.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/debug.h"

namespace crosswalk::mmu {

struct Arm32 {
  using Cpu = CpuState;
  using Va = uint32_t;
  using Regime = cw_regime;
  using Key = RegimeKey;
  using Result = cw_result;
  using Memo = cw_memo;  // of the last walk: neighbours cost less (walk_memo.h)

  // The values that select an address space. Cheap to read and to compare, so that a change to one
  // used lately costs no more.
  struct Selectors {
    // The first ones change most, and decide most comparisons.
    bool privileged;
    uint32_t dacr, contextidr;
    uint64_t ttbr0, ttbr1;
    uint32_t sctlr, ttbcr;
    bool operator==(const Selectors&) const = default;
    uint32_t hash() const { return static_cast<uint32_t>(ttbr0 >> 14) ^ dacr ^ contextidr << 1 ^ privileged; }
  };
  static Selectors selectors_of(const Cpu& cpu) {
    const Cp15& c = cpu.cp15;
    return {privileged(cpu), c.dacr, c.contextidr, c.ttbr0, c.ttbr1, c.sctlr, c.ttbcr};
  }

  static bool privileged(const Cpu& cpu) { return is_privileged(static_cast<crosswalk::Mode>(cpu.mode)); }
  static bool mmu_enabled(const Cpu& cpu) { return cpu.cp15.sctlr & CW_SCTLR_M; }
  static Regime regime_of(const Cpu& cpu) { return mmu::regime_of(cpu.cp15); }
  // With the MMU off.
  static Regime flat_regime_of(const Cpu& cpu) {
    Regime r = regime_of(cpu);
    r.sctlr &= ~CW_SCTLR_M;
    return r;
  }
  static Key key_of(const Cpu& cpu) { return mmu::key_of(regime_of(cpu), privileged(cpu)); }

  static void walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                   Result& result) {
    cw_walk(&regime, va, kind_of(kind), privileged, read, context, &result);
  }
  // The same, with memo.result. Returns how many descriptors were read.
  static unsigned walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                       Memo& memo) {
    return cw_walk_memo(&regime, va, kind_of(kind), privileged, read, context, &memo);
  }

  // Of what a walk found.
  static bool mapped(const Result& r) { return r.fault == CW_FAULT_NONE; }
  static bool normal_memory(const Result& r) { return r.memory_type == CW_NORMAL; }
  static bool mmu_was_off(const Result& r) { return r.log2_size == 32; }
  static bool allows_store(const Result& r, bool privileged) {
    return r.permissions & cw_needed_permission(CW_STORE, privileged);
  }
  static uint64_t par_of(const Regime& regime, const Result& r) { return cw_par(&regime, &r); }
  // IFSR of a fetch from memory that is not to be executed from. Device and Strongly-ordered memory
  // gives a permission fault (A3.8.3 leaves it open); Normal memory where nothing answers, an
  // external abort.
  static uint32_t fsr_of_fetch(const Regime& regime, const Result& r, bool normal_memory) {
    const unsigned fault = normal_memory ? CW_FAULT_EXTERNAL : CW_FAULT_PERMISSION;
    return cw_fsr(cw_uses_long(regime.ttbcr), fault, r.level ? r.level : 1, 0, CW_FETCH);
  }

 private:
  static constexpr unsigned kind_of(AccessKind kind) {
    return kind == AccessKind::Store ? CW_STORE : kind == AccessKind::Fetch ? CW_FETCH : CW_LOAD;
  }
};

}  // namespace crosswalk::mmu
