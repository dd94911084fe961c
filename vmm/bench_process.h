// SPDX-License-Identifier: GPL-2.0-or-later
// Runs another program to its end, with the time of each line that it prints.
#pragma once

#include <string>
#include <vector>

namespace crosswalk::vmm {

struct TimedLine {
  double seconds;  // since the process was started
  std::string text;
};

struct ProcessOutcome {
  bool started = false;
  bool timed_out = false;
  int exit_status = 0;           // 128 + signal when a signal ended it
  std::vector<TimedLine> lines;  // of standard output, without line ends
  std::string error_text;        // the last line of standard error
};

// Standard input is empty. After `timeout_seconds` the process is killed.
ProcessOutcome run_process(const std::vector<std::string>& arguments, unsigned timeout_seconds);

}  // namespace crosswalk::vmm
