// SPDX-License-Identifier: GPL-2.0-or-later
// 4-level page tables in memory that an allocator provides. Knows nothing of KVM.
//
// Every change of an entry is one 8-byte store by a plain MOV: on a software-MMU KVM a store to a
// live table may be emulated, and its emulator knows no vector stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vmm/world/kvm/ring0/x86.h"

namespace crosswalk::kvm::ring0 {

// Pages for tables. A page is named by its physical address (as the tables name it).
class PageAllocator {
 public:
  virtual ~PageAllocator() = default;
  // A page of zeroes, or 0 when there is none left.
  virtual uint64_t allocate() = 0;
  // Precondition: the page is all zeroes again, and no translation structure cache can hold it.
  virtual void release(uint64_t physical) = 0;
  virtual uint64_t* at(uint64_t physical) const = 0;
};

// What a change requires before it is effective everywhere: INVLPG of each address, or a full
// flush.
class Invalidations {
 public:
  static constexpr size_t kMaximum = 12;  // beyond, a full flush is cheaper

  void add(uint64_t va) {
    if (all_) return;
    if (count_ == kMaximum) {
      all_ = true;
    } else if (count_ == 0 || addresses_[count_ - 1] != va) {
      addresses_[count_++] = va;
    }
  }
  void add_all() { all_ = true; }
  bool empty() const { return !all_ && count_ == 0; }
  bool all() const { return all_; }
  const uint64_t* begin() const { return addresses_; }
  const uint64_t* end() const { return addresses_ + count_; }
  void clear() { all_ = false, count_ = 0; }

 private:
  uint64_t addresses_[kMaximum];
  size_t count_ = 0;
  bool all_ = false;
};

class PageTables {
 public:
  // Precondition: `allocator` can give at least one page; check valid(). `no_execute`: EFER.NXE is
  // on.
  PageTables(PageAllocator& allocator, bool no_execute)
      : allocator_(allocator), no_execute_(no_execute), root_(allocator.allocate()) {}
  PageTables(const PageTables&) = delete;
  PageTables& operator=(const PageTables&) = delete;

  bool valid() const { return root_ != 0; }
  uint64_t root() const { return root_; }  // for CR3

  struct Access {
    bool writable = true;
    bool user = true;
    bool large_pages = true;  // 2 MiB entries where both addresses allow
    bool executable = false;  // everything is where the CPU has no no-execute bit
  };
  // Maps [va, va+bytes) to [pa, pa+bytes); all multiples of 4 KiB. Entries in the way are replaced.
  // Returns false when the allocator is exhausted; the range may then be partly mapped.
  bool map(uint64_t va, uint64_t pa, uint64_t bytes, Access access, Invalidations& changed);

  // Clears the entries of [va, va+bytes). Tables stay for the next use. A 2 MiB entry that is only
  // partly covered is split; returns false when there is no page for that (the whole 2 MiB entry is
  // cleared then, which is always safe for entries that can be faulted back).
  bool unmap(uint64_t va, uint64_t bytes, Invalidations& changed);

  // Like unmap for a range of whole 1 GiB units, none of them linked, and gives up the tables
  // below: they wait in the list of retired pages until release_retired().
  void unmap_and_retire(uint64_t va, uint64_t bytes, Invalidations& changed);

  // Like unmap for a range of whole 1 GiB units that other units may be linked to: gives up the
  // page tables below, and keeps the page directories. They wait like those of unmap_and_retire.
  void unmap_and_retire_leaves(uint64_t va, uint64_t bytes, Invalidations& changed);

  // Makes [va, va+bytes), whole 1 GiB units, have the tables of `other`: what is mapped or unmapped
  // there later is so here. Returns false when the allocator is exhausted; what has been linked by
  // then is undone by unlink. Precondition: none of it is linked.
  bool link(uint64_t va, uint64_t other, uint64_t bytes, Invalidations& changed);
  // Leaves those tables to `other`; what was here before is here again.
  void unlink(uint64_t va, uint64_t bytes, Invalidations& changed);

  // Precondition: all Invalidations since the retirements have been carried out.
  void release_retired();
  bool has_retired() const { return !retired_.empty(); }

  struct Translation {
    bool present = false;
    uint64_t pa = 0;
    bool writable = false, user = false, executable = false;
    uint64_t page_bytes = 0;
  };
  Translation translate(uint64_t va) const;

 private:
  static constexpr uint64_t kGigabyte = uint64_t{1} << 30;
  // The page directory (level 1 table) of `va`; null when absent and !create, or without memory.
  uint64_t* directory(uint64_t va, bool create);
  uint64_t* next_table(uint64_t& slot, bool create);
  // The page table below a directory entry, splitting a 2 MiB entry; null without memory.
  uint64_t* leaf_table(uint64_t& directory_slot, uint64_t va, Invalidations& changed);
  bool unmap_slot(uint64_t& slot, uint64_t va, uint64_t bytes, Invalidations& changed);
  void clear_table(uint64_t* table, unsigned first, unsigned last, uint64_t va, Invalidations& changed);
  void retire_below(uint64_t& slot, int level);

  struct Link {
    uint64_t va;
    PageTableEntry before;
  };

  PageAllocator& allocator_;
  const bool no_execute_;
  uint64_t root_;
  std::vector<Link> links_;
  std::vector<uint64_t> retired_;
};

}  // namespace crosswalk::kvm::ring0
