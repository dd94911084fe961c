// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the code that a CPU goes on with, after the run loop was entered; when there is none, it is
// made.
#pragma once

#include <cstdint>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/frontend/translator.h"
#include "translator/engine/block.h"
#include "translator/engine/engine_config.h"
#include "translator/engine/statistics.h"
#include "translator/engine/translations.h"

namespace crosswalk::engine {

class CodeLookup {
 public:
  CodeLookup(const EngineConfig& config, CpuState& cpu, mmu::Mmu& mmu, Translations& translations,
             EngineStatistics& statistics)
      : chain_(config.chain),
        assume_fp_mode_(config.assume_fp_mode),
        listener_(config.listener),
        cpu_(cpu),
        mmu_(mmu),
        translations_(translations),
        statistics_(statistics) {}

  // The code for the CPU's position, where `reason` (ExitReason) has brought it. Null: the guest
  // has taken a Prefetch Abort instead.
  const void* next(uint32_t reason) {
    const void* code = nullptr;
    if (reason == kExitLink || reason == kExitApart) {
      if (chain_ && cpu_.it == 0) code = linked(cpu_.exit_link, reason);
    } else if (reason != kExitSecondPage && reason != kExitFpMode && cpu_.it == 0) {
      code = cached();
    }
    if (code) return code;
    const Block* const block = find_or_make(reason);
    return block ? block->code : nullptr;
  }

 private:
  const void* cached();
  const void* linked(uint32_t number, uint32_t reason);
  const Block* find_or_make(uint32_t reason);
  Block* make(const BlockKey& key, uint32_t page_id, const mmu::Translation& at, uint32_t second_id,
              const mmu::Translation& second);
  void make_room();
  const Block* take_prefetch_abort(const mmu::Translation& fault);
  frontend::CodeFlags translation_flags(uint32_t va) const;
  uint32_t code_flags(uint32_t va) const;  // of the page of `va`

  const bool chain_, assume_fp_mode_;
  TranslationListener* const listener_;
  CpuState& cpu_;
  mmu::Mmu& mmu_;
  Translations& translations_;
  EngineStatistics& statistics_;
};

}  // namespace crosswalk::engine
