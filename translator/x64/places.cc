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
  if (files_[0].slots == 0 && files_[1].slots == 0) return;
  for (Place& p : places_)
    if (p.kind == Place::Slot) p.sticky = true;
}

}  // namespace crosswalk::x64
