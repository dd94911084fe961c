// SPDX-License-Identifier: GPL-2.0-or-later
// The arena: the region of host address space that holds the world's own pages. First come the
// pages of the vCPU (vcpu_frame.h), then the pool of which x86 page tables are made; engine code
// writes tables through ordinary pointers.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/ring0/page_tables.h"

namespace crosswalk::kvm {

// A region is reachable inside the VM as a whole or not at all.
inline constexpr uint64_t kRegionBytes = uint64_t{1} << 30;

constexpr uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

class Arena {
 public:
  // `frame_bytes` and `table_bytes`, rounded up to 2 MiB, are readable and writable in this
  // process. An error when they do not fit into a region.
  static Result<Arena> create(uint64_t frame_bytes, uint64_t table_bytes);
  Arena(Arena&& other) noexcept : base_(std::exchange(other.base_, nullptr)), tables_(other.tables_) {
    table_bytes_ = other.table_bytes_;
  }
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  uint8_t* frame() const { return base_; }
  uint64_t base() const { return reinterpret_cast<uint64_t>(base_); }
  // Of the pool, from base() on.
  uint64_t table_offset() const { return tables_; }
  uint64_t table_bytes() const { return table_bytes_; }

 private:
  Arena(uint8_t* base, uint64_t tables, uint64_t table_bytes)
      : base_(base), tables_(tables), table_bytes_(table_bytes) {}

  uint8_t* base_;
  uint64_t tables_, table_bytes_;
};

// Page-table pages from an arena: a bump pointer and a free list. Fresh and released pages are all
// zeroes.
class TablePool final : public ring0::PageAllocator {
 public:
  // The arena is at guest-physical `gpa`, and outlives this.
  TablePool(const Arena& arena, uint64_t gpa)
      : host_(arena.frame() + arena.table_offset()), gpa_(gpa + arena.table_offset()), bytes_(arena.table_bytes()) {}
  uint64_t allocate() override;
  void release(uint64_t physical) override { free_.push_back(physical); }
  uint64_t* at(uint64_t physical) const override { return reinterpret_cast<uint64_t*>(host_ + (physical - gpa_)); }

 private:
  uint8_t* host_;
  uint64_t gpa_, bytes_, used_ = 0;
  std::vector<uint64_t> free_;
};

}  // namespace crosswalk::kvm
