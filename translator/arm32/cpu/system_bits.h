// SPDX-License-Identifier: GPL-2.0-or-later
// Bits of the system control registers that have behaviour here (ARM DDI 0406C, chapter B4.1).
#pragma once

#include <cstdint>

namespace crosswalk::arm {

enum SctlrBit : uint32_t {
  kSctlrM = 1u << 0,
  kSctlrA = 1u << 1,
  kSctlrC = 1u << 2,
  kSctlrCp15Ben = 1u << 5,
  kSctlrSw = 1u << 10,
  kSctlrZ = 1u << 11,
  kSctlrI = 1u << 12,
  kSctlrV = 1u << 13,
  kSctlrWxn = 1u << 19,
  kSctlrUwxn = 1u << 20,
  kSctlrEe = 1u << 25,
  kSctlrTre = 1u << 28,
  kSctlrAfe = 1u << 29,
  kSctlrTe = 1u << 30,
};
// What software may change on Cortex-A15 and A7: HA, VE, RR, FI and NMFI are fixed at 0 there.
inline constexpr uint32_t kSctlrWritable = kSctlrM | kSctlrA | kSctlrC | kSctlrCp15Ben | kSctlrSw | kSctlrZ | kSctlrI |
                                           kSctlrV | kSctlrWxn | kSctlrUwxn | kSctlrEe | kSctlrTre | kSctlrAfe |
                                           kSctlrTe;
// RAO/SBOP: bits 23, 22, 18, 16, 6, 4, 3.
inline constexpr uint32_t kSctlrRes1 = 0x00c50058;

inline constexpr uint32_t kTtbcrEae = 1u << 31;
inline constexpr uint32_t kTtbcrShortWritable = kTtbcrEae | 0x37;  // N, PD0, PD1
inline constexpr uint32_t kTtbcrLongWritable = 0xffc73f87;         // T0SZ ... SH1, A1, EPDx, bit 30

inline constexpr uint32_t kFsrLpae = 1u << 9;
inline constexpr uint32_t kFsrWnr = 1u << 11;

inline constexpr uint32_t kCpacrWritable = 0x80f00000;  // ASEDIS, cp11, cp10; D32DIS is RAZ/WI

enum CntkctlBit : uint32_t {
  kCntkctlPl0Pcten = 1u << 0,
  kCntkctlPl0Vcten = 1u << 1,
  kCntkctlPl0Vten = 1u << 8,
  kCntkctlPl0Pten = 1u << 9,
};

}  // namespace crosswalk::arm
