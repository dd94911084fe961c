// SPDX-License-Identifier: GPL-2.0-or-later
// A new space gets the instruction pages and the software TLB that its predecessor has, as far as
// its own tables say the same: a forked process runs the same code, and the kernel is everywhere.
// Windows are not filled so: entering what a child may not use before it ends cost more than the
// faults it spared (docs/findings.md).
#pragma once

#include <cstdint>
#include <tuple>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/shootdown.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/walks.h"
#include "mmu-shadow/spaces/watchpoints.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Prefiller {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;
  using Space = AddressSpace<Guest>;

  Prefiller(const MmuConfig& config, const Walks<Guest>& walks, const Spaces<Guest>& spaces, PageIdsOf<Va>& ids,
            CodePages& code, const Watchpoints<Guest>& watch, const FlushChoice& choice, Shootdown<Guest>& shootdown,
            Statistics& statistics)
      : enabled_(config.prefill),
        costs_(config.costs),
        walks_(walks),
        spaces_(spaces),
        ids_(ids),
        code_(code),
        watch_(watch),
        choice_(choice),
        shootdown_(shootdown),
        statistics_(statistics) {}

  // An instruction page was entered in the space. Returns whether it is time to prefill it now.
  bool fetched(Space& space) const { return space.fetches < kFetches && ++space.fetches == kFetches && enabled_; }
  // Precondition: the space is current, and of `regime`.
  void prefill(Space& space, const Regime& regime);

 private:
  // A space that fetches from so many pages is no passing combination of registers: time to prefill
  // it.
  static constexpr uint32_t kFetches = 3;

  const Space* predecessor_of(const Space& space) const;

  const bool enabled_;
  const MmuCosts& costs_;
  const Walks<Guest>& walks_;
  const Spaces<Guest>& spaces_;
  PageIdsOf<Va>& ids_;
  CodePages& code_;
  const Watchpoints<Guest>& watch_;
  const FlushChoice& choice_;
  Shootdown<Guest>& shootdown_;
  Statistics& statistics_;
};

// The space whose entries a new one most likely shares. For a user's, the one that ran last: it
// forked. For the kernel's, the one that has most, since the kernel is everywhere, but passes
// through combinations of registers in which it does little; with tables of the same kind if there
// is one, and among those used lately.
template <GuestArchitecture Guest>
const AddressSpace<Guest>* Prefiller<Guest>::predecessor_of(const Space& space) const {
  constexpr uint64_t kLately = 200;
  const Space* best = nullptr;
  const auto rank = [&](const Space& s) {
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

template <GuestArchitecture Guest>
void Prefiller<Guest>::prefill(Space& space, const Regime& regime) {
  const Space* const from = predecessor_of(space);
  if (!from) return;
  const bool privileged = space.key.privileged;
  uint64_t pages = 0;
  SlotWalker<Guest> fetch(walks_, regime, AccessKind::Fetch, privileged);
  from->instruction_pages.for_each([&](Va va, uint32_t id) {
    if (space.instruction_pages.id_at(va) != 0) return;
    const Result& r = fetch(va);
    typename PageIdsOf<Va>::Record record = ids_.record(id);
    if (!Guest::mapped(r) || !walks_.ram().contains(r.pa) || walks_.ram_page_of(r.pa) != record.ram_page) return;
    if (!r.ng && shootdown_.surprises(space, va)) return;
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
    from->soft->for_each([&](Va va, uint32_t) {
      // The predecessor's may be larger.
      if (space.soft->has_in_place_of(va) || watch_.covers(va)) return;
      const Result& r = load(va);
      if (!walks_.enterable(r) || (!r.ng && shootdown_.surprises(space, va))) return;
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
