// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/base/running_cpus.h"

#include <sched.h>

#include "translator/base/panic.h"

namespace crosswalk::mmu {

RunningCpus::Index RunningCpus::add() {
  if (count_ == kMaximum) panic("more CPUs than a machine can have");
  return count_++;
}

// Pairs with Stop: each side stores its own word and then loads the other's, sequentially
// consistent, so that either this waits or the other one sees that the CPU runs.
void RunningCpus::run(Index self) {
  slots_[self].applied.store(0);
  while (stopping_.load()) {
    park(self);
    { const std::lock_guard wait(stop_); }
    slots_[self].applied.store(0);
  }
}

void RunningCpus::ask_others(Index self) const {
  for (Index other = 0; other < count_; other++)
    if (other != self && slots_[other].applied.load() != kParked) slots_[other].ask_to_poll(slots_[other].cpu);
}

bool RunningCpus::crowded() const {
  unsigned running = 0;
  for (Index cpu = 0; cpu < count_; cpu++) running += slots_[cpu].applied.load() != kParked;
  return !each_has_host_cpu(running, host_cpus_);
}

void RunningCpus::Patience::look() {
  constexpr unsigned kSoon = 200;      // some 8 us: who runs has answered
  constexpr unsigned kPatient = 1000;  // some 40 us
  looks_++;
  if (!long_ && looks_ >= kSoon && cpus_.crowded()) {
    long_ = true;
    cpus_.waiting_long_.fetch_add(1);
  }
  if (long_) {
    cpus_.ask_others(self_);
    sched_yield();
  } else if (looks_ < kPatient) {
    __builtin_ia32_pause();
  } else {
    sched_yield();
  }
}

void RunningCpus::waited_long() {
  waiting_long_.fetch_sub(1);
  waits_over_.fetch_add(1);
  if (resting_.load() != 0) waits_over_.notify_all();
}

// Reads `waits_over_` first: a wait that it sees ends later changes that.
void RunningCpus::rest() {
  const uint32_t over = waits_over_.load();
  resting_.fetch_add(1);
  if (waiting_long_.load() != 0) waits_over_.wait(over);
  resting_.fetch_sub(1);
}

RunningCpus::Stop::Stop(RunningCpus& cpus, Index self)
    : cpus_(cpus), lock_((cpus.park(self), std::unique_lock(cpus.stop_))) {
  cpus_.stopping_.store(true);
  cpus_.wait_for_others(
      self, kParked, [](Index) { return true; }, [] { return true; });
}

RunningCpus::Stop::~Stop() { cpus_.stopping_.store(false); }

}  // namespace crosswalk::mmu
