// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/windows/window_map.h"

#include <algorithm>

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

void WindowMap::drop(WindowLeaf& leaf, uint32_t i) {
  const WindowEntry e = leaf.entries[i];
  leaf.count--;
  count_--;
  pool_.pages--;
  if (e.ng()) leaf.ng_count--, ng_count_--;
  if (e.size_class()) leaf.large_count--;
  leaf.set(i, WindowEntry{});
  leaf.valid[i / 64] &= ~(uint64_t{1} << i % 64);
}

void WindowMap::release_if_empty(uint32_t l) {
  if (leaves_[l]->count != 0) return;
  pool_.give(leaves_[l]);
  leaves_[l] = nullptr;
  used_[l >> 6] &= ~(uint64_t{1} << (l & 63));
}

void WindowMap::record(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class) {
  const uint32_t l = va >> kLeafBits, first = index(va);
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

uint32_t WindowMap::remove_all() {
  const uint32_t removed = count_;
  if (removed == 0) return 0;
  Range range(*window_);
  for_each_leaf([&](uint32_t l) {
    range.add(uint64_t{l} << kLeafBits, 1u << kLeafBits);
    pool_.give(leaves_[l]);
    leaves_[l] = nullptr;
  });
  std::fill(std::begin(used_), std::end(used_), 0);
  pool_.pages -= count_;
  count_ = ng_count_ = 0;
  large_.clear();
  return removed;
}

// Everything here, and nothing of the window.
void WindowMap::forget_all() {
  for_each_leaf([&](uint32_t l) {
    pool_.give(leaves_[l]);
    leaves_[l] = nullptr;
  });
  std::fill(std::begin(used_), std::end(used_), 0);
  std::fill(std::begin(touched_), std::end(touched_), 0);
  pool_.pages -= count_;
  pool_.touched -= touched_count_;
  count_ = ng_count_ = touched_count_ = 0;
  large_.clear();
}

bool WindowMap::clear() {
  if (!touched()) return false;
  forget_all();
  window_->clear();
  return true;
}

template <typename Match>
uint32_t WindowMap::remove_matching(uint32_t l, Range& range, Match match) {
  WindowLeaf& leaf = *leaves_[l];
  uint32_t removed = 0;
  leaf.for_each([&](uint32_t i) {
    const uint32_t va = l << kLeafBits | i << kPageBits;
    if (match(va, leaf.entries[i])) {
      range.add(va, kPageSize);
      drop(leaf, i);
      removed++;
    } else {
      range.keep();
    }
  });
  release_if_empty(l);
  return removed;
}

uint32_t WindowMap::remove_nonglobal() {
  if (ng_count_ == 0) return 0;
  if (ng_count_ == count_) return remove_all();
  uint32_t removed = 0;
  Range range(*window_);
  for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *leaves_[l];
    if (leaf.ng_count == 0) {
      range.keep();
    } else if (leaf.ng_count == leaf.count) {
      range.add(uint64_t{l} << kLeafBits, 1u << kLeafBits);
      removed += leaf.count;
      count_ -= leaf.count;
      pool_.pages -= leaf.count;
      ng_count_ -= leaf.ng_count;
      leaf.count = 0;
      release_if_empty(l);
    } else {
      removed += remove_matching(l, range, [](uint32_t, WindowEntry e) { return e.ng(); });
    }
  });
  return removed;
}

uint32_t WindowMap::remove_va(uint32_t va, bool global_only) {
  if (count_ == 0) return 0;
  uint32_t removed = 0;
  const uint32_t l = va >> kLeafBits;
  if (WindowLeaf* leaf = leaves_[l]) {
    const WindowEntry e = leaf->entries[index(va)];
    if (e.valid() && !(global_only && e.ng())) {
      window_->remove(va & ~(kPageSize - 1), kPageSize);
      drop(*leaf, index(va));
      release_if_empty(l);
      removed++;
    }
  }
  if (!large_.covers(va)) return removed;
  Range range(*window_);
  const auto match = [&](uint32_t page, WindowEntry e) {
    return e.size_class() != 0 && same_entry(page, va, e.size_class()) && !(global_only && e.ng());
  };
  // All entries up to 2 MiB that cover `va` lie in its leaf; supersections have 8 leaves and 1 GiB
  // blocks 512.
  const uint32_t leaves = large_.gigabyte(va) ? 512 : large_.sixteen(va) ? 8 : 1;
  const uint32_t first = l & ~(leaves - 1);
  for (uint32_t i = first; i < first + leaves; i++)
    if (leaves_[i] && leaves_[i]->large_count != 0)
      removed += remove_matching(i, range, match);
    else if (leaves_[i])
      range.keep();
  return removed;
}

void WindowMap::make_read_only(uint32_t va, WindowLeaf& leaf) {
  WindowEntry entry = leaf.entries[index(va)];
  const uint64_t pa = ram_base_ + (uint64_t{entry.ram_page()} << kPageBits);
  if (window_->install(va, pa, kPageSize, false)) {
    entry.bits &= ~2u;
    leaf.set(index(va), entry);
  } else {  // no room to split a mapping: the page goes altogether
    window_->remove(va, kPageSize);
    drop(leaf, index(va));
  }
}

void WindowMap::protect_page(uint32_t ram_page) {
  bool changed = false;
  for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *leaves_[l];
    if (ram_page < leaf.ram_first || ram_page > leaf.ram_last) return;
    leaf.for_each([&](uint32_t i) {
      const WindowEntry e = leaf.entries[i];
      if (e.ram_page() != ram_page || !e.writable()) return;
      make_read_only(l << kLeafBits | i << kPageBits, leaf);
      changed = true;
    });
    release_if_empty(l);
  });
  if (changed) window_->commit();
}

void WindowMap::protect_all(const uint8_t* is_code, uint8_t* maybe_writable) {
  bool changed = false;
  for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *leaves_[l];
    leaf.for_each([&](uint32_t i) {
      const WindowEntry e = leaf.entries[i];
      if (!e.writable()) return;
      if (!is_code[e.ram_page()]) {
        maybe_writable[e.ram_page()] = 1;
        return;
      }
      make_read_only(l << kLeafBits | i << kPageBits, leaf);
      changed = true;
    });
    release_if_empty(l);
  });
  if (changed) window_->commit();
}

}  // namespace crosswalk::mmu
