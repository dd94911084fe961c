// SPDX-License-Identifier: GPL-2.0-or-later
// Debug registers. A page with a watched byte is in no software TLB and no window, whatever the watchpoint's filters
// say: so privilege and CONTEXTIDR change nothing here. It is taken out of the current space at once and of the others
// when they become current. A page where a breakpoint may match has other code flags.
#include <algorithm>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

// More pages are not looked for one by one.
constexpr uint32_t kManyPages = 64;

}  // namespace

void GuestMmu::debug_changed(CpuState& cpu) {
  if (const arm::BreakPages pages = arm::break_pages(cpu); pages != break_pages_) {
    if (pages.everywhere != break_pages_.everywhere) {
      forget_instruction_pages();
    } else {
      for (const arm::BreakPages& from : {break_pages_, pages})
        for (uint32_t i = 0; i < from.count; i++) {
          const uint32_t va = from.page[i] << kPageBits;
          if (pages.at(va) == break_pages_.at(va)) continue;
          for (auto& s : spaces_) s->instruction_pages.remove_va(va, false);
        }
    }
    break_pages_ = pages;
  }

  const arm::Watched now = arm::watched_bytes(cpu);
  bool more = false;
  WatchedPages pages[arm::kWatchpoints];
  for (uint32_t i = 0; i < now.count; i++) {
    pages[i] = {now.ranges[i].first >> kPageBits, now.ranges[i].last >> kPageBits};
    more |= std::none_of(watched_, watched_ + watched_count_,
                         [&](const WatchedPages& w) { return w.first <= pages[i].first && w.last >= pages[i].last; });
  }
  std::copy_n(pages, now.count, watched_);
  watched_count_ = now.count;
  if (!more) return;
  watch_version_++;
  changes_++;
  if (current_) remove_watched(*current_);
}

// Precondition: the space is current.
void GuestMmu::remove_watched(AddressSpace& space) {
  const auto each_page = [&](auto remove_page, auto remove_all) {
    uint64_t pages = 0;
    for (uint32_t i = 0; i < watched_count_; i++) pages += watched_[i].last - watched_[i].first + uint64_t{1};
    if (pages > kManyPages) return remove_all();
    for (uint32_t i = 0; i < watched_count_; i++)
      for (uint32_t page = watched_[i].first; page <= watched_[i].last; page++) remove_page(page << kPageBits);
  };
  const auto from_window = [&](WindowMap& window) {
    each_page([&](uint32_t va) { window.remove_va(va, false); }, [&] { window.remove_all(); });
    window.window().commit();
  };
  if (space.watch_version != watch_version_) {
    space.watch_version = watch_version_;
    if (space.soft)
      each_page([&](uint32_t va) { space.soft->remove_va(va, false); }, [&] { space.soft->remove_all(); });
    if (space.window) from_window(*space.window);
  }
  if (space.windowed && space.shared && space.shared->watch_version != watch_version_) {
    space.shared->watch_version = watch_version_;
    from_window(space.shared->map);
  }
}

}  // namespace crosswalk::mmu
