// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/state_reporter.h"

#include <chrono>
#include <vector>

namespace crosswalk::vmm {
namespace {
constexpr std::chrono::milliseconds kPatience{200};  // how long CPUs have to tell their state
}

void StateReporter::left_guest() {
  {
    const std::lock_guard lock(lock_);
    left_guest_ = true;
  }
  rendezvous_.close();
}

bool StateReporter::has_left_guest() const {
  const std::lock_guard lock(lock_);
  return left_guest_;
}

std::string StateReporter::ask() {
  std::vector<Sleep> sleep;
  for (const auto& cpu : vcpus_) sleep.push_back(cpu->sleep());
  std::vector<std::string> texts(vcpus_.count());
  rendezvous_.run_on_all(
      [&](CpuState& cpu) { texts[cpu.cpu_index] = describe(vcpus_[cpu.cpu_index], true, sleep[cpu.cpu_index]); },
      kPatience);
  std::string all;
  for (const auto& cpu : vcpus_) {
    std::string& text = texts[cpu->state().cpu_index];
    // What a CPU that does not come has in memory may be old, but says more than nothing.
    if (text.empty()) {
      const std::lock_guard lock(lock_);
      if (!left_guest_) text = describe(*cpu, false, cpu->sleep());
    }
    all += text;
  }
  return all;
}

std::string StateReporter::of_running() {
  const std::lock_guard lock(lock_);
  std::string all;
  for (const auto& cpu : vcpus_) {
    if (!left_guest_) all += describe(*cpu, false, cpu->sleep());
  }
  return all;
}

std::string StateReporter::of_stopped() {
  std::string all;
  for (const auto& cpu : vcpus_) all += describe(*cpu, true, cpu->sleep_at_stop());
  return all;
}

std::string StateReporter::describe(const Vcpu& cpu, bool answered, Sleep sleep) const {
  StateReport report;
  report.seconds = static_cast<double>(counter_.read()) / static_cast<double>(kCounterFrequency);
  report.answered = answered;
  report.sleep = sleep;
  report.symbols = symbols_;
  if (engine_) engine_->add_state(cpu.state(), report);
  const VcpuCounters& counters = cpu.counters();
  report.counts.insert(report.counts.end(), {{"device reads", counters.mmio_reads},
                                             {"device writes", counters.mmio_writes},
                                             {"device completions", completions_.published()},
                                             {"waits for interrupt", counters.waits},
                                             {"console bytes out", console_.output.bytes()},
                                             {"console bytes in", console_.input.bytes()}});
  return describe_state(cpu.state(), report);
}

}  // namespace crosswalk::vmm
