// SPDX-License-Identifier: GPL-2.0-or-later
// Runs random cases on both runners and reports differences as test failures.
#pragma once

#include <span>

#include "mmu-shadow/mmu.h"
#include "tests/translator/differential/exclusions.h"
#include "translator/arm32/decoder/decoder.h"

namespace crosswalk::differential {

struct RunOptions {
  decoder::Isa isa;
  bool thumb = false;  // the form of VFP and Advanced SIMD instructions
  std::span<const Exclusion> exclusions;
  Tolerance tolerance;
  mmu::Mode mode = mmu::Mode::Flat;
  bool gaps = false;      // words without a row: they must be UNDEFINED in the reference too
  unsigned sequence = 1;  // instructions a case
  uint64_t cases = 0;     // 0: CROSSWALK_CASES, or the default
};

// CROSSWALK_SEED, CROSSWALK_CASES (cases a class) and CROSSWALK_ROW (a handler's name: only its
// rows) are read here.
void run_differential(const RunOptions& options);

}  // namespace crosswalk::differential
