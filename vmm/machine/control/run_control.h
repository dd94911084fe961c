// SPDX-License-Identifier: GPL-2.0-or-later
// What the control thread's events do to the machine.
#pragma once

#include <functional>

#include "vmm/machine/control/control_thread.h"
#include "vmm/machine/control/state_reporter.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/io/io_thread.h"

namespace crosswalk::vmm {

class RunControl final : public ControlEvents {
 public:
  struct Config {
    int error_fd = -1;  // where states and last words are printed; -1: nowhere
    // before the process is ended, on any thread: restores the terminal
    std::function<void()> before_exit;
    // after SIGCONT, on the control thread: takes the terminal back
    std::function<void()> continued;
    // SIGUSR2 or Ctrl-A s
    std::function<void()> snapshot;
    // Ctrl-A b, on the line of this serial port
    std::function<void(unsigned)> line_break;
  };
  RunControl(StopSwitch& stop, StateReporter& reporter, IoThreads& io, Config config)
      : stop_(stop), reporter_(reporter), io_(io), config_(std::move(config)) {}

  void quit_requested() override { stop_.request(StopReason::UserQuit); }
  void signal_received(int signal) override { stop_.request(StopReason::Signal, signal); }
  void state_requested() override;
  void snapshot_requested() override { config_.snapshot(); }
  void break_requested(unsigned port) override { config_.line_break(port); }
  void power_button_pressed() override {
    io_.console_work().press_power_button();
    io_.console().notify(true);
  }
  void continued() override {
    if (config_.continued) config_.continued();
  }
  bool stop_requested() const override { return stop_.stopping(); }
  void exit_now(int status) override;
  void stop_overdue() override;

 private:
  StopSwitch& stop_;
  StateReporter& reporter_;
  IoThreads& io_;
  Config config_;
};

}  // namespace crosswalk::vmm
