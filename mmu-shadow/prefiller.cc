// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/prefiller.h"

#include <tuple>

namespace crosswalk::mmu {

// The space whose entries a new one most likely shares. For a user's, the one that ran last: it
// forked. For the kernel's, the one that has most, since the kernel is everywhere, but passes
// through combinations of registers in which it does little; with the same domains if there is one,
// and among those used lately.
const AddressSpace* Prefiller::predecessor_of(const AddressSpace& space) const {
  constexpr uint64_t kLately = 200;
  const AddressSpace* best = nullptr;
  const auto rank = [&](const AddressSpace& s) {
    const bool same = s.key.is_like(space.key);
    return std::tuple(same, s.last_used + kLately >= spaces_.tick(),
                      s.key.privileged ? s.instruction_pages.count(false) : 0, s.last_used);
  };
  for (auto& s : spaces_.all()) {
    if (s.get() == &space || !s->key.mmu_enabled() || s->key.privileged != space.key.privileged ||
        s->fetches < kFetches)
      continue;
    if (!best || rank(*s) > rank(*best)) best = s.get();
  }
  return best;
}

void Prefiller::prefill(AddressSpace& space, const cw_regime& regime) {
  const AddressSpace* const from = predecessor_of(space);
  if (!from) return;
  const bool privileged = space.key.privileged;
  uint64_t pages = 0;
  SlotWalker<Guest> fetch(walks_, regime, AccessKind::Fetch, privileged);
  from->instruction_pages.for_each([&](uint32_t va, uint32_t id) {
    if (space.instruction_pages.id_at(va) != 0) return;
    const cw_result& r = fetch(va);
    PageIds::Record record = ids_.record(id);
    if (!Guest::mapped(r) || !walks_.ram().contains(r.pa) || walks_.ram_page_of(r.pa) != record.ram_page) return;
    if (space.windowed != from->windowed) {
      if (ids_.full()) return;
      record.flags ^= kCodeFlagWindow;
      id = ids_.intern(record);
    }
    space.instruction_pages.install(va, id, r.ng, class_of(r.log2_size));
    pages++;
  });
  statistics_.instruction_pages_prefilled += pages;
  const double reuse = choice_.reuse_rate(FlushChoice::Data, privileged);
  if (!space.windowed && from->soft && costs_.walk_apart < reuse * costs_.soft_refill) {
    SlotWalker<Guest> load(walks_, regime, AccessKind::Load, privileged);
    from->soft->for_each([&](uint32_t va, uint32_t) {
      if (space.soft->holds(va) || watch_.covers(va)) return;
      const cw_result& r = load(va);
      if (!walks_.enterable(r)) return;
      const uint32_t page = walks_.ram_page_of(r.pa);
      const bool writable = Guest::allows_store(r, privileged) && code_.may_write(page);
      space.soft->install(va, walks_.ram().at(r.pa), writable, r.ng, class_of(r.log2_size));
      statistics_.pages_installed++;
      pages++;
    });
  }
  statistics_.pages_prefilled += pages;
  statistics_.spaces_prefilled++;
}

}  // namespace crosswalk::mmu
