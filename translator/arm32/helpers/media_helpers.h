// SPDX-License-Identifier: GPL-2.0-or-later
// Pure functions behind the parallel additions and subtractions (ARM DDI 0406C, A4.4.7) and
// USAD8.
#pragma once

#include <cstdint>

#include "translator/ir/ir.h"

namespace crosswalk::helpers {

using ParallelFunction = uint64_t(uint32_t n, uint32_t m, uint32_t unused);
// The function returns the result in bits 31:0 and, for S and U, GE in bits 63:32 as
// GuestCpu::ge_mask.
ParallelFunction* parallel_function(ir::Parallel which);

// The sum of the absolute differences of the bytes.
uint64_t sum_of_absolute_differences(uint32_t n, uint32_t m, uint32_t unused);

}  // namespace crosswalk::helpers
