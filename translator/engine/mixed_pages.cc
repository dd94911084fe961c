// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/mixed_pages.h"

#include <algorithm>
#include <iterator>

namespace crosswalk::engine {

MixedPages::Range MixedPages::range_of(const Block& block, uint64_t number) {
  const auto first = static_cast<uint32_t>(block.key.pa & (kPageBytes - 1)), end = first + block.guest_bytes;
  if (block.key.pa >> 12 == number) return {first, std::min(end, kPageBytes)};
  if (block.key.second_page == number && end > kPageBytes) return {0, end - kPageBytes};
  return {0, 0};
}

bool MixedPages::touches(const Block& block, uint64_t pa, uint32_t bytes) {
  const Range range = range_of(block, pa >> 12);
  const auto first = static_cast<uint32_t>(pa & (kPageBytes - 1));
  return first < range.end && range.first < first + bytes;
}

void MixedPages::Page::add(const Block& block, uint64_t number) {
  const Range range = range_of(block, number);
  for (uint32_t at = range.first & ~3u; at < range.end; at += 4) code[at / 4 / 64] |= uint64_t{1} << at / 4 % 64;
}

bool MixedPages::drops_all(uint64_t pa, uint32_t bytes, const std::vector<Block*>& blocks) {
  if (bytes >= kSweepBytes) {
    pages_.erase(pa >> 12);
    return true;
  }
  if (pages_.size() == kMaximum && !pages_.contains(pa >> 12)) pages_.clear();
  Page& page = pages_[pa >> 12];
  if (page.times < kTimes) {
    page.times++;
    return true;
  }
  const auto first = static_cast<uint32_t>(pa & (kPageBytes - 1));
  page.swept = first == page.sweep_end ? page.swept + bytes : bytes;
  page.sweep_end = first + bytes;
  if (page.swept >= kSweepBytes) {
    page = {};
    return true;
  }
  if (++page.stores <= blocks.size() * kStoresOfBlock * page.patience) return false;
  page.stores = 0;
  page.patience = std::min(page.patience * 2, kMostPatience);
  std::ranges::fill(page.code, 0);
  return true;
}

bool MixedPages::may_touch(uint64_t pa, uint32_t bytes) const {
  const auto found = pages_.find(pa >> 12);
  if (found == pages_.end()) return true;
  const auto first = static_cast<uint32_t>(pa & (kPageBytes - 1));
  for (uint32_t at = first & ~3u; at < first + bytes; at += 4)
    if (found->second.code[at / 4 / 64] >> at / 4 % 64 & 1) return true;
  return false;
}

void MixedPages::add(const Block& block) {
  for (const uint64_t number : {block.key.pa >> 12, uint64_t{block.key.second_page}})
    if (const auto found = pages_.find(number); found != pages_.end()) found->second.add(block, number);
}

void MixedPages::set(uint64_t pa, const std::vector<Block*>& blocks) {
  const auto found = pages_.find(pa >> 12);
  if (found == pages_.end()) return;
  std::ranges::fill(found->second.code, 0);
  for (const Block* const block : blocks) found->second.add(*block, pa >> 12);
}

void MixedPages::clear() {
  for (auto& [number, page] : pages_) std::ranges::fill(page.code, 0);
}

}  // namespace crosswalk::engine
