// SPDX-License-Identifier: GPL-2.0-or-later
// What an MMU has to know of a guest's architecture: its addresses, which registers select an
// address space, how its tables are walked, and how its faults are reported. Each architecture has
// a trait of this shape in this folder; nothing else in mmu-shadow/ reads a CPU's registers, a
// descriptor or a fault status.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "mmu-shadow/walker/walker.h"
#include "translator/base/access_kind.h"
#include "translator/base/mmu_view.h"
#include "translator/base/trace.h"

namespace crosswalk::mmu {

// The VAs from `from` on, in whole GiB, for which address spaces that differ in their process alone
// may give the same translations. They do as long as the descriptors of the first level at
// `roots_pa` are the same; always, if these are of no bytes.
struct CommonPart {
  static constexpr uint64_t kNone = ~uint64_t{0};
  uint64_t from = kNone;  // kNone: there is no such part
  uint64_t roots_pa = 0;
  uint32_t roots_bytes = 0;
};

// clang-format off
template <typename G>
concept GuestArchitecture =
    std::unsigned_integral<typename G::Va> && std::unsigned_integral<typename G::Asid> &&
    // A CPU is an MmuView, and has a `trace` (trace.h), which may be null.
    std::derived_from<typename G::Cpu, MmuView> &&
    // Selectors are the values of registers that select an address space, cheap to read and to
    // compare. A Key is what decides what walks return: one address space each.
    std::default_initializable<typename G::Selectors> && std::equality_comparable<typename G::Selectors> &&
    std::default_initializable<typename G::Key> && std::equality_comparable<typename G::Key> &&
    requires(typename G::Cpu& cpu, const typename G::Selectors& selectors, const typename G::Key& key) {
      { cpu.trace } -> std::convertible_to<trace::Ring*>;
      { G::selectors_of(cpu) } -> std::same_as<typename G::Selectors>;
      { selectors.hash() } -> std::same_as<uint32_t>;
      // The part of the selectors that changes most: the privilege, and what goes with it.
      { G::access_of(cpu) } -> std::same_as<uint64_t>;
      { selectors.equal_but_for_access(selectors) } -> std::same_as<bool>;
      { G::key_of(cpu) } -> std::same_as<typename G::Key>;
      { key.hash() } -> std::same_as<uint32_t>;
      { key.asid } -> std::convertible_to<typename G::Asid>;
      { key.privileged } -> std::convertible_to<bool>;
      { key.mmu_enabled() } -> std::same_as<bool>;
      // Of all the address spaces that differ from it in their process alone.
      { key.of_all_processes() } -> std::same_as<typename G::Key>;
      // Whether the other one interprets tables alike.
      { key.is_like(key) } -> std::same_as<bool>;
      { G::privileged(cpu) } -> std::same_as<bool>;
      { G::mmu_enabled(cpu) } -> std::same_as<bool>;
    } &&
    // A Regime is what walks read: registers as the guest wrote them.
    requires(typename G::Cpu& cpu) {
      { G::regime_of(cpu) } -> std::same_as<typename G::Regime>;
      { G::flat_regime_of(cpu) } -> std::same_as<typename G::Regime>;  // with the MMU off
    } &&
    // Whether walks of one address space by these two give the same.
    requires(const typename G::Regime& regime) {
      { G::walks_alike(regime, regime) } -> std::same_as<bool>;
      // The same, if both have one key.
      { G::attributes_alike(regime, regime) } -> std::same_as<bool>;
    } &&
    // A Memo holds the last walk, so that neighbours cost less; `result` is what it gave. The walk
    // with one returns how many descriptors it read, the other says so in levels_read. walk_again:
    // whether the memo's result, of a VA in the same MiB, becomes that of `va` by at most one more
    // read, that of the last descriptor, which is counted in `levels`.
    requires(const typename G::Regime& regime, typename G::Va va, AccessKind kind, bool privileged, cw_reader read,
             void* context, typename G::Result& result, typename G::Memo& memo, unsigned& levels) {
      G::walk(regime, va, kind, privileged, read, context, result);
      { G::walk(regime, va, kind, privileged, read, context, memo) } -> std::same_as<unsigned>;
      { G::walk_again(regime, va, read, context, memo, levels) } -> std::same_as<bool>;
      { memo.result } -> std::convertible_to<typename G::Result>;
    } &&
    // A Result has the entry's size and attributes. `entry_valid`: an entry was found, perhaps with
    // a fault; `ng`: it is of its ASID alone; equal `permissions` allow the same.
    requires(const typename G::Result& result, bool privileged) {
      { result.pa } -> std::convertible_to<uint64_t>;
      { result.log2_size } -> std::convertible_to<unsigned>;
      { result.levels_read } -> std::convertible_to<unsigned>;
      { result.entry_valid } -> std::convertible_to<bool>;
      { result.ng } -> std::convertible_to<bool>;
      { result.permissions == result.permissions } -> std::convertible_to<bool>;
      { G::mapped(result) } -> std::same_as<bool>;
      { G::normal_memory(result) } -> std::same_as<bool>;
      { G::mmu_was_off(result) } -> std::same_as<bool>;
      { G::allows_store(result, privileged) } -> std::same_as<bool>;
    } &&
    // A Translation has ok, pa, host, normal_memory, holds_code and watched, and what the CPU needs
    // to report a fault of a walk, and of a fetch from memory that is not to be executed from; and
    // the answer of an address translation operation. `Port` declares translate(), flush(),
    // synchronize() and synchronize_code(), which system registers and barriers use (TlbFlush).
    requires(typename G::Translation& t, const typename G::Regime& regime, typename G::Va va,
             const typename G::Result& result, bool normal_memory) {
      typename G::Port;
      G::set_fault(t, va, result);
      G::set_fetch_fault(t, regime, va, result, normal_memory);
      G::set_answer(t, regime, result);
    } &&
    // Of two copies of the descriptors of the common part: where those for `va` are, how many bytes
    // they are, and whether they differ at most in that an invalid one became valid.
    requires(const typename G::Key& key, typename G::Va va, const uint8_t* roots, size_t at) {
      { G::common_part(key) } -> std::same_as<CommonPart>;
      { G::root_offset(va, at) } -> std::same_as<size_t>;
      { G::kRootBytes } -> std::convertible_to<size_t>;
      { G::only_became_valid(key, roots, roots, at) } -> std::same_as<bool>;
    } &&
    // BreakPages has `everywhere`, `count`, page[], as VA >> 12, and at(va); Watched has `count`,
    // kWatchpoints at most, and ranges[] with `first` and `last`.
    requires(const typename G::Cpu& cpu) {
      { G::break_pages(cpu) } -> std::same_as<typename G::BreakPages>;
      { G::watched(cpu) } -> std::same_as<typename G::Watched>;
      { G::kWatchpoints } -> std::convertible_to<uint32_t>;
    } &&
    // Has the CPU poll soon; any thread calls it. On the CPU's own thread: whether its next barrier
    // has something to wait for, and whether it is to stop running.
    requires(typename G::Cpu& cpu) {
      G::ask_to_poll(cpu);
      G::set_awaited(cpu, true);
      { G::stopping(cpu) } -> std::same_as<bool>;
    } &&
    // Small pages that lead to themselves, in RAM that is zero and at least 2 MiB, and a CPU that
    // uses them, for measurements.
    requires(typename G::Cpu& cpu, uint8_t* ram, uint64_t base, uint64_t bytes) {
      G::map_small_pages(cpu, ram, base, bytes);
    };
// clang-format on

}  // namespace crosswalk::mmu
