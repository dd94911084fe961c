// SPDX-License-Identifier: GPL-2.0-or-later
// An architecture of guests that there is not, to show that an MMU needs no other one: tables of
// 512 descriptors of 8 bytes, blocks of 2 MiB, 16-bit ASIDs, one kind of fault. With a `V` of 64
// bits, VAs have 48 and tables four levels; with one of 32 bits, all of them and three.
#pragma once

#include <cstdint>
#include <cstring>

#include "mmu-shadow/walker/guest.h"
#include "translator/base/tlb_flush.h"

namespace crosswalk::mmu::test {

// Descriptors.
constexpr uint64_t kValid = 1, kPointer = 2, kWrite = 4, kNotGlobal = 8, kDevice = 16, kAddress = 0xfffffffff000;

template <typename V>
struct MadeUpGuest {
  using Va = V;
  using Asid = uint16_t;

  struct Cpu : MmuView {
    uint64_t root = 0;
    Asid asid = 0;
    bool privileged = false, mmu_on = true;
    Va watched = 0, broken = 0;  // pages with a watchpoint or a breakpoint; 0: none
    trace::Ring* trace = nullptr;
  };

  struct Regime {
    uint64_t root;
    bool mmu_on;
  };
  struct Key {
    uint64_t root = 0;
    Asid asid = 0;
    bool privileged = false, mmu_on = false;
    bool operator==(const Key&) const = default;
    uint32_t hash() const {
      return static_cast<uint32_t>((root ^ asid ^ uint64_t{privileged} << 63) * 0x9e3779b97f4a7c15u >> 32);
    }
    bool mmu_enabled() const { return mmu_on; }
    bool equal_but_for_access(const Key& o) const { return root == o.root && asid == o.asid && mmu_on == o.mmu_on; }
    void set_access(uint64_t access) { privileged = mmu_on && access; }
    Key of_all_processes() const { return {0, 0, privileged, mmu_on}; }
    bool is_like(const Key&) const { return true; }
  };
  using Selectors = Key;
  static Selectors selectors_of(const Cpu& cpu) { return key_of(cpu); }
  static uint64_t access_of(const Cpu& cpu) { return cpu.privileged; }
  static Key key_of(const Cpu& cpu) { return cpu.mmu_on ? Key{cpu.root, cpu.asid, cpu.privileged, true} : Key{}; }
  static bool privileged(const Cpu& cpu) { return cpu.privileged; }
  static bool mmu_enabled(const Cpu& cpu) { return cpu.mmu_on; }
  static Regime regime_of(const Cpu& cpu) { return {cpu.root, cpu.mmu_on}; }
  static Regime flat_regime_of(const Cpu& cpu) { return {cpu.root, false}; }
  static bool walks_alike(const Regime& a, const Regime& b) { return a.root == b.root && a.mmu_on == b.mmu_on; }
  static bool attributes_alike(const Regime& a, const Regime& b) { return a.mmu_on == b.mmu_on; }

  struct Result {
    uint64_t pa = 0;
    bool entry_valid = false, refused = false, writable = false, ng = false, device = false;
    uint8_t log2_size = 12, levels_read = 0;
    bool permissions = false;
  };
  struct Memo {
    Result result;
    Va va = 0;
    uint64_t last_at = 0, last = 0;  // the last descriptor
  };
  static void walk(const Regime& regime, Va va, AccessKind kind, bool, cw_reader read, void* context, Result& r) {
    r = {};
    if (!regime.mmu_on) {
      r = {.pa = va, .entry_valid = true, .writable = true, .log2_size = 32, .permissions = true};
      return;
    }
    uint64_t table = regime.root;
    for (int shift = sizeof(Va) == 8 ? 39 : 30; shift >= 12; shift -= 9) {
      uint64_t d;
      if (read(context, table + (va >> shift & 511) * 8, 8, &d)) return;
      r.levels_read++;
      if (!(d & kValid)) return;
      table = d & kAddress;
      if (shift > 12 && (d & kPointer)) continue;
      r.log2_size = static_cast<uint8_t>(shift);
      r.pa = table | (va & ((Va{1} << shift) - 1));
      r.writable = r.permissions = d & kWrite;
      r.entry_valid = true;
      r.refused = kind == AccessKind::Store && !r.writable;
      r.ng = d & kNotGlobal;
      r.device = d & kDevice;
      return;
    }
  }
  static unsigned walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                       Memo& memo) {
    struct Reader {
      cw_reader read;
      void* context;
      Memo& memo;
    } reader{read, context, memo};
    const auto note_last = [](void* its, uint64_t pa, unsigned bytes, uint64_t* value) {
      Reader& r = *static_cast<Reader*>(its);
      const int failed = r.read(r.context, pa, bytes, value);
      r.memo.last_at = pa;
      r.memo.last = *value;
      return failed;
    };
    walk(regime, va, kind, privileged, note_last, &reader, memo.result);
    memo.va = va;
    return memo.result.levels_read;
  }
  // Only of pages, whose last descriptors differ in the address alone.
  static bool walk_again(const Regime&, Va va, cw_reader read, void* context, Memo& memo, unsigned& levels) {
    if (!memo.result.entry_valid || memo.result.log2_size != 12) return false;
    const uint64_t at = memo.last_at + (va >> 12) * 8 - (memo.va >> 12) * 8;
    uint64_t d;
    if (read(context, at, 8, &d)) return false;
    levels++;
    if ((d ^ memo.last) & ~kAddress) return false;
    memo.result.pa = (d & kAddress) | (va & 0xfff);
    memo.va = va;
    memo.last_at = at;
    memo.last = d;
    return true;
  }
  static bool mapped(const Result& r) { return r.entry_valid && !r.refused; }
  static bool normal_memory(const Result& r) { return !r.device; }
  static bool mmu_was_off(const Result& r) { return r.log2_size == 32; }
  static bool allows_store(const Result& r, bool) { return r.writable; }

