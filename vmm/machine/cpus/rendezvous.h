// SPDX-License-Identifier: GPL-2.0-or-later
// Work for CPUs, done on their threads between two blocks of translated code: what devices have
// completed, questions for a CPU's state. Whoever queues work raises kLineWork; the engine
// sees it at the next poll and calls Platform::run_queued_work, which is serve().
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace crosswalk {

struct CpuState;

namespace vmm {

class Rendezvous {
 public:
  using Work = std::function<void(CpuState&)>;

  // `kick` raises kLineWork for the CPU of that index and wakes it; it is called on any thread.
  Rendezvous(unsigned cpus, std::function<void(unsigned)> kick);

  // Queues `work` for one CPU and returns. A CPU's work is done in the order in which it was
  // queued. Any thread.
  void post(unsigned cpu, Work work);
  // Runs `work` on each CPU and waits until all have done it. A CPU that has not begun after
  // `patience` does not do it. Returns for each CPU whether it has. Not on a CPU's thread.
  std::vector<bool> run_on_all(const Work& work, std::chrono::milliseconds patience);
  // The CPUs have left the guest: nobody waits for them any more. Any thread.
  void close();

  // On the CPU's thread, with no translated code running: lowers kLineWork and does what is queued.
  void serve(CpuState& cpu);

 private:
  class Meeting;

  void invite(const std::shared_ptr<Meeting>& meeting, const Work& work);

  std::function<void(unsigned)> kick_;
  std::mutex lock_;
  std::vector<std::vector<Work>> queues_;         // by CPU
  std::vector<std::weak_ptr<Meeting>> meetings_;  // those that are waited for
  bool closed_ = false;
};

}  // namespace vmm
}  // namespace crosswalk
