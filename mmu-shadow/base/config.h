// SPDX-License-Identifier: GPL-2.0-or-later
// What an MMU is configured by: the mode, the policies, what things cost on this host, and limits.
#pragma once

#include <cstdint>

#include "translator/base/counter.h"

namespace crosswalk::mmu {

// What translated code reaches guest memory through.
enum class Form : uint8_t {
  SoftTlb,  // each address space has a software TLB
  Window,   // each address space has a window of the backend
  // each has one of these two, and changes between them as its history says, or has a window from
  // the start where those are cheap (policy/hybrid.h). cpu.memory_window says which form the
  // current one has
  Hybrid,
  Flat,  // one window holds all of RAM, for guests that leave the MMU off
};

// How translated code looks a software TLB up.
enum class Lookup : uint8_t { Inline, Call };

// How guest memory is reached, as far as MMU and engine have to know. Who makes the entries of
// windows, the WindowBackend, is a choice of its own.
struct Mode {
  Form form = Form::SoftTlb;
  Lookup lookup = Lookup::Inline;
  bool operator==(const Mode&) const = default;
  bool has_windows() const { return form != Form::SoftTlb; }

  static const Mode Soft, SoftCall, Window, Hybrid, Flat;
};
inline constexpr Mode Mode::Soft{Form::SoftTlb, Lookup::Inline};
inline constexpr Mode Mode::SoftCall{Form::SoftTlb, Lookup::Call};
inline constexpr Mode Mode::Window{Form::Window};
inline constexpr Mode Mode::Hybrid{Form::Hybrid};
inline constexpr Mode Mode::Flat{Form::Flat};

// The bit of the code flags (fetch_page) that is cpu.memory_window: code made for one form is not
// for the other.
inline constexpr uint32_t kCodeFlagWindow = 1u << 2;

// One entry of the software TLB that translated code looks up, 16 bytes: at mem_base +
// (VA >> 8 & SoftTlbHeader::index_mask). A tag holds the page's VA when the access is allowed and
// is plain RAM, else kNoTag (which no page-aligned VA equals). Host address = addend + VA.
struct SoftTlbEntry {
  uint32_t tag_load;
  uint32_t tag_store;
  uint64_t addend;
};
inline constexpr uint32_t kNoTag = 0xffffffff;
// So many bytes before the entries.
struct SoftTlbHeader {
  uint32_t index_mask;  // (entries - 1) * sizeof(SoftTlbEntry)
};
inline constexpr uint32_t kSoftTlbHeaderBytes = 64;

inline const SoftTlbEntry& soft_tlb_entry(uint64_t mem_base, uint32_t va) {
  const auto& header = *reinterpret_cast<const SoftTlbHeader*>(mem_base - kSoftTlbHeaderBytes);
  return *reinterpret_cast<const SoftTlbEntry*>(mem_base + (va >> 8 & header.index_mask));
}

// The entries that software TLBs may have, in powers of two: policy/tlb_size.h. Equal: all have so
// many.
inline constexpr uint32_t kLeastSoftTlb = 256, kMostSoftTlb = 65536;
struct SoftTlbSizes {
  uint32_t least = 1024, most = kMostSoftTlb;
};

// The default of MmuConfig::max_resident_pages is twice the pages of RAM and so many more.
inline constexpr uint64_t kResidentBeyondRam = (64 << 20) >> 12;
inline constexpr uint32_t kWindowLeaves = 4096;  // one window alone may have half of them

// --flush: what becomes of the entries that a guest's TLB maintenance covers. Either is
// architecturally right: a TLB may be filled speculatively at any time (ARM DDI 0406C, B3.9.1).
enum class FlushPolicy : uint8_t {
  Lazy,   // they are dropped; each access faults its entry back
  Eager,  // they are walked again in bulk and rewritten in place
  Auto,   // one of these for each flush, by cost (policy/flush_choice.h)
};

// What things cost on this host in this mode, in nanoseconds; what FlushPolicy::Auto, prefilling
// and Form::Hybrid decide by.
struct MmuCosts {
  double walk = 15;  // walking again for one entry of many, in the order of their VAs
  // the same in another order, as in a software TLB: seldom in the same table
  double walk_apart = 25;
  double soft_refill = 65;    // a software-TLB miss from translated code and back, walk included
  double fetch_refill = 200;  // the same for an instruction page
  double window_fault = 10'000;
  double window_install = 100;   // one entry written by the backend, without a fault
  double window_flush = 10'000;  // one entry made invalid, committed
  double window_create = 150'000;
  // Hybrid: the part of the time on a software TLB that is looking it up, unprivileged and
  // privileged (docs/measurements.md: compute workloads and getppid), the time that a space must
  // have run before it is judged, and the time after which its history counts half.
  double lookup_share[2] = {0.25, 0.18};
  double judge_after = 2'000'000, half_life = 20'000'000;
  double ticks_per_ns = 2;  // of the time-stamp counter
  double soft_lookup = 1;   // that a software TLB takes in each access
  // A page of an ordinary Linux guest is accessed a few thousand times between two flushes.
  double accesses_of_entry = 4'000;

