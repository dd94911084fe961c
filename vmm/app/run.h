// SPDX-License-Identifier: GPL-2.0-or-later
// `crosswalk run`.
#pragma once

#include "vmm/app/options.h"

namespace crosswalk::vmm {

// Boots and runs the guest; returns the process's exit status (exit_status.h). Errors go to stderr,
// one line each.
int run_guest(const RunOptions& options);

}  // namespace crosswalk::vmm
