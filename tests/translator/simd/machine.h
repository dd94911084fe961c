// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a few Advanced SIMD instructions through the frontend and the backend, without an engine.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/decoder/decoder.h"
#include "translator/arm32/frontend/translator.h"
#include "translator/x64/assembler.h"
#include "translator/x64/host_features.h"
#include "translator/x64/thunks.h"

namespace crosswalk::simd_test {

class Machine {
 public:
  Machine();
  ~Machine();
  Machine(const Machine&) = delete;

  struct Options {
    bool native = true;
    bool optimise = true;
    frontend::CodeFlags flags;
    x64::HostFeatures features = x64::host_features();
  };
  // Translates `words` (A32) as one block and runs it on `cpu`. False when it is undefined; nothing
  // is run then.
  bool run(CpuState& cpu, const std::vector<uint32_t>& words, const Options& options);

  // Guest memory: kMemoryBytes at VA kMemory; everything else is unmapped.
  static constexpr uint32_t kMemory = 0x10000, kMemoryBytes = 0x10000;
  uint8_t* memory() { return window_ + kMemory; }

 private:
  uint8_t* window_ = nullptr;
  std::unique_ptr<x64::Assembler> thunk_code_;
  x64::Thunks thunks_{};
  std::vector<uint8_t> buffer_;
};

// A state with Advanced SIMD enabled.
std::unique_ptr<CpuState> make_state();

using Random = std::mt19937_64;

// A vector element that is likely to be a special case: limits, small numbers, floating-point
// classes.
uint64_t interesting(Random& random, unsigned log2_bytes);
void fill_interesting(Random& random, CpuState& cpu);

// A random word of the row.
uint32_t random_word(Random& random, const decoder::Row& row);
bool is_load_store(const decoder::Row& row);

std::string describe_registers(const CpuState& before, const CpuState& a, const CpuState& b);

}  // namespace crosswalk::simd_test
