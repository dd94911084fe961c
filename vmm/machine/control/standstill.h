// SPDX-License-Identifier: GPL-2.0-or-later
// While one lives, nothing of the guest happens: its CPUs are between two blocks, its devices
// complete nothing, and its time does not pass (Hold::Pause). For a pause, and for snapshots. CPUs
// answer questions, and a debugger may change what it likes; a HoldOfAll with Hold::Freeze prevents
// that.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "translator/base/result.h"
#include "vmm/devices/console.h"
#include "vmm/machine/cpus/completion_queue.h"
#include "vmm/machine/cpus/cpu_holds.h"
#include "vmm/machine/io/io_thread.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

// The parts of the machine that stop.
struct StandstillParts {
  std::mutex& device_lock;
  ConsoleOutputs consoles;
  IoThreads& io;
  CpuHolds& holds;
  CompletionQueue& completions;
  Timers& timers;
};

class Standstill {
 public:
  // Waits until all has stopped. Fails, and everything goes on, when something does not within
  // `patience`. Not on a thread that stops. There is one at a time. `asked` is called when all CPUs
  // have been asked to stop: one that has not run yet executes nothing.
  static Result<std::unique_ptr<Standstill>> begin(const StandstillParts& parts, std::chrono::milliseconds patience,
                                                   const std::function<void()>& asked = {});
  ~Standstill();
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;

 private:
  explicit Standstill(const StandstillParts& parts) : parts_(parts) {}

  StandstillParts parts_;
  std::optional<HoldOfAll> hold_;
  bool stands_ = false;
};

}  // namespace crosswalk::vmm
