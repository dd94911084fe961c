// SPDX-License-Identifier: GPL-2.0-or-later
// ARMv7-A guests (GuestArchitecture).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mmu-shadow/walker/guest.h"
#include "mmu-shadow/walker/regime.h"
#include "mmu-shadow/walker/walk_memo.h"
#include "mmu-shadow/walker/walker.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/arm32/cpu/mmu_port.h"

namespace crosswalk::mmu {

struct Arm32 {
  using Cpu = CpuState;
  using Va = uint32_t;
  using Asid = uint8_t;
  using Regime = cw_regime;
  using Key = RegimeKey;
  using Result = cw_result;
  using Memo = cw_memo;
  using Translation = crosswalk::Translation;
  using Port = MmuPort;

  // The privilege and DACR, which change at each system call of some guests.
  static uint64_t access_of(const Cpu& cpu) { return uint64_t{cpu.cp15.dacr} << 1 | privileged(cpu); }

  struct Selectors {
    // The first ones change most, and decide most comparisons.
    bool privileged;
    uint32_t dacr, contextidr;
    uint64_t ttbr0, ttbr1;
    uint32_t sctlr, ttbcr;
    bool operator==(const Selectors&) const = default;
    bool equal_but_for_access(const Selectors& other) const {
      return contextidr == other.contextidr && ttbr0 == other.ttbr0 && ttbr1 == other.ttbr1 && sctlr == other.sctlr &&
             ttbcr == other.ttbcr;
    }
    void set_access(uint64_t access) {
      privileged = access & 1;
      dacr = static_cast<uint32_t>(access >> 1);
    }
    uint32_t hash() const { return static_cast<uint32_t>(ttbr0 >> 14) ^ dacr ^ contextidr << 1 ^ privileged; }
  };
  static Selectors selectors_of(const Cpu& cpu) {
    const Cp15& c = cpu.cp15;
    return {privileged(cpu), c.dacr, c.contextidr, c.ttbr0, c.ttbr1, c.sctlr, c.ttbcr};
  }

  static bool privileged(const Cpu& cpu) { return is_privileged(static_cast<crosswalk::Mode>(cpu.mode)); }
  static bool mmu_enabled(const Cpu& cpu) { return cpu.cp15.sctlr & CW_SCTLR_M; }
  static Regime regime_of(const Cpu& cpu) { return mmu::regime_of(cpu.cp15); }
  static Regime flat_regime_of(const Cpu& cpu) {
    Regime r = regime_of(cpu);
    r.sctlr &= ~CW_SCTLR_M;
    return r;
  }
  // But for CONTEXTIDR, whose ASID is the key's.
  static bool walks_alike(const Regime& a, const Regime& b) {
    return a.ttbr0 == b.ttbr0 && a.ttbr1 == b.ttbr1 && a.sctlr == b.sctlr && a.ttbcr == b.ttbcr && a.dacr == b.dacr &&
           a.prrr == b.prrr && a.nmrr == b.nmrr;
  }
  static bool attributes_alike(const Regime& a, const Regime& b) {
    return a.sctlr == b.sctlr && a.prrr == b.prrr && a.nmrr == b.nmrr;
  }
  static Key key_of(const Cpu& cpu) { return mmu::key_of(regime_of(cpu), privileged(cpu)); }

