// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/slow_sites.h"

#include <algorithm>

namespace crosswalk::engine {

void SlowSites::add(uint64_t pa, uint16_t kind) {
  if (contains(pa)) {
    if (is_store(pa) && kind == 0)
      forget(pa, 1, true);  // from now on whatever it stores to
    else
      return;
  }
  if (count_ == kMaximum) clear();
  pages_[pa >> 12].push_back(static_cast<uint16_t>((pa & kOffset) | kSite | kind));
  count_++;
}

void SlowSites::add_once(uint64_t pa) {
  if (once_.size() == kMaximumOnce) once_.erase(once_.begin());
  once_.push_back(pa);
}

bool SlowSites::take_once(uint64_t pa) { return std::erase(once_, pa) != 0; }

uint16_t SlowSites::find(uint64_t pa) const {
  const auto page = pages_.find(pa >> 12);
  if (page == pages_.end()) return 0;
  const auto site = std::ranges::find(page->second, pa & kOffset, [](uint16_t s) -> uint64_t { return s & kOffset; });
  return site == page->second.end() ? 0 : *site;
}

void SlowSites::forget(uint64_t pa, uint32_t bytes, bool stores_only) {
  const uint64_t first = pa & kOffset;
  if (!stores_only) std::erase_if(once_, [&](uint64_t site) { return site >= pa && site - pa < bytes; });
  const auto page = pages_.find(pa >> 12);
  if (page == pages_.end()) return;
  count_ -= std::erase_if(page->second, [&](uint16_t site) {
    const uint64_t offset = site & kOffset;
    return offset >= first && offset < first + bytes && (!stores_only || (site & kStore));
  });
  if (page->second.empty()) pages_.erase(page);
}

void SlowSites::forget_page(uint64_t pa) {
  std::erase_if(once_, [&](uint64_t site) { return site >> 12 == pa >> 12; });
  const auto page = pages_.find(pa >> 12);
  if (page == pages_.end()) return;
  count_ -= page->second.size();
  pages_.erase(page);
}

void SlowSites::clear() {
  pages_.clear();
  once_.clear();
  count_ = 0;
}

}  // namespace crosswalk::engine
