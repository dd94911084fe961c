// SPDX-License-Identifier: GPL-2.0-or-later
// One workload of the guest benchmark. The same sources are built for the ARM guest and for the
// host.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct workload {
  const char* name;
  // Does `operations` operations and returns a checksum. Precondition: operations is a multiple of
  // `unit`.
  uint64_t (*run)(uint64_t operations);
  uint64_t unit;
  // What run(check_operations) returns on every machine.
  uint64_t check_operations;
  uint64_t expected;
};

extern const struct workload compute_workloads[];
extern const size_t compute_workload_count;
extern const struct workload system_workloads[];
extern const size_t system_workload_count;
extern const struct workload experiment_workloads[];  // run only when named
extern const size_t experiment_workload_count;

// Follows `n` pointers around one cycle through `elements` cache lines in an order that no
// prefetcher guesses. *memory is made when it is null.
uint64_t pointer_chase(uint32_t** memory, uint32_t elements, uint64_t n);

// Float matrix multiply of 64x64 matrices, `rounds` times, compiled for Advanced SIMD.
uint64_t matmul_simd(uint64_t macs);

// memory.c
uint64_t string_functions(uint64_t strings);
uint64_t copy_unaligned(uint64_t kib);
uint64_t mutex_atomics(uint64_t n);

// filters_simd.c; both per vector.
uint64_t simd_shifts(uint64_t n);
uint64_t simd_filter(uint64_t n);

// jit.c
uint64_t jit_mixed(uint64_t n);

// Ends the program with a message: a system call failed.
void bench_fail(const char* what);
