// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace crosswalk {

// One operation of a guest's TLB maintenance. `Va` is the guest's virtual address, `Asid` its
// address space identifier.
template <typename Va, typename Asid>
struct TlbFlush {
  enum Kind : uint8_t {
    All,
    OfAsid,          // what is not global and of `asid`
    Page,            // what is of `va`, and global or of `asid`
    PageOfAllAsids,  // what is of `va`
  };
  Kind kind = All;
  Asid asid = 0;
  Va va = 0;
  // Of the TLBs of all CPUs (Inner Shareable, ARM DDI 0406C, B3.10.5), not of this one's alone.
  bool broadcast = false;
};

}  // namespace crosswalk
