// SPDX-License-Identifier: GPL-2.0-or-later
// The instructions whose memory accesses are translated out of line: those that have met a device,
// wrap at 4 GiB, store to pages that hold code, or have to be done by hand once. Known by PA, for
// as long as there are translations of their page: other code may be there later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace crosswalk::engine {

class SlowSites {
 public:
  // At more, all are forgotten. What has been translated stays out of line; the others fault once
  // more.
  static constexpr size_t kMaximum = 64 << 10;

  void add(uint64_t pa) { add(pa, 0); }
  // Stores beside code, until it is forgotten.
  void add_store(uint64_t pa) { add(pa, kStore); }
  bool is_store(uint64_t pa) const { return find(pa) & kStore; }
  // Until it is taken. Of many, the first are given up: they fault once more.
  void add_once(uint64_t pa);
  bool take_once(uint64_t pa);
  bool contains(uint64_t pa) const { return find(pa) != 0; }
  // Whether any may be in the page of `pa`.
  bool any_in_page(uint64_t pa) const { return !once_.empty() || pages_.contains(pa >> 12); }

  void forget_page(uint64_t pa);
  // Those in [pa, pa+bytes), within one page; or, of these, the stores beside code alone.
  void forget(uint64_t pa, uint32_t bytes, bool stores_only);
  void clear();
  size_t count() const { return count_; }

 private:
  static constexpr size_t kMaximumOnce = 64;
  // Bits of what is kept of a site: its offset, that there is one, and that it is a store.
  static constexpr uint16_t kOffset = 0xfff, kSite = 0x1000, kStore = 0x2000;
  void add(uint64_t pa, uint16_t kind);
  uint16_t find(uint64_t pa) const;  // 0: none

  std::unordered_map<uint64_t, std::vector<uint16_t>> pages_;
  std::vector<uint64_t> once_;
  size_t count_ = 0;
};

}  // namespace crosswalk::engine
