// SPDX-License-Identifier: GPL-2.0-or-later
// `crosswalk control` and `crosswalk snapshot`: commands for a running guest, by the socket of its
// --control.
#pragma once

#include "vmm/app/options.h"

namespace crosswalk::vmm {

// Each returns the process's exit status. Errors go to stderr, one line each.
// Prints what the command returns, as JSON.
int run_control(const ControlOptions& options);
// The file is complete, or is not there.
int run_snapshot(const SnapshotOptions& options);

}  // namespace crosswalk::vmm
