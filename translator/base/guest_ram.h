// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace crosswalk {

// Guest RAM: one contiguous block, as on QEMU's virt machine.
struct GuestRam {
  uint64_t base = 0x40000000;  // PA
  uint64_t size = 0;           // bytes, a multiple of 2 MiB
  uint8_t* host = nullptr;     // always-mapped, read-write view of all of it
  // the memfd behind it, at offset 0; -1 when anonymous (no mmap/ept windows)
  int fd = -1;

  bool contains(uint64_t pa, uint64_t bytes = 1) const {
    return pa >= base && pa - base < size && size - (pa - base) >= bytes;
  }
  uint8_t* at(uint64_t pa) const { return host + (pa - base); }
};

}  // namespace crosswalk
