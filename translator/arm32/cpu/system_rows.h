// SPDX-License-Identifier: GPL-2.0-or-later
// How the system register tables are written. Included by the table files only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "translator/arm32/cpu/coprocessor.h"

namespace crosswalk::arm::rows {

constexpr uint32_t encoding_key(const SystemRegister& r) {
  return uint32_t{r.is_64bit} << 16 | uint32_t{r.crn} << 12 | uint32_t{r.opc1} << 8 | uint32_t{r.crm} << 4 | r.opc2;
}

struct Encoding {
  uint8_t crn, opc1, crm, opc2;
};

constexpr SystemRegister row(uint8_t coprocessor, const char* name, Encoding e, uint8_t access, ReadFunction read,
                             WriteFunction write, uint32_t effects = 0, Condition condition = Condition::None) {
  SystemRegister r;
  r.name = name;
  r.coprocessor = coprocessor;
  r.crn = e.crn;
  r.opc1 = e.opc1;
  r.crm = e.crm;
  r.opc2 = e.opc2;
  r.access = access;
  r.read = read;
  r.write = write;
  r.write_effects = effects;
  r.condition = condition;
  return r;
}

// A register that is a field of CpuState. `offset` is of a 32-bit field, or of the low half of a
// 64-bit one (x86 and guest registers are both little-endian): a 32-bit access to a 64-bit register
// leaves the upper half, as the manual has it for TTBR0, TTBR1 and PAR.
constexpr SystemRegister field(uint8_t coprocessor, const char* name, Encoding e, uint8_t access, size_t offset,
                               uint32_t mask = ~0u, uint32_t effects = 0, Condition condition = Condition::None,
                               WriteFunction write = nullptr) {
  SystemRegister r = row(coprocessor, name, e, access, nullptr, write, effects, condition);
  r.offset = static_cast<uint16_t>(offset);
  r.bytes = 4;
  r.write_mask = mask;
  return r;
}

// MRRC/MCRR.
constexpr SystemRegister row64(uint8_t coprocessor, const char* name, uint8_t opc1, uint8_t crm, uint8_t access,
                               ReadFunction read, WriteFunction write, uint32_t effects = 0,
                               Condition condition = Condition::None) {
  SystemRegister r = row(coprocessor, name, {0, opc1, crm, 0}, access, read, write, effects, condition);
  r.is_64bit = true;
  return r;
}
constexpr SystemRegister field64(uint8_t coprocessor, const char* name, uint8_t opc1, uint8_t crm, uint8_t access,
                                 size_t offset, uint64_t mask = ~uint64_t{0}, uint32_t effects = 0,
                                 Condition condition = Condition::None, WriteFunction write = nullptr) {
  SystemRegister r = row64(coprocessor, name, opc1, crm, access, nullptr, write, effects, condition);
  r.offset = static_cast<uint16_t>(offset);
  r.bytes = 8;
  r.write_mask = mask;
  return r;
}

template <size_t N>
constexpr std::array<SystemRegister, N> sorted(std::array<SystemRegister, N> table) {
  std::sort(table.begin(), table.end(),
            [](const SystemRegister& a, const SystemRegister& b) { return encoding_key(a) < encoding_key(b); });
  return table;
}
template <size_t N>
constexpr bool no_duplicates(const std::array<SystemRegister, N>& table) {
  for (size_t i = 1; i < N; ++i) {
    if (encoding_key(table[i - 1]) == encoding_key(table[i])) return false;
  }
  return true;
}

// Reads of constants.
inline constexpr ReadFunction kReadZero = [](SystemContext&, const SystemRegister&, uint64_t& value) -> uint32_t {
  value = 0;
  return kEffectNone;
};
// Writes that are ignored (WI), and operations that have nothing to do here.
inline constexpr WriteFunction kWriteIgnored = [](SystemContext&, const SystemRegister&, uint64_t) -> uint32_t {
  return kEffectNone;
};

}  // namespace crosswalk::arm::rows
