// SPDX-License-Identifier: GPL-2.0-or-later Makes address spaces on their first use, and reuses
// those used least recently when there are too many.
#pragma once

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/installer.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

class SpaceKeeper {
 public:
  SpaceKeeper(bool hybrid_mode, Spaces& spaces, WindowPool& pool, SharedWindows& shared, Installer& installer,
              HybridPolicy& hybrid, const CodePages& code, const GuestFlushLog& flushes, Statistics& statistics)
      : hybrid_mode_(hybrid_mode),
        spaces_(spaces),
        pool_(pool),
        shared_(shared),
        installer_(installer),
        hybrid_(hybrid),
        code_(code),
        flushes_(flushes),
        statistics_(statistics) {}

  // An empty space for `key`, for which there is none. It is `current`, which may be null, only if
  // there is no other one. Throws std::runtime_error when the host has no room for a window at all.
  AddressSpace* make(const RegimeKey& key, AddressSpace* current);

 private:
  AddressSpace* add(const RegimeKey& key);
  void clear(AddressSpace& space);
  // Nothing is in the space that the logs could be about.
  void applied_all(AddressSpace& space) const {
    space.applied.protections = code_.end();
    space.applied.flushes = flushes_.end();
  }

  const bool hybrid_mode_;
  Spaces& spaces_;
  WindowPool& pool_;
  SharedWindows& shared_;
  Installer& installer_;
  HybridPolicy& hybrid_;
  const CodePages& code_;
  const GuestFlushLog& flushes_;
  Statistics& statistics_;
};

}  // namespace crosswalk::mmu
