// SPDX-License-Identifier: GPL-2.0-or-later
// The modelled CPUs and the identification registers by which they differ. Values are those that
// QEMU 7.2 shows on `-M virt` for `-cpu cortex-a15` and `-cpu cortex-a7` (security and
// virtualization extensions hidden).
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::arm {

enum class CpuModel : uint8_t { CortexA15, CortexA7 };

// Names as in ARM DDI 0406C, chapter B7 and B4.1; [n] is the register's number (ID_ISAR0...).
struct IdRegisters {
  const char* name;  // --cpu
  uint32_t midr, ctr, revidr, aidr;
  uint32_t id_pfr[2], id_dfr0, id_afr0, id_mmfr[4], id_isar[6];
  uint32_t clidr, ccsidr[3];  // L1 data, L1 instruction, L2
  uint32_t fpsid, mvfr[2];
  uint32_t pmceid[2];
  uint32_t pmcr_reset;
  uint32_t sctlr_reset, actlr_reset;
  uint32_t dbgdidr;
};

const IdRegisters& id_registers(CpuModel model);
// By cpu.midr, which reset_cpu sets.
const IdRegisters& id_registers(const GuestCpu& cpu);

}  // namespace crosswalk::arm
