// SPDX-License-Identifier: GPL-2.0-or-later
// Pages with watched bytes. Such a page is in no software TLB and no window, whatever the
// watchpoint's filters say: so privilege and context change nothing here. It is taken out of the
// current space at once and of the others when they become current.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mmu-shadow/spaces/address_space.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Watchpoints {
 public:
  using Va = typename Guest::Va;

  // VA >> 12, inclusive.
  bool covers(Va first_page, Va last_page) const {
    for (uint32_t i = 0; i < count_; i++)
      if (first_page <= pages_[i].last && last_page >= pages_[i].first) return true;
    return false;
  }
  bool covers(Va va) const { return covers(va >> kPageBits, va >> kPageBits); }
  bool any() const { return count_ != 0; }

  // Returns whether there are pages that were not watched before.
  bool set(const typename Guest::Watched& watched);
  // Changes when pages get watched (Applied::watches).
  uint64_t version() const { return version_; }
  // Precondition: the space is current.
  void remove_from(AddressSpace<Guest>& space) const;
  // A provider that fills windows leaves what is watched now out of all of them.
  void show_to(WindowFiller& filler) const {
    WindowFiller::Pages pages[Guest::kWatchpoints];
    for (uint32_t i = 0; i < count_; i++)
      pages[i] = {static_cast<uint32_t>(pages_[i].first), static_cast<uint32_t>(pages_[i].last)};
    filler.watch({pages, count_});
  }

 private:
  struct Pages {  // VA >> 12, inclusive
    Va first, last;
  };
  // More pages are not looked for one by one.
  static constexpr uint32_t kManyPages = 64;

  template <typename RemovePage, typename RemoveAll>
  void each_page(RemovePage remove_page, RemoveAll remove_all) const;
  void remove_from(WindowMap& window) const;

  uint32_t count_ = 0;
  Pages pages_[Guest::kWatchpoints] = {};
  uint64_t version_ = 0;
};

template <GuestArchitecture Guest>
bool Watchpoints<Guest>::set(const typename Guest::Watched& watched) {
  bool more = false;
  Pages now[Guest::kWatchpoints];
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

template <GuestArchitecture Guest>
template <typename RemovePage, typename RemoveAll>
void Watchpoints<Guest>::each_page(RemovePage remove_page, RemoveAll remove_all) const {
  uint64_t pages = 0;
  for (uint32_t i = 0; i < count_; i++) pages += pages_[i].last - pages_[i].first + uint64_t{1};
  if (pages > kManyPages) return remove_all();
  for (uint32_t i = 0; i < count_; i++)
    for (Va page = pages_[i].first; page <= pages_[i].last; page++) remove_page(page << kPageBits);
}

template <GuestArchitecture Guest>
void Watchpoints<Guest>::remove_from(WindowMap& window) const {
  if (window.filling()) return;  // see show_to()
  each_page([&](Va va) { window.remove_va(window_offset(va), false); }, [&] { window.remove_all(); });
  window.window().commit();
}

template <GuestArchitecture Guest>
void Watchpoints<Guest>::remove_from(AddressSpace<Guest>& space) const {
  if (space.applied.watches != version_) {
    space.applied.watches = version_;
    if (space.soft) each_page([&](Va va) { space.soft->remove_va(va, false); }, [&] { space.soft->remove_all(); });
    if (space.window) remove_from(*space.window);
  }
  if (space.windowed && space.shared && space.shared->applied.watches != version_) {
    space.shared->applied.watches = version_;
    remove_from(*space.shared->map);
  }
}

}  // namespace crosswalk::mmu
