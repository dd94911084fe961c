// SPDX-License-Identifier: GPL-2.0-or-later
// Threads that do what is slow: one for the console and what belongs to it, one for a second serial
// port, one for each disk and each shared folder, and one for the network, so that none waits for
// another. Each works in rounds of bounded length.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vmm/base/sandbox.h"
#include "vmm/devices/console.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/machine/io/event_loop.h"

namespace crosswalk::vmm {

// What an I/O thread does. All calls are made on that thread.
class IoWork {
 public:
  virtual ~IoWork() = default;
  virtual bool has_work() const = 0;
  // A round.
  virtual void do_work() = 0;
  // How long to wait for more in milliseconds, during which only urgent notifications are needed;
  // negative: for ever, and each notification is needed.
  virtual int linger() { return -1; }
  // The thread is about to end: does what is left, and changes `progress` while it gets on.
  virtual void finish(std::atomic<uint64_t>&) {}
};

class IoThread final : public IoNotifier {
 public:
  // `name` has at most 15 characters. `work` outlives the thread. `role`: as which it is confined.
  IoThread(std::string name, IoWork& work, Sandbox::Role role = Sandbox::Role::Io)
      : name_(std::move(name)), work_(work), role_(role) {}
  ~IoThread() override;

  // Called on the thread before its sandbox is entered, if there is one. Set before start().
  void set_confinement(std::function<void()> confine) { confine_ = std::move(confine); }
  // What it waits for; opened before start().
  EventLoop& loop() { return loop_; }
  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox = nullptr);
  // Asks the thread to end soon. Any thread.
  void ask_to_end();
  // Asks it, and waits. False: it has made no progress for `patience`, since it is in a system call
  // that does not end. Any thread.
  bool finish(std::chrono::milliseconds patience);
  // Waits until it has ended, however long that takes. Precondition: it was asked to. One thread.
  void join();

  // Asks the thread to rest between two rounds, until release(). One thread asks.
  void hold();
  // Precondition: hold(). Waits until it rests. False: it has not come to it within `patience`.
  bool wait_held(std::chrono::milliseconds patience);
  void release();

  void notify(bool urgent) override { loop_.notify(urgent); }
  uint64_t wakes() const { return loop_.wakes(); }

 private:
  void run();
  void rest();

  std::string name_;
  IoWork& work_;
  Sandbox::Role role_;
  std::function<void()> confine_;
  EventLoop loop_;
  const Sandbox* sandbox_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stop_{false}, hold_{false};
  std::atomic<uint64_t> progress_{0};
  std::mutex end_lock_;
  std::condition_variable end_changed_;
  bool ended_ = true, resting_ = false;  // guarded by end_lock_
};

// Requests of one virtio device.
class TransportWork final : public IoWork {
 public:
  // Before the thread starts.
  void attach(VirtioMmio& transport) { transport_ = &transport; }
  bool has_work() const override { return transport_->has_work(); }
  void do_work() override {
    if (transport_->has_work()) transport_->do_work();
  }

 private:
  VirtioMmio* transport_ = nullptr;
};

// Standard output, console input, and virtio devices that take no time.
class ConsoleWork final : public IoWork {
 public:
  // `drained` is called with the device lock held when standard output has taken something: there
  // is room again.
  ConsoleWork(Console& console, std::mutex& device_lock, std::function<void()> drained)
      : console_(console), device_lock_(device_lock), drained_(std::move(drained)) {}

  // Each before the thread starts.
  void attach(EventLoop& loop);
  void add(VirtioMmio& transport) { transports_.push_back(&transport); }
  void set_input_sink(InputSink* sink) { sink_ = sink; }
  // Called with the device lock held after each press_power_button().
  void set_power_button(std::function<void()> pressed) { pressed_ = std::move(pressed); }

  // Any thread; a notification has to follow.
  void press_power_button() { presses_.store(true); }

  bool has_work() const override;
  void do_work() override;
  int linger() override;
  void finish(std::atomic<uint64_t>& progress) override;

 private:
  bool output_is_discarded() const { return console_.output.fd() < 0 && console_.output.has_output(); }
  void write_output();

  Console& console_;
  std::mutex& device_lock_;
  std::function<void()> drained_;
  std::vector<VirtioMmio*> transports_;
  InputSink* sink_ = nullptr;
  std::function<void()> pressed_;
  std::atomic<bool> presses_{false};
  int quiet_rounds_ = 10;  // without output
};

// All I/O threads of a machine.
class IoThreads {
 public:
  // `drained(port)`: as ConsoleWork's.
  IoThreads(Console& console, std::mutex& device_lock, std::function<void(unsigned)> drained);

  // Of the first serial port, which is the console, or of the second one, if there is one.
  ConsoleWork& console_work(unsigned port = 0) { return port == 0 ? console_work_ : *second_work_; }
  IoThread& console(unsigned port = 0) { return port == 0 ? console_ : *second_; }
  // The thread of the second serial port, once.
  void add_second_port(Console& port);
  // Another disk's thread. `work` outlives it and is attached before start().
  IoThread& add_disk(TransportWork& work);
  // The network's thread: the same, and it waits for what `group` says.
  IoThread& add_network(TransportWork& work, PollGroup& group);

  // A shared folder's thread: the same; `confine` as of IoThread::set_confinement.
  IoThread& add_share(TransportWork& work, std::function<void()> confine);

  // Before start().
  Result<bool> open();
  void start(const Sandbox* sandbox);
  // All of them rest. False: one has not come to it within `patience`; release() all the same.
  bool hold(std::chrono::milliseconds patience);
  void release();
  // As of one thread: false if any makes no progress for `patience`.
  bool finish(std::chrono::milliseconds patience);
  void join();
  uint64_t wakes() const;

 private:
  std::mutex& device_lock_;
  std::function<void(unsigned)> drained_;
  ConsoleWork console_work_;
  IoThread console_;
  std::unique_ptr<ConsoleWork> second_work_;
  std::vector<std::unique_ptr<IoThread>> devices_;  // all but the console
  IoThread* second_ = nullptr;                      // one of them
  unsigned disks_ = 0, shares_ = 0;
};

}  // namespace crosswalk::vmm
