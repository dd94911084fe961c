// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/board/bus.h"

#include <algorithm>

namespace crosswalk::vmm {

bool Bus::add(uint64_t base, uint64_t size, MmioDevice& device) {
  if (size == 0 || base + size < base) return false;
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), base,
                                      [](uint64_t pa, const Range& range) { return pa < range.base; });
  if (after != ranges_.end() && after->base < base + size) return false;
  if (after != ranges_.begin() && (after - 1)->base + (after - 1)->size > base) return false;
  ranges_.insert(after, Range{base, size, &device});
  return true;
}

const Bus::Range* Bus::find(uint64_t pa, unsigned bytes) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), pa,
                                      [](uint64_t address, const Range& range) { return address < range.base; });
  if (after == ranges_.begin()) return nullptr;
  const Range& range = *(after - 1);
  const uint64_t offset = pa - range.base;
  return offset < range.size && range.size - offset >= bytes ? &range : nullptr;
}

bool Bus::read(unsigned cpu, uint64_t pa, unsigned bytes, uint64_t& value) const {
  const Range* range = find(pa, bytes);
  if (!range) return false;
  const uint64_t offset = pa - range->base;
  const unsigned step = offset % bytes ? 1 : std::min(bytes, 4u);
  value = 0;
  for (unsigned done = 0; done < bytes; done += step) {
    const uint64_t mask = (uint64_t{1} << step * 8) - 1;
    value |= (range->device->read(cpu, offset + done, step) & mask) << done * 8;
  }
  return true;
}

bool Bus::write(unsigned cpu, uint64_t pa, unsigned bytes, uint64_t value) const {
  const Range* range = find(pa, bytes);
  if (!range) return false;
  const uint64_t offset = pa - range->base;
  const unsigned step = offset % bytes ? 1 : std::min(bytes, 4u);
  for (unsigned done = 0; done < bytes; done += step) {
    const uint64_t mask = (uint64_t{1} << step * 8) - 1;
    range->device->write(cpu, offset + done, step, static_cast<uint32_t>(value >> done * 8 & mask));
  }
  return true;
}

}  // namespace crosswalk::vmm
