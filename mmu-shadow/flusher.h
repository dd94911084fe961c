// SPDX-License-Identifier: GPL-2.0-or-later
// Applies guest TLB maintenance to an address space.
//
// To apply an operation on everything, or on an ASID, is either to drop its entries, and each
// access pays for its own again; or to walk again for all of them, and only those that changed are
// written (policy/flush_choice.h). Walking is right only for the space that is current: other
// tables may have been freed.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"

namespace crosswalk::mmu {

class Flusher {
 public:
  Flusher(const MmuCosts& costs, const Walks<Guest>& walks, const GuestFlushLog& log, const PageIds& ids,
          CodePages& code, FlushChoice& choice, SharedWindows& shared, HybridPolicy& hybrid, Statistics& statistics)
      : costs_(costs),
        walks_(walks),
        log_(log),
        ids_(ids),
        code_(code),
        choice_(choice),
        shared_(shared),
        hybrid_(hybrid),
        statistics_(statistics) {}

  // All that the space, which is current and of `regime`, and what it shares have missed of the
  // log.
  void apply(AddressSpace& space, const cw_regime& regime);

 private:
  WindowEntry rewalk(bool privileged, const cw_regime& regime, cw_memo& memo, uint32_t va, WindowEntry old);
  void flush_page(AddressSpace& space, const cw_regime& regime, uint32_t va, bool global_only);
  uint32_t flush_window_page(WindowMap& window, bool privileged, const cw_regime& regime, uint32_t va,
                             bool global_only);
  void refresh(AddressSpace& space, const cw_regime& regime, bool nonglobal_only);
  void refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const cw_regime& regime, bool nonglobal_only);
  bool choose_eager(FlushChoice::Kind kind, bool privileged, Reuse& reuse, uint32_t entries, double walk_ns,
                    double refill_ns) {
    const bool eager = choice_.eager(kind, privileged, reuse, entries, walk_ns, refill_ns);
    (eager ? statistics_.refreshes_eager : statistics_.refreshes_lazy)++;
    return eager;
  }

  const MmuCosts& costs_;
  const Walks<Guest>& walks_;
  const GuestFlushLog& log_;
  const PageIds& ids_;
  CodePages& code_;
  FlushChoice& choice_;
  SharedWindows& shared_;
  HybridPolicy& hybrid_;
  Statistics& statistics_;
};

}  // namespace crosswalk::mmu
