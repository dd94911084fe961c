// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/io/io_thread.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

namespace crosswalk::vmm {
namespace {
constexpr int kLingerMilliseconds = 2;
constexpr int kLingerRounds = 10;        // rounds without output before a full sleep
constexpr int kFlushMilliseconds = 400;  // how long stdout may take nothing at the end
}  // namespace

// ---- one thread ---------------------------------------------------------------------------------

IoThread::~IoThread() {
  ask_to_end();
  join();
}

void IoThread::start(const Sandbox* sandbox) {
  sandbox_ = sandbox;
  stop_.store(false);
  ended_ = false;
  thread_ = std::thread([this] { run(); });
}

void IoThread::ask_to_end() {
  {
    const std::lock_guard lock(end_lock_);
    stop_.store(true);
  }
  end_changed_.notify_all();
  notify(true);
}

void IoThread::hold() {
  hold_.store(true);
  notify(true);
}

bool IoThread::wait_held(std::chrono::milliseconds patience) {
  std::unique_lock lock(end_lock_);
  return end_changed_.wait_for(lock, patience, [this] { return resting_ || ended_; });
}

void IoThread::release() {
  {
    const std::lock_guard lock(end_lock_);
    hold_.store(false);
  }
  end_changed_.notify_all();
}

void IoThread::rest() {
  std::unique_lock lock(end_lock_);
  resting_ = true;
  end_changed_.notify_all();
  end_changed_.wait(lock, [this] { return !hold_.load() || stop_.load(); });
  resting_ = false;
}

bool IoThread::finish(std::chrono::milliseconds patience) {
  ask_to_end();
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

void IoThread::run() {
  pthread_setname_np(pthread_self(), name_.c_str());
  if (sandbox_) {
    if (confine_) confine_();
    sandbox_->enter(role_);
  }
  while (!stop_.load()) {
    if (hold_.load()) rest();
    work_.do_work();
    const int linger = work_.linger();
    loop_.wait(linger < 0 ? EventLoop::Heeds::All : EventLoop::Heeds::Urgent,
               [&] { return stop_.load() || hold_.load() || work_.has_work() ? 0 : linger; });
  }
  work_.finish(progress_);
  const std::lock_guard lock(end_lock_);
  ended_ = true;
  end_changed_.notify_all();
}

// ---- the console --------------------------------------------------------------------------------

// Output that stdout does not take yet is waited for. Only output that comes during a wait needs a
// notification.
void ConsoleWork::attach(EventLoop& loop) {
  loop.add({[this] { return console_.output.has_output() ? console_.output.fd() : -1; }, POLLOUT,
            [this] { write_output(); }});
}

bool ConsoleWork::has_work() const {
  if (output_is_discarded() || presses_.load()) return true;
  for (const VirtioMmio* transport : transports_) {
    if (transport->has_work()) return true;
  }
  if (!console_.input.has_input() || !sink_) return false;
  const std::lock_guard lock(device_lock_);
  return sink_->input_room() > 0;
}

void ConsoleWork::do_work() {
  if (output_is_discarded()) write_output();
  if (presses_.exchange(false) && pressed_) {
    const std::lock_guard lock(device_lock_);
    pressed_();
  }
  for (VirtioMmio* transport : transports_) {
    if (transport->has_work()) transport->do_work();
  }
  if (console_.input.has_input() && sink_) {
    const std::lock_guard lock(device_lock_);
    console_.input.deliver(*sink_);
  }
}

int ConsoleWork::linger() {
  quiet_rounds_ = console_.output.has_output() ? 0 : quiet_rounds_ + 1;
  return quiet_rounds_ < kLingerRounds ? kLingerMilliseconds : -1;
}

void ConsoleWork::write_output() {
  if (!console_.output.write_output()) return;
  const std::lock_guard lock(device_lock_);
  drained_();
}

void ConsoleWork::finish(std::atomic<uint64_t>& progress) {
  for (int refused = 0; console_.output.has_output() && refused < kFlushMilliseconds;) {
    pollfd out{console_.output.fd(), POLLOUT, 0};
    // a stopped reader keeps no one
    if (console_.output.fd() >= 0 && poll(&out, 1, kFlushMilliseconds) <= 0) return;
    if (console_.output.write_output()) {
      progress.fetch_add(1);
      refused = 0;
    } else {
      const timespec nap{0, 1'000'000};
      nanosleep(&nap, nullptr);
      ++refused;
    }
  }
}

// ---- all of them --------------------------------------------------------------------------------

IoThreads::IoThreads(Console& console, std::mutex& device_lock, std::function<void(unsigned)> drained)
    : device_lock_(device_lock),
      drained_(std::move(drained)),
      console_work_(console, device_lock, [this] { drained_(0); }),
      console_("io", console_work_) {
  console_work_.attach(console_.loop());
}

void IoThreads::add_second_port(Console& port) {
  second_work_ = std::make_unique<ConsoleWork>(port, device_lock_, [this] { drained_(1); });
  second_ = devices_.emplace_back(std::make_unique<IoThread>("port 1", *second_work_)).get();
  second_work_->attach(second_->loop());
}

IoThread& IoThreads::add_disk(TransportWork& work) {
  return *devices_.emplace_back(std::make_unique<IoThread>("disk " + std::to_string(disks_++), work));
}

IoThread& IoThreads::add_network(TransportWork& work, PollGroup& group) {
  IoThread& thread = *devices_.emplace_back(std::make_unique<IoThread>("network", work, Sandbox::Role::Network));
  thread.loop().add(group);
  return thread;
}

IoThread& IoThreads::add_share(TransportWork& work, std::function<void()> confine) {
  IoThread& thread = *devices_.emplace_back(
      std::make_unique<IoThread>("share " + std::to_string(shares_++), work, Sandbox::Role::Share));
  thread.set_confinement(std::move(confine));
  return thread;
}

Result<bool> IoThreads::open() {
  if (auto opened = console_.loop().open(); !opened) return opened;
  for (const auto& device : devices_) {
    if (auto opened = device->loop().open(); !opened) return opened;
  }
  return true;
}

void IoThreads::start(const Sandbox* sandbox) {
  console_.start(sandbox);
  for (const auto& device : devices_) device->start(sandbox);
}

bool IoThreads::finish(std::chrono::milliseconds patience) {
  for (const auto& device : devices_) device->ask_to_end();
  bool ended = console_.finish(patience);
  // All were asked long ago when one has not ended in that time.
  for (const auto& device : devices_) ended = device->finish(ended ? patience : std::chrono::milliseconds(0)) && ended;
  return ended;
}

bool IoThreads::hold(std::chrono::milliseconds patience) {
  console_.hold();
  for (const auto& device : devices_) device->hold();
  bool held = console_.wait_held(patience);
  for (const auto& device : devices_) held = device->wait_held(held ? patience : std::chrono::milliseconds(0)) && held;
  return held;
}

void IoThreads::release() {
  console_.release();
  for (const auto& device : devices_) device->release();
}

void IoThreads::join() {
  console_.join();
  for (const auto& device : devices_) device->join();
}

uint64_t IoThreads::wakes() const {
  uint64_t sum = console_.wakes();
  for (const auto& device : devices_) sum += device->wakes();
  return sum;
}

}  // namespace crosswalk::vmm