  static void walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                   Result& result) {
    cw_walk(&regime, va, kind_of(kind), privileged, read, context, &result);
  }
  static unsigned walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                       Memo& memo) {
    return cw_walk_memo(&regime, va, kind_of(kind), privileged, read, context, &memo);
  }

  static bool walk_again(const Regime& regime, Va va, cw_reader read, void* context, Memo& memo, unsigned& levels) {
    return cw_walk_again(&regime, va, read, context, &memo, &levels);
  }

  static bool mapped(const Result& r) { return r.fault == CW_FAULT_NONE; }
  static bool normal_memory(const Result& r) { return r.memory_type == CW_NORMAL; }
  static bool mmu_was_off(const Result& r) { return r.log2_size == 32; }
  static bool allows_store(const Result& r, bool privileged) {
    return r.permissions & cw_needed_permission(CW_STORE, privileged);
  }

  static void set_fault(Translation& t, Va va, const Result& r) {
    t.fsr = r.fsr;
    t.far = va;
  }
  // Device and Strongly-ordered memory gives a permission fault (A3.8.3 leaves it open); Normal
  // memory where nothing answers, an external abort.
  static void set_fetch_fault(Translation& t, const Regime& regime, Va va, const Result& r, bool normal_memory) {
    const unsigned fault = normal_memory ? CW_FAULT_EXTERNAL : CW_FAULT_PERMISSION;
    t.fsr = cw_fsr(cw_uses_long(regime.ttbcr), fault, r.level ? r.level : 1, 0, CW_FETCH);
    t.far = va;
  }
  static void set_answer(Translation& t, const Regime& regime, const Result& r) { t.par = cw_par(&regime, &r); }

  static constexpr size_t kRootBytes = mmu::kRootBytes;
  static CommonPart common_part(const Key& key) { return mmu::common_part(key); }
  static size_t root_offset(Va va, size_t roots_bytes) { return mmu::root_offset(va, roots_bytes); }
  static bool only_became_valid(const Key& key, const uint8_t* roots, const uint8_t* now, size_t at) {
    return mmu::only_became_valid(key, roots, now, at);
  }

  static constexpr uint32_t kWatchpoints = arm::kWatchpoints + arm::kHostWatchpoints;
  using BreakPages = arm::BreakPages;
  using Watched = arm::Watched;
  static BreakPages break_pages(const Cpu& cpu) {
    BreakPages pages = arm::break_pages(cpu);
    if (cpu.host_debug) arm::add_host_points(*cpu.host_debug, pages);
    return pages;
  }
  static Watched watched(const Cpu& cpu) {
    Watched watched = arm::watched_bytes(cpu);
    if (cpu.host_debug) arm::add_host_points(*cpu.host_debug, watched);
    return watched;
  }

  static void ask_to_poll(Cpu& cpu) { raise_line(cpu, kLinePoll); }
  static void set_awaited(Cpu& cpu, bool awaited) {
    if (awaited)
      std::atomic_ref(cpu.interrupt_lines).fetch_or(kLineShootdown);
    else
      lower_line(cpu, kLineShootdown);
  }
  static bool stopping(Cpu& cpu) { return std::atomic_ref(cpu.interrupt_lines).load() & kLineStop; }

  // By short descriptors (B3.5.1).
  static void map_small_pages(Cpu& cpu, uint8_t* ram, uint64_t base, uint64_t bytes) {
    constexpr uint32_t kFirst = 4096, kSecond = 256, kTables = 40;
    auto* const words = reinterpret_cast<uint32_t*>(ram);
    const auto pa = static_cast<uint32_t>(base), size = static_cast<uint32_t>(bytes);
    for (uint32_t i = 0; i < kTables; i++) words[i] = (pa + (kFirst + i * kSecond) * 4) | 1;
    for (uint32_t i = 0; i < kTables * kSecond; i++) words[kFirst + i] = (pa + i * 4096 % size) | 0x83e;
    cpu.mode = static_cast<uint32_t>(crosswalk::Mode::Supervisor);
    cpu.cp15.sctlr = CW_SCTLR_M;
    cpu.cp15.ttbr0 = base;
    cpu.cp15.dacr = 1;
  }

 private:
  static constexpr unsigned kind_of(AccessKind kind) {
    return kind == AccessKind::Store ? CW_STORE : kind == AccessKind::Fetch ? CW_FETCH : CW_LOAD;
  }
};
static_assert(GuestArchitecture<Arm32>);

}  // namespace crosswalk::mmu
