// SPDX-License-Identifier: GPL-2.0-or-later
// Something that executes ARM instructions: the engine, or Unicorn.
#pragma once

#include <string>

#include "tests/translator/differential/guest_case.h"

namespace crosswalk::differential {

class GuestRunner {
 public:
  virtual ~GuestRunner() = default;
  // Loads the state, executes the instructions of the case, which have been stored in ram(), and
  // reads the state.
  virtual Outcome run(const Case& c) = 0;
  // kRamSize bytes, the guest's memory at kRamBase.
  virtual uint8_t* ram() = 0;
  // All code slots are about to be written again.
  virtual void forget_code() = 0;
  // What the runner knows of the last case, for failure reports.
  virtual std::string details() { return {}; }
};

}  // namespace crosswalk::differential
