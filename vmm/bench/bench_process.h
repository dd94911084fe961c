// SPDX-License-Identifier: GPL-2.0-or-later
// Another program, with the time of each line that it prints.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
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

// A started program. It is killed when it has been waited for longer than `timeout_seconds` in all,
// or when this ends.
class ChildProcess {
 public:
  ChildProcess(const std::vector<std::string>& arguments, unsigned timeout_seconds);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads until the program has printed a line that begins with `prefix`, and returns the rest of
  // that line; nothing when the program ended instead. An empty prefix is for no line.
  std::optional<std::string> wait_for_line(const std::string& prefix);
  // Gives it a line of input.
  void send_line(const std::string& text = "");
  // Ends the input and reads until the program ends.
  const ProcessOutcome& finish();
  const ProcessOutcome& outcome() const { return outcome_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Stream {
    int fd = -1;
    std::string partial;
  };
  // Takes what there is; complete lines go to `sink`. Closes the stream at its end.
  template <class Sink>
  void read_some(Stream& stream, Sink&& sink);
  void close_input();

  ProcessOutcome outcome_;
  const Clock::time_point start_;
  Clock::duration left_;
  pid_t child_ = -1;
  int input_ = -1;
  Stream out_, error_;
};

// Runs it to its end; standard input is empty.
ProcessOutcome run_process(const std::vector<std::string>& arguments, unsigned timeout_seconds);

}  // namespace crosswalk::vmm
