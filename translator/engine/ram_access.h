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

// In aligned units, so that aligned elements stay whole.
inline void access_parts(uint8_t* host, uint8_t* data, uint32_t bytes, bool store) {
  for (uint32_t done = 0; done < bytes;) {
    uint8_t* const at = host + done;
    uint32_t unit = 8;
    while (unit > bytes - done || (reinterpret_cast<uintptr_t>(at) & (unit - 1))) unit /= 2;
    switch (unit) {
      case 1: access_unit<uint8_t>(at, data + done, store); break;
      case 2: access_unit<uint16_t>(at, data + done, store); break;
      case 4: access_unit<uint32_t>(at, data + done, store); break;
      default: access_unit<uint64_t>(at, data + done, store); break;
    }
    done += unit;
  }
}

// Copies between RAM at `host` and `data`. 1, 2, 4 or 8 bytes are one access, 16 are two of 8 (ARM
// DDI 0406C, A3.5.3, asks for no more). Other sizes are parts of what crosses a page.
[[gnu::always_inline]] inline void access_ram(uint8_t* host, uint8_t* data, uint32_t bytes, bool store) {
  switch (bytes) {
    case 1: return access_unit<uint8_t>(host, data, store);
    case 2: return access_unit<uint16_t>(host, data, store);
    case 4: return access_unit<uint32_t>(host, data, store);
    case 8: return access_unit<uint64_t>(host, data, store);
    case 16: access_unit<uint64_t>(host, data, store); return access_unit<uint64_t>(host + 8, data + 8, store);
    default: return access_parts(host, data, bytes, store);
  }
}

}  // namespace crosswalk::engine
