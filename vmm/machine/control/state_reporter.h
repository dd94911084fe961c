// SPDX-License-Identifier: GPL-2.0-or-later
// Answers questions for the guest's state: from the CPUs themselves, or when they do not answer,
// from what is in memory.
#pragma once

#include <mutex>
#include <string>

#include "vmm/devices/console.h"
#include "vmm/machine/control/state_report.h"
#include "vmm/machine/cpus/completion_queue.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/time/counter.h"

namespace crosswalk::vmm {

class StateReporter {
 public:
  StateReporter(Vcpus& vcpus, Rendezvous& rendezvous, const SystemCounter& counter, const CompletionQueue& completions,
                const Console& console)
      : vcpus_(vcpus), rendezvous_(rendezvous), counter_(counter), completions_(completions), console_(console) {}

  void set_engine(EnginePort* engine) { engine_ = engine; }
  // Names for addresses; outlives this. Null: none.
  void set_symbols(const SymbolTable* symbols) { symbols_ = symbols; }

  // The CPUs have left the guest: the engine is not asked any more. Any thread.
  void left_guest();
  bool has_left_guest() const;

  // Each returns lines that end with \n, of all CPUs; nothing when they have left the guest.
  // Of CPUs that run: each gives its state between two blocks of translated code, if it comes there
  // in time.
  std::string ask();
  // Of CPUs that did not stop.
  std::string of_running();
  // Of CPUs that have stopped, as they were when they were asked to. Precondition: they have left
  // the guest.
  std::string of_stopped();

 private:
  std::string describe(const Vcpu& cpu, bool answered, Sleep sleep) const;

  Vcpus& vcpus_;
  Rendezvous& rendezvous_;
  const SystemCounter& counter_;
  const CompletionQueue& completions_;
  const Console& console_;
  EnginePort* engine_ = nullptr;
  const SymbolTable* symbols_ = nullptr;
  mutable std::mutex lock_;
  bool left_guest_ = false;  // guarded by lock_: the engine may be gone
};

}  // namespace crosswalk::vmm
