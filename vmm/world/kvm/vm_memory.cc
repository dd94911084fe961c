// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/vm_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace crosswalk::kvm {
namespace {

constexpr uint64_t kLowerHalfEnd = 0x7ffffffff000;  // Linux's TASK_SIZE_MAX with 4-level paging
constexpr const char* kNoTables = "page-table memory is used up: raise page_table_bytes";

}  // namespace

Result<std::unique_ptr<VmMemory>> VmMemory::create(Vm& vm, const Limits& limits, const Arena& arena) {
  void* table = mmap(nullptr, kRegions * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table == MAP_FAILED) return system_error("mmap of the region table");
  std::unique_ptr<VmMemory> memory(new VmMemory(vm, limits, arena, static_cast<uint64_t*>(table)));
  if (auto added = vm.add_slot(memory->next_slot_++, kFirstGpa, arena.base(), kRegionBytes); !added)
    return added.take_error();
  memory->region_gpa_[arena.base() >> 30] = kFirstGpa;
  if (auto mapped = memory->map_own(arena.base() + arena.table_offset(), arena.table_bytes(), {}); !mapped)
    return mapped.take_error();
  return memory;
}

VmMemory::VmMemory(Vm& vm, const Limits& limits, const Arena& arena, uint64_t* region_gpa)
    : vm_(vm),
      limits_(limits),
      arena_base_(arena.base()),
      pool_(arena, kFirstGpa),
      tables_(pool_, limits.no_execute),
      region_gpa_(region_gpa),
      next_gpa_(kFirstGpa + kRegionBytes) {
  // All that there can be: resolve() must not allocate.
  regions_.reserve(std::min(limits.gpa >> 30, 2 * kRegions));
  regions_.push_back(arena.base() >> 30);
}

VmMemory::~VmMemory() { munmap(region_gpa_, kRegions * sizeof(uint64_t)); }

Result<bool> VmMemory::map_own(uint64_t address, uint64_t bytes, ring0::PageTables::Access access) {
  ring0::Invalidations none;
  if (!tables_.valid() || !tables_.map(address, gpa_of(address), bytes, access, none))
    return Error{"page_table_bytes is too small for the arena's own tables"};
  return true;
}

Result<bool> VmMemory::reach_present() {
  FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return system_error("/proc/self/maps");
  std::vector<Range> ranges;
  char line[512];
  bool line_start = true;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin, end;
    char permissions[5];
    const bool parse = line_start;
    line_start = std::strchr(line, '\n') != nullptr;  // a long path name comes in several pieces
    if (!parse || std::sscanf(line, "%lx-%lx %4s", &begin, &end, permissions) != 3) continue;
    // Reservations are mapped when they turn out to be used.
    const bool reservation = permissions[0] != 'r' || end - begin > (uint64_t{64} << 30);
    if (!reservation && end <= kLowerHalfEnd) ranges.push_back({begin, end});
    if (permissions[2] == 'x' && end <= kLowerHalfEnd) code_ranges_.push_back({begin, end});
  }
  std::fclose(maps);
  for (const Range& range : ranges) {
    for (uint64_t region = range.base >> 30; region <= (range.end - 1) >> 30; region++) {
      if (region_gpa_[region] != 0) continue;
      if (auto added = add_regions(region, 1); !added) return added;
    }
  }
  return true;
}

Result<bool> VmMemory::add_regions(uint64_t first, uint64_t count) {
  const uint64_t va = first << 30;
  const uint64_t bytes = std::min(count << 30, kLowerHalfEnd - va);
  if (next_slot_ == limits_.slots) {
    return Error{"all " + std::to_string(limits_.slots) +
                 " memory slots are in use; use fewer windows or another --mmu"};
  }
  if (next_gpa_ + (count << 30) > limits_.gpa || regions_.size() + count > regions_.capacity())
    return Error{"guest-physical address space is used up; use fewer windows or another --mmu"};
  const uint64_t gpa = next_gpa_;
  if (auto added = vm_.add_slot(next_slot_, gpa, va, bytes); !added) return added;
  next_slot_++;
  next_gpa_ += count << 30;
  ring0::Invalidations changed;
  bool mapped = tables_.map(va, gpa, bytes, {}, changed);
  for (uint64_t i = 0; i < count; i++) {
    region_gpa_[first + i] = gpa + (i << 30);
    regions_.push_back(first + i);
  }
  for (const Range& code : code_ranges_) {
    const Range here{std::max(code.base, va), std::min(code.end, va + bytes)};
    if (here.base < here.end) mapped = mapped && map_code(here, changed);
  }
  if (!mapped) return Error{kNoTables};
  return true;
}

// Precondition: its regions are reachable.
bool VmMemory::map_code(const Range& code, ring0::Invalidations& changed) {
  for (uint64_t begin = code.base; begin < code.end;) {
    const uint64_t chunk = std::min(code.end - begin, kRegionBytes - begin % kRegionBytes);
    if (!tables_.map(begin, gpa_of(begin), chunk, {.executable = true}, changed)) return false;
    begin += chunk;
  }
  return true;
}

bool VmMemory::add_code(uint64_t base, uint64_t bytes, ring0::Invalidations& changed) {
  code_ranges_.push_back({base, base + bytes});
  return map_code(code_ranges_.back(), changed);
}

bool VmMemory::reaches(uint64_t address, uint64_t bytes) const {
  bool all = address < kLowerHalfEnd && bytes != 0 && bytes <= kLowerHalfEnd - address;
  for (uint64_t region = address >> 30; all && region <= (address + bytes - 1) >> 30; region++) {
    all = region_gpa_[region] != 0;
  }
  return all;
}

Result<bool> VmMemory::reach(uint64_t address, uint64_t bytes) {
  if (bytes == 0 || address >= kLowerHalfEnd || bytes > kLowerHalfEnd - address)
    return Error{"address range outside of user space"};
  const uint64_t end = (address + bytes - 1) >> 30;
  for (uint64_t first = address >> 30; first <= end;) {
    uint64_t count = 0;
    while (first + count <= end && region_gpa_[first + count] == 0) count++;
    if (count > 0) {
      if (auto added = add_regions(first, count); !added) return added;
    }
    first += count + (count == 0);
  }
  return true;
}

Result<bool> VmMemory::resolve(uint64_t address) {
  const uint64_t region = address >> 30;
  if (region >= kRegions || region_gpa_[region] != 0) return false;
  uint8_t resident;
  void* page = reinterpret_cast<void*>(address & ~(ring0::kPageBytes - 1));
  // ENOMEM: nothing is mapped there
  if (mincore(page, ring0::kPageBytes, &resident) != 0) return false;
  return add_regions(region, 1);
}

void VmMemory::leave(uint64_t base, uint64_t bytes, ring0::Invalidations& changed) {
  for (uint64_t region = base >> 30; region < (base + bytes) >> 30; region++) {
    if (region_gpa_[region] == 0) continue;
    tables_.unmap_and_retire(region << 30, kRegionBytes, changed);
    region_gpa_[region] = 0;
  }
}

void VmMemory::remove_window_range(uint64_t base) {
  std::erase_if(window_ranges_, [&](const Range& range) { return range.base == base; });
}

bool VmMemory::in_window_range(uint64_t address) const {
  for (const Range& range : window_ranges_) {
    if (address >= range.base && address < range.end) return true;
  }
  return false;
}

}  // namespace crosswalk::kvm
