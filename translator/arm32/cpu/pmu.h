// SPDX-License-Identifier: GPL-2.0-or-later
// Performance monitors, PMUv2 (ARM DDI 0406C, C12): the cycle counter and the event counters. A
// cycle is 1 ns of the system counter, as in QEMU (a 1 GHz CPU), also while the CPU sleeps. Events
// counted: 0x00 SW_INCR and 0x11 CPU_CYCLES; others stay 0, and PMCEID says so.
//
// Counters are brought up to date when a register is accessed, not as time passes. What must not
// wait for that is in PerformanceMonitors: `filtered` asks for calls of
// performance_privilege_changed(), and interrupt and interrupt_at say how the overflow interrupt is
// and when it rises (timer.h). Its level is that some bit is set in both PMOVSR and PMINTENSET,
// while PMCR.E is.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/coprocessor.h"

namespace crosswalk::arm {

// User <-> privileged, while CpuState::performance.filtered. cpu.mode is the new one.
void performance_privilege_changed(SystemContext&);

uint32_t read_pmcr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmcr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmcnten(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmcntenset(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_pmcntenclr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmovsr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmovsr(SystemContext&, const SystemRegister&, uint64_t value);  // write one to clear
uint32_t write_pmovsset(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_pmswinc(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmselr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmselr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmceid(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_pmccntr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmccntr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmxevtyper(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmxevtyper(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pmxevcntr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmxevcntr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_pminten(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_pmintenset(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_pmintenclr(SystemContext&, const SystemRegister&, uint64_t value);

}  // namespace crosswalk::arm
