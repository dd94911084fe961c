// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace crosswalk::engine {

size_t BlockIndex::Hash::operator()(const BlockKey& k) const {
  uint64_t h = k.pa * 0x9e3779b97f4a7c15ull;
  h ^= (uint64_t{k.va} << 32 | k.second_page) + k.flags;
  h *= 0xff51afd7ed558ccdull;
  return h ^ h >> 32;
}

Block* BlockIndex::add(std::unique_ptr<Block> block) {
  Block* const b = block.get();
  by_host_.push_back(std::move(block));
  by_key_[b->key] = b;
  if (!b->key.second_page) by_place_[by_place(b->key)] = b;
  by_page_[b->key.pa >> 12].push_back(b);
  if (b->key.second_page) by_page_[b->key.second_page].push_back(b);
  return b;
}

void BlockIndex::remove(Block* b) {
  if (const auto it = by_key_.find(b->key); it != by_key_.end() && it->second == b) by_key_.erase(it);
  if (const auto it = by_place_.find(by_place(b->key)); it != by_place_.end() && it->second == b) by_place_.erase(it);
  for (const uint64_t page : {b->key.pa >> 12, uint64_t{b->key.second_page}}) {
    const auto it = by_page_.find(page);
    if (it == by_page_.end()) continue;
    std::erase(it->second, b);
    if (it->second.empty()) by_page_.erase(it);
  }
}

void BlockIndex::clear() {
  by_key_.clear();
  by_place_.clear();
  by_page_.clear();
  by_host_.clear();
  std::fill(std::begin(found_by_host_), std::end(found_by_host_), nullptr);
}

void BlockIndex::destroy_oldest() {
  std::ranges::replace(found_by_host_, oldest(), nullptr);
  by_host_.pop_front();
}

Block* BlockIndex::find(const BlockKey& key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : it->second;
}

Block* BlockIndex::find_alike(const BlockKey& key) const {
  const auto it = by_place_.find(by_place(key));
  return it == by_place_.end() ? nullptr : it->second;
}

Block* BlockIndex::find_by_host(const void* host) const {
  const auto* p = static_cast<const uint8_t*>(host);
  Block*& found = found_by_host_[reinterpret_cast<uintptr_t>(p) / 4 % kFoundByHost];
  if (found && found->contains(p)) return found;
  if (by_host_.empty()) return nullptr;
  const auto distance = [first = reinterpret_cast<uintptr_t>(by_host_.front()->code)](const uint8_t* code) {
    return reinterpret_cast<uintptr_t>(code) - first;
  };
  auto it = std::upper_bound(by_host_.begin(), by_host_.end(), distance(p),
                             [&](uintptr_t d, const auto& b) { return d < distance(b->code); });
  Block* b = std::prev(it)->get();
  if (!b->contains(p)) return nullptr;
  found = b;
  return b;
}

const std::vector<Block*>* BlockIndex::of_page(uint64_t pa) const {
  const auto it = by_page_.find(pa >> 12);
  return it == by_page_.end() || it->second.empty() ? nullptr : &it->second;
}

}  // namespace crosswalk::engine
