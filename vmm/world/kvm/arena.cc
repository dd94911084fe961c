// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/arena.h"

#include <sys/mman.h>

namespace crosswalk::kvm {

using ring0::kLargePageBytes;
using ring0::kPageBytes;

Result<Arena> Arena::create(uint64_t frame_bytes, uint64_t table_bytes) {
  // A page of 2 MiB between the two is not mapped inside the VM.
  const uint64_t tables = round_up(frame_bytes, kLargePageBytes) + kLargePageBytes;
  table_bytes = round_up(table_bytes, kLargePageBytes);
  const uint64_t used = tables + table_bytes;
  if (used > kRegionBytes) return Error{"page_table_bytes and engine_stack_bytes must stay below 1 GiB together"};
  // One whole region, aligned: reserve two, keep one.
  void* memory = mmap(nullptr, 2 * kRegionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return system_error("mmap of the arena");
  const uint64_t start = reinterpret_cast<uint64_t>(memory), base = round_up(start, kRegionBytes);
  if (base != start) munmap(memory, base - start);
  munmap(reinterpret_cast<void*>(base + kRegionBytes), start + kRegionBytes - base);
  Arena arena(reinterpret_cast<uint8_t*>(base), tables, table_bytes);
  if (mprotect(arena.frame(), used, PROT_READ | PROT_WRITE) != 0) return system_error("mprotect of the arena");
  return arena;
}

Arena::~Arena() {
  if (base_ != nullptr) munmap(base_, kRegionBytes);
}

uint64_t TablePool::allocate() {
  if (!free_.empty()) {
    const uint64_t page = free_.back();
    free_.pop_back();
    return page;
  }
  if (used_ == bytes_) return 0;
  used_ += kPageBytes;
  return gpa_ + used_ - kPageBytes;
}

}  // namespace crosswalk::kvm
