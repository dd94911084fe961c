// SPDX-License-Identifier: GPL-2.0-or-later
// Compute workloads: integer, floating point, branches and memory.
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tests/guests/chase.h"
#include "tests/guests/random.h"

static uint64_t integer_alu(uint64_t n) {
  uint32_t a = 0x12345678, b = 0x9abcdef0, c = 1;
  for (uint64_t i = 0; i < n; ++i) {
    a = (a << 5 | a >> 27) + b;
    b ^= a + (uint32_t)i;
    c = c * 1664525 + (a & b);
    if (c & 0x8000) b += c >> 3;
  }
  return (uint64_t)(a ^ b) << 32 | c;
}

static uint64_t crc32_bitwise(uint64_t n) {
  uint32_t crc = 0xffffffff;
  for (uint64_t i = 0; i < n; ++i) {
    crc ^= (uint8_t)(i * 7);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return ~crc;
}

enum { kSortElements = 4096 };
static int compare_ints(const void* a, const void* b) {
  const int x = *(const int*)a, y = *(const int*)b;
  return x < y ? -1 : x > y;
}
static uint64_t sort_ints(uint64_t n) {
  static int values[kSortElements];
  uint32_t seed = 2463534242;
  uint64_t sum = 0;
  for (uint64_t round = 0; round < n / kSortElements; ++round) {
    for (int i = 0; i < kSortElements; ++i) values[i] = (int)next_random(&seed);
    qsort(values, kSortElements, sizeof values[0], compare_ints);
    for (int i = 1; i < kSortElements; ++i)
      if (values[i - 1] > values[i]) return 0;
    sum = sum * 31 + (uint32_t)values[kSortElements / 3];
  }
  return sum;
}

enum { kMatrix = 64, kMacs = kMatrix * kMatrix * kMatrix };
static uint64_t matmul_float(uint64_t macs) {
  static float a[kMatrix][kMatrix], b[kMatrix][kMatrix], c[kMatrix][kMatrix];
  for (int i = 0; i < kMatrix; ++i)
    for (int j = 0; j < kMatrix; ++j) a[i][j] = (float)((i * 3 + j) % 17), b[i][j] = (float)((i + j * 5) % 13);
  uint64_t sum = 0;
  for (uint64_t round = 0; round < macs / kMacs; ++round) {
    a[0][0] = (float)(round % 5);
    for (int i = 0; i < kMatrix; ++i)
      for (int j = 0; j < kMatrix; ++j) {
        float total = 0;
        for (int k = 0; k < kMatrix; ++k) total += a[i][k] * b[k][j];
        c[i][j] = total;
      }
    for (int i = 0; i < kMatrix; ++i) sum = sum * 3 + (uint32_t)c[i][i];
  }
  return sum;
}

static uint64_t double_arithmetic(uint64_t n) {
  double x = 1.0, y = 0.5, z = 3.25;
  for (uint64_t i = 0; i < n; ++i) {
    x = x * 1.0000001 + y;
    y = (z - y) / (x + 1.5);
    z = z * 0.75 + y * 0.125;
    if (x > 1000.0) x -= 999.0;
  }
  uint64_t bits[3];
  memcpy(&bits[0], &x, 8);
  memcpy(&bits[1], &y, 8);
  memcpy(&bits[2], &z, 8);
  return bits[0] ^ bits[1] * 3 ^ bits[2] * 5;
}

// A byte-code machine with computed goto: indirect branches that depend on data.
static uint64_t interpreter(uint64_t n) {
  enum { kAdd, kXor, kShift, kLoad, kStore, kSkip, kMix, kRestart };
  static uint8_t program[4096];
  static uint32_t data[64];
  uint32_t seed = 88172645;
  for (size_t i = 0; i < sizeof program; ++i) program[i] = (uint8_t)(next_random(&seed) % kRestart);
  program[sizeof program - 1] = kRestart;
  program[sizeof program - 2] = kAdd;
  for (int i = 0; i < 64; ++i) data[i] = (uint32_t)i;
  static void* const labels[] = {&&add, &&xor_, &&shift, &&load, &&store, &&skip, &&mix, &&restart};
  uint32_t accumulator = 1, left = (uint32_t)n;
  const uint8_t* pc = program;
#define NEXT()                \
  if (left-- == 0) goto done; \
  goto* labels[*pc++]
  NEXT();
add:
  accumulator += 0x9e3779b9;
  NEXT();
xor_:
  accumulator ^= accumulator >> 7;
  NEXT();
shift:
  accumulator = accumulator << 3 | accumulator >> 29;
  NEXT();
load:
  accumulator += data[accumulator & 63];
  NEXT();
store:
  data[accumulator >> 26] ^= accumulator;
  NEXT();
skip:
  pc += (accumulator & 1) && *pc != kRestart;
  NEXT();
mix:
  accumulator = accumulator * 5 + 0xe6546b64;
  NEXT();
restart:
  pc = program;
  NEXT();
#undef NEXT
done:
  for (int i = 0; i < 64; ++i) accumulator = accumulator * 33 + data[i];
  return accumulator;
}

enum { kFibonacciCalls = 21891 };  // calls that fibonacci(20) makes
__attribute__((noinline)) static uint32_t fibonacci(uint32_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
static uint64_t recursive_calls(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n / kFibonacciCalls; ++i) {
    uint32_t argument = 20;
    __asm__ volatile("" : "+r"(argument));
    sum += fibonacci(argument);
  }
  return sum;
}

__attribute__((noinline)) static uint32_t op_a(uint32_t x) { return x + 3; }
__attribute__((noinline)) static uint32_t op_b(uint32_t x) { return x ^ x << 1; }
__attribute__((noinline)) static uint32_t op_c(uint32_t x) { return x * 9; }
__attribute__((noinline)) static uint32_t op_d(uint32_t x) { return x - (x >> 2); }
static uint64_t pointer_calls(uint64_t n) {
  static uint32_t (*volatile const table[4])(uint32_t) = {op_a, op_b, op_c, op_d};
  uint32_t x = 1;
  for (uint64_t i = 0; i < n; ++i) x = table[(i ^ x >> 5) & 3](x);
  return x;
}

uint64_t pointer_chase(uint32_t** memory, uint32_t elements, uint64_t n) {
  if (!*memory) {
    uint32_t* order = malloc(elements * sizeof *order);
    *memory = malloc((size_t)elements * kChaseLine);
    if (!order || !*memory) bench_fail("malloc");
    make_chase(*memory, order, elements);
    free(order);
  }
  return follow_chase(*memory, n);
}
static uint64_t pointer_chase_1m(uint64_t n) {
  static uint32_t* memory;
  return pointer_chase(&memory, 1 << 14, n);
}
static uint64_t pointer_chase_64m(uint64_t n) {
  static uint32_t* memory;
  return pointer_chase(&memory, 1 << 20, n);
}

enum { kCopyBytes = 256 << 10 };
static uint64_t copy_memory(uint64_t kilobytes) {
  static uint8_t* buffer;
  if (!buffer && !(buffer = malloc(2 * kCopyBytes))) bench_fail("malloc");
  for (uint32_t i = 0; i < kCopyBytes; ++i) buffer[i] = (uint8_t)(i * 13);
  for (uint64_t i = 0; i < kilobytes; i += kCopyBytes >> 10) {
    buffer[i % kCopyBytes] ^= 1;
    memcpy(buffer + kCopyBytes, buffer, kCopyBytes);
    __asm__ volatile("" : : "r"(buffer) : "memory");
  }
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kCopyBytes; ++i) sum = sum * 31 + buffer[kCopyBytes + i];
  return sum;
}

