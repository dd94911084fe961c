// SPDX-License-Identifier: GPL-2.0-or-later
// The near end of a serial line; the first one is the console, which mostly is stdin and stdout.
#pragma once

#include <array>

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

// Of the board's serial ports, in order. Null: there is no such port.
inline constexpr unsigned kSerialPorts = 2;
using ConsoleOutputs = std::array<ConsoleOutput*, kSerialPorts>;

}  // namespace crosswalk::vmm
