// SPDX-License-Identifier: GPL-2.0-or-later
// The same matrix multiply as compute.c's, in vectors of four: Advanced SIMD in the guest, SSE
// natively.
#include "bench.h"

#ifdef __ARM_NEON
#include <arm_neon.h>
typedef float32x4_t vector;
// The compiler does not use Advanced SIMD for float vectors by itself: it flushes denormals. These
// are small integers.
static inline vector multiply_add(vector total, float x, vector y) { return vmlaq_n_f32(total, y, x); }
#else
typedef float vector __attribute__((vector_size(16)));
static inline vector multiply_add(vector total, float x, vector y) { return total + x * y; }
#endif
enum { kMatrix = 64 };

uint64_t matmul_simd(uint64_t macs) {
  static float a[kMatrix][kMatrix], b[kMatrix][kMatrix] __attribute__((aligned(16))),
      c[kMatrix][kMatrix] __attribute__((aligned(16)));
  for (int i = 0; i < kMatrix; ++i)
    for (int j = 0; j < kMatrix; ++j) a[i][j] = (float)((i * 3 + j) % 17), b[i][j] = (float)((i + j * 5) % 13);
  uint64_t sum = 0;
  for (uint64_t round = 0; round < macs / (kMatrix * kMatrix * kMatrix); ++round) {
    a[0][0] = (float)(round % 5);
    for (int i = 0; i < kMatrix; ++i)
      for (int j = 0; j < kMatrix; j += 4) {
        vector total = {0, 0, 0, 0};
        for (int k = 0; k < kMatrix; ++k) total = multiply_add(total, a[i][k], *(const vector*)&b[k][j]);
        *(vector*)&c[i][j] = total;
      }
    for (int i = 0; i < kMatrix; ++i) sum = sum * 3 + (uint32_t)c[i][i];
  }
  return sum;
}
