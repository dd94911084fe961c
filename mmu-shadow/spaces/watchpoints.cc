// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/spaces/watchpoints.h"

#include <algorithm>

namespace crosswalk::mmu {
namespace {

// More pages are not looked for one by one.
constexpr uint32_t kManyPages = 64;

}  // namespace

bool Watchpoints::set(const arm::Watched& watched) {
  bool more = false;
  Pages now[arm::kWatchpoints];
  for (uint32_t i = 0; i < watched.count; i++) {
    now[i] = {watched.ranges[i].first >> kPageBits, watched.ranges[i].last >> kPageBits};
    more |= std::none_of(pages_, pages_ + count_,
                         [&](const Pages& w) { return w.first <= now[i].first && w.last >= now[i].last; });
  }
  std::copy_n(now, watched.count, pages_);
  count_ = watched.count;
  version_ += more;
  return more;
}

template <typename RemovePage, typename RemoveAll>
void Watchpoints::each_page(RemovePage remove_page, RemoveAll remove_all) const {
  uint64_t pages = 0;
  for (uint32_t i = 0; i < count_; i++) pages += pages_[i].last - pages_[i].first + uint64_t{1};
  if (pages > kManyPages) return remove_all();
  for (uint32_t i = 0; i < count_; i++)
    for (uint32_t page = pages_[i].first; page <= pages_[i].last; page++) remove_page(page << kPageBits);
}

void Watchpoints::remove_from(WindowMap& window) const {
  each_page([&](uint32_t va) { window.remove_va(va, false); }, [&] { window.remove_all(); });
  window.window().commit();
}

void Watchpoints::remove_from(AddressSpace& space) const {
  if (space.applied.watches != version_) {
    space.applied.watches = version_;
    if (space.soft)
      each_page([&](uint32_t va) { space.soft->remove_va(va, false); }, [&] { space.soft->remove_all(); });
    if (space.window) remove_from(*space.window);
  }
  if (space.windowed && space.shared && space.shared->applied.watches != version_) {
    space.shared->applied.watches = version_;
    remove_from(*space.shared->map);
  }
}

}  // namespace crosswalk::mmu