  struct Translation {
    bool ok = false;
    uint64_t pa = 0;
    uint8_t* host = nullptr;
    bool normal_memory = true, holds_code = false, watched = false;
    Va fault_va = 0;
    bool fetch_fault = false;
    uint64_t answer = 0;
  };
  static void set_fault(Translation& t, Va va, const Result&) { t.fault_va = va; }
  static void set_fetch_fault(Translation& t, const Regime&, Va va, const Result&, bool) {
    t.fault_va = va;
    t.fetch_fault = true;
  }
  static void set_answer(Translation& t, const Regime&, const Result& r) { t.answer = mapped(r) ? r.pa : 1; }

  class Port {
   public:
    using Flush = TlbFlush<Va, Asid>;
    virtual ~Port() = default;
    virtual Translation translate(Cpu& cpu, Va va, AccessKind kind, bool privileged) = 0;
    virtual void flush(Cpu& cpu, Flush operation) = 0;
    virtual void synchronize(Cpu&) {}
    virtual void synchronize_code(Cpu&) {}
  };

  // The last GiB, whose descriptor is the fourth.
  static constexpr size_t kRootBytes = 8;
  static CommonPart common_part(const Key& key) {
    if (sizeof(Va) == 8 || !key.mmu_on) return {};
    return {uint64_t{3} << 30, key.root + 24, kRootBytes};
  }
  static size_t root_offset(Va, size_t) { return 0; }
  static bool only_became_valid(const Key&, const uint8_t* roots, const uint8_t* now, size_t) {
    return !(roots[0] & kValid) || std::memcmp(roots, now, kRootBytes) == 0;
  }

  static constexpr uint32_t kWatchpoints = 1;
  struct BreakPages {
    bool everywhere = false;
    uint32_t count = 0;
    Va page[1] = {};
    bool operator==(const BreakPages&) const = default;
    bool at(Va va) const { return count != 0 && page[0] == va >> 12; }
  };
  static BreakPages break_pages(const Cpu& cpu) { return {false, cpu.broken != 0, {cpu.broken >> 12}}; }
  struct Watched {
    struct Range {
      Va first, last;
    };
    uint32_t count = 0;
    Range ranges[1] = {};
  };
  static Watched watched(const Cpu& cpu) { return {cpu.watched != 0, {{cpu.watched + 8, cpu.watched + 15}}}; }

  static void ask_to_poll(Cpu&) {}
  static void set_awaited(Cpu&, bool) {}
  static bool stopping(Cpu&) { return false; }

  static void map_small_pages(Cpu& cpu, uint8_t* ram, uint64_t base, uint64_t bytes) {
    auto* const words = reinterpret_cast<uint64_t*>(ram);
    constexpr uint64_t kTable = 512, kUpper = sizeof(Va) == 8 ? 2 : 1, kTables = 20;
    const auto table = [&](uint64_t i) { return (base + i * 4096) | kValid | kPointer; };
    for (uint64_t i = 0; i < kUpper; i++) words[i * kTable] = table(i + 1);
    for (uint64_t i = 0; i < kTables; i++) words[kUpper * kTable + i] = table(kUpper + 1 + i);
    for (uint64_t i = 0; i < kTables * kTable; i++)
      words[(kUpper + 1) * kTable + i] = (base + i * 4096 % bytes) | kValid | kWrite | kNotGlobal;
    cpu.root = base;
  }
};

}  // namespace crosswalk::mmu::test
