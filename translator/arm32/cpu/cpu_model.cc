// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/cpu_model.h"

namespace crosswalk::arm {
namespace {

constexpr IdRegisters kCortexA15 = {
    .name = "cortex-a15",
    .midr = 0x414fc0f0,
    .ctr = 0x8444c004,
    .revidr = 0x414fc0f0,
    .aidr = 0,
    .id_pfr = {0x00000131, 0x00010001},  // no ThumbEE, no Security or Virtualization Extensions
    .id_dfr0 = 0x02010505,
    .id_afr0 = 0,
    .id_mmfr = {0x10201105, 0x20000000, 0x01240000, 0x02102211},
    .id_isar = {0x02101110, 0x13112111, 0x21232041, 0x11112131, 0x10010142, 0},  // no SMC
    .clidr = 0x0a200023,
    .ccsidr = {0x701fe00a, 0x201fe00a, 0x711fe07a},
    .fpsid = 0x410430f0,
    .mvfr = {0x10110222, 0x11111111},
    .pmceid = {0x00020001, 0},  // what pmu.cc counts: SW_INCR and CPU_CYCLES
    .pmcr_reset = 0x410f3000,
    .sctlr_reset = 0x00c50078,
    .actlr_reset = 0,
    .dbgdidr = 0x3515f021,
};

constexpr IdRegisters kCortexA7 = {
    .name = "cortex-a7",
    .midr = 0x410fc075,
    .ctr = 0x84448003,
    .revidr = 0x410fc075,
    .aidr = 0,
    .id_pfr = {0x00000131, 0x00010001},
    .id_dfr0 = 0x02010505,
    .id_afr0 = 0,
    .id_mmfr = {0x10101105, 0x40000000, 0x01240000, 0x02102211},
    .id_isar = {0x02101110, 0x13112111, 0x21232041, 0x11112131, 0x10010142, 0},
    .clidr = 0x0a200023,
    .ccsidr = {0x701fe00a, 0x201fe00a, 0x711fe07a},
    .fpsid = 0x41023075,
    .mvfr = {0x10110222, 0x11111111},
    .pmceid = {0x00020001, 0},
    .pmcr_reset = 0x41072000,
    .sctlr_reset = 0x00c50078,
    .actlr_reset = 0,
    .dbgdidr = 0x3515f005,
};

}  // namespace

const IdRegisters& id_registers(CpuModel model) { return model == CpuModel::CortexA7 ? kCortexA7 : kCortexA15; }

const IdRegisters& id_registers(const GuestCpu& cpu) { return cpu.midr == kCortexA7.midr ? kCortexA7 : kCortexA15; }

}  // namespace crosswalk::arm
