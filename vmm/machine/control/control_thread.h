// SPDX-License-Identifier: GPL-2.0-or-later
// The thread that listens to whoever runs the guest: signals, and the keys of the terminal. It
// never waits for anything else, so that nothing that the guest does to its devices, and no slow
// disk, keeps it from hearing.
//
// It is also what ends a run that does not end: when a CPU does not leave the guest soon after it
// was asked to stop, or at a second request.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "translator/base/result.h"
#include "vmm/devices/console.h"
#include "vmm/machine/io/event_loop.h"

namespace crosswalk::vmm {

class Sandbox;

// What the control thread reports to the machine. On its thread.
class ControlEvents {
 public:
  virtual ~ControlEvents() = default;
  virtual void quit_requested() = 0;
  virtual void signal_received(int signal) = 0;
  // SIGUSR1 or Ctrl-A i. May take a few hundred milliseconds.
  virtual void state_requested() = 0;
  // SIGUSR2 or Ctrl-A s; Ctrl-A b, on the line of this serial port.
  virtual void snapshot_requested() = 0;
  virtual void break_requested(unsigned port) = 0;
  // Ctrl-A p, or SIGTERM where that is what it does.
  virtual void power_button_pressed() = 0;
  // SIGCONT: the process was stopped, and goes on.
  virtual void continued() = 0;
  virtual bool stop_requested() const = 0;
  // Asked to stop for the second time: ends the process with this status.
  virtual void exit_now(int status) = 0;
  // The stop was requested kStopPatience ago. Ends the process, unless its CPUs have left the
  // guest.
  virtual void stop_overdue() = 0;
};

class ControlThread final : public IoNotifier {
 public:
  using Clock = std::chrono::steady_clock;
  // How long CPUs may take from a request to stop until they have left the guest.
  static constexpr std::chrono::milliseconds kStopPatience{700};
  // Requests to stop within this time of the first one are the same request: a closing terminal and
  // timeout(1) send several signals.
  static constexpr std::chrono::milliseconds kSameRequest{250};

  ControlThread(Console& console, IoNotifier& io, ControlEvents& events);
  ~ControlThread() override;

  // Another serial port, which is served by `io`. Before open().
  void add_port(Console& console, IoNotifier& io);

  // The signals that it takes; to be blocked in every thread.
  static void block_signals();

  // Before start(): makes the descriptors that it waits for. `catch_signals`: SIGINT, SIGTERM,
  // SIGHUP and SIGQUIT stop the run, SIGUSR1 prints its state, SIGUSR2 asks for a snapshot, SIGCONT
  // is reported, and a run that
  // does not end is ended; before start() the caller blocks block_signals() in every thread.
  // `button_first`: the first SIGTERM presses the power button instead.
  Result<bool> open(bool catch_signals, bool button_first = false);
  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox = nullptr);
  void stop();
  // Looks at stop_requested() and at the console's wish for input again. Any thread.
  void notify(bool urgent) override { loop_.notify(urgent); }

 private:
  void run();
  // What an escape key or signal asks for; `status` is the exit status if it was to end the run.
  void request_stop(int status, bool by_key);
  void read_input(unsigned port);
  void read_signal();
  int wait_milliseconds();
  void check_overdue();

  struct Port {
    Console& console;
    IoNotifier& io;
  };
  std::vector<Port> ports_;
  ControlEvents& events_;
  const Sandbox* sandbox_ = nullptr;
  std::thread thread_;
  EventLoop loop_;
  bool button_next_ = false;  // at the next SIGTERM
  int signal_fd_ = -1;        // of a pipe, from which the numbers of signals are read
  std::atomic<bool> stop_{false};
  std::optional<Clock::time_point> stop_seen_;  // when it learned of the request to stop
  bool overdue_ = false;                        // stop_overdue was called
};

}  // namespace crosswalk::vmm
