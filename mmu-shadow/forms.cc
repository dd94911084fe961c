// SPDX-License-Identifier: GPL-2.0-or-later
// Form::Hybrid: the current address space as the policy judges it, and how it gets its other form.
#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

template <typename Entries>
uint32_t add_all(PageSet& pages, const Entries& entries) {
  uint32_t held = 0;
  entries.for_each([&](uint32_t va, uint32_t size_class) {
    pages.add(window_page_of(va, size_class));
    held++;
  });
  return held;
}

}  // namespace

class GuestMmu::CurrentSpace final : public FormedSpace {
 public:
  CurrentSpace(GuestMmu& mmu, const Guest::Regime& regime) : mmu_(mmu), space_(*mmu.current_), regime_(regime) {}

  bool privileged() const override { return space_.key.privileged; }
  bool has_window() const override { return space_.window != nullptr; }
  uint32_t add_entries(PageSet& pages) const override {
    return space_.windowed ? add_all(pages, *space_.window) : add_all(pages, *space_.soft);
  }
  double translation_ns() const override {
    const PageIds& ids = mmu_.ids_;
    double ns = 0;
    space_.instruction_pages.for_each([&](uint32_t, uint32_t id) {
      PageIds::Record record = ids.record(id);
      record.flags |= kCodeFlagWindow;
      if (ids.translation_ns(ids.find(record)) == 0) ns += ids.translation_ns(id);
    });
    return ns;
  }
  void forget_instruction_pages() override { space_.instruction_pages.remove_all(); }
  bool make_window() override {
    if (!space_.window) space_.window = mmu_.pool_.create();
    return space_.window != nullptr;
  }
  void enter_window() override {
    mmu_.shared_.share(space_);
    space_.windowed = true;
    space_.instruction_pages.remove_all();
    // What it shares, if it did already, may not have been used lately.
    if (space_.shared) space_.window->window().enter();
    mmu_.shared_.check(space_);
    mmu_.code_.catch_up(space_);
    mmu_.flusher_.apply(space_, regime_);
    mmu_.watch_.remove_from(space_);
    if (mmu_.hybrid_.prefills_windows()) fill_window();
    space_.soft->remove_all();
  }
  void leave_window() override {
    space_.windowed = false;
    space_.instruction_pages.remove_all();
    if (!space_.soft) space_.soft = std::make_unique<SoftTlb>();
    if (space_.window->clear()) space_.window->window().commit();
  }

 private:
  // With what is in the software TLB.
  void fill_window() {
    Statistics& s = mmu_.statistics_;
    const uint64_t before = s.pages_installed - s.pages_filled_around;
    space_.soft->for_each([&](uint32_t va, uint32_t) {
      if (space_.window_at(va).entry(va).valid()) return;
      Guest::Result result;
      mmu_.walks_.walk(regime_, va, AccessKind::Load, space_.key.privileged, result);
      if (mmu_.walks_.enterable(result)) mmu_.installer_.install(space_, regime_, va, result);
    });
    s.pages_promoted += s.pages_installed - s.pages_filled_around - before;
  }

  GuestMmu& mmu_;
  AddressSpace& space_;
  const Guest::Regime regime_;
};

// Only between blocks of translated code.
void GuestMmu::judge_now(CpuState& cpu) {
  AddressSpace& space = *current_;
  const bool windowed = space.windowed;
  const uint64_t start = trace::begin(cpu.trace);
  CurrentSpace current(*this, regime_of(cpu));
  hybrid_.judge(space, current);
  if (space.windowed != windowed)
    trace::end(cpu.trace, trace::Kind::FormChange, start, space.window->count(), 0, space.windowed);
}

}  // namespace crosswalk::mmu
