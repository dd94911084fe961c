// SPDX-License-Identifier: GPL-2.0-or-later
// What every world prints before it aborts on a fault that nobody can handle.
#pragma once

#include "translator/engine/world.h"

namespace crosswalk::vmm {

// Prints `title`, the registers and the faulting address to standard error with write(2) only, so that it may be
// called from a signal handler.
void report_fault(const char* title, const engine::FaultFrame& frame);

[[noreturn]] void report_fault_and_abort(const char* title, const engine::FaultFrame& frame);

}  // namespace crosswalk::vmm
