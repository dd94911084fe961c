// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block.h"

#include <algorithm>

namespace crosswalk::engine {
namespace {

// A block of the heap has a header, and so do the nodes of the tables that find the block.
constexpr size_t kHeapOverhead = 16, kIndexBytes = 160;

template <class T>
size_t heap_bytes(const std::vector<T>& v) {
  return v.capacity() == 0 ? 0 : v.capacity() * sizeof(T) + kHeapOverhead;
}

}  // namespace

const x64::FaultSite* Block::site_at(const uint8_t* host, bool call) const {
  const uint32_t offset = static_cast<uint32_t>(host - code);
  auto it = std::lower_bound(sites.begin(), sites.end(), offset,
                             [](const x64::FaultSite& s, uint32_t o) { return s.offset < o; });
  for (; it != sites.end() && it->offset == offset; ++it)
    if (((it->flags & x64::kSiteCall) != 0) == call) return &*it;
  return nullptr;
}

void Block::set_position(CpuState& cpu, const x64::FaultSite& site) const {
  const ir::GuestInst& g = guest[site.guest];
  cpu.r[15] = g.pc;
  cpu.t = key.va & 1;
  cpu.it = g.it;
}

// A link takes another entry in the block that it goes to, and one in the list of all.
size_t Block::bookkeeping_bytes() const {
  return sizeof *this + kHeapOverhead + kIndexBytes + heap_bytes(sites) + heap_bytes(links) + heap_bytes(linked) +
         heap_bytes(guest) + links.size() * 3 * sizeof(BlockLink);
}

}  // namespace crosswalk::engine
