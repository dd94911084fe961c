// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_cache.h"

#include <utility>

namespace crosswalk::engine {
namespace {

// Room that any block fits into: 64 guest instructions, LDM of 15 registers each, with out-of-line
// paths.
constexpr size_t kBlockRoom = 512 << 10;
// When there is no room, so large a part is made free that it does not happen for each new block.
constexpr size_t kParts = 16;
// What is known of a block takes four times as much as its code, with Debian; with many that were
// dropped, more.
constexpr size_t kBookkeeping = 4, kLeastBookkeeping = 4 << 20;

}  // namespace

CodeCache::CodeCache(CodeMemory memory, size_t bookkeeping_limit)
    : memory_(std::move(memory)),
      end_(memory_.capacity()),
      bookkeeping_limit_(bookkeeping_limit != 0 ? bookkeeping_limit
                                                : memory_.capacity() * kBookkeeping + kLeastBookkeeping) {}

bool CodeCache::has_room() const { return end_ - used_ >= kBlockRoom && bookkeeping_ <= bookkeeping_limit_; }

bool CodeCache::has_ample_room() const {
  return end_ - used_ >= kBlockRoom + memory_.capacity() / kParts &&
         bookkeeping_ <= bookkeeping_limit_ - bookkeeping_limit_ / kParts;
}

Block* CodeCache::next_to_recycle() {
  if (has_ample_room()) return nullptr;
  Block* const oldest = blocks_.oldest();
  if (!oldest) {
    clear();
    return nullptr;
  }
  const size_t at = static_cast<size_t>(oldest->code - memory_.base());
  end_ = at >= used_ ? at : memory_.capacity();
  // The rest of the memory is too small: on from the front.
  if (at < used_ && end_ - used_ < kBlockRoom + memory_.capacity() / kParts) {
    used_ = prefix_;
    end_ = at;
  }
  return has_ample_room() ? nullptr : oldest;
}

void CodeCache::recycle_oldest() {
  const Block* const oldest = blocks_.oldest();
  bookkeeping_ -= oldest->counted_bytes;
  links_.forget_oldest(oldest->links.size());
  blocks_.destroy_oldest();
}

Block* CodeCache::add(std::unique_ptr<Block> block) {
  used_ += align(block->code_size);
  Block* const b = blocks_.add(std::move(block));
  links_.add(b);
  b->counted_bytes = b->bookkeeping_bytes();
  bookkeeping_ += b->counted_bytes;
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
  end_ = memory_.capacity();
  bookkeeping_ = 0;
}

}  // namespace crosswalk::engine
