// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/control_thread.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "vmm/base/exit_status.h"
#include "vmm/base/sandbox.h"

namespace crosswalk::vmm {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

sigset_t control_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  return set;
}

// Where the handler writes the numbers of signals: there is one set of signal dispositions per
// process. -1: nowhere.
std::atomic<int>& signal_pipe() {
  static std::atomic<int> fd{-1};
  return fd;
}

// On the control thread, which alone does not block them. Not a signalfd: the kernel wakes who
// waits for one at every signal of the process, and faults of windows are signals.
void on_signal(int number) {
  const int saved_errno = errno;
  const auto byte = static_cast<uint8_t>(number);
  // A pipe that is full holds more signals than anyone waits for.
  [[maybe_unused]] const ssize_t written = write(signal_pipe().load(), &byte, 1);
  errno = saved_errno;
}

}  // namespace

ControlThread::ControlThread(Console& console, IoNotifier& io, ControlEvents& events) : events_(events) {
  loop_.add({[this] { return signal_fd_; }, POLLIN, [this] { read_signal(); }});
  add_port(console, io);
}

void ControlThread::add_port(Console& console, IoNotifier& io) {
  const auto port = static_cast<unsigned>(ports_.size());
  ports_.push_back({console, io});
  ConsoleInput& input = console.input;
  loop_.add({[&input] { return input.wanted() ? input.fd() : -1; }, POLLIN, [this, port] { read_input(port); }});
}

ControlThread::~ControlThread() {
  stop();
  if (signal_fd_ < 0) return;
  close(signal_pipe().exchange(-1));
  close(signal_fd_);
}

void ControlThread::block_signals() {
  const sigset_t set = control_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<bool> ControlThread::open(bool catch_signals, bool button_first) {
  button_next_ = button_first;
  if (catch_signals) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error{std::string("pipe: ") + std::strerror(errno)};
    signal_fd_ = ends[0];
    signal_pipe() = ends[1];
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (const int signal : kSignals)
      if (sigaction(signal, &action, nullptr) != 0) return Error{std::string("sigaction: ") + std::strerror(errno)};
  }
  return loop_.open();
}

void ControlThread::start(const Sandbox* sandbox) {
  sandbox_ = sandbox;
  stop_.store(false);
  thread_ = std::thread([this] { run(); });
}

void ControlThread::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  notify(true);
  thread_.join();
}

void ControlThread::request_stop(int status, bool by_key) {
  const bool again = events_.stop_requested() && stop_seen_ && Clock::now() - *stop_seen_ > kSameRequest;
  if (again && signal_fd_ >= 0) events_.exit_now(status);
  if (by_key)
    events_.quit_requested();
  else
    events_.signal_received(status - kExitSignalBase);
}

void ControlThread::read_signal() {
  uint8_t number;
  while (read(signal_fd_, &number, 1) == 1) {
    if (number == SIGUSR1)
      events_.state_requested();
    else if (number == SIGUSR2)
      events_.snapshot_requested();
    else if (number == SIGCONT)
      events_.continued();
    else if (number == SIGTERM && std::exchange(button_next_, false))
      events_.power_button_pressed();
    else
      request_stop(kExitSignalBase + number, false);
  }
}

void ControlThread::read_input(unsigned port) {
  Console& console = ports_[port].console;
  const EscapeFilter::Asked asked = console.input.read();
  if (asked.quit) request_stop(kExitUserQuit, true);
  if (asked.help) {
    const std::string key = {'C', '-', static_cast<char>('a' - 1 + console.input.escape_key())};
    console.output.add_notice("\r\n" + key + " h    print this help\r\n" + key + " i    print the guest's state\r\n" +
                              key + " s    write a snapshot (--snapshot-file)\r\n" + key +
                              " b    send a break to the serial port\r\n" + key +
                              " p    press the guest's power button\r\n" + key + " x    quit Crosswalk\r\n" + key +
                              " " + key + "  send " + key + " to the guest\r\n");
  }
  if (asked.state) events_.state_requested();
  if (asked.snapshot) events_.snapshot_requested();
  if (asked.line_break) events_.break_requested(port);
  if (asked.power) events_.power_button_pressed();
  if (asked.help || console.input.has_input()) ports_[port].io.notify(true);
}

// How long to sleep: until the stop is overdue, if one was requested.
int ControlThread::wait_milliseconds() {
  if (stop_.load()) return 0;
  if (!events_.stop_requested() || overdue_ || signal_fd_ < 0) return -1;
  if (!stop_seen_) stop_seen_ = Clock::now();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*stop_seen_ + kStopPatience - Clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

void ControlThread::check_overdue() {
  if (!stop_seen_ || overdue_ || signal_fd_ < 0 || Clock::now() < *stop_seen_ + kStopPatience) return;
  overdue_ = true;
  events_.stop_overdue();
}

void ControlThread::run() {
  pthread_setname_np(pthread_self(), "control");
  if (sandbox_) sandbox_->enter(Sandbox::Role::Control);
  if (signal_fd_ >= 0) {
    const sigset_t set = control_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  while (!stop_.load()) {
    loop_.wait(EventLoop::Heeds::All, [this] { return wait_milliseconds(); });
    check_overdue();
  }
}

}  // namespace crosswalk::vmm
