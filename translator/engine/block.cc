// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block.h"

namespace crosswalk::engine {
namespace {

// A block of the heap has a header, and so do the nodes of the tables that find the block.
constexpr size_t kHeapOverhead = 16, kIndexBytes = 160;

template <class T>
size_t heap_bytes(const std::vector<T>& v) {
  return v.capacity() == 0 ? 0 : v.capacity() * sizeof(T) + kHeapOverhead;  // NOLINT(bugprone-sizeof-expression)
}

}  // namespace

// A link takes another entry in the block that it goes to, and one in the list of all.
size_t Block::bookkeeping_bytes() const {
  return sizeof *this + kHeapOverhead + kIndexBytes + heap_bytes(sites) + heap_bytes(links) + heap_bytes(linked) +
         heap_bytes(guest) + links.size() * 3 * sizeof(BlockLink);
}

}  // namespace crosswalk::engine
