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

void RunningCpus::relax(unsigned spins) {
  constexpr unsigned kPatient = 1000;  // some 40 us
  if (spins < kPatient)
    __builtin_ia32_pause();
  else
    sched_yield();
}

RunningCpus::Stop::Stop(RunningCpus& cpus, Index self)
    : cpus_(cpus), lock_((cpus.park(self), std::unique_lock(cpus.stop_))) {
  cpus_.stopping_.store(true);
  cpus_.wait_for_others(
      self, kParked, [](Index) { return true; }, [] { return true; });
}

RunningCpus::Stop::~Stop() { cpus_.stopping_.store(false); }

}  // namespace crosswalk::mmu
