// SPDX-License-Identifier: GPL-2.0-or-later
// What the CPUs of a machine share of translated code: the blocks, what makes them, and which
// instructions were found to need the slow path. Translated code finds its CPU through r15, so a
// block serves all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/code_protection.h"
#include "mmu-shadow/base/running_cpus.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/events.h"
#include "translator/base/quick_lock.h"
#include "translator/base/result.h"
#include "translator/engine/block.h"
#include "translator/engine/block_compiler.h"
#include "translator/engine/code_cache.h"
#include "translator/engine/engine_config.h"
#include "translator/engine/jump_caches.h"
#include "translator/engine/mixed_pages.h"
#include "translator/engine/slow_sites.h"
#include "translator/engine/statistics.h"

namespace crosswalk::engine {

class Translations final : public mmu::CodeListener {
 public:
  static Result<std::unique_ptr<Translations>> create(const EngineConfig& config);

  // A CPU that runs translations, and what of it refers to them. Not while CPUs run.
  struct User {
    CpuState* cpu;
    mmu::CodeProtection* pages;
    JumpCaches* jump_caches;
    mmu::RunningCpus* cpus = nullptr;  // the machine's; null: it runs alone
  };
  void attach(const User& user);
  void detach(const CpuState& cpu);

  arm::Events& events() { return events_; }

  const x64::Thunks& thunks() const { return compiler_.thunks(); }
  // Where translated code is executed: for World::add_code.
  std::span<const uint8_t> code() const { return {cache_.memory().base(), cache_.memory().capacity()}; }
  bool contains(const uint8_t* host) const { return cache_.memory().contains(host); }

  // ---- any CPU's thread. A block that was found may be dropped by another CPU at any time, and
  // can still be executed; it is there until clear() or make_room().
  // The block whose code contains `host`, dropped ones included; null: none.
  Block* find_by_host(const void* host) const {
    const auto lock = this->lock();
    return blocks().find_by_host(host);
  }
  void drop(Block* block) {
    const auto lock = this->lock();
    drop_locked(block);
  }
  // The instruction at `pa`, in `block`, is translated again with its accesses out of line: from
  // now on, the next time, or until its stores have met other pages than those with code for long
  // (stored_by_hand). The block goes.
  enum class OutOfLine : uint8_t { Always, Once, WhileBesideCode };
  void put_out_of_line(uint64_t pa, Block* block, OutOfLine when);
  // A store of the block was made out of line: to a page with code, or to another one.
  void stored_by_hand(Block* block, bool beside_code);
  void check_code(uint64_t pa) override;

  // ---- while the caller holds lock()
  // With one CPU, nothing: all that uses them is on its thread.
  std::unique_lock<QuickLock> lock() const {
    return cpus_ && cpus_->several() ? std::unique_lock(lock_) : std::unique_lock(lock_, std::defer_lock);
  }
  std::unique_lock<QuickLock> lock_code() override { return lock(); }
  bool code_written(uint64_t pa, uint32_t bytes) override;
  const BlockIndex& blocks() const { return cache_.blocks(); }
  BlockLinks& links() { return cache_.links(); }
  // Whether make() can translate; otherwise make_room() has to be called before.
  bool has_room() const { return cache_.has_room(); }
  // Translates, for the CPU whose MMU `pages` belongs to.
  Block* make(const CompileRequest& request, mmu::CodeProtection& pages);
  void drop_locked(Block* block);
  // Jumps to translations of the same code for another fp_mode find `block` instead, until they
  // have missed often: then they leave for the run loop each time that the mode is another one.
  void unlink_other_fp_modes(const Block& block);
  // BlockLinks::unlink().
  void unlink(const BlockLink& link) {
    links().unlink(link.from, link.index, next_epoch());
    begin_epoch();
  }

  // ---- while no other CPU runs
  void clear();
  // Drops the oldest blocks, or all. Each CPU has to look at everything anew.
  void make_room();
  void page_ids_dropped() override { clear(); }

  const TranslationStatistics& statistics() const { return statistics_; }
  const ir::Block& last_ir() const { return compiler_.last_ir(); }  // for tests

 private:
  Translations(const EngineConfig& config, CodeMemory memory);

  void recycle(Block* block);
  bool drop_touched(uint64_t pa, uint32_t bytes);
  void note_invalidation(uint64_t pa, uint64_t blocks);
  // A ring is for its CPU's thread alone, and with several this may be any.
  trace::Ring* trace() const { return users_.size() == 1 ? users_.front().cpu->trace : nullptr; }
  // Code is patched between the two.
  uint64_t next_epoch() const { return cpus_ ? cpus_->next_epoch() : 0; }
  void begin_epoch() {
    if (cpus_) cpus_->begin_epoch();
  }

  const bool recycle_, mixed_pages_;
  mmu::RunningCpus* cpus_ = nullptr;
  mutable QuickLock lock_;  // of all that follows
  SlowSites slow_sites_;
  MixedPages mixed_;
  CodeCache cache_;
  BlockCompiler compiler_;
  std::vector<User> users_;
  arm::Events events_;
  TranslationStatistics statistics_;
};

}  // namespace crosswalk::engine
