// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/places.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {

static_assert(ir::Type::X32 > ir::Type::I64 && ir::Type::X128 > ir::Type::X64);

Place Place::guest_register(uint32_t n) {
  return {kPinned[n] >= 0 ? Pinned : State, static_cast<uint8_t>(n), false, static_cast<uint16_t>(reg_offset(n))};
}

Places::Places(const ir::Block& block, std::pmr::memory_resource* memory)
    : block_(block), places_(block.insts.size(), memory), guest_(15, memory), guest_simd_(memory) {
  for (FileState& f : files_) std::fill(std::begin(f.owner), std::end(f.owner), -1);
}

void Places::put(uint32_t value, Place place) {
  const File file = file_of(value);
  FileState& f = files_[static_cast<int>(file)];
  Place& now = places_[value];
  switch (now.kind) {
    case Place::Nowhere: break;
    case Place::Register: f.owner[now.index] = -1; break;
    case Place::Slot: f.slots &= ~(uint64_t{1} << now.index); break;
    case Place::Pinned:
    case Place::State: std::erase(values_in(now, file), value); break;
  }
  now = place;
  switch (now.kind) {
    case Place::Nowhere: break;
    case Place::Register: f.owner[now.index] = static_cast<int>(value); break;
    case Place::Slot: f.slots |= uint64_t{1} << now.index; break;
    case Place::Pinned:
    case Place::State: values_in(now, file).push_back(value); break;
  }
}

int Places::free_slot(File file) const {
  static_assert(kSpillSlots == 64);
  const int slot = std::countr_one(files_[static_cast<int>(file)].slots);
  return slot < kSpillSlots ? slot : -1;
}

void Places::make_slots_sticky() {
  for (Place& p : places_)
    if (p.kind == Place::Slot) p.sticky = true;
}

}  // namespace crosswalk::x64
