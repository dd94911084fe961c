// SPDX-License-Identifier: GPL-2.0-or-later
// What the MMU tells translated code of the current address space.
#pragma once

#include <cstdint>

namespace crosswalk {

// Page ids of an address space, indexed by VA[22:12].
inline constexpr uint32_t kInstructionPageEntries = 2048;

// Where the id of the page of `va` is, in bytes.
inline constexpr uint32_t instruction_page_offset(uint32_t va) {
  return 4 * (va >> 12 & (kInstructionPageEntries - 1));
}

struct MmuView {
  uint64_t mem_base;            // window base, or the software TLB: host r14
  uint32_t* instruction_pages;  // page ids, kInstructionPageEntries of them
  void* space;                  // mmu::AddressSpace
  uint8_t memory_window;        // 1: mem_base is a window, 0: a software TLB
  // PSR.E and strict_alignment that page ids stand for. Who changes them has the MMU forget the
  // ids.
  uint8_t page_ids_e, page_ids_a;
};

}  // namespace crosswalk
