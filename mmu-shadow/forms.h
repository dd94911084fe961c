// SPDX-License-Identifier: GPL-2.0-or-later
// Form::Hybrid: the current address space as the policy judges it, and how it gets its other form.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/filled_windows.h"
#include "mmu-shadow/flusher.h"
#include "mmu-shadow/installer.h"
#include "mmu-shadow/policy/hybrid.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/walks.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

// The time that the upkeep of a window takes, which is of interest for some spaces; of others, no
// time is read.
class UpkeepClock {
 public:
  UpkeepClock(HybridPolicy& hybrid, SpaceForm& space)
      : hybrid_(hybrid),
        space_(space),
        start_(hybrid.measures_upkeep(space) ? __builtin_ia32_rdtsc() : 0),
        handled_before_(hybrid.entries_handled()) {}
  // Since the clock was made, the space's entries were flushed or lost write access; or a fault of
  // its window was served.
  void note_upkeep() const {
    if (start_ != 0) hybrid_.upkept(space_, __builtin_ia32_rdtsc() - start_, handled_before_);
  }
  void note_fault() const {
    if (space_.history) hybrid_.faulted(space_, start_ != 0 ? __builtin_ia32_rdtsc() - start_ : 0, handled_before_);
  }

 private:
  HybridPolicy& hybrid_;
  SpaceForm& space_;
  const uint64_t start_, handled_before_;
};

template <GuestArchitecture Guest>
class Forms {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Space = AddressSpace<Guest>;

  Forms(const MmuConfig& config, const Walks<Guest>& walks, HybridPolicy& hybrid, const PageIdsOf<Va>& ids,
        WindowPool<Guest>& pool, SharedWindows<Guest>& shared, Installer<Guest>& installer, Flusher<Guest>& flusher,
        CodePages& code, const Watchpoints<Guest>& watch, FilledWindows<Guest>& filled, Statistics& statistics)
      : soft_tlb_(config.soft_tlb),
        walks_(walks),
        hybrid_(hybrid),
        ids_(ids),
        pool_(pool),
        shared_(shared),
        installer_(installer),
        flusher_(flusher),
        code_(code),
        watch_(watch),
        filled_(filled),
        statistics_(statistics) {}

  // The space, which is current and of `regime`, may get its other form. Only between blocks of
  // translated code.
  void judge(Space& space, const Regime& regime) {
    Judged judged(*this, space, regime);
    hybrid_.judge(space, judged);
  }
  // The space, which lodges and is current now, may have others before it.
  void enter_lodging(Space& space) {
    if (Space* const last = space.shared->lodger) count_faults(*last);
    shared_.move_in(space);
    space.window_faults = space.filling()->faults();
  }
  // What the provider of the space's window has served, the policy has to know. Precondition: the
  // space has a window that fills itself, and was current last in it.
  void count_faults(Space& space) {
    const uint32_t faults = space.filling()->faults();
    if (space.history) hybrid_.faulted_inside(space, faults - space.window_faults);
    space.window_faults = faults;
  }

 private:
  class Judged;

  const SoftTlbSizes soft_tlb_;
  const Walks<Guest>& walks_;
  HybridPolicy& hybrid_;
  const PageIdsOf<Va>& ids_;
  WindowPool<Guest>& pool_;
  SharedWindows<Guest>& shared_;
  Installer<Guest>& installer_;
  Flusher<Guest>& flusher_;
  CodePages& code_;
  const Watchpoints<Guest>& watch_;
  FilledWindows<Guest>& filled_;
  Statistics& statistics_;
};

template <GuestArchitecture Guest>
class Forms<Guest>::Judged final : public FormedSpace {
 public:
  Judged(Forms& forms, Space& space, const Regime& regime) : forms_(forms), space_(space), regime_(regime) {}

  bool privileged() const override { return space_.key.privileged; }
  bool has_window() const override { return space_.lodges || space_.window != nullptr; }
  uint32_t add_entries(PageSet& pages) const override {
    if (!space_.windowed) return add_all(pages, *space_.soft);
    // What the provider has installed, it alone can list: as first accesses, they count once more.
    return space_.filling() ? space_.map().count() : add_all(pages, space_.window->pages());
  }
  double translation_ns() const override {
    const PageIdsOf<Va>& ids = forms_.ids_;
    double ns = 0;
    space_.instruction_pages.for_each([&](Va, uint32_t id) {
      typename PageIdsOf<Va>::Record record = ids.record(id);
      record.flags |= kCodeFlagWindow;
      if (ids.translation_ns(ids.find(record)) == 0) ns += ids.translation_ns(id);
    });
    return ns;
  }
  void forget_instruction_pages() override { space_.instruction_pages.remove_all(); }
  bool make_window() override {
    if (space_.window || forms_.shared_.has_lodging(space_.key)) return true;
    space_.window = forms_.pool_.create();
    return space_.window != nullptr;
  }
  void enter_window() override {
    if (!forms_.shared_.lodge(space_)) forms_.shared_.share(space_);
    space_.windowed = true;
    space_.instruction_pages.remove_all();
    if (space_.lodges) {
      forms_.enter_lodging(space_);
    } else if (!space_.filling()) {
      // What it shares, if it did already, may not have been used lately.
      if (space_.shared) space_.window->window().enter();
      forms_.shared_.check(space_);
    }
    forms_.filled_.follow(space_, regime_);
    if (FillingWindow* const filling = space_.filling()) space_.window_faults = filling->faults();
    forms_.code_.catch_up(space_);
    forms_.flusher_.apply(space_, regime_);
    forms_.watch_.remove_from(space_);
    if (forms_.hybrid_.prefills_windows()) fill_window();
    space_.soft->reset();
  }
  void leave_window() override {
    space_.windowed = false;
    space_.instruction_pages.remove_all();
    if (!space_.soft) space_.soft = std::make_unique<SoftTlbOf<Va>>(forms_.soft_tlb_);
    if (space_.lodges)
      forms_.shared_.unshare(space_);
    else if (space_.window->clear())
      space_.window->window().commit();
  }

 private:
  template <typename Entries>
  static uint32_t add_all(PageSet& pages, const Entries& entries) {
    uint32_t held = 0;
    entries.for_each([&](auto va, uint32_t size_class) {
      pages.add(window_page_of(window_offset(va), size_class));
      held++;
    });
    return held;
  }
  // With what is in the software TLB.
  void fill_window() {
    Statistics& s = forms_.statistics_;
    const Walks<Guest>& walks = forms_.walks_;
    if (FillingWindow* const filling = space_.filling()) {
      std::vector<uint32_t> vas;
      space_.soft->for_each([&](Va va, uint32_t) { vas.push_back(window_offset(va)); });
      std::sort(vas.begin(), vas.end());
      s.pages_promoted += filling->fill(vas);
      if (space_.lodges) space_.shared->changed = true;
      return;
    }
    const uint64_t before = s.pages_installed - s.pages_filled_around;
    space_.soft->for_each([&](Va va, uint32_t) {
      if (space_.window_at(va).pages().entry(window_offset(va)).valid()) return;
      typename Guest::Result result;
      walks.walk(regime_, va, AccessKind::Load, space_.key.privileged, result);
      if (walks.enterable(result)) forms_.installer_.install(space_, regime_, va, result);
    });
    s.pages_promoted += s.pages_installed - s.pages_filled_around - before;
  }

  Forms& forms_;
  Space& space_;
  const Regime& regime_;
};

}  // namespace crosswalk::mmu
