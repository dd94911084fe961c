// SPDX-License-Identifier: GPL-2.0-or-later
// Windows that their provider fills (FillingWindow): what the MMU still does for them. It says what
// their walks read, and takes over what the provider has counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/windows/window.h"
#include "translator/base/trace.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class FilledWindows {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Space = AddressSpace<Guest>;
  static_assert(std::is_trivially_copyable_v<Regime>);

  // `filler` is null where there are none.
  FilledWindows(WindowFiller* filler, Statistics& statistics) : filler_(filler), statistics_(statistics) {}

  bool exist() const { return filler_ != nullptr; }

  // Walks in the space's window read `regime` from now on. False: they do already, or nobody but
  // the MMU walks for it.
  bool follow(Space& space, const Regime& regime) {
    FillingWindow* const window = space.filling();
    if (!window) return false;
    WindowWalks<Guest>& walks = space.walks();
    if (walks.set && walks.privileged == space.key.privileged && Guest::walks_alike(walks.regime, regime)) return false;
    walks = {regime, space.key.privileged, true};
    window->set_regime(std::as_bytes(std::span(&regime, 1)), space.key.privileged);
    return true;
  }

  // A fault has come for a page of RAM that the guest may access. Its provider cannot say why:
  // where KVM is between, a store to an entry that is read-only, and need not be any more, is not
  // retried. True: the access is to be repeated. False, after some in a row: the provider has no
  // memory.
  bool retries(Space& space, Va va) {
    if (++refused_ > kTries) {
      refused_ = 0;
      return false;
    }
    const WindowFlush page{WindowFlush::Page, window_offset(va)};
    space.filling()->flush({&page, 1}, /*eager=*/false);
    return true;
  }
  // A fault has come for another reason.
  void understood() { refused_ = 0; }

  // What a fault costs for each page that it installs, if a fault costs `ns`: of those so far.
  double page_ns(double ns) const {
    const FillCounts now = filler_->counts();
    return now.faults == 0 ? ns : ns * static_cast<double>(now.faults) / static_cast<double>(now.entries - now.listed);
  }
  // The guest watches something else.
  void watch(const Watchpoints<Guest>& watch) { watch.show_to(*filler_); }

  // Counts what the provider has done since the last call.
  void collect(trace::Ring* ring) const {
    if (!filler_) return;
    const FillCounts now = filler_->counts();
    const uint64_t faults = now.faults - last_.faults, entries = now.entries - last_.entries;
    statistics_.window_faults_filled += faults;
    statistics_.entries_4k += entries;
    statistics_.pages_installed += entries;
    statistics_.pages_filled_around += now.around - last_.around;
    statistics_.walks += now.walks - last_.walks;
    statistics_.walk_levels += now.walk_levels - last_.walk_levels;
    if (faults != 0) trace::instant(ring, trace::Kind::WindowFill, faults, entries);
    last_ = now;
  }

 private:
  static constexpr uint32_t kTries = 8;

  WindowFiller* const filler_;
  Statistics& statistics_;
  mutable FillCounts last_;
  uint32_t refused_ = 0;  // faults in a row
};

}  // namespace crosswalk::mmu
