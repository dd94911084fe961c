// SPDX-License-Identifier: GPL-2.0-or-later Pages with watched bytes. Such a page is in no software
// TLB and no window, whatever the watchpoint's filters say: so privilege and CONTEXTIDR change
// nothing here. It is taken out of the current space at once and of the others when they become
// current.
#pragma once

#include <cstdint>

#include "mmu-shadow/spaces/address_space.h"
#include "translator/arm32/cpu/debug.h"

namespace crosswalk::mmu {

class Watchpoints {
 public:
  // VA >> 12, inclusive.
  bool covers(uint32_t first_page, uint32_t last_page) const {
    for (uint32_t i = 0; i < count_; i++)
      if (first_page <= pages_[i].last && last_page >= pages_[i].first) return true;
    return false;
  }
  bool covers(uint32_t va) const { return covers(va >> kPageBits, va >> kPageBits); }

  // Returns whether there are pages that were not watched before.
  bool set(const arm::Watched& watched);
  // Changes when pages get watched (Applied::watches).
  uint64_t version() const { return version_; }
  // Precondition: the space is current.
  void remove_from(AddressSpace& space) const;

 private:
  struct Pages {  // VA >> 12, inclusive
    uint32_t first, last;
  };
  template <typename RemovePage, typename RemoveAll>
  void each_page(RemovePage remove_page, RemoveAll remove_all) const;
  void remove_from(WindowMap& window) const;

  uint32_t count_ = 0;
  Pages pages_[arm::kWatchpoints] = {};
  uint64_t version_ = 0;
};

}  // namespace crosswalk::mmu
