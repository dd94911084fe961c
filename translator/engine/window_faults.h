// SPDX-License-Identifier: GPL-2.0-or-later
// Host faults of one CPU's accesses through windows. Runs as a fault handler, which may be outside
// of the VM whose code faulted.
#pragma once

#include <cstdint>
#include <utility>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/engine/block.h"
#include "translator/engine/statistics.h"
#include "translator/engine/translations.h"
#include "translator/engine/world.h"

namespace crosswalk::engine {

class WindowFaults {
 public:
  WindowFaults(CpuState& cpu, mmu::Mmu& mmu, Translations& translations, EngineStatistics& statistics)
      : cpu_(cpu), mmu_(mmu), translations_(translations), statistics_(statistics) {}

  // As FaultHandler. The access is retried, or translated code is left: for a Data Abort, or
  // because the instruction is to be translated anew.
  bool handle(FaultFrame& frame);
  // Whether handle() has entered a Data Abort since take_effects(), which is what remains to be
  // done of it (arm::Effect): changing the address space is not for fault handlers.
  bool has_effects() const { return effects_ != arm::kEffectNone; }
  uint32_t take_effects() { return std::exchange(effects_, arm::kEffectNone); }

 private:
  void leave(FaultFrame& frame, Block& block, const x64::FaultSite& site, mmu::FaultOutcome outcome,
             const mmu::Translation& t);

  CpuState& cpu_;
  mmu::Mmu& mmu_;
  Translations& translations_;
  EngineStatistics& statistics_;
  uint32_t effects_ = arm::kEffectNone;
};

}  // namespace crosswalk::engine
