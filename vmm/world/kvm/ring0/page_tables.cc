// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/ring0/page_tables.h"

#include <algorithm>
#include <atomic>

namespace crosswalk::kvm::ring0 {
namespace {

// Of a level's table: 3 for the root, 0 for a page table.
unsigned index(uint64_t va, int level) { return va >> (12 + 9 * level) & 511; }

PageTableEntry load(const uint64_t& slot) {
  return PageTableEntry(std::atomic_ref<uint64_t>(const_cast<uint64_t&>(slot)).load(std::memory_order_relaxed));
}

void store(uint64_t& slot, PageTableEntry entry) {
  std::atomic_ref<uint64_t>(slot).store(entry.bits(), std::memory_order_release);
}

// Accessed and Dirty do not make two entries different.
bool same_mapping(PageTableEntry a, PageTableEntry b) {
  return a.present() == b.present() && a.address() == b.address() && a.writable() == b.writable() &&
         a.user() == b.user() && a.large() == b.large() && a.executable() == b.executable();
}

// More rights to the same page need no invalidation: a stale translation only faults, and the fault
// itself drops it (SDM volume 3, 4.10.4.3).
bool only_adds_rights(PageTableEntry before, PageTableEntry after) {
  return before.address() == after.address() && before.large() == after.large() && before.user() == after.user() &&
         (after.writable() || !before.writable()) && (after.executable() || !before.executable());
}

}  // namespace

uint64_t* PageTables::next_table(uint64_t& slot, bool create) {
  const PageTableEntry entry = load(slot);
  if (entry.present()) return allocator_.at(entry.address());
  if (!create) return nullptr;
  const uint64_t page = allocator_.allocate();
  if (page == 0) return nullptr;
  store(slot, PageTableEntry::table(page));
  return allocator_.at(page);
}

uint64_t* PageTables::directory(uint64_t va, bool create) {
  uint64_t* pointers = next_table(allocator_.at(root_)[index(va, 3)], create);
  return pointers == nullptr ? nullptr : next_table(pointers[index(va, 2)], create);
}

uint64_t* PageTables::leaf_table(uint64_t& directory_slot, uint64_t va, Invalidations& changed) {
  const PageTableEntry entry = load(directory_slot);
  if (!entry.present() || !entry.large()) return next_table(directory_slot, true);
  const uint64_t page = allocator_.allocate();
  if (page == 0) return nullptr;
  uint64_t* table = allocator_.at(page);
  for (unsigned i = 0; i < 512; i++) {
    store(table[i], PageTableEntry::page(entry.address() + i * kPageBytes, entry.writable(), entry.user(), false,
                                         entry.executable()));
  }
  // The translations are the same before and after; the caller is about to change one of them, and
  // a stale translation of the large entry could be used for it: INVLPG drops it.
  store(directory_slot, PageTableEntry::table(page));
  changed.add(va);
  return table;
}

bool PageTables::map(uint64_t va, uint64_t pa, uint64_t bytes, Access access, Invalidations& changed) {
  const auto page = [&](bool large) {
    return PageTableEntry::page(pa, access.writable, access.user, large, access.executable || !no_execute_);
  };
  while (bytes > 0) {
    uint64_t* slots = directory(va, true);
    if (slots == nullptr) return false;
    uint64_t& slot = slots[index(va, 1)];
    if (access.large_pages && bytes >= kLargePageBytes && (va | pa) % kLargePageBytes == 0) {
      const PageTableEntry before = load(slot), after = page(true);
      if (!same_mapping(before, after)) {
        if (before.present() && !before.large()) {
          retire_below(slot, 1);
          changed.add_all();
        } else if (before.present() && !only_adds_rights(before, after)) {
          changed.add(va);
        }
        store(slot, after);
      }
      va += kLargePageBytes, pa += kLargePageBytes, bytes -= kLargePageBytes;
      continue;
    }
    const uint64_t chunk = std::min(bytes, kLargePageBytes - va % kLargePageBytes);
    uint64_t* table = leaf_table(slot, va, changed);
    if (table == nullptr) return false;
    for (const uint64_t end = va + chunk; va != end; va += kPageBytes, pa += kPageBytes) {
      uint64_t& leaf = table[index(va, 0)];
      const PageTableEntry before = load(leaf), after = page(false);
      if (same_mapping(before, after)) continue;
      if (before.present() && !only_adds_rights(before, after)) changed.add(va);
      store(leaf, after);
    }
    bytes -= chunk;
  }
  return true;
}

void PageTables::clear_table(uint64_t* table, unsigned first, unsigned last, uint64_t va, Invalidations& changed) {
  for (unsigned i = first; i < last; i++, va += kPageBytes) {
    if (!load(table[i]).present()) continue;
    store(table[i], PageTableEntry());
    changed.add(va);
  }
}

bool PageTables::unmap(uint64_t va, uint64_t bytes, Invalidations& changed) {
  bool exact = true;
  while (bytes > 0) {
    const uint64_t here = std::min(bytes, kGigabyte - va % kGigabyte);
    // A range swept up by a flush spans the address space, and most of its directories' entries are
    // not present.
    if (uint64_t* const slots = directory(va, false)) {
      for (uint64_t at = va, end = va + here; at != end;) {
        const uint64_t next = std::min(end, (at | (kLargePageBytes - 1)) + 1);
        uint64_t& slot = slots[index(at, 1)];
        if (load(slot).present()) exact &= unmap_slot(slot, at, next - at, changed);
        at = next;
      }
    }
    va += here, bytes -= here;
  }
  return exact;
}

// The part [va, va+bytes) of what a present entry of a page directory maps.
bool PageTables::unmap_slot(uint64_t& slot, uint64_t va, uint64_t bytes, Invalidations& changed) {
  const PageTableEntry entry = load(slot);
  const bool part_of_large = entry.large() && bytes != kLargePageBytes;
  uint64_t* const table = !entry.large()  ? allocator_.at(entry.address())
                          : part_of_large ? leaf_table(slot, va, changed)
                                          : nullptr;
  if (table == nullptr) {
    store(slot, PageTableEntry());
    changed.add(va);
    return !part_of_large;
  }
  const unsigned first = index(va, 0);
  clear_table(table, first, first + static_cast<unsigned>(bytes / kPageBytes), va, changed);
  return true;
}

// Unlinks what `slot` (an entry of level `level`) points to, and zeroes and retires the tables
// below.
void PageTables::retire_below(uint64_t& slot, int level) {
  const PageTableEntry entry = load(slot);
  store(slot, PageTableEntry());
  if (!entry.present() || level == 0 || (level == 1 && entry.large())) return;
  uint64_t* table = allocator_.at(entry.address());
  for (unsigned i = 0; i < 512; i++) {
    if (load(table[i]).present()) retire_below(table[i], level - 1);
  }
  retired_.push_back(entry.address());
}

void PageTables::unmap_and_retire(uint64_t va, uint64_t bytes, Invalidations& changed) {
  for (const uint64_t end = va + bytes; va != end; va += kGigabyte) {
    uint64_t* pointers = next_table(allocator_.at(root_)[index(va, 3)], false);
    if (pointers == nullptr || !load(pointers[index(va, 2)]).present()) continue;
    retire_below(pointers[index(va, 2)], 2);
    changed.add_all();
  }
}

void PageTables::unmap_and_retire_leaves(uint64_t va, uint64_t bytes, Invalidations& changed) {
  for (const uint64_t end = va + bytes; va != end; va += kGigabyte) {
    uint64_t* const slots = directory(va, false);
    if (slots == nullptr) continue;
    for (unsigned i = 0; i < 512; i++) {
      if (!load(slots[i]).present()) continue;
      retire_below(slots[i], 1);
      changed.add_all();
    }
  }
}

bool PageTables::link(uint64_t va, uint64_t other, uint64_t bytes, Invalidations& changed) {
  for (const uint64_t end = va + bytes; va != end; va += kGigabyte, other += kGigabyte) {
    uint64_t* pointers = next_table(allocator_.at(root_)[index(va, 3)], true);
    if (pointers == nullptr || directory(other, true) == nullptr) return false;
    uint64_t& slot = pointers[index(va, 2)];
    links_.push_back({va, load(slot)});
    if (load(slot).present()) changed.add_all();
    store(slot, load(next_table(allocator_.at(root_)[index(other, 3)], false)[index(other, 2)]));
  }
  return true;
}

void PageTables::unlink(uint64_t va, uint64_t bytes, Invalidations& changed) {
  std::erase_if(links_, [&](const Link& l) {
    if (l.va < va || l.va - va >= bytes) return false;
    store(next_table(allocator_.at(root_)[index(l.va, 3)], false)[index(l.va, 2)], l.before);
    changed.add_all();
    return true;
  });
}

void PageTables::release_retired() {
  for (const uint64_t page : retired_) allocator_.release(page);
  retired_.clear();
}

PageTables::Translation PageTables::translate(uint64_t va) const {
  Translation result;
  result.writable = result.user = result.executable = true;
  uint64_t table = root_;
  for (int level = 3; level >= 0; level--) {
    const PageTableEntry entry = load(allocator_.at(table)[index(va, level)]);
    if (!entry.present()) return {};
    result.writable = result.writable && entry.writable();
    result.user = result.user && entry.user();
    result.executable = result.executable && entry.executable();
    if (level == 0 || (level == 1 && entry.large())) {
      result.page_bytes = level == 0 ? kPageBytes : kLargePageBytes;
      result.pa = entry.address() | (va & (result.page_bytes - 1));
      result.present = true;
      return result;
    }
    table = entry.address();
  }
  return {};
}

}  // namespace crosswalk::kvm::ring0
