// SPDX-License-Identifier: GPL-2.0-or-later
// What one regime key has: instruction pages, and a software TLB or a window.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mmu-shadow/policy/flush_choice.h"
#include "mmu-shadow/policy/hybrid.h"
#include "mmu-shadow/spaces/flush_log.h"
#include "mmu-shadow/spaces/held_walks.h"
#include "mmu-shadow/spaces/soft_tlb.h"
#include "mmu-shadow/spaces/space_table.h"
#include "mmu-shadow/walker/guest.h"
#include "mmu-shadow/windows/window_map.h"

namespace crosswalk::mmu {

// How much of the logs something has applied, of the pages that are watched, and of flash that is
// hidden.
struct Applied {
  uint64_t protections = 0;  // CodePages
  uint64_t flushes = 0;      // FlushLog
  uint64_t watches = 0;      // Watchpoints
  uint64_t flash = 0;        // CodePages::flash_hides
};

// What walks in a window that fills itself read.
template <GuestArchitecture Guest>
struct WindowWalks {
  typename Guest::Regime regime;
  bool privileged;
  bool set;
};

template <GuestArchitecture Guest>
struct AddressSpace;

// What the windows of several privileged address spaces have in common (shared_windows.h). Its
// entries are in the window of `map`, which the others share (Window::share), or in which they
// lodge.
template <GuestArchitecture Guest>
struct SharedWindow {
  typename Guest::Key key;     // of_all_processes()
  std::vector<uint8_t> roots;  // what the sharers' descriptors of the first level are (CommonPart)
  uint64_t version;            // never 0; changes when `roots` does
  Applied applied;
  Reuse reuse;
  std::unique_ptr<WindowMap> map;
  // if spaces lodge in it:
  AddressSpace<Guest>* lodger = nullptr;  // the one that was current last
  uint32_t faults = 0;                    // FillingWindow::faults() when it moved in
  bool changed = false;                   // something was installed since then without a fault
  WindowWalks<Guest> walks{};
};

template <GuestArchitecture Guest>
struct AddressSpace : SpaceForm {
  using Va = typename Guest::Va;

  typename Guest::Key key;
  uint64_t last_used = 0;
  uint64_t changes_applied = 0;  // GuestMmu::changes() when nothing was missed
  Applied applied;
  // instruction pages entered since the space was made: up to Prefiller::kFetches
  uint32_t fetches = 0;
  Reuse data_reuse, fetch_reuse;
  InstructionPagesOf<Va> instruction_pages;
  // of this and the window, one is in use, and the other one, if it is there,
  std::unique_ptr<SoftTlbOf<Va>> soft;
  std::unique_ptr<WindowMap> window;  // is empty
  HeldWalks<Guest> held_walks;        // of what the software TLB did not have
  WindowWalks<Guest> window_walks{};
  uint32_t window_faults = 0;  // FillingWindow::faults() that hybrid knows of
  std::shared_ptr<SharedWindow<Guest>> shared;
  uint64_t shared_from = CommonPart::kNone;  // the VAs that `shared` has
  const uint8_t* roots = nullptr;            // this space's own descriptors of the first level for them
  // SharedWindow::version when they were compared last, or 0: they are not equal
  uint64_t roots_version = 0;
  // Its accesses go to what is shared alone. It had entries there that are not shared.
  bool lodges = false, had_own_entries = false;

  // Where its accesses go. Precondition: it is windowed.
  WindowMap& map() const { return lodges ? *shared->map : *window; }
  // Null if it is not windowed, or the MMU makes the entries.
  FillingWindow* filling() const { return windowed ? map().filling() : nullptr; }
  WindowWalks<Guest>& walks() { return lodges ? shared->walks : window_walks; }
  WindowMap& window_at(Va va) { return va >= shared_from ? *shared->map : *window; }
  // Whether it, or what it shares, is behind the end of a log.
  bool missed(uint64_t Applied::*log, uint64_t end) const {
    return applied.*log != end || (windowed && shared && shared->applied.*log != end);
  }
};

template <GuestArchitecture Guest>
using Spaces = SpaceTable<AddressSpace<Guest>, typename Guest::Selectors>;
template <GuestArchitecture Guest>
using GuestFlushLog = FlushLog<typename Guest::Va, typename Guest::Asid>;

}  // namespace crosswalk::mmu
