// SPDX-License-Identifier: GPL-2.0-or-later
// A machine without its threads, for fuzzers: what the I/O thread does is done when the fuzzer
// asks, so that an input always does the same.
#pragma once

#include <fcntl.h>
#include <time.h>

#include <array>
#include <memory>

#include "tests/fuzz/input.h"
#include "vmm/machine/machine.h"

// Nothing waits: the counter would measure its rate for 10 ms for each input. Takes the place of
// the C library's.
extern "C" __attribute__((used)) inline int nanosleep(const timespec*, timespec*) { return 0; }

namespace crosswalk::fuzz {

class FuzzMachine {
 public:
  explicit FuzzMachine(vmm::MachineConfig config) {
    config.memory_bytes = vmm::kMinMemory;
    config.output_fd = null_;
    auto made = vmm::Machine::create(config);
    if (!made) std::abort();
    machine_ = std::move(*made);
    // Nobody makes room: what does not fit is dropped.
    for (vmm::Console* const console : consoles())
      if (console) console->output.close();
  }
  ~FuzzMachine() {
    machine_.reset();
    close(null_);
  }
  FuzzMachine(const FuzzMachine&) = delete;
  FuzzMachine& operator=(const FuzzMachine&) = delete;
  vmm::Machine* operator->() { return machine_.get(); }
  CpuState& cpu() { return machine_->cpu(0); }

  // The I/O thread's rounds, and then the CPU's.
  void work() {
    for (unsigned slot = 0; slot < vmm::kVirtioSlots; ++slot) {
      vmm::VirtioMmio& transport = machine_->board().virtio_slot(slot);
      for (int round = 0; round < 4 && transport.has_work(); ++round) transport.do_work();
    }
    for (vmm::Console* const console : consoles()) {
      while (console && console->output.has_output() && console->output.write_output()) {
      }
    }
    machine_->platform().run_queued_work(cpu());
  }

 private:
  std::array<vmm::Console*, 2> consoles() { return {&machine_->console(), machine_->second_port()}; }

  int null_ = open("/dev/null", O_RDWR | O_CLOEXEC);
  std::unique_ptr<vmm::Machine> machine_;
};

}  // namespace crosswalk::fuzz
