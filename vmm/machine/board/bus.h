// SPDX-License-Identifier: GPL-2.0-or-later
// Guest-physical address space outside RAM: sorted, disjoint ranges of devices.
#pragma once

#include <cstdint>
#include <vector>

#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class Bus {
 public:
  // Returns false when the range is empty, wraps, or overlaps another.
  bool add(uint64_t base, uint64_t size, MmioDevice& device);

  // `bytes` is 1, 2, 4 or 8; an 8-byte access is two 4-byte ones, low first. Returns false when no
  // device answers to the whole access. An unaligned access within a device is made byte by byte.
  bool read(unsigned cpu, uint64_t pa, unsigned bytes, uint64_t& value) const;
  bool write(unsigned cpu, uint64_t pa, unsigned bytes, uint64_t value) const;

 private:
  struct Range {
    uint64_t base, size;
    MmioDevice* device;
  };
  const Range* find(uint64_t pa, unsigned bytes) const;

  std::vector<Range> ranges_;
};

}  // namespace crosswalk::vmm
