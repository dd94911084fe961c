// SPDX-License-Identifier: GPL-2.0-or-later The two direct-mapped tables of an address space: the
// software TLB and the instruction pages. Both are read by translated code, so their arrays are
// plain data.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/spaces/slot_set.h"
#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::mmu {

class SoftTlb {
  auto drop() {
    return [this](uint32_t s) {
      ghosts_[s] = entries_[s].tag_load;
      entries_[s] = SoftTlbEntry{kNoTag, kNoTag, 0};
    };
  }

 public:
  SoftTlb() {
    for (SoftTlbEntry& e : entries_) e = SoftTlbEntry{kNoTag, kNoTag, 0};
  }
  SoftTlbEntry* entries() { return entries_; }

  // Returns whether this page was the last one dropped from its slot: an entry that is used again.
  bool install(uint32_t va, uint8_t* host, bool writable, bool ng, uint32_t size_class) {
    const uint32_t slot = set_.slot_of(va), page = va & ~(kPageSize - 1);
    const bool again = ghosts_[slot] == page;
    ghosts_[slot] = kNoTag;
    entries_[slot] = SoftTlbEntry{page, writable ? page : kNoTag, reinterpret_cast<uint64_t>(host) - va};
    set_.set(slot, va, ng, size_class);
    return again;
  }
  bool holds(uint32_t va) const { return entries_[set_.slot_of(va)].tag_load == (va & ~(kPageSize - 1)); }
  uint32_t remove_all() { return set_.remove_all(drop()); }
  uint32_t remove_nonglobal() { return set_.remove_nonglobal(drop()); }
  uint32_t remove_va(uint32_t va, bool global_only) {
    return set_.remove_va(
        va, global_only, [this](uint32_t s) { return entries_[s].tag_load; }, drop());
  }
  // revalidate(): recheck(va, entry) walks again for each entry (the non-global ones only, if so
  // asked) and may change it, or answers false: then it goes. Returns how many went; `kept` counts
  // the others.
  template <typename Recheck>
  uint32_t revalidate(bool nonglobal_only, uint32_t& kept, Recheck recheck) {
    return set_.remove_if(
        nonglobal_only,
        [&](uint32_t s, bool ng, uint32_t size_class) {
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
      SoftTlbEntry& e = entries_[s];
      if (e.tag_store == kNoTag) return;
      const uint64_t offset = e.addend + e.tag_store - reinterpret_cast<uint64_t>(ram);
      if (is_protected(static_cast<uint32_t>(offset >> kPageBits))) e.tag_store = kNoTag;
    });
  }

 private:
  alignas(64) SoftTlbEntry entries_[kSoftTlbEntries];
  uint32_t ghosts_[kSoftTlbEntries] = {};  // by slot: the page that was dropped last
  SlotSet<kSoftTlbEntries> set_;
};

class InstructionPages {
  auto drop() {
    return [this](uint32_t s) {
      ids_[s] = 0;
      ghosts_[s] = va_[s];
    };
  }

 public:
  uint32_t* ids() { return ids_; }
  uint32_t id_at(uint32_t va) const { return ids_[set_.slot_of(va)]; }

  bool install(uint32_t va, uint32_t id, bool ng, uint32_t size_class) {
    const uint32_t slot = set_.slot_of(va), page = va & ~(kPageSize - 1);
    const bool again = ghosts_[slot] == page;
    ghosts_[slot] = kNoTag;
    ids_[slot] = id;
    va_[slot] = page;
    set_.set(slot, va, ng, size_class);
    return again;
  }
  // The same page under another number (other code flags).
  void replace_id(uint32_t va, uint32_t id) { ids_[set_.slot_of(va)] = id; }
  uint32_t remove_all() { return set_.remove_all(drop()); }
  uint32_t remove_nonglobal() { return set_.remove_nonglobal(drop()); }
  uint32_t remove_va(uint32_t va, bool global_only) {
    return set_.remove_va(
        va, global_only, [this](uint32_t s) { return va_[s]; }, drop());
  }
  // The same as SoftTlb's; recheck(va, id, ...).
  template <typename Recheck>
  uint32_t revalidate(bool nonglobal_only, uint32_t& kept, Recheck recheck) {
    return set_.remove_if(
        nonglobal_only,
        [&](uint32_t s, bool ng, uint32_t size_class) {
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
  uint32_t va_[kInstructionPageEntries] = {}, ghosts_[kInstructionPageEntries] = {};
  SlotSet<kInstructionPageEntries> set_;
};

}  // namespace crosswalk::mmu
