// SPDX-License-Identifier: GPL-2.0-or-later
// Owns the blocks, and finds them by what they were made from and by where their code is.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "translator/engine/block.h"

namespace crosswalk::engine {

class BlockIndex {
 public:
  // Precondition: its code lies behind that of all blocks before.
  Block* add(std::unique_ptr<Block> block);
  // Found by its host addresses alone from now on.
  void remove(Block* block);
  // Destroys all blocks.
  void clear();

  // Null: none.
  Block* find(const BlockKey& key) const;
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
  struct Hash {
    size_t operator()(const BlockKey& k) const;
  };
  std::vector<std::unique_ptr<Block>> by_host_;  // in address order
  // What find_by_host() gave: few instructions fault often, such as those of copying and clearing
  // loops.
  static constexpr size_t kFoundByHost = 64;
  mutable Block* found_by_host_[kFoundByHost] = {};
  tsl::robin_map<BlockKey, Block*, Hash> by_key_;
  std::unordered_map<uint64_t, std::vector<Block*>> by_page_;
};

}  // namespace crosswalk::engine
