// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/slow_sites.h"

#include <algorithm>

namespace crosswalk::engine {

void SlowSites::add(uint64_t pa) {
  if (contains(pa)) return;
  if (count_ == kMaximum) clear();
  pages_[pa >> 12].push_back(static_cast<uint16_t>(pa & 0xfff));
  count_++;
}

void SlowSites::add_once(uint64_t pa) {
  if (once_.size() == kMaximumOnce) once_.erase(once_.begin());
  once_.push_back(pa);
}

bool SlowSites::take_once(uint64_t pa) { return std::erase(once_, pa) != 0; }

bool SlowSites::contains(uint64_t pa) const {
  const auto page = pages_.find(pa >> 12);
  return page != pages_.end() &&
         std::find(page->second.begin(), page->second.end(), static_cast<uint16_t>(pa & 0xfff)) != page->second.end();
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
