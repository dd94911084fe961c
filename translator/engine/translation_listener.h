// SPDX-License-Identifier: GPL-2.0-or-later
// Who wants to know where translated code is: profilers' symbol maps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "translator/x64/thunks.h"

namespace crosswalk::engine {

struct Block;

// Called on the CPU's thread, where the engine executes: a listener makes system calls seldom.
class TranslationListener {
 public:
  virtual ~TranslationListener() = default;
  // The fixed pieces of code, in [begin, begin + bytes).
  virtual void thunks_emitted(const x64::Thunks& thunks, const uint8_t* begin, size_t bytes) = 0;
  // `privileged` is that of the CPU that needed the block.
  virtual void block_translated(const Block& block, bool privileged) = 0;
};

}  // namespace crosswalk::engine
