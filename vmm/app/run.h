// SPDX-License-Identifier: GPL-2.0-or-later
// `crosswalk run`.
#pragma once

#include "vmm/app/options.h"
#include "vmm/base/conditions.h"

namespace crosswalk::vmm {

// Boots and runs the guest; returns the process's exit status (exit_status.h). Errors go to stderr,
// one line each. `invocation` is what statistics and the control socket say of it.
int run_guest(const RunOptions& options, const Invocation& invocation);

}  // namespace crosswalk::vmm
