// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace crosswalk::mmu {

// Called when guest code is about to be modified, or translations of a page must go. Implemented by
// the engine.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  // [pa, pa+bytes) lies within one 4 KiB page that holds translated code and is being written.
  // Returns true when the page holds no translated code any more (it may be made writable).
  virtual bool code_written(uint64_t pa, uint32_t bytes) = 0;
  // Every page id that fetch_page has returned is void, and will be given to another page. Whoever
  // keeps ids forgets them before this returns: translated code, its links and the jump cache.
  // Called by fetch_page alone.
  virtual void page_ids_dropped() {}
};

}  // namespace crosswalk::mmu