  // What an entry of a window costs, from the access that faults to its flush, where a software TLB
  // has a refill; and the lookups that it saves.
  double entry_costs() const { return window_fault + window_flush - soft_refill; }
  double entry_saves() const { return accesses_of_entry * soft_lookup; }
  // Whether an address space is better off with a window whatever it does: then nothing is to be
  // learned about it.
  bool windows_pay_at_once() const { return entry_costs() <= entry_saves(); }
};

inline constexpr Counter<MmuCosts> kWalkCosts[] = {
    {"cost of a walk, measured", &MmuCosts::walk, CounterUnit::Nanoseconds},
    {"cost of a walk apart, measured", &MmuCosts::walk_apart, CounterUnit::Nanoseconds},
    {"cost of a refill, measured", &MmuCosts::soft_refill, CounterUnit::Nanoseconds},
};
inline constexpr Counter<MmuCosts> kWindowCosts[] = {
    {"cost of a window fault, measured", &MmuCosts::window_fault, CounterUnit::Nanoseconds},
    {"cost of an entry installed, measured", &MmuCosts::window_install, CounterUnit::Nanoseconds},
    {"cost of an entry flushed, measured", &MmuCosts::window_flush, CounterUnit::Nanoseconds},
};

class AsidAccounts;

struct MmuConfig {
  Mode mode{};
  FlushPolicy flush = FlushPolicy::Lazy;
  MmuCosts costs{};
  // a new space gets its predecessor's instruction pages and software TLB, each walked for again
  bool prefill = true;
  // windows or software TLBs kept before the least recently used is evicted
  uint32_t max_spaces = 64;
  SoftTlbSizes soft_tlb{};
  // Limits of what a guest can make grow (docs/limits.md). At the first, all translated code is
  // forgotten; at the second, software TLBs used least recently have the least size again; at the
  // others, the windows used least recently are emptied.
  uint32_t max_page_ids = 1 << 18;
  // all spaces' together, beyond the least size of each
  uint32_t max_soft_tlb_entries = 1 << 18;
  // WindowBackend::resident_pages; 0: twice RAM and kResidentBeyondRam
  uint64_t max_resident_pages = 0;
  // Stretches of 2 MiB that have had entries since their windows were empty, which is what page
  // tables exist for; 0: kWindowLeaves, and eight times those of RAM.
  uint32_t max_window_leaves = 0;
  // a window fault also installs valid neighbours (sections, contiguous pages)
  bool fill_around = true;
  bool install_on_return =
      true;  // after a guest abort, the page is entered when the guest is back, if it is mapped then
  // privileged address spaces have hardware tables in common, where they can
  bool share_tables = true;
  // at most this much of a large entry at once; a power of two, 4 KiB - 2 MiB
  uint32_t fill_bytes = 2 << 20;
  AsidAccounts* accounts = nullptr;  // where totals by ASID go (accounts.h); null: nowhere
};

}  // namespace crosswalk::mmu
