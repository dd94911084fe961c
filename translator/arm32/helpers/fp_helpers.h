// SPDX-License-Identifier: GPL-2.0-or-later
// The C++ side of VFP instructions: system registers, and exact arithmetic for what SSE does
// differently. Integers only: the guest's MXCSR may be live. Exceptions are accumulated in
// cpu->fpscr.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::helpers {

// ---- for ir.call: VMRS and VMSR. `reg` is the instruction's reg field.
// The value in the low word; 1 in the high word when the access is UNDEFINED.
uint64_t read_fp_system_register(CpuState* cpu, uint32_t reg, uint32_t, uint32_t);
// 1 when UNDEFINED, else 0.
uint64_t write_fp_system_register(CpuState* cpu, uint32_t reg, uint32_t value, uint32_t);

// ---- for out-of-line paths: operands in cpu->fp_operands, in the order of the IR opcode; the
// result goes to
// fp_operands[0], zero-extended. The returned value has no meaning.
uint64_t fp_add32(CpuState* cpu);
uint64_t fp_add64(CpuState* cpu);
uint64_t fp_sub32(CpuState* cpu);
uint64_t fp_sub64(CpuState* cpu);
uint64_t fp_mul32(CpuState* cpu);
uint64_t fp_mul64(CpuState* cpu);
uint64_t fp_div32(CpuState* cpu);
uint64_t fp_div64(CpuState* cpu);
uint64_t fp_sqrt32(CpuState* cpu);
uint64_t fp_sqrt64(CpuState* cpu);
uint64_t fp_mul_add32(CpuState* cpu);
uint64_t fp_mul_add64(CpuState* cpu);
// NZCV in bits 31:28; the second form for VCMPE.
uint64_t fp_compare32(CpuState* cpu);
uint64_t fp_compare64(CpuState* cpu);
uint64_t fp_compare_signal32(CpuState* cpu);
uint64_t fp_compare_signal64(CpuState* cpu);
uint64_t fp_single_to_double(CpuState* cpu);
uint64_t fp_double_to_single(CpuState* cpu);
uint64_t fp_half_to_single(CpuState* cpu);
uint64_t fp_single_to_half(CpuState* cpu);
// fp_operands[1] is an ir::FixedPoint, packed.
uint64_t fp_to_fixed32(CpuState* cpu);
uint64_t fp_to_fixed64(CpuState* cpu);
uint64_t fp_from_fixed32(CpuState* cpu);
uint64_t fp_from_fixed64(CpuState* cpu);

}  // namespace crosswalk::helpers
