// SPDX-License-Identifier: GPL-2.0-or-later A new space gets the instruction pages and the software
// TLB that its predecessor has, as far as its own tables say the same: a forked process runs the
// same code, and the kernel is everywhere. Windows are not filled so: entering what a child may not
// use before it ends cost more than the faults it spared (docs/findings.md).
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/watchpoints.h"

namespace crosswalk::mmu {

class Prefiller {
 public:
  Prefiller(const MmuConfig& config, const Walks<Guest>& walks, const Spaces& spaces, PageIds& ids, CodePages& code,
            const Watchpoints& watch, const FlushChoice& choice, Statistics& statistics)
      : enabled_(config.prefill),
        costs_(config.costs),
        walks_(walks),
        spaces_(spaces),
        ids_(ids),
        code_(code),
        watch_(watch),
        choice_(choice),
        statistics_(statistics) {}

  // An instruction page was entered in the space. Returns whether it is time to prefill it now.
  bool fetched(AddressSpace& space) const {
    return space.fetches < kFetches && ++space.fetches == kFetches && enabled_;
  }
  // Precondition: the space is current, and of `regime`.
  void prefill(AddressSpace& space, const cw_regime& regime);

 private:
  // A space that fetches from so many pages is no passing combination of registers: time to prefill
  // it.
  static constexpr uint32_t kFetches = 3;

  const AddressSpace* predecessor_of(const AddressSpace& space) const;

  const bool enabled_;
  const MmuCosts& costs_;
  const Walks<Guest>& walks_;
  const Spaces& spaces_;
  PageIds& ids_;
  CodePages& code_;
  const Watchpoints& watch_;
  const FlushChoice& choice_;
  Statistics& statistics_;
};

}  // namespace crosswalk::mmu
