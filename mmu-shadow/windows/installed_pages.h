// SPDX-License-Identifier: GPL-2.0-or-later
// What is installed in one window: one word for each 4 KiB page, in leaves of 2 MiB, with the
// counts and filters that let a flush touch only what it removes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "mmu-shadow/base/filters.h"

namespace crosswalk::mmu {

// One installed page. Zero when nothing is installed.
struct WindowEntry {
  uint32_t bits = 0;

  static WindowEntry make(uint32_t ram_page, bool writable, bool ng, uint32_t size_class) {
    return {ram_page << 6 | size_class << 3 | uint32_t{ng} << 2 | uint32_t{writable} << 1 | 1};
  }
  bool valid() const { return bits & 1; }
  bool writable() const { return bits >> 1 & 1; }
  bool ng() const { return bits >> 2 & 1; }
  uint32_t size_class() const { return bits >> 3 & 7; }
  uint32_t ram_page() const { return bits >> 6; }  // up to 256 GiB of RAM
};

inline constexpr uint32_t kLeafPages = 512;
inline constexpr uint32_t kLeafBits = 21;
// of a leaf: the smallest large entry that a summary is worth, a section
inline constexpr uint32_t kHalfPages = 256;

struct WindowLeaf {
  WindowEntry entries[kLeafPages];
  uint64_t valid[kLeafPages / 64];  // one bit an entry: a leaf may hold few of them
  uint16_t count, ng_count, large_count;
  uint32_t ram_first, ram_last;  // bounds of the RAM pages installed since the leaf was empty
  // Of each half: all of it is installed, from one entry of 1 MiB or more, and differs in
  // consecutive RAM pages only.
  bool linear[kLeafPages / kHalfPages];

  void set(uint32_t i, WindowEntry e) {
    entries[i] = e;
    linear[i / kHalfPages] = false;
  }
  // The end of the pages from `i` on that are known to be linear, `i` itself included.
  uint32_t linear_end(uint32_t i) const { return linear[i / kHalfPages] ? (i | (kHalfPages - 1)) + 1 : i + 1; }
  // The first valid entry from `i` on, or kLeafPages.
  uint32_t next_valid(uint32_t i) const {
    for (uint32_t w = i / 64; w < kLeafPages / 64; w++)
      if (const uint64_t bits = valid[w] & (w == i / 64 ? ~uint64_t{0} << i % 64 : ~uint64_t{0}))
        return w * 64 + static_cast<uint32_t>(std::countr_zero(bits));
    return kLeafPages;
  }
  // visit(index) for each valid entry. It may drop that one.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t w = 0; w < kLeafPages / 64; w++)
      for (uint64_t bits = valid[w]; bits != 0; bits &= bits - 1)
        visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
  }
};

// Leaves that no window uses now, shared by the windows of a CPU; and what these have together.
class LeafPool {
 public:
  WindowLeaf* take();
  void give(WindowLeaf* leaf) { free_.push_back(leaf); }

  uint64_t pages = 0;    // installed
  uint32_t touched = 0;  // leaves that have had pages since their windows were cleared

 private:
  std::vector<std::unique_ptr<WindowLeaf[]>> chunks_;
  std::vector<WindowLeaf*> free_;
};

class InstalledPages {
 public:
  explicit InstalledPages(LeafPool& pool) : pool_(pool) {}
  ~InstalledPages() { forget(); }
  InstalledPages(const InstalledPages&) = delete;
  InstalledPages& operator=(const InstalledPages&) = delete;

  static uint32_t leaf_of(uint32_t va) { return va >> kLeafBits; }
  static uint32_t index(uint32_t va) { return va >> kPageBits & (kLeafPages - 1); }
  static uint32_t va_of(uint32_t l, uint32_t i) { return l << kLeafBits | i << kPageBits; }

  uint32_t count(bool nonglobal_only = false) const { return nonglobal_only ? ng_count_ : count_; }
  // Whether anything has been installed since forget().
  bool touched() const { return touched_count_ != 0; }
  WindowEntry entry(uint32_t va) const {
    const WindowLeaf* leaf = leaves_[leaf_of(va)];
    return leaf ? leaf->entries[index(va)] : WindowEntry{};
  }
  // Where entries larger than a page may be.
  const LargeFilter& large() const { return large_; }
  // visit(va, size_class) for each page.
  template <typename Visit>
  void for_each(Visit visit) const {
    for_each_leaf([&](uint32_t l) {
      leaves_[l]->for_each([&](uint32_t i) { visit(va_of(l, i), leaves_[l]->entries[i].size_class()); });
    });
  }

  // `pages` pages from `va` on reach RAM pages from `ram_page` on. Precondition: within one leaf.
  void add(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class);
  // The page, which is installed, is not any more. The leaf stays until release_if_empty().
  void drop(WindowLeaf& leaf, uint32_t i);
  // The same of all pages of a leaf.
  void drop_leaf(uint32_t l);
  // The same of all leaves, after visit(leaf number) of each.
  template <typename Visit>
  void drop_all(Visit visit);
  // All pages are gone, and so is what the host had for them.
  void forget();

  // Null when nothing is installed there.
  WindowLeaf* leaf(uint32_t l) const { return leaves_[l]; }
  void release_if_empty(uint32_t l);
  template <typename Visit>
  [[gnu::always_inline]] void for_each_leaf(Visit visit) const {
    for (uint32_t w = 0; w < 32; w++)
      for (uint64_t bits = used_[w]; bits != 0; bits &= bits - 1)
        visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
  }

 private:
  LeafPool& pool_;
  WindowLeaf* leaves_[1 << (32 - kLeafBits)] = {};
  uint64_t used_[32] = {};  // one bit a leaf
  // leaves that have been in use since forget(): host page tables may exist for them
  uint64_t touched_[32] = {};
  uint32_t touched_count_ = 0;
  uint32_t count_ = 0, ng_count_ = 0;
  LargeFilter large_;
};

inline void InstalledPages::drop(WindowLeaf& leaf, uint32_t i) {
  const WindowEntry e = leaf.entries[i];
  leaf.count--;
  count_--;
  pool_.pages--;
  if (e.ng()) leaf.ng_count--, ng_count_--;
  if (e.size_class()) leaf.large_count--;
  leaf.set(i, WindowEntry{});
  leaf.valid[i / 64] &= ~(uint64_t{1} << i % 64);
}

inline void InstalledPages::release_if_empty(uint32_t l) {
  if (leaves_[l]->count != 0) return;
  pool_.give(leaves_[l]);
  leaves_[l] = nullptr;
  used_[l >> 6] &= ~(uint64_t{1} << (l & 63));
}

template <typename Visit>
void InstalledPages::drop_all(Visit visit) {
  for_each_leaf([&](uint32_t l) {
    visit(l);
    pool_.give(leaves_[l]);
    leaves_[l] = nullptr;
  });
  std::fill(std::begin(used_), std::end(used_), 0);
  pool_.pages -= count_;
  count_ = ng_count_ = 0;
  large_.clear();
}

}  // namespace crosswalk::mmu
