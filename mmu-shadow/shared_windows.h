// SPDX-License-Identifier: GPL-2.0-or-later Windows with page tables in common. The kernel's
// entries are the same in all its address spaces; each of them would pay a fault for each of the
// pages that the kernel uses.
//
// What is shared is the VAs of TTBR1, if it is in use: its tables are one. Otherwise it is the last
// GiB, as long as the descriptors of the first level for it are equal: then all that is below is
// one. That is compared when a space begins to share, and again
//   - after each flush in it that covers such VAs: before that, the guest has to reckon with what
//     was
//     there before;
//   - when it becomes current, if an invalid descriptor has become valid since in another space,
//     which needs no flush;
//   - for the descriptor that a new entry comes from.
// A space that differs leaves. nG plays no part: of equal tables, equal entries come, and
// non-global ones go with the flushes of any ASID.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

class SharedWindows {
 public:
  // `enabled`: --no-share-tables is not given.
  SharedWindows(bool enabled, const GuestRam& ram, WindowPool& pool, const Spaces& spaces, CodePages& code,
                const Watchpoints& watch, const GuestFlushLog& flushes, Statistics& statistics)
      : enabled_(enabled),
        ram_(ram),
        pool_(pool),
        spaces_(spaces),
        code_(code),
        watch_(watch),
        flushes_(flushes),
        statistics_(statistics) {}

  // The space begins to share, if there is something. Precondition: it has a window, and nothing
  // installed in what it may share. It may share already.
  void share(AddressSpace& space);
  // It stops. The last one takes the shared entries with it.
  void unshare(AddressSpace& space);

  // The space is current: compares its descriptors of the first level. One that differs shares with
  // those that do not, if there are any.
  void check(AddressSpace& space);
  // Whether the descriptors that translate `va` are those of what it shares.
  bool same_root(const AddressSpace& space, uint32_t va) const;
  // An entry for `va` is to be installed. If it comes from a descriptor that was invalid, nothing
  // can be there that came from that: what this space has becomes what is shared. False if it must
  // not be installed. The space then parts when it is current again; not now, since fault handlers
  // may be outside of the VM, where the backend cannot do it.
  bool follow_root(AddressSpace& space, uint32_t va);

 private:
  const bool enabled_;
  const GuestRam ram_;
  WindowPool& pool_;
  const Spaces& spaces_;
  CodePages& code_;
  const Watchpoints& watch_;
  const GuestFlushLog& flushes_;
  Statistics& statistics_;
};

}  // namespace crosswalk::mmu