static const uint32_t kSha256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static uint32_t rotate_right(uint32_t x, int n) { return x >> n | x << (32 - n); }
static uint64_t sha256_blocks(uint64_t blocks) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint32_t w[64];
  for (uint64_t block = 0; block < blocks; ++block) {
    for (int i = 0; i < 16; ++i) w[i] = (uint32_t)block * 16 + (uint32_t)i;
    for (int i = 16; i < 64; ++i) {
      const uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
      const uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; ++i) {
      const uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
      const uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + kSha256[i] + w[i];
      const uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
      const uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      memmove(v + 1, v, 7 * sizeof *v);
      v[4] += t1;
      v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; ++i) state[i] += v[i];
  }
  return (uint64_t)state[0] << 32 | state[7];
}

const struct workload compute_workloads[] = {
    {"integer_alu", integer_alu, 1, 100000, 0x6d16a0e7bd87c370},
    {"crc32_bitwise", crc32_bitwise, 1, 100000, 0x000000000eaf0153},
    {"qsort_ints", sort_ints, kSortElements, kSortElements * 2, 0x0000001aad59bc1e},
    {"matmul_float", matmul_float, kMacs, kMacs * 3, 0x86cc80f5a39d3d32},
    {"matmul_simd", matmul_simd, kMacs, kMacs * 3, 0x86cc80f5a39d3d32},
    {"double_arithmetic", double_arithmetic, 1, 100000, 0x4010ffdfcc97234a},
    {"interpreter", interpreter, 1, 100000, 0x000000008a693096},
    {"recursive_calls", recursive_calls, kFibonacciCalls, kFibonacciCalls * 2, 0x00000000000034da},
    {"pointer_calls", pointer_calls, 1, 100000, 0x000000006ac97754},
    {"pointer_chase_1m", pointer_chase_1m, 1, 100000, 0x0000000000016e50},
    {"pointer_chase_64m", pointer_chase_64m, 1, 100000, 0x00000000001832d0},
    {"memcpy_kib", copy_memory, kCopyBytes >> 10, kCopyBytes >> 8, 0xa9635f27521b2f7c},
    {"sha256_block", sha256_blocks, 1, 300, 0xfc5ba5413a2d2063},
    {"string_functions", string_functions, 1, 20000, 0xcf9fe2756ccf2ca4},
    {"memcpy_unaligned_kib", copy_unaligned, 64, 256, 0x558cfdc4801bf918},
    {"simd_shifts", simd_shifts, 1, 20000, 0x1e316fd6422f5bc8},
    {"simd_filter", simd_filter, 1, 20000, 0x06e6d1cd0f2937d6},
    {"mutex_atomics", mutex_atomics, 1, 20000, 0x000026f914197301},
    {"jit_mixed", jit_mixed, 1, 2000, 0x73286d98f3c5dd20},
};
const size_t compute_workload_count = sizeof compute_workloads / sizeof compute_workloads[0];
