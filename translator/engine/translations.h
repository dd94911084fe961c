// SPDX-License-Identifier: GPL-2.0-or-later
// What the CPUs of a machine share of translated code: the blocks, what makes them, and which
// instructions were found to need the slow path. Translated code finds its CPU through r15, so a
// block serves all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/code_protection.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/base/result.h"
#include "translator/engine/block.h"
#include "translator/engine/block_compiler.h"
#include "translator/engine/code_cache.h"
#include "translator/engine/engine_config.h"
#include "translator/engine/jump_caches.h"
#include "translator/engine/slow_sites.h"
#include "translator/engine/statistics.h"

namespace crosswalk::engine {

class Translations final : public mmu::CodeListener {
 public:
  static Result<std::unique_ptr<Translations>> create(const EngineConfig& config);

  // A CPU that runs translations, and what of it refers to them.
  struct User {
    CpuState* cpu;
    mmu::CodeProtection* pages;
    JumpCaches* jump_caches;
  };
  void attach(const User& user) { users_.push_back(user); }
  void detach(const CpuState& cpu);

  const BlockIndex& blocks() const { return cache_.blocks(); }
  BlockLinks& links() { return cache_.links(); }
  const x64::Thunks& thunks() const { return compiler_.thunks(); }
  // Where translated code is executed: for World::add_code.
  std::span<const uint8_t> code() const { return {cache_.memory().base(), cache_.memory().capacity()}; }
  bool contains(const uint8_t* host) const { return cache_.memory().contains(host); }

  // Translates; when the cache is full, all other blocks go.
  Block* make(const CompileRequest& request);
  void drop(Block* block);
  void clear();
  // The instruction at `pa`, in `block`, is translated again with its accesses out of line: from
  // now on, or, with `once`, the next time. The block goes.
  void put_out_of_line(uint64_t pa, Block* block, bool once);

  bool code_written(uint64_t pa, uint32_t bytes) override;
  void page_ids_dropped() override { clear(); }

  const TranslationStatistics& statistics() const { return statistics_; }
  const ir::Block& last_ir() const { return compiler_.last_ir(); }  // for tests

 private:
  Translations(const EngineConfig& config, CodeMemory memory);

  SlowSites slow_sites_;
  CodeCache cache_;
  BlockCompiler compiler_;
  std::vector<User> users_;
  TranslationStatistics statistics_;
};

}  // namespace crosswalk::engine
