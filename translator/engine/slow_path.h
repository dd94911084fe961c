// SPDX-License-Identifier: GPL-2.0-or-later
// The memory accesses of one CPU that leave translated code: misses of the software TLB, devices,
// exclusives, accesses that cross a page or are watched. All are done here, on CpuState's
// access_va, access_kind and access_value.
#pragma once

#include <cstdint>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/platform.h"
#include "translator/engine/statistics.h"
#include "translator/engine/translations.h"
#include "translator/x64/slow_access.h"

namespace crosswalk::engine {

class SlowPath {
 public:
  SlowPath(mmu::Lookup lookup, CpuState& cpu, mmu::Mmu& mmu, Platform& platform, Translations& translations,
           EngineStatistics& statistics)
      : lookup_(lookup),
        cpu_(cpu),
        mmu_(mmu),
        platform_(platform),
        translations_(translations),
        statistics_(statistics) {}

  // What the thunk calls (x64::SlowAccess). EngineServices::slow_path is the CPU's.
  static uint64_t enter(CpuState* cpu, x64::SlowAccessFrame* frame);

 private:
  bool plain_access();
  bool crossing_access();
  uint64_t fill(bool store);
  uint64_t any_access(const uint8_t* return_address);

  const mmu::Lookup lookup_;
  CpuState& cpu_;
  mmu::Mmu& mmu_;
  Platform& platform_;
  Translations& translations_;
  EngineStatistics& statistics_;
};

}  // namespace crosswalk::engine
