// SPDX-License-Identifier: GPL-2.0-or-later
// Makes address spaces on their first use, and reuses those used least recently when there are too
// many.
#pragma once

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/installer.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/window_pool.h"
#include "translator/base/panic.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class SpaceKeeper {
 public:
  using Key = typename Guest::Key;
  using Space = AddressSpace<Guest>;

  SpaceKeeper(const MmuConfig& config, Spaces<Guest>& spaces, WindowPool<Guest>& pool, SharedWindows<Guest>& shared,
              Installer<Guest>& installer, HybridPolicy& hybrid, const CodePages& code,
              const GuestFlushLog<Guest>& flushes, Statistics& statistics)
      : hybrid_mode_(config.mode.form == Form::Hybrid),
        soft_tlb_(config.soft_tlb),
        spaces_(spaces),
        pool_(pool),
        shared_(shared),
        installer_(installer),
        hybrid_(hybrid),
        code_(code),
        flushes_(flushes),
        statistics_(statistics) {}

  // An empty space for `key`, for which there is none. It is `current`, which may be null, only if
  // there is no other one. Precondition: the host has room for one window.
  Space* make(const Key& key, Space* current);

 private:
  Space* add(const Key& key);
  void clear(Space& space);
  // A space that is empty, and of a new key, gets its form. False: there is no room for its window.
  bool settle(Space& space);
  // A space that has a window, or lodges, goes altogether.
  void drop_another(const Space& space, const Space* current);
  // Nothing is in the space that the logs could be about.
  void applied_all(Space& space) const {
    space.applied.protections = code_.end();
    space.applied.flushes = flushes_.end();
    space.applied.flash = code_.flash_hides();
  }

  const bool hybrid_mode_;
  const SoftTlbSizes soft_tlb_;
  Spaces<Guest>& spaces_;
  WindowPool<Guest>& pool_;
  SharedWindows<Guest>& shared_;
  Installer<Guest>& installer_;
  HybridPolicy& hybrid_;
  const CodePages& code_;
  const GuestFlushLog<Guest>& flushes_;
  Statistics& statistics_;
};

template <GuestArchitecture Guest>
void SpaceKeeper<Guest>::clear(Space& space) {
  installer_.forget(space);
  space.instruction_pages.remove_all();
  if (space.soft) space.soft->reset();
  space.held_walks.forget();
  if (space.window && space.window->empty()) space.window->window().commit();
  shared_.unshare(space);
  if (space.history) hybrid_.forget(space);
  applied_all(space);
  space.data_reuse = space.fetch_reuse = Reuse{};
}

template <GuestArchitecture Guest>
bool SpaceKeeper<Guest>::settle(Space& space) {
  // Where others of its kind lodge, it finds their entries.
  const bool in_window = hybrid_mode_ ? hybrid_.at_once() || shared_.has_lodging(space.key) : pool_.exists();
  space.windowed = false;
  if (in_window && !shared_.lodge(space)) {
    if (!space.window) space.window = pool_.create();
    if (space.window) shared_.share(space);
  }
  space.windowed = in_window && (space.lodges || space.window);
  if (in_window && !space.windowed && !hybrid_mode_) return false;
  if (!space.windowed && !space.soft) space.soft = std::make_unique<SoftTlbOf<typename Guest::Va>>(soft_tlb_);
  if (space.windowed && space.map().filling()) space.window_faults = space.map().filling()->faults();
  return true;
}

template <GuestArchitecture Guest>
void SpaceKeeper<Guest>::drop_another(const Space& space, const Space* current) {
  Space* const other = spaces_.least_recently_used(
      [&](const Space& s) { return &s != &space && &s != current && (s.window || s.lodges); });
  if (!other) panic("no host address space for a window of 4 GiB");
  installer_.forget(*other);
  shared_.unshare(*other);
  spaces_.remove(other);
}

// Null when there is no room for its window.
template <GuestArchitecture Guest>
AddressSpace<Guest>* SpaceKeeper<Guest>::add(const Key& key) {
  auto space = std::make_unique<Space>();
  if (hybrid_mode_) space->history = std::make_unique<HybridHistory>();
  space->key = key;
  applied_all(*space);
  if (!settle(*space)) return nullptr;
  statistics_.spaces_created++;
  return spaces_.add(std::move(space));
}

template <GuestArchitecture Guest>
AddressSpace<Guest>* SpaceKeeper<Guest>::make(const Key& key, Space* current) {
  if (!spaces_.full())
    if (Space* const space = add(key)) return space;
  // Reuse the oldest that will do: its entries go, its window stays reserved.
  const bool any = hybrid_mode_ || !pool_.exists() || shared_.has_lodging(key);
  Space* space = spaces_.least_recently_used([&](const Space& s) { return &s != current && (any || s.window); });
  if (!space) space = current;
  if (!space) panic("no host address space for a window of 4 GiB");
  clear(*space);
  space->key = key;
  space->fetches = 0;
  while (!settle(*space)) drop_another(*space, current);
  spaces_.rebuild();
  statistics_.spaces_evicted++;
  return space;
}

}  // namespace crosswalk::mmu
