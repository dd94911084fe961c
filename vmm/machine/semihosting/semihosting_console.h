// SPDX-License-Identifier: GPL-2.0-or-later
// The console as semihosting calls use it: standard input by way of the UART, standard output and
// error.
#pragma once

#include <mutex>

#include "vmm/devices/console.h"
#include "vmm/machine/board/board.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/semihosting/semihosting.h"

namespace crosswalk::vmm {

class SemihostingConsole final : public SemihostingHost {
 public:
  // `error_fd`: standard error; -1: none.
  SemihostingConsole(std::mutex& device_lock, Console& console, StopSwitch& stop, int error_fd)
      : device_lock_(device_lock), console_(console), stop_(stop), error_fd_(error_fd) {}
  // Set before the guest runs.
  void attach(Board& board) { board_ = &board; }

  int read_console_byte() override;
  void write_console(const uint8_t* data, size_t bytes) override;
  void write_error(const uint8_t* data, size_t bytes) override;
  bool stopping() const override { return stop_.stopping(); }
  void semihosting_exit(int code) override { stop_.request(StopReason::SemihostingExit, code); }

 private:
  std::mutex& device_lock_;
  Console& console_;
  StopSwitch& stop_;
  int error_fd_;
  Board* board_ = nullptr;
};

}  // namespace crosswalk::vmm
