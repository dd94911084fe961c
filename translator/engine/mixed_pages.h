// SPDX-License-Identifier: GPL-2.0-or-later
// Pages with translated code that the guest has stored to again and again: they hold data too, or
// code that is made as the guest runs. A store to another page with code drops all of it, and the
// page may be written until its code is translated again; of these pages a store drops the blocks
// alone whose bytes it changes. Each is made by hand then, as long as that costs less than
// translating the blocks again would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "translator/engine/block.h"

namespace crosswalk::engine {

class MixedPages {
 public:
  // Translating a block costs about as much as so many stores by hand.
  static constexpr uint32_t kStoresOfBlock = 256;
  // At more pages that were stored to, all are forgotten: their next store drops all code again.
  static constexpr size_t kMaximum = 8192;

  // [pa, pa+bytes), within a page that has these blocks, is stored to. Whether all of them are to
  // go.
  bool drops_all(uint64_t pa, uint32_t bytes, const std::vector<Block*>& blocks);
  // Whether a block may have been made from one of these bytes, which are of one page.
  bool may_touch(uint64_t pa, uint32_t bytes) const;
  // Whether the block was made from one of them.
  static bool touches(const Block& block, uint64_t pa, uint32_t bytes);
  // The block was made.
  void add(const Block& block);
  // The page of `pa` has these blocks and no others.
  void set(uint64_t pa, const std::vector<Block*>& blocks);
  // All blocks are gone.
  void clear();

 private:
  static constexpr uint32_t kPageBytes = 4096;
  // So many times all code goes, before a page is one of these.
  static constexpr uint32_t kTimes = 2;
  static constexpr uint32_t kMostPatience = 4096;
  // Of one after the other: the page gets another content, and begins anew.
  static constexpr uint32_t kSweepBytes = 1024;
  struct Page {
    uint32_t times = 0;                       // that all of its code was dropped
    uint32_t stores = 0;                      // by hand since then
    uint32_t patience = 1;                    // each time that they become too many, twice as many are allowed
    uint32_t sweep_end = 0, swept = 0;        // where the last store ended, and how many bytes led there
    uint64_t code[kPageBytes / 4 / 64] = {};  // a bit for each word that blocks may be made from
    void add(const Block& block, uint64_t number);
  };
  // Of the block's bytes, those in the page: [first, end), empty when there are none.
  struct Range {
    uint32_t first, end;
  };
  static Range range_of(const Block& block, uint64_t number);

  std::unordered_map<uint64_t, Page> pages_;  // by PA >> 12
};

}  // namespace crosswalk::engine
