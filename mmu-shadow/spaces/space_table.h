// SPDX-License-Identifier: GPL-2.0-or-later
// The address spaces of an MMU, found by key or by the values of registers that select them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace crosswalk::mmu {

// `Space` has `key`, with hash() and ==, and `last_used`. `Selectors` has hash() and ==.
template <typename Space, typename Selectors>
class SpaceTable {
 public:
  explicit SpaceTable(uint32_t max_spaces) : max_spaces_(std::max(max_spaces, 2u)) {
    uint32_t slots = 64;
    while (slots < max_spaces * 4) slots *= 2;
    slots_.assign(slots, nullptr);
  }

  // The space that went with these values lately, if known: most changes are between kernel and
  // user, and domains.
  Space* recent(const Selectors& selectors) const {
    const Recent& recent = recent_[selectors.hash() % kRecent];
    return recent.space && recent.selectors == selectors ? recent.space : nullptr;
  }
  void set_recent(const Selectors& selectors, Space* space) {
    recent_[selectors.hash() % kRecent] = {selectors, space};
  }
  // The same for spaces that differ by `access` alone, a part of the selectors, as long as
  // forget_neighbours() is called when the rest of them changes.
  Space* neighbour(uint64_t access) const {
    const Neighbour& neighbour = neighbours_[slot_of(access)];
    return neighbour.access == access ? neighbour.space : nullptr;
  }
  void set_neighbour(uint64_t access, Space* space) { neighbours_[slot_of(access)] = {access, space}; }
  void forget_neighbours() { std::fill(std::begin(neighbours_), std::end(neighbours_), Neighbour{}); }
  template <typename Key>
  Space* find(const Key& key) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = key.hash() & mask; slots_[i]; i = (i + 1) & mask)
      if (slots_[i]->key == key) return slots_[i];
    return nullptr;
  }
  void used(Space& space) { space.last_used = ++tick_; }
  // Counts the uses of all spaces.
  uint64_t tick() const { return tick_; }

  bool full() const { return spaces_.size() >= max_spaces_; }
  Space* add(std::unique_ptr<Space> space) {
    spaces_.push_back(std::move(space));
    insert(spaces_.back().get());
    return spaces_.back().get();
  }
  // Nobody else may have a pointer to it.
  void remove(Space* space) {
    std::erase_if(spaces_, [&](const std::unique_ptr<Space>& s) { return s.get() == space; });
    rebuild();
  }
  // Keys of spaces have changed.
  void rebuild() {
    std::fill(slots_.begin(), slots_.end(), nullptr);
    std::fill(std::begin(recent_), std::end(recent_), Recent{});
    forget_neighbours();
    for (auto& s : spaces_) insert(s.get());
  }
  // The space that was used least recently of those that match; null when there is none.
  template <typename Match>
  Space* least_recently_used(Match match) const {
    Space* oldest = nullptr;
    for (auto& s : spaces_)
      if ((!oldest || s->last_used < oldest->last_used) && match(*s)) oldest = s.get();
    return oldest;
  }
  const std::vector<std::unique_ptr<Space>>& all() const { return spaces_; }
  void clear() {
    spaces_.clear();
    rebuild();
  }

 private:
  static constexpr uint32_t kRecent = 16, kNeighbours = 8;
  struct Recent {
    Selectors selectors{};
    Space* space = nullptr;
  };
  struct Neighbour {
    uint64_t access = 0;
    Space* space = nullptr;
  };
  static uint32_t slot_of(uint64_t access) { return (access ^ access >> 2) % kNeighbours; }
  void insert(Space* space) {
    const size_t mask = slots_.size() - 1;
    size_t i = space->key.hash() & mask;
    while (slots_[i]) i = (i + 1) & mask;
    slots_[i] = space;
  }

  const size_t max_spaces_;
  std::vector<std::unique_ptr<Space>> spaces_;
  std::vector<Space*> slots_;  // open addressing by the keys' hashes; a power of two
  Recent recent_[kRecent];
  Neighbour neighbours_[kNeighbours];
  uint64_t tick_ = 0;
};

}  // namespace crosswalk::mmu
