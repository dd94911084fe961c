// SPDX-License-Identifier: GPL-2.0-or-later What to install in a window when a page of it is
// needed: neighbours too, in as few pieces as their write access allows, and room for it.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

class Installer {
 public:
  Installer(const MmuConfig& config, const Walks<Guest>& walks, CodePages& code, const Watchpoints& watch,
            WindowPool& pool, SharedWindows& shared, Statistics& statistics)
      : config_(config),
        walks_(walks),
        ram_(walks.ram()),
        code_(code),
        watch_(watch),
        pool_(pool),
        shared_(shared),
        statistics_(statistics) {}

  // Installs the page of `va`, for which `result` is what a walk gives, in the window of the space
  // that is current. False: it must not be installed, or the backend is at its limit.
  bool install(AddressSpace& space, const cw_regime& regime, uint32_t va, const cw_result& result);
  // All of RAM, at VAs that are its PAs (Form::Flat). Throws std::runtime_error.
  void install_flat(AddressSpace& space);

  // The guest got an abort in the space, which its handler most likely mends: the access follows on
  // return.
  void aborted(AddressSpace& space, uint32_t va, AccessKind kind) {
    if (config_.install_on_return) aborted_ = {&space, va, kind, 0};
  }
  bool awaits(const AddressSpace& space) const { return aborted_.space == &space; }
  // The space of the abort is current again.
  void returned(const cw_regime& regime);
  void forget(const AddressSpace& space) {
    if (awaits(space)) aborted_.space = nullptr;
  }

 private:
  // A stretch of VA that reaches consecutive RAM pages.
  struct Stretch {
    uint32_t va, pages, ram_page;
  };
  struct Aborted {
    AddressSpace* space = nullptr;
    uint32_t va = 0;
    AccessKind kind = AccessKind::Load;
    uint32_t tries = 0;
  };

  Stretch stretch_to_install(const cw_regime& regime, const AddressSpace& space, uint32_t va, const cw_result& result,
                             bool writable);
  Stretch contiguous_pages(const cw_regime& regime, bool privileged, uint32_t va, const cw_result& result);
  bool install_stretch(AddressSpace& space, Stretch stretch, uint32_t size_class, bool ng, bool writable);

  const MmuConfig& config_;
  const Walks<Guest>& walks_;
  const GuestRam& ram_;
  CodePages& code_;
  const Watchpoints& watch_;
  WindowPool& pool_;
  SharedWindows& shared_;
  Statistics& statistics_;
  Aborted aborted_;
};

}  // namespace crosswalk::mmu
