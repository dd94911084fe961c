// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block.h"

#include <cstring>

namespace crosswalk::engine {
namespace {

// A block of the heap has a header, and so do the nodes of the tables that find the block.
constexpr size_t kHeapOverhead = 16, kIndexBytes = 220;

template <class T>
size_t heap_bytes(const std::vector<T>& v) {
  return v.capacity() == 0 ? 0 : v.capacity() * sizeof(T) + kHeapOverhead;  // NOLINT(bugprone-sizeof-expression)
}

}  // namespace

bool Block::is_current() const {
  const uint32_t first_page = key.va & ~0xfffu;
  const auto half_at = [&](uint32_t va) {
    uint16_t half;
    std::memcpy(&half, ((va & ~0xfffu) == first_page ? page : second_page) + (va & 0xfff), sizeof half);
    return uint32_t{half};
  };
  for (const ir::GuestInst& inst : guest) {
    uint32_t word = half_at(inst.pc);
    if (inst.bytes == 4) word = key.va & 1 ? word << 16 | half_at(inst.pc + 2) : word | half_at(inst.pc + 2) << 16;
    if (word != inst.word) return false;
  }
  return true;
}

// A link takes another entry in the block that it goes to, and one in the list of all.
size_t Block::bookkeeping_bytes() const {
  return sizeof *this + 2 * kHeapOverhead + kIndexBytes + bytes() + heap_bytes(linked) +
         links.size() * 3 * sizeof(BlockLink);
}

}  // namespace crosswalk::engine
