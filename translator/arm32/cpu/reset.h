// SPDX-License-Identifier: GPL-2.0-or-later
// Reset state of a CPU (ARM DDI 0406C, B1.9.1, and the reset values of Cortex-A15 and A7).
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::arm {

inline constexpr uint32_t kCounterFrequency = 62500000;  // CNTFRQ, Hz

// Sets all of GuestCpu: Supervisor mode with A, I and F masked, MMU off, low vectors, r[15] = the
// reset vector, general registers 0. The rest of CpuState is left alone, but `pending` follows; the
// caller calls Mmu::activate and Platform::timers_changed afterwards. `cpu_index` < 8 is
// MPIDR.Aff0; `cpu_count` shows in L2CTLR.
void reset_cpu(CpuState& cpu, CpuModel model, uint32_t cpu_index = 0, uint32_t cpu_count = 1);

// The same for a CPU that was reset before: keeps model, number and count.
void reset_again(CpuState& cpu);

}  // namespace crosswalk::arm
