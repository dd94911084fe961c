// SPDX-License-Identifier: GPL-2.0-or-later
// Walks of the guest's tables in RAM, counted; and what an MMU asks of their results.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/walker/guest.h"
#include "translator/base/guest_ram.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Walks {
 public:
  using Cpu = typename Guest::Cpu;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;
  using Translation = typename Guest::Translation;
  using Va = typename Guest::Va;

  // `flat`: walks are those of a guest that leaves its MMU off (Form::Flat).
  Walks(const GuestRam& ram, bool flat, Statistics& statistics) : ram_(ram), flat_(flat), statistics_(statistics) {}

  const GuestRam& ram() const { return ram_; }
  // What walks for the CPU read.
  Regime regime_of(const Cpu& cpu) const { return flat_ ? Guest::flat_regime_of(cpu) : Guest::regime_of(cpu); }

  // One copy for all callers, since a walk is long; and all of it in that one.
  [[gnu::noinline, gnu::flatten]] void walk(const Regime& regime, Va va, AccessKind kind, bool privileged,
                                            Result& result) const {
    Guest::walk(regime, va, kind, privileged, read_ram, context(), result);
    statistics_.walks++;
    statistics_.walk_levels += result.levels_read;
  }
  // The same for many pages in the order of their addresses; in line, since most take a few
  // instructions.
  [[gnu::always_inline]] const Result& walk(const Regime& regime, Va va, AccessKind kind, bool privileged,
                                            typename Guest::Memo& memo) const {
    statistics_.walks++;
    statistics_.walk_levels += Guest::walk(regime, va, kind, privileged, read_ram, context(), memo);
    return memo.result;
  }

  // What HeldWalks walks by: with a reader of its own, and without a whole walk
  // (Guest::walk_again). The latter is counted by count().
  void walk_with(cw_reader read, void* context, const Regime& regime, Va va, AccessKind kind, bool privileged,
                 typename Guest::Memo& memo) const {
    count(Guest::walk(regime, va, kind, privileged, read, context, memo));
  }
  bool walk_again(const Regime& regime, Va va, typename Guest::Memo& memo, unsigned& levels) const {
    return Guest::walk_again(regime, va, read_ram, context(), memo, levels);
  }
  // A descriptor; false: nothing answers.
  bool read(uint64_t pa, unsigned bytes, uint64_t& value) const { return read_ram(context(), pa, bytes, &value) == 0; }
  // A walk that has read so many descriptors.
  void count(unsigned levels) const {
    statistics_.walks++;
    statistics_.walk_levels += levels;
  }

  uint32_t ram_page_of(uint64_t pa) const { return static_cast<uint32_t>((pa - ram_.base) >> kPageBits); }
  // The inverse, and of flash too, whose numbers are those below RAM's, modulo 2^32.
  uint64_t pa_of(uint32_t ram_page) const {
    return ram_.base + static_cast<uint64_t>(int64_t{static_cast<int32_t>(ram_page)} * int64_t{1 << kPageBits});
  }
  // What windows name pages by: RAM's pages, and those of flash behind them.
  uint32_t window_page_of(uint64_t pa) const { return static_cast<uint32_t>(ram_.file_offset(pa) >> kPageBits); }
  uint64_t pa_of_window_page(uint32_t page) const {
    const uint64_t offset = uint64_t{page} << kPageBits;
    return offset < ram_.size ? ram_.base + offset : offset - ram_.size;
  }
  uint32_t first_flash_page() const { return static_cast<uint32_t>(ram_.size >> kPageBits); }
  // Where a load or fetch of what a walk found reads flash; null: it is no readable flash.
  uint8_t* flash_at(const Translation& t) const { return t.ok && ram_.flash_holds(t.pa) ? ram_.at(t.pa) : nullptr; }
  // Whether translated code may access what a walk found without asking again. Not Device and
  // Strongly-ordered memory, where alignment is checked (A3.2.1); with the MMU off, code that
  // checks everything runs.
  bool enterable(const Result& r) const {
    return Guest::mapped(r) && ram_.contains(r.pa) && (Guest::normal_memory(r) || Guest::mmu_was_off(r));
  }
  // The same of loads from flash, as long as it is readable.
  bool enterable_flash(const Result& r) const {
    return Guest::mapped(r) && ram_.flash_holds(r.pa) && (Guest::normal_memory(r) || Guest::mmu_was_off(r));
  }
  Translation translation_of(Va va, const Result& r) const {
    Translation t;
    t.ok = Guest::mapped(r);
    t.pa = r.pa;
    // Whose alignment the type checks: not before a descriptor was found; with the MMU off, code
    // checks everything itself.
    t.normal_memory = Guest::normal_memory(r) || !r.entry_valid || Guest::mmu_was_off(r);
    if (!t.ok) {
      Guest::set_fault(t, va, r);
    } else if (ram_.contains(r.pa)) {
      t.host = ram_.at(r.pa);
    }
    return t;
  }

 private:
  // Descriptors are read as one access each, as a walker in hardware does: another CPU may be
  // writing them.
  static int read_ram(void* context, uint64_t pa, unsigned bytes, uint64_t* value) {
    const GuestRam& ram = *static_cast<const GuestRam*>(context);
    if (!ram.contains(pa, bytes) && !ram.flash_holds(pa, bytes)) return 1;
    if (bytes == 8)
      *value = __atomic_load_n(reinterpret_cast<const uint64_t*>(ram.at(pa)), __ATOMIC_RELAXED);
    else
      *value = __atomic_load_n(reinterpret_cast<const uint32_t*>(ram.at(pa)), __ATOMIC_RELAXED);
    return 0;
  }
  void* context() const { return const_cast<GuestRam*>(&ram_); }

  const GuestRam ram_;
  const bool flat_;
  Statistics& statistics_;
};

// Walks for many pages in the order of their slots in a table, in which stretches of VA are
// interleaved.
template <GuestArchitecture Guest>
class SlotWalker {
 public:
  SlotWalker(const Walks<Guest>& walks, const typename Guest::Regime& regime, AccessKind kind, bool privileged)
      : walks_(walks), regime_(regime), kind_(kind), privileged_(privileged) {}
  [[gnu::always_inline]] const typename Guest::Result& operator()(typename Guest::Va va) {
    return walks_.walk(regime_, va, kind_, privileged_, memos_[va >> 20 & (kMemos - 1)]);
  }

 private:
  static constexpr uint32_t kMemos = 16;
  const Walks<Guest>& walks_;
  const typename Guest::Regime& regime_;
  const AccessKind kind_;
  const bool privileged_;
  typename Guest::Memo memos_[kMemos] = {};
};

}  // namespace crosswalk::mmu
