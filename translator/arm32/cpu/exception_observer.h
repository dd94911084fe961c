// SPDX-License-Identifier: GPL-2.0-or-later
// Who wants to see each exception that a CPU takes (-d int). CpuState::exception_observer points to
// it, or is null.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {

class ExceptionObserver {
 public:
  virtual ~ExceptionObserver() = default;
  // On the CPU's thread, perhaps in a handler of a host fault. `cpu` is as the guest's handler
  // finds it; the exception was taken at `pc` with the PSR `psr`, which is the handler's SPSR (but
  // for a reset).
  virtual void exception_taken(const CpuState& cpu, Exception kind, uint32_t pc, uint32_t psr) = 0;
};

}  // namespace crosswalk::arm
