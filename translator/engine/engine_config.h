// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

#include "mmu-shadow/base/config.h"
#include "translator/arm32/frontend/translator.h"
#include "translator/engine/log.h"

namespace crosswalk::engine {

class TranslationListener;

// How guest code is translated, and run.
struct EngineConfig {
  mmu::Mode mode{};
  size_t code_cache_bytes = size_t{64} << 20;
  // of blocks, about: at more, the cache is cleared as if it were full; 0: by the cache
  size_t bookkeeping_bytes = 0;
  frontend::TranslateConfig translate;
  bool optimise = true;       // IR passes beyond what correctness needs
  bool chain = true;          // link jumps between blocks
  bool guess_targets = true;  // link calls and returns through a register, too
  bool flag_fusion = true;
  bool assume_fp_mode = true;  // translate for the current fp_mode, with one test where a block begins
  bool carry_vectors = true;   // SIMD registers stay in host registers in loops of one block
  // a store to a page with code that the guest stores to often drops only what it changes
  bool mixed_pages = true;
  // a block for one VA is copied from that of another one, where the page is the same
  bool relocate = true;
  bool recycle = true;        // when the code cache is full, the oldest translations go, and not all
  bool share_lookups = true;  // neighbouring accesses have one lookup of the software TLB
  bool verify_ir = false;     // verify after every pass (tests)
  bool count = false;         // guest instructions and blocks executed, in CpuState
  LogConfig log;
  TranslationListener* listener = nullptr;  // outlives translations and engines; null: none
};

}  // namespace crosswalk::engine
