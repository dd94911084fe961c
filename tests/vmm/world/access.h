// SPDX-License-Identifier: GPL-2.0-or-later
// Accesses the way translated code makes them: one instruction whose fault can be given up by
// changing rip.
#pragma once

#include <cstdint>

#include "translator/engine/world.h"

namespace crosswalk::test {

struct Accessed {
  uint64_t value;
  uint64_t given_up;  // 1 when give_up() was called for it
};

// Precondition: called inside a world whose fault handler knows is_access().
Accessed load(uint64_t address, unsigned bytes);
Accessed store(uint64_t address, unsigned bytes, uint64_t value);

// Whether rip is one of the accesses, and the address it uses (rdi). Behind a store that was
// emulated (FaultFrame::completed), rip goes back to it.
bool is_access(engine::FaultFrame& frame);
// Makes the access end without having happened.
void give_up(engine::FaultFrame& frame);

}  // namespace crosswalk::test
