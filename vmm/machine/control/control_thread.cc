// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/control_thread.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "vmm/base/exit_status.h"
#include "vmm/base/sandbox.h"

namespace crosswalk::vmm {
namespace {

sigset_t control_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGCONT}) sigaddset(&set, signal);
  return set;
}

}  // namespace

ControlThread::ControlThread(Console& console, IoNotifier& io, ControlEvents& events)
    : console_(console), io_(io), events_(events) {
  loop_.add({[this] { return signal_fd_; }, POLLIN, [this] { read_signal(); }});
  loop_.add({[this] { return console_.input.wanted() ? console_.input.fd() : -1; }, POLLIN, [this] { read_input(); }});
}

ControlThread::~ControlThread() {
  stop();
  if (signal_fd_ >= 0) close(signal_fd_);
}

void ControlThread::block_signals() {
  const sigset_t set = control_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<bool> ControlThread::open(bool catch_signals) {
  if (catch_signals) {
    const sigset_t set = control_signals();
    signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd_ < 0) return Error{"signalfd: the host has no file descriptors left"};
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
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR1)
      events_.state_requested();
    else if (info.ssi_signo == SIGCONT)
      events_.continued();
    else
      request_stop(kExitSignalBase + static_cast<int>(info.ssi_signo), false);
  }
}

void ControlThread::read_input() {
  const EscapeFilter::Asked asked = console_.input.read();
  if (asked.quit) request_stop(kExitUserQuit, true);
  if (asked.help) {
    console_.output.add_notice(
        "\r\nC-a h    print this help\r\nC-a i    print the guest's state\r\nC-a x    quit Crosswalk\r\n"
        "C-a C-a  send C-a to the guest\r\n");
  }
  if (asked.state) events_.state_requested();
  if (asked.help || console_.input.has_input()) io_.notify(true);
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
  while (!stop_.load()) {
    loop_.wait(EventLoop::Heeds::All, [this] { return wait_milliseconds(); });
    check_overdue();
  }
}

}  // namespace crosswalk::vmm
