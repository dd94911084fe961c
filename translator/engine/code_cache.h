// SPDX-License-Identifier: GPL-2.0-or-later
// The translations made so far: memory for their code, an index of them, and the links between
// them. The memory is a ring: it is filled front to back and then again from the front, where the
// oldest blocks make room. Or everything goes at once, by clear().
#pragma once

#include <cstddef>
#include <memory>

#include "translator/engine/block.h"
#include "translator/engine/block_index.h"
#include "translator/engine/block_links.h"
#include "translator/engine/code_memory.h"

namespace crosswalk::engine {

class CodeCache {
 public:
  // Of `bookkeeping_limit` bytes besides the code, about, it is full too; 0: a limit that follows
  // from its capacity.
  explicit CodeCache(CodeMemory memory, size_t bookkeeping_limit = 0);

  const CodeMemory& memory() const { return memory_; }
  const BlockIndex& blocks() const { return blocks_; }
  BlockLinks& links() { return links_; }

  // Where the next block's code begins, in bytes from the start of the memory.
  size_t used() const { return used_; }
  // Whether any block fits.
  bool has_room() const;
  // What is there now stays for good (thunks); call once before any block.
  void reserve_prefix(size_t bytes) { used_ = prefix_ = align(bytes); }

  // Takes over a compiled block whose code begins at used().
  Block* add(std::unique_ptr<Block> block);
  // Takes a block out of the index (its code stays, unreachable, until its memory is used again),
  // and unlinks it before `epoch` begins (BlockLinks).
  void drop(Block* block, uint64_t epoch);
  void clear();
  // The oldest block, dropped or not, if it has to go, so that there is room for a good many more;
  // null: there is.
  Block* next_to_recycle();
  // Destroys the oldest block, which was dropped. Precondition: no CPU is in its code, nor returns
  // to it.
  void recycle_oldest();

  // What the blocks take besides their code, about; dropped ones included.
  size_t bookkeeping_bytes() const { return bookkeeping_; }

 private:
  static size_t align(size_t n) { return (n + 15) & ~size_t{15}; }
  bool has_ample_room() const;

  CodeMemory memory_;
  BlockIndex blocks_;
  BlockLinks links_{memory_};
  // The bytes from used_ to end_ are free. Blocks of higher addresses are older than all others.
  size_t used_ = 0, prefix_ = 0, end_;
  size_t bookkeeping_ = 0, bookkeeping_limit_;
};

}  // namespace crosswalk::engine
