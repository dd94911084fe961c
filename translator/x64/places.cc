// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/places.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace crosswalk::x64 {

static_assert(ir::Type::X32 > ir::Type::I64 && ir::Type::X128 > ir::Type::X64);

Places::Places(const ir::Block& block, Arena& arena)
    : block_(block), places_(arena, block.insts.size()), next_(arena, 0) {
  next_.extend(block.insts.size());
  for (FileState& f : files_) std::fill(std::begin(f.owner), std::end(f.owner), -1);
}

int Places::free_slot(File file) const {
  static_assert(kSpillSlots == 64);
  const int slot = std::countr_one(files_[static_cast<int>(file)].slots);
  return slot < kSpillSlots ? slot : -1;
}

void Places::make_slots_sticky() {
  for (const FileState& f : files_)
    for (uint64_t slots = f.slots; slots != 0; slots &= slots - 1)
      places_[f.in_slot[std::countr_zero(slots)]].sticky = true;
}

}  // namespace crosswalk::x64
