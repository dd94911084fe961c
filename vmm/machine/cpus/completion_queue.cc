// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/completion_queue.h"

#include <utility>

namespace crosswalk::vmm {

void CompletionQueue::post(Completion&& completion) {
  waiting_.push_back(std::move(completion));
  if (waiting_.size() == 1) ask_cpu();
}

void CompletionQueue::ask_cpu() {
  if (const auto cpu = vcpus_.awake()) rendezvous_.post(*cpu, [this](CpuState& state) { publish(state); });
}

void CompletionQueue::publish(CpuState& cpu) {
  // It was switched off meanwhile, and its thread is outside of the engine.
  if (vcpus_[cpu.cpu_index].power() != CpuPower::On) return ask_cpu();
  std::vector<Completion> completions;
  {
    const std::lock_guard lock(device_lock_);
    completions.swap(waiting_);
  }
  for (const Completion& completion : completions) {
    if (stop_.stopping()) return;  // the guest will not see it
    if (engine_) {
      for (const Completion::Range& range : completion.ranges) engine_->external_write(cpu, range.pa, range.bytes);
    }
    Completion::Range used;
    {
      const std::lock_guard lock(device_lock_);
      used = completion.transport->publish(completion);
      ++published_;
    }
    if (engine_ && used.bytes) engine_->external_write(cpu, used.pa, used.bytes);
  }
}

}  // namespace crosswalk::vmm
