// SPDX-License-Identifier: GPL-2.0-or-later
// What the VM reaches of this process: memory slots, and the x86 page tables over them.
//
// The host address space is divided into regions of 1 GiB. A region is made reachable as a whole:
// one memory slot (or a part of one) puts it at some guest-physical address, and 2 MiB x86
// page-table entries map it at its own address, readable and writable at CPL 3. Holes, later mmaps
// and protections are then KVM's business: it follows the host's page tables.
//
// KVM does not follow the host's PROT_EXEC. The code of the program and its libraries, as it is
// when the world is made, and what add_code() names are executable; all else is not, guest RAM and
// the writable view of the code cache among it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "vmm/world/kvm/arena.h"
#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/ring0/page_tables.h"

namespace crosswalk::kvm {

class VmMemory {
 public:
  struct Limits {
    uint32_t slots;
    uint64_t gpa;     // guest-physical addresses are below
    bool no_execute;  // EFER.NXE is on
  };

  // Reaches the arena, with its pool mapped and its frame not. `vm` and `arena` outlive this.
  static Result<std::unique_ptr<VmMemory>> create(Vm& vm, const Limits& limits, const Arena& arena);
  ~VmMemory();
  VmMemory(const VmMemory&) = delete;
  VmMemory& operator=(const VmMemory&) = delete;

  // ---- outside the VM ----
  // Maps pages of the arena at their own address.
  Result<bool> map_own(uint64_t address, uint64_t bytes, ring0::PageTables::Access access);
  // The regions of what is mapped in this process now, but large reservations.
  Result<bool> reach_present();
  // The regions of [address, address+bytes). Those not yet reachable become one contiguous range of
  // guest-physical addresses for each run of them. An error when the slots are used up.
  Result<bool> reach(uint64_t address, uint64_t bytes);
  // The region of an address where an access has faulted. False: that cannot be what is wrong. The
  // access may have been one of malloc(), so nothing is allocated here.
  Result<bool> resolve(uint64_t address);

  // ---- inside or outside ----
  bool reaches(uint64_t address, uint64_t bytes) const;
  // The guest-physical address of host memory, or 0 when its region is not reachable yet.
  uint64_t gpa_of(uint64_t address) const {
    const uint64_t region = address >> 30;
    return region < kRegions && region_gpa_[region] != 0 ? region_gpa_[region] + (address & (kRegionBytes - 1)) : 0;
  }
  // The other way round: the host memory that a slot has there, or 0.
  uint64_t host_of(uint64_t gpa) const {
    const uint64_t index = (gpa - kFirstGpa) / kRegionBytes;
    return gpa >= kFirstGpa && index < regions_.size() ? regions_[index] << 30 | gpa % kRegionBytes : 0;
  }
  // How many more memory slots there can be: at most one for each region.
  uint64_t slots_left() const { return limits_.slots - next_slot_; }
  // Whether an address is of the arena.
  bool is_own(uint64_t address) const { return address - arena_base_ < kRegionBytes; }

  // Declares [base, base+bytes), whole regions, as linear addresses of the VM that are not the
  // process's: faults there go to the fault handler, and the page tables there belong to the
  // caller.
  void add_window_range(uint64_t base, uint64_t bytes) { window_ranges_.push_back({base, base + bytes}); }
  void remove_window_range(uint64_t base);
  bool in_window_range(uint64_t address) const;

  // Inside: makes [base, base+bytes), whole pages whose regions are reachable, executable. False:
  // memory for page tables is used up.
  bool add_code(uint64_t base, uint64_t bytes, ring0::Invalidations& changed);
  // Inside: for window ranges, and for links between regions of windows.
  ring0::PageTables& tables() { return tables_; }
  // Inside: those of the whole regions [base, base+bytes) that are reachable are not any more.
  // Their tables wait as those of PageTables::unmap_and_retire().
  void leave(uint64_t base, uint64_t bytes, ring0::Invalidations& changed);
  bool no_execute() const { return limits_.no_execute; }

 private:
  static constexpr uint64_t kFirstGpa = uint64_t{4} << 30;
  static constexpr uint64_t kRegions = uint64_t{1} << 17;  // of the lower half: 47 bits
  struct Range {
    uint64_t base, end;
  };

  VmMemory(Vm& vm, const Limits& limits, const Arena& arena, uint64_t* region_gpa);
  Result<bool> add_regions(uint64_t first, uint64_t count);
  bool map_code(const Range& code, ring0::Invalidations& changed);

  Vm& vm_;
  const Limits limits_;
  const uint64_t arena_base_;
  TablePool pool_;
  ring0::PageTables tables_;
  uint64_t* const region_gpa_;  // by region number; 0: not reachable
  uint64_t next_gpa_;
  std::vector<uint64_t> regions_;  // their numbers, from kFirstGpa on
  uint32_t next_slot_ = 0;
  std::vector<Range> window_ranges_;
  std::vector<Range> code_ranges_;  // what may be executed of the process's memory
};

}  // namespace crosswalk::kvm
