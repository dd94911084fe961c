// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/space_keeper.h"

#include <memory>
#include <stdexcept>
#include <utility>

namespace crosswalk::mmu {

void SpaceKeeper::clear(AddressSpace& space) {
  installer_.forget(space);
  space.instruction_pages.remove_all();
  if (space.soft) space.soft->remove_all();
  if (space.window && space.window->clear()) space.window->window().commit();
  if (space.history) hybrid_.forget(space, space.window != nullptr);
  applied_all(space);
  space.data_reuse = space.fetch_reuse = Reuse{};
}

// Null when there is no room for its window.
AddressSpace* SpaceKeeper::add(const RegimeKey& key) {
  auto space = std::make_unique<AddressSpace>();
  if (hybrid_mode_) space->history = std::make_unique<HybridHistory>();
  if (hybrid_mode_ ? hybrid_.at_once() : pool_.exists()) {
    space->window = pool_.create();
    space->windowed = space->window != nullptr;
    if (!hybrid_mode_ && !space->windowed) return nullptr;
  }
  if (!space->windowed) space->soft = std::make_unique<SoftTlb>();
  space->key = key;
  applied_all(*space);
  if (space->windowed) shared_.share(*space);
  statistics_.spaces_created++;
  return spaces_.add(std::move(space));
}

AddressSpace* SpaceKeeper::make(const RegimeKey& key, AddressSpace* current) {
  if (!spaces_.full())
    if (AddressSpace* const space = add(key)) return space;
  // Reuse the oldest: its entries go, its window stays reserved.
  AddressSpace* space = spaces_.least_recently_used([&](const AddressSpace& s) { return &s != current; });
  if (!space) space = current;
  if (!space) throw std::runtime_error("no host address space for a window of 4 GiB");
  clear(*space);
  shared_.unshare(*space);
  space->key = key;
  space->fetches = 0;
  if (space->windowed) shared_.share(*space);
  spaces_.rebuild();
  statistics_.spaces_evicted++;
  return space;
}

}  // namespace crosswalk::mmu
