// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers that look random, the same in every guest and on the host.
#pragma once

#include <stdint.h>

static inline uint32_t next_random(uint32_t* state) {  // xorshift32
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}
