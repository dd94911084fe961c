// SPDX-License-Identifier: GPL-2.0-or-later
// Translates a few guest instructions and runs them, without an engine or an MMU: guest memory is a
// window over a buffer.
#pragma once

#include <xbyak/xbyak.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/frontend/translator.h"
#include "translator/x64/emit_block.h"

namespace crosswalk::testing {

inline constexpr uint32_t kMemoryBytes = 0x10000;  // guest VA 0 up to here
inline constexpr uint32_t kCodeVa = 0x8000;

class GuestCode {
 public:
  GuestCode() : gen_(1 << 20), memory_(kMemoryBytes), pages_(kInstructionPageEntries), jump_cache_(kJumpCacheEntries) {
    thunks_ = x64::emit_thunks(gen_, {&slow_access, nullptr, nullptr});
    config_.memory = x64::MemoryMode::Window;
    config_.thunks = &thunks_;
    thunks_end_ = gen_.getSize();
    cpu = {};
    cpu.midr = 0x412fc0f1;  // Cortex-A15
    cpu.mode = static_cast<uint8_t>(Mode::Supervisor);
    cpu.cp15.cpacr = 0xf00000;
    cpu.fpexc = arm::kFpexcEn;
    arm::update_fp_mode(cpu);
    cpu.mem_base = reinterpret_cast<uint64_t>(memory_.data());
    cpu.instruction_pages = pages_.data();
    cpu.jump_cache = jump_cache_.data();
  }

  // Makes code of `words`, one block; A32, or T32 with the first halfword in bits 31:16.
  void translate(const std::vector<uint32_t>& words, bool thumb = false, frontend::CodeFlags flags = {}) {
    words_ = words;
    flags_ = flags;
    thumb_ = thumb;
    block_ = {};
    frontend::TranslateConfig config;
    config.max_instructions = static_cast<uint32_t>(words.size());
    frontend::Translator translator(block_, flags, config);
    translator.translate(kCodeVa, thumb, 0, [&](uint32_t va, uint32_t bytes, uint32_t& word) {
      const uint32_t offset = va - kCodeVa;
      word = words.at(offset / 4);
      if (bytes == 2) word = offset & 2 ? word & 0xffff : word >> 16;
      return true;
    });
    check("frontend");
    for (const ir::Pass& pass : ir::passes()) {
      if (pass.shares_lookups) continue;  // memory is a window
      pass.run(block_);
      check(pass.name);
    }
    gen_.setSize(thunks_end_);
    gen_.align(16);
    compiled_ = x64::emit_block(gen_, block_, config_);
  }

  // The same code again, for the fp_mode that `cpu` has now.
  void translate_for_fp_mode() {
    frontend::CodeFlags flags = flags_;
    flags.fp_mode = cpu.fp_mode;
    translate(std::vector(words_), thumb_, flags);
  }

  // Runs it with the state in `cpu`.
  void run() {
    cpu.t = thumb_;
    cpu.exit_reason = kExitNone;
    thunks_.enter(&cpu, compiled_.code);
  }
  // True when the last run did an access out of line, and so did not end.
  bool slow_access_seen() const { return cpu.exit_reason == kExitNone; }

  uint8_t* memory() { return memory_.data(); }
  std::string ir() const { return ir::print(block_); }
  const ir::Block& block() const { return block_; }

  uint32_t s(uint32_t n) const {
    uint32_t v;
    std::memcpy(&v, cpu.vreg + 4 * n, 4);
    return v;
  }
  uint64_t d(uint32_t n) const {
    uint64_t v;
    std::memcpy(&v, cpu.vreg + 8 * n, 8);
    return v;
  }
  void set_s(uint32_t n, uint32_t v) { std::memcpy(cpu.vreg + 4 * n, &v, 4); }
  void set_d(uint32_t n, uint64_t v) { std::memcpy(cpu.vreg + 8 * n, &v, 8); }

  CpuState cpu;

 private:
  // Says so and leaves the block.
  static uint64_t slow_access(CpuState*, x64::SlowAccessFrame*) { return 1; }
  void check(const char* when) {
    if (const std::string error = ir::verify(block_); !error.empty())
      throw std::runtime_error(std::string(when) + ": " + error + "\n" + ir::print(block_));
  }

  x64::Assembler gen_;
  std::vector<uint8_t> memory_;
  std::vector<uint32_t> pages_;
  std::vector<JumpCacheEntry> jump_cache_;
  x64::Thunks thunks_{};
  x64::BackendConfig config_;
  size_t thunks_end_ = 0;
  ir::Block block_;
  x64::CompiledBlock compiled_;
  bool thumb_ = false;
  std::vector<uint32_t> words_;
  frontend::CodeFlags flags_;
};

}  // namespace crosswalk::testing
