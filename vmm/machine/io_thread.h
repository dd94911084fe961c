// SPDX-License-Identifier: GPL-2.0-or-later
// The thread that does everything slow: terminal output, disk reads and writes. It works in rounds, in which each
// device and the console have a turn of bounded length.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "vmm/devices/console.h"
#include "vmm/devices/virtio_mmio.h"

namespace crosswalk::vmm {

class Sandbox;

// What the I/O thread reports to the machine.
class IoEvents {
 public:
  virtual ~IoEvents() = default;
  // stdout took output: there is room again. With the device lock held.
  virtual void output_drained() = 0;
};

class IoThread final : public IoNotifier {
 public:
  IoThread(Console& console, std::mutex& device_lock, IoEvents& events);
  ~IoThread() override;

  void add_worker(VirtioMmio& worker) { workers_.push_back(&worker); }
  void set_input_sink(InputSink* sink) { sink_ = sink; }

  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox = nullptr);
  // Asks the thread to write what is left of the output, as long as stdout takes it, and to end. False: it has made no
  // progress for `patience`, since it is in a system call that does not end. Any thread.
  bool finish(std::chrono::milliseconds patience);
  // Waits until it has ended, however long that takes. Precondition: finish() was called. One thread.
  void join();

  void notify(bool urgent) override;
  uint64_t wakes() const { return wakes_.load(std::memory_order_relaxed); }

 private:
  enum SleepState : uint32_t {
    kAwake,
    kLingering,  // wakes by itself within kLingerMilliseconds: console output need not wake it
    kAsleep,
  };

  void run();
  void do_work();
  bool has_work() const;
  void wait(bool was_busy);
  void flush_output();

  Console& console_;
  std::mutex& device_lock_;
  IoEvents& events_;
  std::vector<VirtioMmio*> workers_;
  InputSink* sink_ = nullptr;
  const Sandbox* sandbox_ = nullptr;
  std::thread thread_;
  int event_fd_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> progress_{0};  // changes while output is taken
  std::mutex end_lock_;
  std::condition_variable end_changed_;
  bool ended_ = true;  // guarded by end_lock_
  std::atomic<uint32_t> sleep_state_{kAwake};
  std::atomic<uint64_t> wakes_{0};
};

}  // namespace crosswalk::vmm
