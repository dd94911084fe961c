// SPDX-License-Identifier: GPL-2.0-or-later
// Compute workloads of the C library: strings, copies that are not aligned, locks.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tests/guests/random.h"

// Strings of 0 to 127 bytes at all alignments: measured, searched, copied, compared. An operation
// is one string.
enum { kStrings = 256, kLongest = 128 };
uint64_t string_functions(uint64_t n) {
  static char text[kStrings][kLongest + 8], copy[kLongest + 8];
  uint32_t seed = 521288629;
  char* strings[kStrings];
  for (int i = 0; i < kStrings; ++i) {
    strings[i] = text[i] + i % 8;
    const uint32_t length = next_random(&seed) % kLongest;
    for (uint32_t k = 0; k < length; ++k) strings[i][k] = (char)('a' + next_random(&seed) % 26);
    strings[i][length] = 0;
  }
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const char* const s = strings[i % kStrings];
    const size_t length = strlen(s);
    char* const target = copy + i / kStrings % 8;
    strcpy(target, s);
    sum = sum * 31 + length + (strcmp(target, s) == 0);
    const char* const found = strchr(s, 'q');
    sum += found ? (size_t)(found - s) : kLongest;
    const char* const last = memchr(s, 'z', length);
    sum += last ? (size_t)(last - s) : kLongest;
    sum += memcmp(target, strings[(i + 1) % kStrings], length < 16 ? length : 16) < 0;
  }
  return sum;
}

// As memcpy_kib, between addresses that differ in their lowest bits. An operation is a KiB.
enum { kCopyBytes = 64 << 10 };
uint64_t copy_unaligned(uint64_t kib) {
  static uint8_t* buffer;
  if (!buffer) {
    buffer = malloc(kCopyBytes * 2 + 64);
    if (!buffer) bench_fail("malloc");
  }
  for (uint32_t i = 0; i < kCopyBytes * 2 + 64; ++i) buffer[i] = (uint8_t)(i * 13);
  uint8_t* const target = buffer + kCopyBytes + 32;
  for (uint64_t i = 0; i < kib / (kCopyBytes >> 10); ++i) {
    buffer[i % kCopyBytes] = (uint8_t)i;
    memcpy(target + 3, buffer + 1, kCopyBytes);
    __asm__ volatile("" : : "r"(buffer) : "memory");
  }
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kCopyBytes; ++i) sum = sum * 31 + target[i + 3];
  return sum;
}

// A lock that nobody else wants, and atomic operations inside of it. An operation is one lock and
// unlock with three of them.
uint64_t mutex_atomics(uint64_t n) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  uint32_t added = 0, exchanged = 1;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    if (pthread_mutex_lock(&mutex)) return 0;
    sum += __atomic_fetch_add(&added, (uint32_t)i, __ATOMIC_ACQ_REL);
    uint32_t expected = exchanged;
    sum += __atomic_compare_exchange_n(&exchanged, &expected, expected * 5 + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    sum ^= __atomic_exchange_n(&added, (uint32_t)sum, __ATOMIC_RELAXED);
    if (pthread_mutex_unlock(&mutex)) return 0;
  }
  return sum ^ exchanged;
}
