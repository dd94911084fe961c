// SPDX-License-Identifier: GPL-2.0-or-later
// The end of the process on a fault that nobody can handle.
#pragma once

#include "translator/engine/world.h"

namespace crosswalk {

// As panic(what) (translator/base/panic.h): prints `what`, the registers and the faulting address
// and aborts. Uses write(2) only, so that it may be called from a signal handler.
[[noreturn]] void panic(const char* what, const engine::FaultFrame& frame);

}  // namespace crosswalk
