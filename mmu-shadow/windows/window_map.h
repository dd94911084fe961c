// SPDX-License-Identifier: GPL-2.0-or-later What is installed in one window: one word for each 4
// KiB page, in leaves of 2 MiB, with the counts and filters that let a flush touch only what it
// removes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/windows/window.h"

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

class WindowMap {
 public:
  // `ram_base` is the PA of RAM page 0.
  WindowMap(std::unique_ptr<Window> window, uint64_t ram_base, LeafPool& pool)
      : window_(std::move(window)), ram_base_(ram_base), pool_(pool) {}
  ~WindowMap() { forget_all(); }
  WindowMap(const WindowMap&) = delete;
  WindowMap& operator=(const WindowMap&) = delete;

  Window& window() const { return *window_; }
  uint64_t base() const { return window_->base(); }
  uint32_t count() const { return count_; }
  WindowEntry entry(uint32_t va) const {
    const WindowLeaf* leaf = leaves_[va >> kLeafBits];
    return leaf ? leaf->entries[index(va)] : WindowEntry{};
  }

  // Records that `pages` pages from `va` on reach RAM pages from `ram_page` on. Precondition:
  // within one leaf.
  void record(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class);

  // The removers also remove from the window (without commit) and return the number of pages
  // removed.
  uint32_t remove_all();
  // The same, and the host gets back the page tables too. False: there was nothing, and there is
  // nothing to commit.
  bool clear();
  bool touched() const { return touched_count_ != 0; }
  uint32_t remove_nonglobal();
  uint32_t remove_va(uint32_t va, bool global_only);

  // Asks recheck(va, entry) for what each installed page (the non-global ones only, if so asked)
  // should be now: the same entry, another one of the same size class and nG, or an invalid one.
  // `kept` and `rewritten` count; returns how many went. Without commit.
  template <typename Recheck>
  uint32_t revalidate(bool nonglobal_only, uint32_t& kept, uint32_t& rewritten, Recheck recheck);
  // The same for the page of `va` alone, which is installed and of size class 0.
  template <typename Recheck>
  uint32_t revalidate_page(uint32_t va, uint32_t& kept, uint32_t& rewritten, Recheck recheck);
  // Whether an entry larger than a page may cover `va`.
  bool in_large_entry(uint32_t va) const { return large_.covers(va); }
  uint32_t count(bool nonglobal_only) const { return nonglobal_only ? ng_count_ : count_; }
  // visit(va, size_class) for each installed page.
  template <typename Visit>
  void for_each(Visit visit) const {
    for_each_leaf([&](uint32_t l) {
      leaves_[l]->for_each(
          [&](uint32_t i) { visit(l << kLeafBits | i << kPageBits, leaves_[l]->entries[i].size_class()); });
    });
  }

  // Makes the writable pages read-only whose RAM page is `ram_page`, or for which is_code[ram page]
  // is set. Commits. protect_all also sets maybe_writable[] for the pages that stay writable.
  void protect_page(uint32_t ram_page);
  void protect_all(const uint8_t* is_code, uint8_t* maybe_writable);

 private:
  // Collects pages to remove into ranges as long as possible. Pages in between at which nothing is
  // installed may be swept up: removing nothing is harmless. keep() says that something in between
  // stays.
  class Range {
   public:
    explicit Range(Window& window) : window_(window) {}
    ~Range() { keep(); }
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;

    void add(uint64_t va, uint64_t bytes) {
      if (end_ == 0) start_ = va;
      end_ = va + bytes;
    }
    void keep() {
      if (end_ != 0) window_.remove(static_cast<uint32_t>(start_), end_ - start_);
      end_ = 0;
    }

   private:
    Window& window_;
    uint64_t start_ = 0, end_ = 0;
  };

