// SPDX-License-Identifier: GPL-2.0-or-later
// The `process` world: the engine on an ordinary thread; faults of translated code are SIGSEGV and
// SIGBUS, handled on an alternate signal stack.
#pragma once

#include <memory>

#include "translator/base/result.h"
#include "translator/engine/world.h"

namespace crosswalk::vmm {

// The first run() in the process installs the signal handlers and leaves them installed; faults of
// threads that are in no ProcessWorld go to the handlers that were there before.
Result<std::unique_ptr<engine::World>> make_process_world();

}  // namespace crosswalk::vmm
