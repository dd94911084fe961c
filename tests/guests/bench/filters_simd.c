// SPDX-License-Identifier: GPL-2.0-or-later
// Integer vectors as video and audio filters use them. Natively the same in plain C, which the
// compiler may vectorise.
#include "bench.h"
#include "tests/guests/random.h"

#ifdef __ARM_NEON
#include <arm_neon.h>
#else
// To the left, or to the right where `by` is negative. |by| is 32 at most.
static int64_t shifted(int64_t x, int by, int round) {
  if (by >= 0) return (int64_t)((uint64_t)x << by);
  return (x + (round ? (int64_t)1 << (-by - 1) : 0)) >> -by;
}
static int64_t saturated(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }
#endif

// Shifts by register: each lane by another count, to both sides, plain, rounding and saturating. An
// operation is a vector of 16 bytes.
enum { kVectors = 256 };
uint64_t simd_shifts(uint64_t n) {
  static int32_t x[kVectors * 4], by[kVectors * 4];
  uint32_t seed = 123456789;
  for (int i = 0; i < kVectors * 4; ++i) {
    x[i] = (int32_t)next_random(&seed);
    by[i] = (int32_t)(next_random(&seed) % 48) - 32;
  }
  for (uint64_t i = 0; i < n; ++i) {
    int32_t* const at = x + i % kVectors * 4;
    const int32_t* const count = by + i % kVectors * 4;
#ifdef __ARM_NEON
    const int32x4_t v = vld1q_s32(at), c = vld1q_s32(count);
    const int32x4_t plain = vshlq_s32(v, c), rounded = vrshlq_s32(v, c);
    const uint32x4_t logical = vshlq_u32(vreinterpretq_u32_s32(v), c);
    const int16x8_t narrow = vqshlq_s16(vreinterpretq_s16_s32(v), vreinterpretq_s16_s32(vshrq_n_s32(c, 2)));
    int32x4_t sum = veorq_s32(vaddq_s32(plain, rounded), vreinterpretq_s32_u32(logical));
    sum = vaddq_s32(sum, vreinterpretq_s32_s16(narrow));
    vst1q_s32(at, vaddq_s32(sum, vdupq_n_s32(0x1357)));
#else
    for (int lane = 0; lane < 4; ++lane) {
      const int32_t v = at[lane], c = count[lane];
      const int32_t plain = (int32_t)shifted(v, c, 0), rounded = (int32_t)shifted(v, c, 1);
      const int32_t logical = (int32_t)(uint32_t)shifted((uint32_t)v, c, 0);
      uint32_t narrow = 0;
      for (int half = 0; half < 2; ++half) {
        const int16_t h = (int16_t)((uint32_t)v >> half * 16);
        const int8_t shift = (int8_t)((uint32_t)(c >> 2) >> half * 16);
        narrow |= (uint32_t)(uint16_t)saturated(shifted(h, shift, 0), INT16_MIN, INT16_MAX) << half * 16;
      }
      // 16-bit lanes were added as part of the word.
      at[lane] = (int32_t)((uint32_t)((int32_t)((uint32_t)plain + (uint32_t)rounded) ^ logical) + narrow + 0x1357);
    }
#endif
  }
  uint64_t sum = 0;
  for (int i = 0; i < kVectors * 4; ++i) sum = sum * 31 + (uint32_t)x[i];
  return sum;
}

// Half of a picture filter: taps of 1, -5, 20, 20, -5, 1, rounded, saturated to bytes, compared
// with what was there. An operation is 8 pixels.
enum { kRow = 2048 };
uint64_t simd_filter(uint64_t n) {
  static uint8_t from[kRow + 16], to[kRow];
  uint32_t seed = 362436069;
  for (int i = 0; i < kRow + 16; ++i) from[i] = (uint8_t)next_random(&seed);
  for (int i = 0; i < kRow; ++i) to[i] = 0;
  uint64_t distance = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const uint8_t* const s = from + i % (kRow / 8) * 8;
    uint8_t* const d = to + i % (kRow / 8) * 8;
#ifdef __ARM_NEON
    const uint8x8_t a = vld1_u8(s), b = vld1_u8(s + 1), c = vld1_u8(s + 2), e = vld1_u8(s + 3), f = vld1_u8(s + 4),
                    g = vld1_u8(s + 5);
    uint16x8_t sum = vaddl_u8(a, g);
    sum = vmlal_u8(sum, c, vdup_n_u8(20));
    sum = vmlal_u8(sum, e, vdup_n_u8(20));
    sum = vmlsl_u8(sum, b, vdup_n_u8(5));
    sum = vmlsl_u8(sum, f, vdup_n_u8(5));
    const uint8x8_t pixels = vqrshrun_n_s16(vreinterpretq_s16_u16(sum), 5);
    const uint8x8_t mean = vrhadd_u8(pixels, vld1_u8(d));
    const uint16x4_t pairs = vpaddl_u8(vabd_u8(mean, s[2] & 1 ? a : pixels));
    distance += vget_lane_u64(vpaddl_u32(vpaddl_u16(pairs)), 0);
    vst1_u8(d, mean);
#else
    const uint8_t odd = s[2] & 1;
    for (int k = 0; k < 8; ++k) {
      const int sum = s[k] + s[k + 5] + 20 * (s[k + 2] + s[k + 3]) - 5 * (s[k + 1] + s[k + 4]);
      const int pixel = (int)saturated((sum + 16) >> 5, 0, 255);
      const int mean = (pixel + d[k] + 1) >> 1, other = odd ? s[k] : pixel;
      distance += (uint64_t)(mean > other ? mean - other : other - mean);
      d[k] = (uint8_t)mean;
    }
#endif
  }
  uint64_t sum = distance;
  for (int i = 0; i < kRow; ++i) sum = sum * 31 + to[i];
  return sum;
}
