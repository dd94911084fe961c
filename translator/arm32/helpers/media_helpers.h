// SPDX-License-Identifier: GPL-2.0-or-later
// Pure functions behind the parallel additions and subtractions (ARM DDI 0406C, A4.4.7), SEL and
// USAD8.
#pragma once

#include <cstdint>

namespace crosswalk::helpers {

enum class ParallelPrefix : uint8_t { S, Q, SH, U, UQ, UH };
enum class ParallelOperation : uint8_t { ADD16, ASX, SAX, SUB16, ADD8, SUB8 };

using ParallelFunction = uint64_t(uint32_t n, uint32_t m, uint32_t unused);
// The function returns the result in bits 31:0 and, for S and U, GE in bits 35:32.
ParallelFunction* parallel_function(ParallelPrefix prefix, ParallelOperation operation);

// Each byte of n or m by GE.
uint64_t select_bytes(uint32_t n, uint32_t m, uint32_t ge);
// The sum of the absolute differences of the bytes.
uint64_t sum_of_absolute_differences(uint32_t n, uint32_t m, uint32_t unused);

}  // namespace crosswalk::helpers
