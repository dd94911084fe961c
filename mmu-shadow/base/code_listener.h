// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <mutex>

#include "translator/base/quick_lock.h"

namespace crosswalk::mmu {

// Called when guest code is about to be modified, or translations of a page must go. Implemented by
// the engine.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  // While it is held, no code is translated, and none is dropped by others. By default there is no
  // other thread that does.
  virtual std::unique_lock<QuickLock> lock_code() { return {}; }
  // [pa, pa+bytes) lies within one 4 KiB page that holds translated code and is being written.
  // Returns true when the page holds no translated code any more (it may be made writable). The
  // caller holds lock_code().
  virtual bool code_written(uint64_t pa, uint32_t bytes) = 0;
  // The page at `pa` may have been written by another CPU since its code was translated: what
  // differs from the page goes.
  virtual void check_code(uint64_t /*pa*/) {}
  // Every page id that fetch_page has returned is void, and will be given to another page. Whoever
  // keeps ids forgets them before this returns: translated code, its links and the jump caches.
  // Called by fetch_page alone, while no other CPU runs.
  virtual void page_ids_dropped() {}
};

}  // namespace crosswalk::mmu
