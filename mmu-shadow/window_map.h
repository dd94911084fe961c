// SPDX-License-Identifier: GPL-2.0-or-later
// What is installed in one window: one word for each 4 KiB page, in leaves of 2 MiB, with the counts and filters
// that let a flush touch only what it removes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mmu-shadow/filters.h"
#include "mmu-shadow/mmu.h"

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

struct WindowLeaf {
  WindowEntry entries[kLeafPages];
  uint16_t count, ng_count, large_count;
  uint32_t ram_first, ram_last;  // bounds of the RAM pages installed since the leaf was empty
};

// Leaves that no window uses now, shared by the windows of a CPU.
class LeafPool {
 public:
  WindowLeaf* take();
  void give(WindowLeaf* leaf) { free_.push_back(leaf); }

 private:
  std::vector<std::unique_ptr<WindowLeaf[]>> chunks_;
  std::vector<WindowLeaf*> free_;
};

class WindowMap {
 public:
  WindowMap(uint64_t base, LeafPool& pool) : base_(base), pool_(pool) {}

  uint64_t base() const { return base_; }
  uint32_t count() const { return count_; }
  WindowEntry entry(uint32_t va) const {
    const WindowLeaf* leaf = leaves_[va >> kLeafBits];
    return leaf ? leaf->entries[index(va)] : WindowEntry{};
  }

  // Records that `pages` pages from `va` on reach RAM pages from `ram_page` on. Precondition: within one leaf.
  void record(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class);

  // The removers also remove from the backend (without commit) and return the number of pages removed.
  uint32_t remove_all(WindowBackend& backend);
  uint32_t remove_nonglobal(WindowBackend& backend);
  uint32_t remove_va(WindowBackend& backend, uint32_t va, bool global_only);

  // Makes the writable pages read-only whose RAM page is `ram_page`, or for which is_code[ram page] is set. Commits.
  // protect_all also sets maybe_writable[] for the pages that stay writable.
  void protect_page(WindowBackend& backend, uint64_t ram_base, uint32_t ram_page);
  void protect_all(WindowBackend& backend, uint64_t ram_base, const uint8_t* is_code, uint8_t* maybe_writable);

 private:
  class Range;

  static uint32_t index(uint32_t va) { return va >> kPageBits & (kLeafPages - 1); }
  void drop(WindowLeaf& leaf, uint32_t i);
  void release_if_empty(uint32_t l);
  template <typename Match>
  uint32_t remove_matching(uint32_t leaf, Range& range, Match match);
  void make_read_only(WindowBackend& backend, uint64_t ram_base, uint32_t va, WindowEntry& entry, WindowLeaf& leaf);
  template <typename Visit>
  void for_each_leaf(Visit visit);

  uint64_t base_;
  LeafPool& pool_;
  WindowLeaf* leaves_[1 << (32 - kLeafBits)] = {};
  uint64_t used_[32] = {};  // one bit a leaf
  uint32_t count_ = 0, ng_count_ = 0;
  LargeFilter large_;
};

}  // namespace crosswalk::mmu
