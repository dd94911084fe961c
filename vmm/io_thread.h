// SPDX-License-Identifier: GPL-2.0-or-later
// The thread that does everything slow: terminal input and output, disk reads and writes, signals.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "vmm/console.h"
#include "vmm/devices/virtio_mmio.h"

namespace crosswalk::vmm {

// What the I/O thread reports to the machine.
class IoEvents {
 public:
  virtual ~IoEvents() = default;
  virtual void quit_requested() = 0;
  virtual void signal_received(int signal) = 0;
  // stdout took output: there is room again. With the device lock held.
  virtual void output_drained() = 0;
};

class IoThread final : public IoNotifier {
 public:
  IoThread(Console& console, std::mutex& device_lock, IoEvents& events);
  ~IoThread() override;

  void add_worker(VirtioMmio& worker) { workers_.push_back(&worker); }
  void set_input_sink(InputSink* sink) { sink_ = sink; }

  // `catch_signals`: SIGINT, SIGTERM, SIGHUP and SIGQUIT, which the caller has blocked in every thread, end the run.
  void start(bool catch_signals);
  // Writes what is left of the output, as long as stdout takes it, and ends the thread.
  void stop();

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
  void print_help();

  Console& console_;
  std::mutex& device_lock_;
  IoEvents& events_;
  std::vector<VirtioMmio*> workers_;
  InputSink* sink_ = nullptr;
  std::thread thread_;
  int event_fd_ = -1, signal_fd_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<uint32_t> sleep_state_{kAwake};
  std::atomic<uint64_t> wakes_{0};
};

}  // namespace crosswalk::vmm
