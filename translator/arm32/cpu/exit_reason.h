// SPDX-License-Identifier: GPL-2.0-or-later
// Why translated code left for the run loop (CpuState.exit_reason). Helpers called from translated
// code set kExitException (or another non-zero reason) to leave the block after they have changed
// the state completely.
#pragma once

#include <cstdint>

namespace crosswalk {

enum ExitReason : uint32_t {
  kExitNone = 0,      // still running
  kExitLookup = 1,    // continue at r[15] through a lookup; nothing to link
  kExitLink = 2,      // exit_link = the link's number
  kExitIndirect = 3,  // the jump cache missed
  kExitPoll = 4,      // `pending` was set
  // r[15] is the last instruction of a page and extends into one that is mapped differently now
  kExitSecondPage = 6,
  kExitFpMode = 7,     // the block at r[15] was made for another GuestCpu::fp_mode
  kExitApart = 8,      // as kExitLink, to code whose accesses share no lookups
  kExitException = 5,  // the guest took an exception, or a helper changed r[15]
};

}  // namespace crosswalk
