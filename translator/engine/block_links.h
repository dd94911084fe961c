// SPDX-License-Identifier: GPL-2.0-or-later
// Jumps between blocks, patched into their code. A link that is not linked goes to its stub, which
// leaves for the run loop with the link's number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "translator/engine/block.h"
#include "translator/engine/code_memory.h"

namespace crosswalk::engine {

class BlockLinks {
 public:
  // Patches through the writable view of `memory`, which outlives this.
  explicit BlockLinks(const CodeMemory& memory) : memory_(memory) {}

  // The links of the next block that is added are numbered from here on; no number is used twice.
  uint32_t next_number() const { return first_ + static_cast<uint32_t>(links_.size()); }
  // Takes in the links of a new block, which go to their stubs.
  void add(Block* block);
  // `from` is null when the block is gone or dropped.
  BlockLink find(uint32_t number) const;

  // links[n] of `from` guesses `target` (VA | T) from now on, and is linked when that goes to its
  // stub; all else goes to `otherwise`. Precondition: it has no guess yet.
  void guess(Block* from, uint32_t n, uint32_t target, const uint8_t* otherwise);
  // Preconditions: links[n] of `from` goes to its stub. If it went to a page of another identity
  // before, each CPU has passed the epoch in which that ended: one may have compared the identity
  // and not jumped yet.
  void link(Block* from, uint32_t n, Block* to);
  // `epoch` begins afterwards (RunningCpus::next_epoch).
  void unlink(Block* from, uint32_t n, uint64_t epoch);
  // All links of the block, and all that go to it.
  void unlink_all(Block* block, uint64_t epoch);
  // Forgets all; their numbers find nothing from now on.
  void clear();
  // The same of the `n` that were added first. Precondition: they are not linked.
  void forget_oldest(size_t n);

 private:
  void patch_jump(const Block& from, uint32_t n, const uint8_t* target);
  // The id that the target's page must have for the jump to be taken, if the link checks one.
  void patch_id(const Block& from, uint32_t n, uint32_t page_id);

  const CodeMemory& memory_;
  std::deque<BlockLink> links_;  // by number - first_
  uint32_t first_ = 0;
};

}  // namespace crosswalk::engine
