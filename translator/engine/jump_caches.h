// SPDX-License-Identifier: GPL-2.0-or-later
// One CPU's jump caches: where its indirect jumps have found code, by target. There is one for each
// form of address space that the mode has; translated code reads that of the current form.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/engine/block.h"

namespace crosswalk::engine {

class JumpCaches {
 public:
  // `forms` is 1 or 2. The CPU uses them from now on.
  JumpCaches(CpuState& cpu, unsigned forms) : caches_(forms) {
    clear();
    cpu.jump_caches[0] = caches_.front().data();
    cpu.jump_caches[1] = caches_.back().data();
    choose_jump_cache(cpu);
  }

  // Of the CPU's current form: what there is for `target` (VA | T), whatever page it was in then;
  // null: nothing.
  static const JumpCacheEntry* find(const CpuState& cpu, uint32_t target) {
    JumpCacheEntry& e = cpu.jump_cache[jump_cache_index(target)];
    return std::atomic_ref(e.target).load(std::memory_order_relaxed) == target && e.code ? &e : nullptr;
  }
  static void enter(const CpuState& cpu, uint32_t target, uint32_t page_id, const void* code) {
    cpu.jump_cache[jump_cache_index(target)] = {target, page_id, code};
  }

  // Of every form. Any thread; the CPU may be reading the entry, and then finds the block once more
  // or not.
  void forget(const Block& block) {
    for (auto& cache : caches_) {
      JumpCacheEntry& e = cache[jump_cache_index(block.key.va)];
      if (e.code != block.code) continue;
      std::atomic_ref(e.page_id).store(kEmpty.page_id, std::memory_order_relaxed);
      std::atomic_ref(e.target).store(kEmpty.target, std::memory_order_relaxed);
    }
  }
  // Precondition: the CPU does not run.
  void clear() {
    for (auto& cache : caches_) cache.assign(kJumpCacheEntries, kEmpty);
  }

 private:
  // A branch to 0xfffffffe in Thumb state has the empty entry's target, but not its page.
  static constexpr JumpCacheEntry kEmpty{UINT32_MAX, x64::kNoPageId, nullptr};

  std::vector<std::vector<JumpCacheEntry>> caches_;
};

}  // namespace crosswalk::engine
