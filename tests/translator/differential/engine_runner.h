// SPDX-License-Identifier: GPL-2.0-or-later
// The engine in flat or soft mode, in the process world.
#pragma once

#include <memory>

#include "mmu-shadow/mmu.h"
#include "tests/translator/differential/guest_runner.h"
#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::differential {

class EngineRunner final : public GuestRunner {
 public:
  // Blocks are of `block_instructions`.
  explicit EngineRunner(mmu::Mode mode, unsigned block_instructions = 1);
  ~EngineRunner() override;
  Outcome run(const Case& c) override;
  uint8_t* ram() override;
  void forget_code() override;
  // The IR of the last block.
  std::string details() override;
  CpuState& cpu();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace crosswalk::differential
