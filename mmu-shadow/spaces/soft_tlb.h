// SPDX-License-Identifier: GPL-2.0-or-later
// The two direct-mapped tables of an address space: the software TLB and the instruction pages.
// Both are read by translated code, so their arrays are plain data.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/policy/tlb_size.h"
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

// A set of page numbers, of which the lowest bits count.
class PageBits {
 public:
  static constexpr uint32_t kLeast = 64;

  PageBits() = default;
  // `bits`: a power of two from kLeast on.
  explicit PageBits(uint32_t bits) : mask_(bits - 1), words_(new uint64_t[bits / 64]()) {}
  void set(uint64_t page) { word_of(page) |= bit_of(page); }
  bool has(uint64_t page) const { return word_of(page) & bit_of(page); }
  // Whether it was there; it no longer is.
  bool take(uint64_t page) {
    const bool had = has(page);
    if (had) [[unlikely]]
      word_of(page) &= ~bit_of(page);
    return had;
  }
  void clear() { std::fill_n(words_.get(), (mask_ + 1) / 64, 0); }

 private:
  uint64_t& word_of(uint64_t page) const { return words_[(page & mask_) / 64]; }
  static uint64_t bit_of(uint64_t page) { return uint64_t{1} << page % 64; }

  uint32_t mask_ = 0;
  std::unique_ptr<uint64_t[]> words_;
};

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
  explicit SoftTlbOf(const SoftTlbSizes& sizes) : size_(sizes), set_(sizes.least) { allocate(sizes.least); }

  // Where translated code finds them, with a SoftTlbHeader before; elsewhere when the size has
  // changed.
  Entry* entries() { return entries_; }
  uint32_t size() const { return set_.slots(); }
  // The entry that the lookup of `va` compares, in the software TLB at mem_base.
  static const Entry& entry_at(uint64_t mem_base, Va va) {
    const auto& header = *reinterpret_cast<const SoftTlbHeader*>(mem_base - kSoftTlbHeaderBytes);
    const uint32_t last = header.index_mask / sizeof(SoftTlbEntry);
    return reinterpret_cast<const Entry*>(mem_base)[va >> kPageBits & last];
  }

  // Returns whether this page was the last one dropped from its slot: an entry that is used again.
  // In line: each refill does it.
  [[gnu::always_inline]] bool install(Va va, uint8_t* host, bool writable, bool ng, uint32_t size_class) {
    const uint32_t slot = set_.slot_of(va);
    const Va page = page_of(va);
    const bool again = ghosts_[slot] == page;
    ghosts_[slot] = kNoTag;
    Entry& entry = entries_[slot];
    if (entry.tag_load != kNoTag && entry.tag_load != page) replaced_.set(entry.tag_load >> kPageBits);
    size_.note_return(replaced_.take(va >> kPageBits));
    if (writable) writable_.set(reinterpret_cast<uint64_t>(host) >> kPageBits);
    entry = Entry{page, writable ? page : kNoTag, reinterpret_cast<uint64_t>(host) - va};
    set_.set(slot, va, ng, size_class);
    return again;
  }
  bool holds(Va va) const { return entries_[set_.slot_of(va)].tag_load == page_of(va); }
  // Whether there is an entry of this or another page where that of `va` would be.
  bool has_in_place_of(Va va) const { return set_.uses(set_.slot_of(va)); }
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

  // ---- the size (policy/tlb_size.h). entries() is another one where these say so, or `true`
  // Too many entries came back that others had replaced.
  bool is_crowded() const { return size_.is_crowded(); }
  // The size that it should have then.
  uint32_t wanted() { return size_.when_crowded(size(), count(false)); }
  // Everything, or an ASID's, was flushed, when there were so many entries. May make it smaller.
  bool flushed(uint32_t used) {
    const uint32_t wanted = size_.when_flushed(size(), used);
    if (wanted == size()) return false;
    resize(wanted);
    return true;
  }
  // Nothing is in it, and it has the size that it began with.
  void reset() {
    remove_all();
    if (size() != size_.sizes().least) resize(size_.sizes().least);
  }
  // Entries stay, as far as they have a place.
  void resize(uint32_t entries) {
    const std::unique_ptr<std::byte[], Free> old_memory = std::move(memory_);
    const std::unique_ptr<Va[]> old_ghosts = std::move(ghosts_);
    const SlotSet old = std::exchange(set_, SlotSet(entries));
    const Entry* const from = entries_;
    allocate(entries);
    for (uint32_t s = 0; s < old.slots(); s++)
      if (const Va page = old_ghosts[s]; page != kNoTag) ghosts_[set_.slot_of(page)] = page;
    old.for_each([&](uint32_t s) {
      const Va page = from[s].tag_load;
      const uint32_t slot = set_.slot_of(page);
      entries_[slot] = from[s];
      note_writable(from[s]);
      set_.set(slot, page, old.is_nonglobal(s), old.size_class(s));
    });
    size_.changed(entries, count(false));
  }
  // ----

  // Takes write access from the entries whose RAM page satisfies the predicate. `ram` is the host
  // address of RAM.
  template <typename IsProtected>
  void remove_write_access(const uint8_t* ram, IsProtected is_protected) {
    writable_.clear();
    set_.for_each([&](uint32_t s) {
      Entry& e = entries_[s];
      if (e.tag_store == kNoTag) return;
      const uint64_t offset = e.addend + e.tag_store - reinterpret_cast<uint64_t>(ram);
      if (is_protected(static_cast<uint32_t>(offset >> kPageBits))) e.tag_store = kNoTag;
      note_writable(e);
    });
  }
  // Whether an entry gives write access to the page at this host address. May say yes wrongly.
  bool may_give_write_access(const uint8_t* page) const {
    return writable_.has(reinterpret_cast<uint64_t>(page) >> kPageBits);
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kSoftTlbHeaderBytes}); }
  };
  void allocate(uint32_t entries) {
    const size_t bytes = kSoftTlbHeaderBytes + entries * sizeof(Entry);
    memory_.reset(new (std::align_val_t{kSoftTlbHeaderBytes}) std::byte[bytes]);
    new (memory_.get()) SoftTlbHeader{static_cast<uint32_t>((entries - 1) * sizeof(SoftTlbEntry))};
    entries_ = reinterpret_cast<Entry*>(memory_.get() + kSoftTlbHeaderBytes);
    std::uninitialized_fill_n(entries_, entries, Entry{kNoTag, kNoTag, 0});
    ghosts_.reset(new Va[entries]);
    std::fill_n(ghosts_.get(), entries, kNoTag);
    replaced_ = PageBits(entries < size_.sizes().most ? entries * kReplacedBits : PageBits::kLeast);
    writable_ = PageBits(entries * kWritableBits);
  }
  void note_writable(const Entry& e) {
    if (e.tag_store != kNoTag) writable_.set((e.addend + e.tag_store) >> kPageBits);
  }

  // For each entry.
  static constexpr uint32_t kReplacedBits = 32, kWritableBits = 4;

  Entry* entries_;
  TlbSize size_;
  SlotSet set_;
  std::unique_ptr<Va[]> ghosts_;  // by slot: the page that was dropped last, or kNoTag
  PageBits replaced_;             // VA >> 12: was replaced since the size changed, and not made again
  PageBits writable_;             // host address >> 12: an entry may give write access to it
  std::unique_ptr<std::byte[], Free> memory_;
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
  SlotSet set_{kInstructionPageEntries};
};

}  // namespace crosswalk::mmu
