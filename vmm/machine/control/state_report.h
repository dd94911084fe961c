// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's state in words, for whoever wants to know why it hangs: SIGUSR1, Ctrl-A i, a
// --timeout that struck.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

class SymbolTable;

// What is known besides the CPU's registers.
struct StateReport {
  double seconds = 0;  // since the start
  // The CPU gave its state, between two blocks of translated code. Otherwise it was read while the
  // CPU runs, or is busy on the host's side: what is in memory is that of some moment before.
  bool answered = true;
  Sleep sleep = Sleep::Awake;  // when it was asked
  const SymbolTable* symbols = nullptr;
  std::string memory;  // how guest memory is reached: one line
  std::vector<std::pair<std::string, uint64_t>> counts;
};

// Lines that end with \n.
std::string describe_state(const CpuState& cpu, const StateReport& report);

}  // namespace crosswalk::vmm
