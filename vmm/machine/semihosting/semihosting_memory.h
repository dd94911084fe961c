// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory as semihosting calls name it: by virtual address, in the CPU's current regime.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/platform.h"
#include "vmm/machine/cpus/engine_port.h"

namespace crosswalk::vmm {

class SemihostingMemory {
 public:
  static constexpr uint32_t kPage = 4096;

  explicit SemihostingMemory(const GuestRam& ram) : ram_(ram) {}
  // Null: VA = PA, and writes are not reported.
  void set_engine(EnginePort* engine) { engine_ = engine; }
  const GuestRam& ram() const { return ram_; }

  // The longest prefix of [va, va+bytes) that one page allows, as host memory; null on a fault.
  uint8_t* chunk(CpuState& cpu, uint32_t va, bool write, uint32_t bytes, uint32_t& usable) const;
  // `bytes` at `host`, which chunk() returned, have been written.
  void written(CpuState& cpu, const uint8_t* host, uint32_t bytes) const;
  // False: a fault; what comes before may have been copied.
  bool read(CpuState& cpu, uint32_t va, void* to, uint32_t bytes) const;
  bool write(CpuState& cpu, uint32_t va, const void* from, uint32_t bytes) const;

 private:
  const GuestRam& ram_;
  EnginePort* engine_ = nullptr;
};

}  // namespace crosswalk::vmm
