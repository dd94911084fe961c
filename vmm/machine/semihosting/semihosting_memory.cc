// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/semihosting/semihosting_memory.h"

#include <algorithm>
#include <cstring>

namespace crosswalk::vmm {

uint8_t* SemihostingMemory::chunk(CpuState& cpu, uint32_t va, bool write, uint32_t bytes, uint32_t& usable) const {
  usable = std::min(bytes, kPage - va % kPage);
  uint64_t pa = va;
  if (engine_ && !engine_->translate(cpu, va, write, pa)) return nullptr;
  return ram_.contains(pa, usable) || (!write && ram_.flash_holds(pa, usable)) ? ram_.at(pa) : nullptr;
}

void SemihostingMemory::written(CpuState& cpu, const uint8_t* host, uint32_t bytes) const {
  if (engine_) engine_->external_write(cpu, ram_.base + static_cast<uint64_t>(host - ram_.host), bytes);
}

bool SemihostingMemory::read(CpuState& cpu, uint32_t va, void* to, uint32_t bytes) const {
  for (uint32_t done = 0, usable; done < bytes; done += usable) {
    const uint8_t* host = chunk(cpu, va + done, false, bytes - done, usable);
    if (!host) return false;
    std::memcpy(static_cast<uint8_t*>(to) + done, host, usable);
  }
  return true;
}

bool SemihostingMemory::write(CpuState& cpu, uint32_t va, const void* from, uint32_t bytes) const {
  for (uint32_t done = 0, usable; done < bytes; done += usable) {
    uint8_t* host = chunk(cpu, va + done, true, bytes - done, usable);
    if (!host) return false;
    std::memcpy(host, static_cast<const uint8_t*>(from) + done, usable);
    written(cpu, host, usable);
  }
  return true;
}

}  // namespace crosswalk::vmm
