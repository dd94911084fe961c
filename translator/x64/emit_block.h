// SPDX-License-Identifier: GPL-2.0-or-later
// Turns one IR block into x86 code.
#pragma once

#include <cstdint>

#include "translator/ir/ir.h"
#include "translator/x64/assembler.h"
#include "translator/x64/block_tables.h"
#include "translator/x64/host_features.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/piece_cache.h"
#include "translator/x64/thunks.h"

namespace crosswalk::x64 {

// Only EmitContext calls them: it notes where.
class ThunkPointer {
 public:
  ThunkPointer(const Thunks* thunks = nullptr) : thunks_(thunks) {}  // NOLINT(google-explicit-constructor)

 private:
  friend class EmitContext;
  const Thunks* thunks_;
};

struct BackendConfig {
  MemoryMode memory = MemoryMode::Window;
  ThunkPointer thunks;
  PieceCache* pieces = nullptr;             // of this configuration; null: everything is encoded anew
  bool chain = true;                        // go on to other blocks without leaving for the run loop
  bool guess_targets = true;                // jumps of ir::kOneTarget are links, too
  bool flag_fusion = true;                  // use x86 flags directly between producer and consumer
  bool carry_vectors = true;                // CarriedVectors
  bool count = false;                       // CpuState::instructions and ::blocks count what is executed
  HostFeatures features = host_features();  // those that may be used
};

// What the engine needs to know of emitted code.
struct CompiledBlock : BlockTables {
  const uint8_t* code = nullptr;
  uint32_t size = 0;
};

// A page other than the block's first that its last instruction extends into: checked at entry.
struct SecondPage {
  uint32_t va = 0;
  uint32_t id = 0;  // 0: none
};

// Emits the block at the end of `code`. `first_link` is the number that the block's first link will
// have in the code cache. Precondition: uses are counted. Throws Xbyak::Error when the buffer is
// full.
CompiledBlock emit_block(Assembler& code, const ir::Block& block, const BackendConfig& config,
                         const SecondPage& second_page = {}, uint32_t first_link = 0);

}  // namespace crosswalk::x64
