// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/io_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>

#include "vmm/base/sandbox.h"

namespace crosswalk::vmm {
namespace {
constexpr int kLingerMilliseconds = 2;
constexpr int kLingerRounds = 10;        // rounds without output before a full sleep
constexpr int kFlushMilliseconds = 400;  // how long stdout may take nothing at the end
}  // namespace

IoThread::IoThread(Console& console, std::mutex& device_lock, IoEvents& events)
    : console_(console), device_lock_(device_lock), events_(events), event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_fd_ < 0) throw std::runtime_error("eventfd: the host has no file descriptors left");
}

IoThread::~IoThread() {
  stop_.store(true);
  notify(true);
  join();
  close(event_fd_);
}

void IoThread::start(const Sandbox* sandbox) {
  sandbox_ = sandbox;
  stop_.store(false);
  ended_ = false;
  thread_ = std::thread([this] { run(); });
}

bool IoThread::finish(std::chrono::milliseconds patience) {
  stop_.store(true);
  notify(true);
  std::unique_lock lock(end_lock_);
  for (uint64_t seen = progress_.load(); !end_changed_.wait_for(lock, patience, [this] { return ended_; });) {
    const uint64_t now = progress_.load();
    if (now == seen) return false;
    seen = now;
  }
  return true;
}

void IoThread::join() {
  if (thread_.joinable()) thread_.join();
}

// Pairs with wait(): that announces its sleep and then looks for work once more; the caller has made the work visible
// before, by a sequentially consistent store or under the device lock.
void IoThread::notify(bool urgent) {
  const uint32_t state = sleep_state_.load();
  if (state == kAwake || (state == kLingering && !urgent)) return;
  if (sleep_state_.exchange(kAwake) == kAwake) return;
  const uint64_t one = 1;
  // Fails only when the counter is at its maximum, which wakes as well.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
}

bool IoThread::has_work() const {
  if (stop_.load()) return true;
  for (const VirtioMmio* worker : workers_) {
    if (worker->has_work()) return true;
  }
  if (!console_.has_input() || !sink_) return false;
  const std::lock_guard lock(device_lock_);
  return sink_->input_room() > 0;
}

void IoThread::do_work() {
  for (VirtioMmio* worker : workers_) {
    if (worker->has_work() && !stop_.load()) worker->do_work();
  }
  if (console_.has_input() && sink_) {
    const std::lock_guard lock(device_lock_);
    console_.deliver_input(*sink_);
  }
}

// Sleeps until there is something to do, and writes to the terminal.
void IoThread::wait(bool was_busy) {
  enum { kEvent, kOutput, kCount };
  const bool output = console_.has_output();
  pollfd fds[kCount] = {{event_fd_, POLLIN, 0}, {output ? console_.output_fd() : -1, POLLOUT, 0}};
  const bool discard = output && console_.output_fd() < 0;
  // Output that stdout does not take yet is waited for by poll. Only output that comes while asleep needs a wake.
  sleep_state_.store(was_busy ? kLingering : kAsleep);
  const bool more = has_work() || discard || (!output && console_.has_output());
  const int timeout = more ? 0 : was_busy ? kLingerMilliseconds : -1;
  poll(fds, kCount, timeout);
  sleep_state_.store(kAwake);
  wakes_.fetch_add(1, std::memory_order_relaxed);
  if (fds[kEvent].revents) {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
  }
  if (discard || fds[kOutput].revents) {
    if (console_.write_output()) {
      const std::lock_guard lock(device_lock_);
      events_.output_drained();
    }
  }
}

void IoThread::flush_output() {
  for (int refused = 0; console_.has_output() && refused < kFlushMilliseconds;) {
    pollfd out{console_.output_fd(), POLLOUT, 0};
    if (console_.output_fd() >= 0 && poll(&out, 1, kFlushMilliseconds) <= 0) return;  // a stopped reader keeps no one
    if (console_.write_output()) {
      progress_.fetch_add(1);
      refused = 0;
    } else {
      const timespec nap{0, 1'000'000};
      nanosleep(&nap, nullptr);
      ++refused;
    }
  }
}

void IoThread::run() {
  pthread_setname_np(pthread_self(), "io");
  if (sandbox_) sandbox_->enter(Sandbox::Role::Io);
  int quiet_rounds = kLingerRounds;
  while (!stop_.load()) {
    do_work();
    quiet_rounds = console_.has_output() ? 0 : quiet_rounds + 1;
    wait(quiet_rounds < kLingerRounds);
  }
  flush_output();
  const std::lock_guard lock(end_lock_);
  ended_ = true;
  end_changed_.notify_all();
}

}  // namespace crosswalk::vmm
