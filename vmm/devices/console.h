// SPDX-License-Identifier: GPL-2.0-or-later
// The serial console: stdin and stdout.
#pragma once

#include "vmm/devices/console_input.h"
#include "vmm/devices/console_output.h"

namespace crosswalk::vmm {

struct Console {
  // As ConsoleInput and ConsoleOutput.
  Console(int input_fd, int output_fd, bool escapes, uint8_t escape_key = EscapeFilter::kCtrlA)
      : input(input_fd, escapes, escape_key), output(output_fd) {}

  ConsoleInput input;
  ConsoleOutput output;
};

}  // namespace crosswalk::vmm
