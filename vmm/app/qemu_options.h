// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's options (qemu-system-arm of QEMU 7.2), for who has them in a script or in mind: those with
// an equivalent become options of `crosswalk run`, others are answered. To add one: a row in
// qemu_options.cc.
#pragma once

#include <string>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

// An option of `crosswalk run`, without dashes, and its value: one, or none for a switch.
struct OptionWords {
  std::string name;
  std::vector<std::string> values;
  bool operator==(const OptionWords&) const = default;
};

// Takes QEMU's option at the front of `arguments` off, with its value, and returns what it means
// here: nothing where it asks for what is so anyway. Takes off nothing when the first argument is
// no option of QEMU's, or is one of `run` by its own name ("--kernel", but not "-kernel"). An error
// begins with the option and says what to give instead, or that there is no such thing.
// Precondition: `arguments` is not empty.
Result<std::vector<OptionWords>> take_qemu_option(std::vector<std::string>& arguments);

// The names of all options that are known, without dashes.
std::vector<std::string> qemu_option_names();

}  // namespace crosswalk::vmm
