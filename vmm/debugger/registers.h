// SPDX-License-Identifier: GPL-2.0-or-later
// The registers of a CPU as GDB sees them, numbered in the order of the target description: r0-pc,
// cpsr, d0-d31, fpscr, q0-q15, which are pairs of d0-d31, and the system registers, which can only
// be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {

// The target description ("Debugging with GDB", appendix G): features org.gnu.gdb.arm.core,
// org.gnu.gdb.arm.vfp and org.gnu.gdb.arm.neon, and one of Crosswalk's own for the system
// registers.
std::string target_description();

unsigned debugger_register_count();
// Those that the packets g and G transfer, the first ones: up to fpscr.
unsigned debugger_general_registers();
unsigned debugger_register_bytes(unsigned number);

// The value, little-endian. Precondition: there is such a register.
std::string read_debugger_register(CpuState& cpu, unsigned number);
// False, without effect, when it cannot be written, or not this value: a CPSR with a mode that the
// CPU does not have. Precondition: `value` is of the register's size.
bool write_debugger_register(CpuState& cpu, unsigned number, const std::string& value);

}  // namespace crosswalk::vmm
