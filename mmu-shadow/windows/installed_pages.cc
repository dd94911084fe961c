// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/windows/installed_pages.h"

#include <algorithm>
#include <iterator>

namespace crosswalk::mmu {

WindowLeaf* LeafPool::take() {
  if (free_.empty()) {
    constexpr size_t kChunk = 64;
    chunks_.push_back(std::make_unique<WindowLeaf[]>(kChunk));
    for (size_t i = 0; i < kChunk; i++) free_.push_back(&chunks_.back()[i]);
  }
  WindowLeaf* leaf = free_.back();
  free_.pop_back();
  *leaf = WindowLeaf{};
  leaf->ram_first = ~0u;
  return leaf;
}

void InstalledPages::drop_leaf(uint32_t l) {
  WindowLeaf& leaf = *leaves_[l];
  count_ -= leaf.count;
  pool_.pages -= leaf.count;
  ng_count_ -= leaf.ng_count;
  leaf.count = 0;
  release_if_empty(l);
}

void InstalledPages::add(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class) {
  const uint32_t l = leaf_of(va), first = index(va);
  if (!leaves_[l]) {
    leaves_[l] = pool_.take();
    used_[l >> 6] |= uint64_t{1} << (l & 63);
    if (!(touched_[l >> 6] >> (l & 63) & 1)) {
      touched_[l >> 6] |= uint64_t{1} << (l & 63);
      touched_count_++;
      pool_.touched++;
    }
  }
  WindowLeaf& leaf = *leaves_[l];
  if (leaf.count != 0) {
    for (uint32_t i = first; i < first + pages; i++)
      if (leaf.entries[i].valid()) drop(leaf, i);
  }
  for (uint32_t i = 0; i < pages; i++) {
    leaf.set(first + i, WindowEntry::make(ram_page + i, writable, ng, size_class));
    leaf.valid[(first + i) / 64] |= uint64_t{1} << (first + i) % 64;
  }
  for (uint32_t half = 0; half < kLeafPages; half += kHalfPages)
    if (kClassBits[size_class] >= kPageBits + 8 && first <= half && half + kHalfPages <= first + pages)
      leaf.linear[half / kHalfPages] = true;
  leaf.count += pages;
  count_ += pages;
  pool_.pages += pages;
  if (ng) leaf.ng_count += pages, ng_count_ += pages;
  if (size_class) {
    leaf.large_count += pages;
    large_.add(va, size_class);
    large_.add(va + (pages - 1) * kPageSize, size_class);  // a run may span two sections
  }
  leaf.ram_first = std::min(leaf.ram_first, ram_page);
  leaf.ram_last = std::max(leaf.ram_last, ram_page + pages - 1);
}

void InstalledPages::forget() {
  drop_all([](uint32_t) {});
  std::fill(std::begin(touched_), std::end(touched_), 0);
  pool_.touched -= touched_count_;
  touched_count_ = 0;
}

}  // namespace crosswalk::mmu
