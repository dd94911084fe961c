// SPDX-License-Identifier: GPL-2.0-or-later
// Reads and writes of coprocessor 15 registers that are more than a load or store. Used by
// cp15_rows.cc only.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/coprocessor.h"

namespace crosswalk::arm {

// Identification, from the CPU model; indexed registers take their number from the row's opc2.
uint32_t read_ctr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_revidr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_id_pfr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_id_dfr0(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_id_afr0(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_id_mmfr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_id_isar(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_ccsidr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_clidr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_aidr(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_cbar(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_isr(SystemContext&, const SystemRegister&, uint64_t& value);

// After SCTLR.A or M changed. With the MMU off, data is Strongly-ordered (B3.2.1), and an unaligned
// access to such memory takes an Alignment fault, as on any implementation with the Virtualization
// Extensions, which Cortex-A15 is (A3.2.1).
uint32_t update_strict_alignment(GuestCpu& cpu);
uint32_t write_sctlr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_cpacr(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_ttbcr(SystemContext&, const SystemRegister&, uint64_t value);

uint32_t write_instruction_cache(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_isb(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_memory_barrier(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_synchronization_barrier(SystemContext&, const SystemRegister&, uint64_t value);
// ATS1C*: opc2[0] = write, opc2[1] = unprivileged.
uint32_t write_address_translation(SystemContext&, const SystemRegister&, uint64_t value);

uint32_t write_tlb_all(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_tlb_mva(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_tlb_asid(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_tlb_mva_all_asids(SystemContext&, const SystemRegister&, uint64_t value);

// CRm (32-bit rows) or opc1 (64-bit rows) says which timer.
uint32_t read_cntpct(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_cntvct(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t read_timer_value(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_timer_value(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t read_timer_control(SystemContext&, const SystemRegister&, uint64_t& value);
uint32_t write_timer_control(SystemContext&, const SystemRegister&, uint64_t value);
uint32_t write_timer_compare_value(SystemContext&, const SystemRegister&, uint64_t value);

}  // namespace crosswalk::arm
