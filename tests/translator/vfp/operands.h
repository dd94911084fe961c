// SPDX-License-Identifier: GPL-2.0-or-later
// Random floating-point operands, biased to where implementations differ.
#pragma once

#include <cstdint>
#include <random>

namespace crosswalk::testing {

class OperandSource {
 public:
  explicit OperandSource(uint64_t seed) : random_(seed) {}

  uint64_t bits() { return random_(); }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

  // A value of a format with `e` exponent and `f` fraction bits.
  uint64_t value(int e, int f) {
    const uint64_t max_exponent = (uint64_t{1} << e) - 1, fraction_mask = (uint64_t{1} << f) - 1;
    const uint64_t sign = bits() & 1, bias = max_exponent >> 1;
    uint64_t exponent = bits() & max_exponent, fraction = bits() & fraction_mask;
    switch (below(20)) {
      case 0: exponent = fraction = 0; break;  // zero
      case 1: exponent = 0; break;             // subnormal
      case 2:
        exponent = 0, fraction = 1;
        break;  // the least
      // the greatest subnormal
      case 3: exponent = 0, fraction = fraction_mask; break;
      // around the least normal
      case 4: exponent = 1, fraction &= below(2) ? 0 : 3; break;
      // the greatest finite
      case 5: exponent = max_exponent - 1, fraction = fraction_mask; break;
      case 6: exponent = max_exponent, fraction = 0; break;                        // infinity
      case 7: exponent = max_exponent, fraction |= uint64_t{1} << (f - 1); break;  // quiet NaN
      case 8:                                                                      // signalling NaN
        exponent = max_exponent;
        fraction = (fraction & (fraction_mask >> 1)) | 1;
        break;
      case 9: exponent = bias, fraction = 0; break;  // one
      case 10: exponent = bias + below(34); break;   // integers and halves, around 2^31 and 2^32
      case 11: {                                     // n + 1/2
        const uint64_t n = below(static_cast<uint32_t>(f) - 1);
        exponent = bias + n;
        fraction = (fraction >> (f - n) << (f - n) | uint64_t{1} << (f - n - 1)) & fraction_mask;
        if (n == 0) fraction = uint64_t{1} << (f - 1);
        break;
      }
      case 12: exponent = bias + 30 + below(3), fraction = below(2) ? fraction_mask : 0; break;
      case 13: fraction = 0; break;                    // a power of two
      case 14: exponent = bias / 2 + below(4); break;  // products near underflow
      case 15: exponent = bias + below(3) - 1, fraction = fraction_mask - below(4); break;
      case 16: exponent = below(static_cast<uint32_t>(f)) + 1; break;  // small normals
      case 17: exponent = bias - below(40); break;
      default: break;
    }
    exponent &= max_exponent;
    return sign << (e + f) | exponent << f | fraction;
  }
  uint16_t half() { return static_cast<uint16_t>(value(5, 10)); }
  uint32_t single() { return static_cast<uint32_t>(value(8, 23)); }
  uint64_t double_() { return value(11, 52); }
  template <class Bits>
  Bits operand() {
    if constexpr (sizeof(Bits) == 2)
      return half();
    else if constexpr (sizeof(Bits) == 4)
      return single();
    else
      return double_();
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace crosswalk::testing
