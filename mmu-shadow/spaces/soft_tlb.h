// SPDX-License-Identifier: GPL-2.0-or-later
// The two direct-mapped tables of an address space: the software TLB and the instruction pages.
// Both are read by translated code, so their arrays are plain data.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/spaces/slot_set.h"
#include "translator/base/mmu_view.h"

namespace crosswalk::mmu {

// As translated code reads it, for a guest of 32-bit addresses; the same for other ones.
template <typename Va>
struct SoftTlbEntryOf {
  Va tag_load, tag_store;
  uint64_t addend;
};
template <>
struct SoftTlbEntryOf<uint32_t> : SoftTlbEntry {};
static_assert(sizeof(SoftTlbEntryOf<uint32_t>) == sizeof(SoftTlbEntry));

// `Va` is the guest's virtual address.
template <typename Va>
class SoftTlbOf {
 public:
  using Entry = SoftTlbEntryOf<Va>;
  static constexpr Va kNoTag = ~Va{0};

 private:
  auto drop() {
    return [this](uint32_t s) {
      ghosts_[s] = entries_[s].tag_load;
      entries_[s] = Entry{kNoTag, kNoTag, 0};
    };
  }

 public:
  SoftTlbOf() {
    for (Entry& e : entries_) e = Entry{kNoTag, kNoTag, 0};
  }
  Entry* entries() { return entries_; }

  // Returns whether this page was the last one dropped from its slot: an entry that is used again.
  // In line: each refill does it.
  [[gnu::always_inline]] bool install(Va va, uint8_t* host, bool writable, bool ng, uint32_t size_class) {
    const uint32_t slot = set_.slot_of(va);
    const Va page = page_of(va);
    const bool again = ghosts_[slot] == page;
    ghosts_[slot] = kNoTag;
    entries_[slot] = Entry{page, writable ? page : kNoTag, reinterpret_cast<uint64_t>(host) - va};
    set_.set(slot, va, ng, size_class);
    return again;
  }
  bool holds(Va va) const { return entries_[set_.slot_of(va)].tag_load == page_of(va); }
  uint32_t remove_all() { return set_.remove_all(drop()); }
  uint32_t remove_nonglobal() { return set_.remove_nonglobal(drop()); }
  uint32_t remove_va(Va va, bool global_only) {
    return set_.remove_va(
        va, global_only, [this](uint32_t s) { return entries_[s].tag_load; }, drop());
  }
  // revalidate(): recheck(va, entry) walks again for each entry (the non-global ones only, if so
  // asked) and may change it, or answers false: then it goes. Returns how many went; `kept` counts
  // the others.
  template <typename Recheck>
  [[gnu::always_inline]] uint32_t revalidate(bool nonglobal_only, uint32_t& kept, Recheck recheck) {
    return set_.remove_if(
        nonglobal_only,
        [&](uint32_t s, bool ng, uint32_t size_class) __attribute__((always_inline)) {
          const bool stays = recheck(entries_[s].tag_load, entries_[s], ng, size_class);
          kept += stays;
          return !stays;
        },
        drop());
  }
  // visit(va, size class)
  template <typename Visit>
  void for_each(Visit visit) const {
    set_.for_each([&](uint32_t s) { visit(entries_[s].tag_load, set_.size_class(s)); });
  }
  uint32_t count(bool nonglobal_only) const { return set_.count(nonglobal_only); }

  // Takes write access from the entries whose RAM page satisfies the predicate. `ram` is the host
  // address of RAM.
  template <typename IsProtected>
  void remove_write_access(const uint8_t* ram, IsProtected is_protected) {
    set_.for_each([&](uint32_t s) {
      Entry& e = entries_[s];
      if (e.tag_store == kNoTag) return;
      const uint64_t offset = e.addend + e.tag_store - reinterpret_cast<uint64_t>(ram);
      if (is_protected(static_cast<uint32_t>(offset >> kPageBits))) e.tag_store = kNoTag;
    });
  }

 private:
  alignas(64) Entry entries_[kSoftTlbEntries];
  Va ghosts_[kSoftTlbEntries] = {};  // by slot: the page that was dropped last
  SlotSet<kSoftTlbEntries> set_;
};

template <typename Va>
class InstructionPagesOf {
  static constexpr Va kNoTag = ~Va{0};

  auto drop() {
    return [this](uint32_t s) {
      ids_[s] = 0;
      ghosts_[s] = va_[s];
    };
  }

 public:
  uint32_t* ids() { return ids_; }
  uint32_t id_at(Va va) const { return ids_[set_.slot_of(va)]; }

  [[gnu::always_inline]] bool install(Va va, uint32_t id, bool ng, uint32_t size_class) {
    const uint32_t slot = set_.slot_of(va);
    const Va page = page_of(va);
    const bool again = ghosts_[slot] == page;
    ghosts_[slot] = kNoTag;
    ids_[slot] = id;
    va_[slot] = page;
    set_.set(slot, va, ng, size_class);
    return again;
  }
  // The same page under another number (other code flags).
  void replace_id(Va va, uint32_t id) { ids_[set_.slot_of(va)] = id; }
  uint32_t remove_all() { return set_.remove_all(drop()); }
  uint32_t remove_nonglobal() { return set_.remove_nonglobal(drop()); }
  uint32_t remove_va(Va va, bool global_only) {
    return set_.remove_va(
        va, global_only, [this](uint32_t s) { return va_[s]; }, drop());
  }
  // The same as SoftTlb's; recheck(va, id, ...).
  template <typename Recheck>
  [[gnu::always_inline]] uint32_t revalidate(bool nonglobal_only, uint32_t& kept, Recheck recheck) {
    return set_.remove_if(
        nonglobal_only,
        [&](uint32_t s, bool ng, uint32_t size_class) __attribute__((always_inline)) {
          const bool stays = recheck(va_[s], ids_[s], ng, size_class);
          kept += stays;
          return !stays;
        },
        drop());
  }
  template <typename Visit>
  void for_each(Visit visit) const {
    set_.for_each([&](uint32_t s) { visit(va_[s], ids_[s]); });
  }
  uint32_t count(bool nonglobal_only) const { return set_.count(nonglobal_only); }

 private:
  alignas(64) uint32_t ids_[kInstructionPageEntries] = {};
  Va va_[kInstructionPageEntries] = {}, ghosts_[kInstructionPageEntries] = {};
  SlotSet<kInstructionPageEntries> set_;
};

}  // namespace crosswalk::mmu
