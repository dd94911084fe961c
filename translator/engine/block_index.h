// SPDX-License-Identifier: GPL-2.0-or-later
// Owns the blocks, and finds them by what they were made from and by where their code is.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "translator/engine/block.h"

namespace crosswalk::engine {

class BlockIndex {
 public:
  // Precondition: its code lies behind that of the one before, or before that of the oldest.
  Block* add(std::unique_ptr<Block> block);
  // Found by its host addresses alone from now on.
  void remove(Block* block);
  // Destroys all blocks.
  void clear();
  // The one that was added first, removed or not; null: there is none.
  Block* oldest() const { return by_host_.empty() ? nullptr : by_host_.front().get(); }
  // Precondition: it was removed.
  void destroy_oldest();

  // Null: none.
  Block* find(const BlockKey& key) const;
  // One that was made from the same guest code in the same way, perhaps for another VA; null: none
  // is known. Not of those that extend into a second page.
  Block* find_alike(const BlockKey& key) const;
  // The block whose code contains `host`, removed ones included; null: none.
  Block* find_by_host(const void* host) const;
  // The blocks with guest code in the 4 KiB page of `pa`; null: none.
  const std::vector<Block*>* of_page(uint64_t pa) const;
  // f(PA of each page with blocks).
  template <class F>
  void for_each_page(F f) const {
    for (const auto& [page, blocks] : by_page_) f(page << 12);
  }
  size_t count() const { return by_key_.size(); }  // without removed ones

 private:
  static BlockKey by_place(BlockKey key) {
    key.va &= 1;
    return key;
  }
  struct Hash {
    size_t operator()(const BlockKey& k) const;
  };
  // In the order of their addresses, as seen from the first one around the end of memory.
  std::deque<std::unique_ptr<Block>> by_host_;
  // What find_by_host() gave: few instructions fault often, such as those of copying and clearing
  // loops.
  static constexpr size_t kFoundByHost = 64;
  mutable Block* found_by_host_[kFoundByHost] = {};
  tsl::robin_map<BlockKey, Block*, Hash> by_key_;
  tsl::robin_map<BlockKey, Block*, Hash> by_place_;  // by_place()
  std::unordered_map<uint64_t, std::vector<Block*>> by_page_;
};

}  // namespace crosswalk::engine
