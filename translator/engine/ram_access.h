// SPDX-License-Identifier: GPL-2.0-or-later
// Accesses to guest RAM from C++, at which other CPUs and devices may look at the same time.
#pragma once

#include <cstdint>

namespace crosswalk::engine {

template <typename T>
void access_unit(uint8_t* host, uint8_t* data, bool store) {
  // volatile: neither split nor merged nor repeated. The address need not be aligned.
  using Unit [[gnu::aligned(1), gnu::may_alias]] = T;
  auto* const in_ram = reinterpret_cast<volatile Unit*>(host);
  auto* const value = reinterpret_cast<Unit*>(data);
  if (store)
    *in_ram = *value;
  else
    *value = *in_ram;
}

// Of 1, 2, 4 or 8 bytes.
inline void access_power_of_two(uint8_t* host, uint8_t* data, uint32_t bytes, bool store) {
  switch (bytes) {
    case 1: return access_unit<uint8_t>(host, data, store);
    case 2: return access_unit<uint16_t>(host, data, store);
    case 4: return access_unit<uint32_t>(host, data, store);
    default: return access_unit<uint64_t>(host, data, store);
  }
}

// Copies between RAM at `host` and `data`. 1, 2, 4 or 8 bytes are one access, 16 are two of 8 (ARM
// DDI 0406C, A3.5.3, asks for no more). Other sizes are parts of what crosses a page: made of
// aligned units, so that aligned elements stay whole.
inline void access_ram(uint8_t* host, uint8_t* data, uint32_t bytes, bool store) {
  switch (bytes) {
    case 1:
    case 2:
    case 4:
    case 8: return access_power_of_two(host, data, bytes, store);
    case 16: access_power_of_two(host, data, 8, store); return access_power_of_two(host + 8, data + 8, 8, store);
    default: break;
  }
  for (uint32_t done = 0; done < bytes;) {
    uint32_t unit = 8;
    while (unit > bytes - done || (reinterpret_cast<uintptr_t>(host + done) & (unit - 1))) unit /= 2;
    access_power_of_two(host + done, data + done, unit, store);
    done += unit;
  }
}

}  // namespace crosswalk::engine
