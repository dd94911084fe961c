// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/reset.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {
namespace {

TEST(Reset, ArchitecturalState) {
  CpuState cpu{};
  std::memset(static_cast<void*>(&cpu), 0xa5, sizeof cpu);
  cpu.interrupt_lines = kLineIrq;
  cpu.engine = &cpu;
  cpu.mem_base = 0x1234;
  cpu.host_debug = nullptr;
  reset_cpu(cpu, CpuModel::CortexA15, 2, 4);
  EXPECT_EQ(read_cpsr(cpu), 0x400001d3u);  // QEMU 7.2
  for (uint32_t r : cpu.r) EXPECT_EQ(r, 0u);
  EXPECT_EQ(cpu.midr, 0x414fc0f0u);
  EXPECT_EQ(cpu.mpidr, 0x80000002u);
  EXPECT_EQ(cpu.cpu_index, 2u);
  EXPECT_EQ(cpu.cp15.l2ctlr, 0x03800000u);
  EXPECT_EQ(cpu.cp15.sctlr, 0x00c50078u);
  EXPECT_EQ(cpu.cp15.cntfrq, 62500000u);
  EXPECT_EQ(cpu.cp15.ttbcr, 0u);
  EXPECT_EQ(cpu.cp15.vbar, 0u);
  EXPECT_EQ(cpu.fp_mode, 0);
  EXPECT_EQ(cpu.strict_alignment, 1);  // the MMU is off
  EXPECT_EQ(cpu.mxcsr, 0x1f80u);
  EXPECT_EQ(cpu.mxcsr_standard, 0x9fc0u);
  EXPECT_EQ(cpu.monitor_armed, 0);
  for (uint8_t b : cpu.vreg) EXPECT_EQ(b, 0);
  for (uint32_t s : cpu.banked.spsr) EXPECT_EQ(s, 0u);
  // What belongs to the machine stays.
  EXPECT_EQ(cpu.interrupt_lines, uint32_t{kLineIrq});
  EXPECT_EQ(cpu.engine, &cpu);
  EXPECT_EQ(cpu.mem_base, 0x1234u);
  EXPECT_EQ(cpu.pending, 0u);  // the line is masked
}

TEST(Reset, ModelsByName) {
  EXPECT_EQ(std::string(id_registers(CpuModel::CortexA15).name), "cortex-a15");
  EXPECT_EQ(std::string(id_registers(CpuModel::CortexA7).name), "cortex-a7");
}

}  // namespace
}  // namespace crosswalk::arm
