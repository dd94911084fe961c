// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_cache.h"

#include <utility>

namespace crosswalk::engine {
namespace {

// Room that any block fits into: 64 guest instructions, LDM of 15 registers each, with out-of-line
// paths.
constexpr size_t kBlockRoom = 512 << 10;
// What is known of a block takes four times as much as its code, with Debian; with many that were
// dropped, more.
constexpr size_t kBookkeeping = 4, kLeastBookkeeping = 4 << 20;

}  // namespace

CodeCache::CodeCache(CodeMemory memory, size_t bookkeeping_limit)
    : memory_(std::move(memory)),
      bookkeeping_limit_(bookkeeping_limit != 0 ? bookkeeping_limit
                                                : memory_.capacity() * kBookkeeping + kLeastBookkeeping) {}

bool CodeCache::has_room() const {
  return memory_.capacity() - used_ >= kBlockRoom && bookkeeping_ <= bookkeeping_limit_;
}

Block* CodeCache::add(std::unique_ptr<Block> block) {
  used_ += align(block->code_size);
  Block* const b = blocks_.add(std::move(block));
  links_.add(b);
  bookkeeping_ += b->bookkeeping_bytes();
  return b;
}

void CodeCache::drop(Block* block, uint64_t epoch) {
  if (!block->valid) return;
  block->valid = false;
  blocks_.remove(block);
  links_.unlink_all(block, epoch);
}

void CodeCache::clear() {
  links_.clear();
  blocks_.clear();
  used_ = prefix_;
  bookkeeping_ = 0;
}

}  // namespace crosswalk::engine
