// SPDX-License-Identifier: GPL-2.0-or-later
// Where CPUs meet for a reset of the machine: all leave the guest, one resets everything, and then
// all go on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace crosswalk::vmm {

class ResetGate {
 public:
  // `reset` is called on the thread of the CPU that comes last; `leave` asks every CPU to leave the
  // guest, on any thread.
  ResetGate(unsigned cpus, std::function<void()> reset, std::function<void()> leave)
      : cpus_(cpus), reset_(std::move(reset)), leave_(std::move(leave)) {}

  // Any thread.
  void request() {
    requested_.store(true);
    leave_();
  }
  bool requested() const { return requested_.load(); }
  // The machine stops: nobody waits any more.
  void open();

  // ---- CPU threads, outside of the guest ----
  // Until the machine has been reset, or open() was called.
  void arrive();

 private:
  const unsigned cpus_;
  std::function<void()> reset_, leave_;
  std::atomic<bool> requested_{false};
  std::mutex lock_;
  std::condition_variable changed_;
  unsigned arrived_ = 0;  // guarded by lock_
  uint64_t resets_ = 0;   // the same
  bool open_ = false;     // the same
};

}  // namespace crosswalk::vmm
