// SPDX-License-Identifier: GPL-2.0-or-later
// Emits IR blocks and runs them on the host, with the test's own out-of-line memory path and fault
// handler.
#pragma once

#include <memory>
#include <string>

#include "mmu-shadow/mmu.h"
#include "mmu-shadow/spaces/soft_tlb.h"
#include "tests/translator/x64/interpreter.h"
#include "translator/arm32/cpu/events.h"
#include "translator/engine/world.h"
#include "translator/x64/emit_block.h"

namespace crosswalk::test {

// Runs all passes, verifying after each; returns what is wrong, or nothing. Those that share
// lookups are for MemoryMode::SoftInline, those that fuse flags for `flag_fusion`.
std::string optimise(ir::Block& block, bool share_lookups = false, bool flag_fusion = true);

std::string disassemble(const uint8_t* code, size_t bytes, uint64_t address);

class Emitted {
 public:
  explicit Emitted(x64::MemoryMode mode, bool flag_fusion);
  ~Emitted();
  Emitted(const Emitted&) = delete;
  Emitted& operator=(const Emitted&) = delete;

  // Precondition: uses are counted. The code replaces that of the last block.
  const x64::CompiledBlock& emit(const ir::Block& block, const x64::SecondPage& second = {});
  // Runs the emitted block once; `memory` is what the guest's memory holds before, and then after.
  void run(CpuState& cpu, GuestMemory& memory);
  const x64::Thunks& thunks() const { return thunks_; }
  // Whether BMI2 is used; by default, where the host has it.
  void use_bmi2(bool use) { config_.features.bmi2 = use; }
  // How often emitted code has called what completes TLB maintenance.
  int synchronized() const { return synchronized_; }
  // And what sends an event.
  int events_sent() const { return events_sent_; }

  arm::Events events;

  // Changes all registers that a function need not preserve, and wants an aligned stack.
  static void use_registers();

 private:
  static void synchronize(CpuState* cpu);
  static void send_event(CpuState* cpu);
  static uint64_t slow_access(CpuState* cpu, x64::SlowAccessFrame* frame);
  uint64_t fill(uint32_t va) const;
  static bool fault(void* self, engine::FaultFrame& frame);
  const x64::FaultSite* find_site(const uint8_t* host, bool call) const;

  x64::BackendConfig config_;
  x64::Thunks thunks_{};
  x64::PieceCache pieces_;
  uint8_t* buffer_ = nullptr;
  size_t prefix_ = 0;
  uint8_t* reservation_ = nullptr;  // guard, window, guard
  GuestMemory* memory_ = nullptr;   // as the emitted code sees it
  std::unique_ptr<mmu::SoftTlbOf<uint32_t>> tlb_;
  std::unique_ptr<uint32_t[]> instruction_pages_;
  std::unique_ptr<JumpCacheEntry[]> jump_cache_;
  std::unique_ptr<engine::World> world_;
  const ir::Block* block_ = nullptr;
  x64::CompiledBlock compiled_;
  CpuState* cpu_ = nullptr;
  int synchronized_ = 0, events_sent_ = 0;
};

}  // namespace crosswalk::test
