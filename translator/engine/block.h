// SPDX-License-Identifier: GPL-2.0-or-later
// A translation: some guest instructions as host code, and what is known of that code.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"
#include "translator/x64/block_tables.h"
#include "translator/x64/host_registers.h"

namespace crosswalk::engine {

// What identifies a translation: guest VA and PA, and the state that changes how code is
// translated.
struct BlockKey {
  uint32_t va = 0;  // bit 0 = T
  // PA >> 12 of the page that the last instruction extends into, 0 when none
  uint32_t second_page = 0;
  uint64_t pa = 0;
  uint32_t flags = 0;  // CodeFlags::pack() | IT << 8, and what for_fp_mode() adds
  bool operator==(const BlockKey&) const = default;

  // Of a block that relies on this GuestCpu::fp_mode, and of one that relies on none.
  BlockKey for_fp_mode(uint8_t fp_mode) const {
    BlockKey key = for_any_fp_mode();
    key.flags |= (0x100u | fp_mode) << 16;
    return key;
  }
  BlockKey for_any_fp_mode() const {
    BlockKey key = *this;
    key.flags &= 0xffff;
    return key;
  }
};

struct Block;

// A jump from one block to another: links[index] of `from`.
struct BlockLink {
  Block* from = nullptr;
  uint32_t index = 0;
};

struct Block : x64::BlockTables {
  BlockKey key;
  uint32_t page_id = 0;    // of its first page; what jumps from other pages check
  uint32_t second_id = 0;  // of the page that the last instruction extends into; 0: none
  const uint8_t* code = nullptr;
  uint32_t code_size = 0;
  uint32_t guest_bytes = 0;
  // In RAM: the block's page, and the page that its last instruction extends into, or null.
  const uint8_t* page = nullptr;
  const uint8_t* second_page = nullptr;
  size_t counted_bytes = 0;  // bookkeeping_bytes(), when the code cache took it over
  bool valid = true;
  uint8_t fp_mode_misses = 0;       // how often it was entered in another fp_mode than it was made for
  bool stores_beside_code = false;  // has stores out of line that met pages with code
  uint32_t other_stores = 0;        // that these made to other pages since; any CPU counts
  bool once = false;                // has an access out of line that is to be so once: the block goes with it
  struct Link {
    Block* to = nullptr;  // null: to its stub
    // That it was linked with last, and since when it is not (RunningCpus::next_epoch).
    uint32_t page_id = 0;
    uint64_t unlinked = 0;
  };
  std::vector<Link> linked;         // by link
  std::vector<BlockLink> incoming;  // jumps of other blocks that are linked to this one

  bool contains(const uint8_t* host) const { return host >= code && host < code + code_size; }
  // The access by the instruction at `host` of this block's code, or, with `call`, the call that
  // returns there. Null: there is none.
  const x64::FaultSite* site_at(const uint8_t* host, bool call) const {
    const uint32_t offset = static_cast<uint32_t>(host - code);
    for (auto it = first_site_from(offset); it != sites.end() && it->offset == offset; ++it)
      if (((it->flags & x64::kSiteCall) != 0) == call) return &*it;
    return nullptr;
  }
  // The last one, of an access by the code itself, before `host`; null: there is none.
  const x64::FaultSite* site_before(const uint8_t* host) const {
    auto it = first_site_from(static_cast<uint32_t>(host - code));
    while (it != sites.begin())
      if (!((--it)->flags & x64::kSiteCall)) return &*it;
    return nullptr;
  }
  // Sets the CPU's position to the guest instruction that `site` belongs to.
  void set_position(CpuState& cpu, const x64::FaultSite& site) const {
    const ir::GuestInst& g = guest[site.guest];
    cpu.r[15] = g.pc;
    cpu.t = key.va & 1;
    cpu.it = g.it;
  }
  // Whether the guest's instructions are still what was translated.
  bool is_current() const;
  // What the block takes besides its code, about.
  size_t bookkeeping_bytes() const;

 private:
  std::span<x64::FaultSite>::iterator first_site_from(uint32_t offset) const {
    return std::lower_bound(sites.begin(), sites.end(), offset,
                            [](const x64::FaultSite& s, uint32_t o) { return s.offset < o; });
  }
};

}  // namespace crosswalk::engine
