// SPDX-License-Identifier: GPL-2.0-or-later
// A pointer chase: dependent loads in an order that no prefetcher guesses. The same code in the
// Linux program, native and for the guest, and in the bare-metal one.
#pragma once

#include <stdint.h>

#include "tests/guests/random.h"

enum { kChaseLine = 64 };  // bytes an element

// Links `elements` lines from `memory` on into one cycle. `order` is room for so many words.
static inline void make_chase(uint32_t* memory, uint32_t* order, uint32_t elements) {
  enum { kWords = kChaseLine / 4 };
  uint32_t seed = 521288629;
  for (uint32_t i = 0; i < elements; ++i) order[i] = i;
  for (uint32_t i = elements - 1; i > 0; --i) {
    const uint32_t j = next_random(&seed) % (i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (uint32_t i = 0; i < elements; ++i) memory[order[i] * kWords] = order[(i + 1) % elements] * kWords;
}

// Follows `n` links from the first element; returns where that ends. Counted by 32 bits: a counter
// of two registers costs an ARM program more than a load that hits the cache.
__attribute__((noinline)) static uint32_t follow_chase(const uint32_t* memory, uint64_t n) {
  uint32_t index = 0;
  while (n > 0) {
    const uint32_t part = n < 1u << 30 ? (uint32_t)n : 1u << 30;
    for (uint32_t i = part; i != 0; --i) index = memory[index];
    n -= part;
  }
  return index;
}
