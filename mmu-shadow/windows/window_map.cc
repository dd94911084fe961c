// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/windows/window_map.h"

namespace crosswalk::mmu {

uint32_t WindowMap::remove_all() {
  const uint32_t removed = pages_.count();
  if (removed == 0) return 0;
  RemovalRange range(window());
  pages_.drop_all([&](uint32_t l) { range.add(uint64_t{l} << kLeafBits, 1u << kLeafBits); });
  return removed;
}

bool WindowMap::empty() {
  if (!filling_) return clear();
  // Page tables that are there need not be made again.
  const WindowFlush all{WindowFlush::All, 0};
  if (filling_->installed(false) != 0) filling_->flush({&all, 1}, /*eager=*/false);
  return false;
}

bool WindowMap::clear() {
  if (!touched()) return false;
  if (filling_) {
    filling_->clear();
    return false;
  }
  pages_.forget();
  window().clear();
  return true;
}

template <typename Match>
uint32_t WindowMap::remove_matching(uint32_t l, RemovalRange& range, Match match) {
  WindowLeaf& leaf = *pages_.leaf(l);
  uint32_t removed = 0;
  leaf.for_each([&](uint32_t i) {
    const uint32_t va = InstalledPages::va_of(l, i);
    if (match(va, leaf.entries[i])) {
      range.add(va, kPageSize);
      pages_.drop(leaf, i);
      removed++;
    } else {
      range.keep();
    }
  });
  pages_.release_if_empty(l);
  return removed;
}

uint32_t WindowMap::remove_nonglobal() {
  if (pages_.count(true) == 0) return 0;
  if (pages_.count(true) == pages_.count()) return remove_all();
  uint32_t removed = 0;
  RemovalRange range(window());
  pages_.for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *pages_.leaf(l);
    if (leaf.ng_count == 0) {
      range.keep();
    } else if (leaf.ng_count == leaf.count) {
      range.add(uint64_t{l} << kLeafBits, 1u << kLeafBits);
      removed += leaf.count;
      pages_.drop_leaf(l);
    } else {
      removed += remove_matching(l, range, [](uint32_t, WindowEntry e) { return e.ng(); });
    }
  });
  return removed;
}

uint32_t WindowMap::remove_va(uint32_t va, bool global_only) {
  if (pages_.count() == 0) return 0;
  uint32_t removed = 0;
  const uint32_t l = InstalledPages::leaf_of(va);
  if (WindowLeaf* leaf = pages_.leaf(l)) {
    const WindowEntry e = leaf->entries[InstalledPages::index(va)];
    if (e.valid() && !(global_only && e.ng())) {
      window().remove(page_of(va), kPageSize);
      pages_.drop(*leaf, InstalledPages::index(va));
      pages_.release_if_empty(l);
      removed++;
    }
  }
  if (!pages_.large().covers(va)) return removed;
  RemovalRange range(window());
  const auto match = [&](uint32_t page, WindowEntry e) {
    return e.size_class() != 0 && same_entry(page, va, e.size_class()) && !(global_only && e.ng());
  };
  // All entries up to 2 MiB that cover `va` lie in its leaf; supersections have 8 leaves and 1 GiB
  // blocks 512.
  const uint32_t leaves = pages_.large().gigabyte(va) ? 512 : pages_.large().sixteen(va) ? 8 : 1;
  const uint32_t first = l & ~(leaves - 1);
  for (uint32_t i = first; i < first + leaves; i++)
    if (const WindowLeaf* leaf = pages_.leaf(i); leaf && leaf->large_count != 0)
      removed += remove_matching(i, range, match);
    else if (leaf)
      range.keep();
  return removed;
}

uint32_t WindowMap::remove_from_page(uint32_t ram_page) {
  uint32_t removed = 0;
  RemovalRange range(window());
  pages_.for_each_leaf([&](uint32_t l) {
    if (pages_.leaf(l)->ram_last < ram_page)
      range.keep();
    else
      removed += remove_matching(l, range, [&](uint32_t, WindowEntry e) { return e.ram_page() >= ram_page; });
  });
  return removed;
}

void WindowMap::make_read_only(uint32_t va, WindowLeaf& leaf) {
  WindowEntry entry = leaf.entries[InstalledPages::index(va)];
  const uint64_t pa = ram_base_ + (uint64_t{entry.ram_page()} << kPageBits);
  if (window().install(va, pa, kPageSize, false)) {
    entry.bits &= ~2u;
    leaf.set(InstalledPages::index(va), entry);
  } else {  // no room to split a mapping: the page goes altogether
    window().remove(va, kPageSize);
    pages_.drop(leaf, InstalledPages::index(va));
  }
}

void WindowMap::protect_page(uint32_t ram_page) {
  bool changed = false;
  pages_.for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *pages_.leaf(l);
    if (ram_page < leaf.ram_first || ram_page > leaf.ram_last) return;
    leaf.for_each([&](uint32_t i) {
      const WindowEntry e = leaf.entries[i];
      if (e.ram_page() != ram_page || !e.writable()) return;
      make_read_only(InstalledPages::va_of(l, i), leaf);
      changed = true;
    });
    pages_.release_if_empty(l);
  });
  if (changed) window().commit();
}

}  // namespace crosswalk::mmu
