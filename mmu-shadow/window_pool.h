// SPDX-License-Identifier: GPL-2.0-or-later The windows of all address spaces together: where they
// come from, and what they may take. Those used least recently are emptied for the current one.
#pragma once

#include <cstdint>
#include <memory>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/windows/window.h"
#include "mmu-shadow/windows/window_map.h"
#include "translator/arm32/cpu/platform.h"

namespace crosswalk::mmu {

class WindowPool {
 public:
  // `backend` may be null: then no window can be made.
  WindowPool(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, const Spaces& spaces,
             Statistics& statistics);

  bool exists() const { return backend_ != nullptr; }
  bool can_share() const { return backend_->can_share(); }
  // Null when there is no room.
  std::unique_ptr<WindowMap> create();

  // Takes everything out of the space's window, and out of what it shares if `current` does not
  // share it. If it is `current` itself, out of that too.
  void clear(AddressSpace& space, const AddressSpace* current);
  // Clears the window used least recently that is not the current one's. False: there is none with
  // anything in it.
  bool clear_another(const AddressSpace* current);

  // Makes room for another leaf in the window of `current`.
  void keep_leaf_budget(AddressSpace& current);
  // What is installed is resident only when it has been touched, which nobody tells: the kernel's
  // sections, which are installed in pieces of 2 MiB in each of its windows, hardly are. So the
  // host is asked now and then. That the guest can reach more within the time between is part of
  // the limit. `current` may be null.
  void keep_resident_budget(AddressSpace* current) {
    if (resident_check_ticks_ != 0 && leaves_.pages > max_resident_pages_ && current) check_resident(*current);
  }
  // Something was installed.
  void note_most();

 private:
  void check_resident(AddressSpace& current);

  WindowBackend* const backend_;
  const uint64_t ram_base_;
  const Spaces& spaces_;
  Statistics& statistics_;
  LeafPool leaves_;
  const uint64_t max_resident_pages_;
  const uint32_t max_leaves_;            // that host page tables may exist for
  const uint64_t resident_check_ticks_;  // 0: never
  uint64_t resident_checked_at_ = 0;
};

}  // namespace crosswalk::mmu
