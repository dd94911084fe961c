// SPDX-License-Identifier: GPL-2.0-or-later
// A window with the record of what is installed in it: what changes the one changes the other. A
// FillingWindow has its record itself; then the methods that change or show a record are not for
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/windows/installed_pages.h"
#include "mmu-shadow/windows/window.h"

namespace crosswalk::mmu {

// Collects pages to remove into ranges as long as possible. Pages in between at which nothing is
// installed may be swept up: removing nothing is harmless. keep() says that something in between
// stays.
class RemovalRange {
 public:
  explicit RemovalRange(Window& window) : window_(window) {}
  ~RemovalRange() { keep(); }
  RemovalRange(const RemovalRange&) = delete;
  RemovalRange& operator=(const RemovalRange&) = delete;

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

class WindowMap {
 public:
  // `ram_base` is the PA of RAM page 0.
  WindowMap(std::unique_ptr<Window> window, uint64_t ram_base, LeafPool& pool)
      : owned_(std::move(window)), ram_base_(ram_base), pages_(pool) {}
  WindowMap(std::unique_ptr<FillingWindow> window, LeafPool& pool)
      : filling_(window.get()), owned_(std::move(window)), ram_base_(0), pages_(pool) {}

  uint64_t base() const { return owned_->base(); }
  // Null when the MMU makes the entries.
  FillingWindow* filling() const { return filling_; }
  uint32_t count(bool nonglobal_only = false) const {
    return filling_ ? filling_->installed(nonglobal_only) : pages_.count(nonglobal_only);
  }
  // Whether there is something that clear() would give back.
  bool touched() const { return filling_ ? filling_->stretches() != 0 : pages_.touched(); }

  // Precondition of this and what follows, but clear(): filling() is null.
  Window& window() const { return static_cast<Window&>(*owned_); }
  const InstalledPages& pages() const { return pages_; }

  // Records what was installed in the window (InstalledPages::add).
  void record(uint32_t va, uint32_t pages, uint32_t ram_page, bool writable, bool ng, uint32_t size_class) {
    pages_.add(va, pages, ram_page, writable, ng, size_class);
  }

  // The removers also remove from the window (without commit) and return the number of pages
  // removed.
  uint32_t remove_all();
  uint32_t remove_nonglobal();
  uint32_t remove_va(uint32_t va, bool global_only);
  // Those whose RAM page is this one or a later one.
  uint32_t remove_from_page(uint32_t ram_page);
  // Removes all, and has it ready for another address space. False: there is nothing to commit.
  bool empty();
  // Removes all, and the host gets back the page tables too. False: there is nothing to commit.
  bool clear();

  // Asks recheck(va, entry) for what each installed page (the non-global ones only, if so asked)
  // should be now: the same entry, another one of the same size class and nG, or an invalid one.
  // `kept` and `rewritten` count; returns how many went. Without commit.
  template <typename Recheck>
  [[gnu::always_inline]] uint32_t revalidate(bool nonglobal_only, uint32_t& kept, uint32_t& rewritten, Recheck recheck);
  // The same for the page of `va` alone, which is installed and of size class 0.
  template <typename Recheck>
  [[gnu::always_inline]] uint32_t revalidate_page(uint32_t va, uint32_t& kept, uint32_t& rewritten, Recheck recheck);

  // Makes the writable pages read-only whose RAM page is `ram_page`, or that code.may_write(RAM
  // page) does not let be so. Commits.
  void protect_page(uint32_t ram_page);
  template <typename Code>
  void protect_all(Code& code);

 private:
  template <typename Match>
  uint32_t remove_matching(uint32_t leaf, RemovalRange& range, Match match);
  void make_read_only(uint32_t va, WindowLeaf& leaf);
  template <typename Recheck>
  [[gnu::always_inline]] void recheck_page(uint32_t va, RemovalRange& range, uint32_t& kept, uint32_t& rewritten,
                                           uint32_t& removed, Recheck& recheck);

  FillingWindow* const filling_ = nullptr;
  const std::unique_ptr<ReservedWindow> owned_;  // a Window, if it is not a FillingWindow
  const uint64_t ram_base_;
  InstalledPages pages_;
};

// All three in line: an eager flush does it for each page.
template <typename Recheck>
inline void WindowMap::recheck_page(uint32_t va, RemovalRange& range, uint32_t& kept, uint32_t& rewritten,
                                    uint32_t& removed, Recheck& recheck) {
  WindowLeaf& leaf = *pages_.leaf(InstalledPages::leaf_of(va));
  const WindowEntry e = leaf.entries[InstalledPages::index(va)];
  const WindowEntry now = recheck(va, e);
  if (now.bits == e.bits) {
    range.keep();
    kept++;
    return;
  }
  if (now.valid()) {
    range.keep();
    const uint64_t pa = ram_base_ + (uint64_t{now.ram_page()} << kPageBits);
    if (window().install(va, pa, kPageSize, now.writable())) {
      leaf.set(InstalledPages::index(va), now);
      leaf.ram_first = std::min(leaf.ram_first, now.ram_page());
      leaf.ram_last = std::max(leaf.ram_last, now.ram_page());
      rewritten++;
      return;
    }
  }
  range.add(va, kPageSize);
  pages_.drop(leaf, InstalledPages::index(va));
  removed++;
}

template <typename Recheck>
inline uint32_t WindowMap::revalidate(bool nonglobal_only, uint32_t& kept, uint32_t& rewritten, Recheck recheck) {
  if (pages_.count(nonglobal_only) == 0) return 0;
  uint32_t removed = 0;
  RemovalRange range(window());
  pages_.for_each_leaf([&](uint32_t l) __attribute__((always_inline)) {
    WindowLeaf& leaf = *pages_.leaf(l);
    if (nonglobal_only && leaf.ng_count == 0) return range.keep();
    for (uint32_t i = 0, next = 0; (i = leaf.next_valid(next)) < kLeafPages;) {
      next = i + 1;
      if (nonglobal_only && !leaf.entries[i].ng()) {
        range.keep();
        next = leaf.linear_end(i);
        continue;
      }
      const uint32_t va = InstalledPages::va_of(l, i), before = kept;
      recheck_page(va, range, kept, rewritten, removed, recheck);
      // The other pages of a large entry that is as it was.
      const WindowEntry e = leaf.entries[i];
      if (kept == before || e.size_class() == 0) continue;
      while (next < kLeafPages && leaf.entries[next].bits == e.bits + ((next - i) << 6) &&
             same_entry(va, InstalledPages::va_of(l, next), e.size_class()))
        next = leaf.linear_end(next);
      kept += next - i - 1;
    }
    pages_.release_if_empty(l);
  });
  return removed;
}

template <typename Recheck>
inline uint32_t WindowMap::revalidate_page(uint32_t va, uint32_t& kept, uint32_t& rewritten, Recheck recheck) {
  uint32_t removed = 0;
  RemovalRange range(window());
  recheck_page(page_of(va), range, kept, rewritten, removed, recheck);
  pages_.release_if_empty(InstalledPages::leaf_of(va));
  return removed;
}

template <typename Code>
void WindowMap::protect_all(Code& code) {
  bool changed = false;
  pages_.for_each_leaf([&](uint32_t l) {
    WindowLeaf& leaf = *pages_.leaf(l);
    leaf.for_each([&](uint32_t i) {
      const WindowEntry e = leaf.entries[i];
      if (!e.writable() || code.may_write(e.ram_page())) return;
      make_read_only(InstalledPages::va_of(l, i), leaf);
      changed = true;
    });
    pages_.release_if_empty(l);
  });
  if (changed) window().commit();
}

}  // namespace crosswalk::mmu
