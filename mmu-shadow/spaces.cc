// SPDX-License-Identifier: GPL-2.0-or-later
// Address spaces: found by regime key, made on first use, reused when there are too many.
#include <algorithm>
#include <stdexcept>
#include <tuple>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {

void GuestMmu::activate(CpuState& cpu) {
  const Cp15& c = cpu.cp15;
  const bool privileged = is_privileged(static_cast<crosswalk::Mode>(cpu.mode));
  const Registers now{privileged, c.dacr, c.contextidr, c.ttbr0, c.ttbr1, c.sctlr, c.ttbcr};
  if (now == registers_ && current_ && cpu.space == current_) return;
  registers_ = now;

  AddressSpace* space;
  if (config_.mode == Mode::Flat) {
    flat_violation_ |= c.sctlr & CW_SCTLR_M;
    space = spaces_.front().get();
  } else {
    Recent& recent = recent_[now.hash() % kRecent];
    space = recent.space;
    if (!space || recent.registers != now) {
      const RegimeKey key = key_of(regime_of(c), privileged);
      space = find_space(key);
      if (!space) space = new_space(key);
      recent = {now, space};
    }
  }
  space->last_used = ++tick_;
  if (space != current_) {
    const uint64_t id = reinterpret_cast<uint64_t>(space);
    note_space_switch(cpu, config_.accounts, statistics_, space->key.asid, space->key.privileged, id);
    statistics_.space_switches++;
  }
  if (space->hybrid && space != current_ && (measuring_ || !sampled(*space))) account_change(*space);
  current_ = space;
  if (space->windowed && space->shared) {
    space->window->window().enter();
    if (space->roots_version != space->shared->version) check_roots(*space);
  }
  if (space->changes_applied != changes_) {
    const bool protection = missed_protection(*space), flushes = missed_flushes(*space),
               watches = missed_watches(*space);
    if (protection || flushes || watches) {
      const uint64_t start = upkeep_clock();
      if (watches) remove_watched(*space);
      if (protection) catch_up(*space);
      if (flushes) {
        const TracedFlush traced(cpu, statistics_, trace::FlushKind::Deferred);
        apply_flushes(*space, current_regime(cpu));
      }
      note_upkeep(start);
    }
    space->changes_applied = changes_;
  }
  if (space == aborted_.space) install_aborted(current_regime(cpu));
  if (space->hybrid) judge_current(cpu);
  enter_current(cpu);
}

void GuestMmu::polled(CpuState& cpu) {
  keep_resident_budget();
  if (config_.mode != Mode::Hybrid || cpu.space != current_) return;
  account_poll();
  judge_current(cpu);
  enter_current(cpu);
}

void GuestMmu::enter_current(MmuView& view) {
  AddressSpace& space = *current_;
  view.mem_base = space.windowed ? space.window->base() : reinterpret_cast<uint64_t>(space.soft->entries());
  view.memory_window = space.windowed;
  view.instruction_pages = space.instruction_pages.ids();
  view.space = &space;
}

AddressSpace* GuestMmu::find_space(const RegimeKey& key) const {
  const size_t mask = table_.size() - 1;
  for (size_t i = key.hash() & mask; table_[i]; i = (i + 1) & mask)
    if (table_[i]->key == key) return table_[i];
  return nullptr;
}

void GuestMmu::insert(AddressSpace* space) {
  const size_t mask = table_.size() - 1;
  size_t i = space->key.hash() & mask;
  while (table_[i]) i = (i + 1) & mask;
  table_[i] = space;
}

void GuestMmu::rebuild_table() {
  std::fill(table_.begin(), table_.end(), nullptr);
  std::fill(std::begin(recent_), std::end(recent_), Recent{});
  for (auto& s : spaces_) insert(s.get());
}

// Among those that are not current; null when there is none.
AddressSpace* GuestMmu::least_recently_used() const {
  AddressSpace* oldest = nullptr;
  for (auto& s : spaces_)
    if (s.get() != current_ && (!oldest || s->last_used < oldest->last_used)) oldest = s.get();
  return oldest;
}

// The same of those from which clear_windows() would take something.
AddressSpace* GuestMmu::least_recently_used_window() const {
  AddressSpace* oldest = nullptr;
  for (auto& s : spaces_) {
    if (s.get() == current_ || !s->window) continue;
    const bool shares = s->shared && s->shared != current_->shared && s->shared->map.touched();
    if (!shares && !s->window->touched()) continue;
    if (!oldest || s->last_used < oldest->last_used) oldest = s.get();
  }
  return oldest;
}

void GuestMmu::clear_space(AddressSpace& space) {
  if (aborted_.space == &space) aborted_.space = nullptr;
  space.instruction_pages.remove_all();
  if (space.soft) space.soft->remove_all();
  if (space.window && space.window->clear()) space.window->window().commit();
  if (space.hybrid) {
    space.hybrid->reset();
    space.run_ticks = 0;
    space.stays = 1;
    space.unmeasured = 0;
    space.windowed = at_once_ && space.window;
  }
  space.protect_position = protect_log_end_;
  space.flush_position = flush_log_end_;
  space.data_reuse = space.fetch_reuse = Reuse{};
}

// The space whose entries a new one most likely shares. For a user's, the one that ran last: it forked. For the
// kernel's, the one that has most, since the kernel is everywhere, but passes through combinations of registers in
// which it does little; with the same domains if there is one, and among those used lately.
AddressSpace* GuestMmu::predecessor_of(const AddressSpace& space) const {
  constexpr uint64_t kLately = 200;
  AddressSpace* best = nullptr;
  const auto rank = [&](const AddressSpace& s) {
    const bool same = s.key.dacr == space.key.dacr && s.key.ttbcr == space.key.ttbcr;
    return std::tuple(same, s.last_used + kLately >= tick_, s.key.privileged ? s.instruction_pages.count(false) : 0,
                      s.last_used);
  };
  for (auto& s : spaces_) {
    if (s.get() == &space || !s->key.mmu_enabled() || s->key.privileged != space.key.privileged ||
        s->fetches < kPrefillFetches)
      continue;
    if (!best || rank(*s) > rank(*best)) best = s.get();
  }
  return best;
}

AddressSpace* GuestMmu::new_space(const RegimeKey& key) {
  const size_t limit = std::max<size_t>(config_.max_spaces, 2);
  if (spaces_.size() < limit) {
    auto space = std::make_unique<AddressSpace>();
    bool made = true;
    const bool hybrid = config_.mode == Mode::Hybrid;
    if (hybrid) space->hybrid = std::make_unique<HybridHistory>();
    if (hybrid ? at_once_ : uses_windows()) {
      space->window = create_window();
      space->windowed = space->window != nullptr;
      made = hybrid || space->windowed;
    }
    if (!space->windowed) space->soft = std::make_unique<SoftTlb>();
    if (made) {
      space->key = key;
      space->protect_position = protect_log_end_;
      space->flush_position = flush_log_end_;
      if (space->windowed) share_window(*space);
      spaces_.push_back(std::move(space));
      insert(spaces_.back().get());
      statistics_.spaces_created++;
      return spaces_.back().get();
    }
  }
  // Reuse the oldest: its entries go, its window stays reserved.
  AddressSpace* space = least_recently_used();
  if (!space) space = current_;
  if (!space) throw std::runtime_error("no host address space for a window of 4 GiB");
  clear_space(*space);
  unshare_window(*space);
  space->key = key;
  space->fetches = 0;
  if (space->windowed) share_window(*space);
  rebuild_table();
  statistics_.spaces_evicted++;
  return space;
}

}  // namespace crosswalk::mmu