  void forget_all();
  static uint32_t index(uint32_t va) { return va >> kPageBits & (kLeafPages - 1); }
  void drop(WindowLeaf& leaf, uint32_t i);
  void release_if_empty(uint32_t l);
  template <typename Match>
  uint32_t remove_matching(uint32_t leaf, Range& range, Match match);
  void make_read_only(uint32_t va, WindowLeaf& leaf);
  template <typename Visit>
  void for_each_leaf(Visit visit) const {
    for (uint32_t w = 0; w < 32; w++)
      for (uint64_t bits = used_[w]; bits != 0; bits &= bits - 1)
        visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
  }
  template <typename Recheck>
  void recheck_page(uint32_t va, Range& range, uint32_t& kept, uint32_t& rewritten, uint32_t& removed,
                    Recheck& recheck);

  const std::unique_ptr<Window> window_;
  const uint64_t ram_base_;
  LeafPool& pool_;
  WindowLeaf* leaves_[1 << (32 - kLeafBits)] = {};
  uint64_t used_[32] = {};  // one bit a leaf
  // leaves that have been in use since clear(): host page tables may exist for them
  uint64_t touched_[32] = {};
  uint32_t touched_count_ = 0;
  uint32_t count_ = 0, ng_count_ = 0;
  LargeFilter large_;
};

template <typename Recheck>
void WindowMap::recheck_page(uint32_t va, Range& range, uint32_t& kept, uint32_t& rewritten, uint32_t& removed,
                             Recheck& recheck) {
  WindowLeaf& leaf = *leaves_[va >> kLeafBits];
  const WindowEntry e = leaf.entries[index(va)];
  const WindowEntry now = recheck(va, e);
  if (now.bits == e.bits) {
    range.keep();
    kept++;
    return;
  }
  if (now.valid()) {
    range.keep();
    const uint64_t pa = ram_base_ + (uint64_t{now.ram_page()} << kPageBits);
    if (window_->install(va, pa, kPageSize, now.writable())) {
      leaf.set(index(va), now);
      leaf.ram_first = std::min(leaf.ram_first, now.ram_page());
      leaf.ram_last = std::max(leaf.ram_last, now.ram_page());
      rewritten++;
      return;
    }
  }
  range.add(va, kPageSize);
  drop(leaf, index(va));
  removed++;
}

template <typename Recheck>
uint32_t WindowMap::revalidate(bool nonglobal_only, uint32_t& kept, uint32_t& rewritten, Recheck recheck) {
  if (count(nonglobal_only) == 0) return 0;
  uint32_t removed = 0;
  Range range(*window_);
  for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *leaves_[l];
    if (nonglobal_only && leaf.ng_count == 0) return range.keep();
    for (uint32_t i = 0, next = 0; (i = leaf.next_valid(next)) < kLeafPages;) {
      next = i + 1;
      if (nonglobal_only && !leaf.entries[i].ng()) {
        range.keep();
        next = leaf.linear_end(i);
        continue;
      }
      const uint32_t va = l << kLeafBits | i << kPageBits, before = kept;
      recheck_page(va, range, kept, rewritten, removed, recheck);
      // The other pages of a large entry that is as it was.
      const WindowEntry e = leaf.entries[i];
      if (kept == before || e.size_class() == 0) continue;
      while (next < kLeafPages && leaf.entries[next].bits == e.bits + ((next - i) << 6) &&
             same_entry(va, l << kLeafBits | next << kPageBits, e.size_class()))
        next = leaf.linear_end(next);
      kept += next - i - 1;
    }
    release_if_empty(l);
  });
  return removed;
}

template <typename Recheck>
uint32_t WindowMap::revalidate_page(uint32_t va, uint32_t& kept, uint32_t& rewritten, Recheck recheck) {
  uint32_t removed = 0;
  Range range(*window_);
  recheck_page(va & ~(kPageSize - 1), range, kept, rewritten, removed, recheck);
  release_if_empty(va >> kLeafBits);
  return removed;
}

}  // namespace crosswalk::mmu
