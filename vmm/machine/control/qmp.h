// SPDX-License-Identifier: GPL-2.0-or-later
// The commands of --control, one JSON object a line, in the form of QEMU's machine protocol (QEMU
// 7.2, docs/interop/qmp-spec.txt): a client of QMP works. What is QEMU's has QEMU's name and
// meaning; docs/control.md lists all.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

// What the commands do. On the monitor's thread.
class MonitorTarget {
 public:
  virtual ~MonitorTarget() = default;
  // QMP's RunState: "running", "paused", "debug" or "shutdown".
  virtual std::string run_state() const = 0;
  virtual unsigned cpu_count() const = 0;
  virtual Result<bool> pause() = 0;
  virtual Result<bool> resume() = 0;
  // To `fd`, which is not closed; negative: to the file of --snapshot-file. Returns its bytes.
  virtual Result<uint64_t> snapshot(int fd, bool quit) = 0;
  virtual Result<bool> reset() = 0;
  virtual void quit() = 0;
  // The guest's state in words; the statistics as --stats-json writes them.
  virtual Result<std::string> state() = 0;
  virtual Result<std::string> statistics() = 0;
  // A break on the serial line.
  virtual void send_break() = 0;
  virtual void press_power_button() = 0;
};

// A client's view: its own files by name.
class Qmp {
 public:
  // `version`: of Crosswalk. `event` tells all clients of a line.
  Qmp(MonitorTarget& target, std::string version, std::function<void(const std::string&)> event);
  ~Qmp();

  // Lines without their ends.
  std::string greeting() const;
  // `line` is one of the client's. Always an answer, an error included. Files that came with it
  // are taken: `fds` is emptied.
  std::string answer(std::string_view line, std::vector<int>& fds);

  static std::string event_line(const std::string& name);

 private:
  struct Command;
  struct Call;
  static std::span<const Command> commands();
  void drop_file(const std::string& name);

  MonitorTarget& target_;
  std::string version_;
  std::function<void(const std::string&)> event_;
  std::map<std::string, int> files_;  // of getfd
};

}  // namespace crosswalk::vmm
