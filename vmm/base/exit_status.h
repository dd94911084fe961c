// SPDX-License-Identifier: GPL-2.0-or-later
// How a guest's run ended, and the process exit status of each end. A semihosting exit uses the
// guest's own code.
#pragma once

#include <cstdint>

namespace crosswalk::vmm {

enum ExitStatus : int {
  kExitPoweredOff = 0,     // PSCI SYSTEM_OFF
  kExitInternalError = 1,  // a bug in Crosswalk, or the host refused something
  kExitBadOptions = 2,     // bad options, or an unusable kernel, initrd, device tree or disk
  kExitGuestReset = 3,     // PSCI SYSTEM_RESET: also how a Linux panic with panic=-1 ends
  kExitTimeout = 4,        // --timeout passed: the guest hangs, or stopped in a panic
  kExitUserQuit = 5,       // Ctrl-A x
  kExitSignalBase = 128,   // plus the number of the signal that ended the run
};

enum class StopReason : uint8_t { None, PowerOff, Reset, Timeout, UserQuit, Signal, SemihostingExit, InternalError };

struct StopState {
  StopReason reason = StopReason::None;
  int code = 0;  // the signal's number, or the semihosting exit code

  int exit_status() const {
    switch (reason) {
      case StopReason::PowerOff: return kExitPoweredOff;
      case StopReason::Reset: return kExitGuestReset;
      case StopReason::Timeout: return kExitTimeout;
      case StopReason::UserQuit: return kExitUserQuit;
      case StopReason::Signal: return kExitSignalBase + code;
      case StopReason::SemihostingExit: return code & 0xff;
      case StopReason::None:
      case StopReason::InternalError: break;
    }
    return kExitInternalError;
  }
};

}  // namespace crosswalk::vmm
