// SPDX-License-Identifier: GPL-2.0-or-later
// The engine: translates guest code on demand, runs it, and handles what translated code leaves to
// C++. One Engine runs one CPU; it is one function (run) that works in either world.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/platform.h"
#include "translator/arm32/frontend/translator.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/base/counter.h"
#include "translator/engine/code_cache.h"
#include "translator/engine/exception_log.h"
#include "translator/engine/log.h"
#include "translator/engine/slow_sites.h"
#include "translator/engine/translation_listener.h"
#include "translator/engine/world.h"
#include "translator/x64/emit_block.h"

namespace crosswalk::engine {

struct EngineConfig {
  mmu::Mode mode{};
  size_t code_cache_bytes = size_t{64} << 20;
  // of blocks, about: at more, the cache is cleared as if it were full; 0: by the cache
  size_t bookkeeping_bytes = 0;
  frontend::TranslateConfig translate;
  bool optimise = true;  // IR passes beyond what correctness needs
  bool chain = true;     // link jumps between blocks
  bool flag_fusion = true;
  bool verify_ir = false;  // verify after every pass (tests)
  bool count = false;      // guest instructions and blocks executed, in CpuState
  LogConfig log;
  TranslationListener* listener = nullptr;  // outlives the engine; null: none
};

struct EngineStatistics {
  uint64_t blocks_translated = 0, guest_instructions_translated = 0, code_bytes = 0;
  uint64_t blocks_dropped = 0, cache_flushes = 0;
  uint64_t code_invalidations = 0;  // writes to a page that held translated code
  uint64_t exits_lookup = 0, exits_link = 0, exits_indirect = 0, exits_poll = 0, exits_exception = 0;
  uint64_t links = 0, interrupts = 0, prefetch_aborts = 0, data_aborts = 0;
  uint64_t soft_call_hits = 0, soft_refills = 0;
  uint64_t slow_accesses = 0, device_accesses = 0, window_faults = 0, slow_sites = 0, slow_once = 0;
  uint64_t slow_sites_now = 0, most_bookkeeping_bytes = 0;
};

inline constexpr Counter<EngineStatistics> kCounters[] = {
    {"blocks translated", &EngineStatistics::blocks_translated},
    {"guest instructions translated", &EngineStatistics::guest_instructions_translated},
    {"code bytes", &EngineStatistics::code_bytes, CounterUnit::Bytes},
    {"blocks dropped", &EngineStatistics::blocks_dropped},
    {"cache flushes", &EngineStatistics::cache_flushes},
    {"exits to look up", &EngineStatistics::exits_lookup},
    {"exits to link", &EngineStatistics::exits_link},
    {"exits, indirect", &EngineStatistics::exits_indirect},
    {"exits by poll", &EngineStatistics::exits_poll},
    {"exits by exception", &EngineStatistics::exits_exception},
    {"interrupts", &EngineStatistics::interrupts},
    {"prefetch aborts", &EngineStatistics::prefetch_aborts},
    {"data aborts", &EngineStatistics::data_aborts},
    {"soft TLB calls that hit", &EngineStatistics::soft_call_hits},
    {"soft TLB refills", &EngineStatistics::soft_refills},
    {"slow accesses", &EngineStatistics::slow_accesses},
    {"device accesses", &EngineStatistics::device_accesses},
    {"window faults", &EngineStatistics::window_faults},
    {"slow sites", &EngineStatistics::slow_sites_now},
    {"slow sites found", &EngineStatistics::slow_sites},
    {"accesses by hand once", &EngineStatistics::slow_once},
    {"bookkeeping of blocks, most", &EngineStatistics::most_bookkeeping_bytes, CounterUnit::Bytes},
    {"code invalidations", &EngineStatistics::code_invalidations},
};

class Engine final : public mmu::CodeListener {
 public:
  // `mmu` may be attached after construction, since it needs the engine as its listener.
  Engine(const EngineConfig& config, CpuState& cpu, const GuestRam& ram, Platform& platform);
  ~Engine() override;
  void attach(mmu::Mmu& mmu);
  // GuestCpu was written anew, as from a saved copy, and perhaps RAM too: all that follows from
  // them is made again. Not while run() is running. Platform::timers_changed is the caller's.
  void guest_replaced();

  // Runs the guest from cpu.r[15] until kLineStop is raised. Call inside a World whose fault
  // handler is handle_fault.
  void run();
  // Runs at most one block (tests). Takes pending interrupts first.
  void step();

  // World's FaultHandler; context is the Engine.
  static bool handle_fault(void* engine, FaultFrame& frame);

  bool code_written(uint64_t pa, uint32_t bytes) override;
  void page_ids_dropped() override;

  const EngineStatistics& statistics() const { return statistics_; }
  helpers::EngineServices& services() { return *services_; }
  // Where translated code is executed: for World::add_code.
  std::span<const uint8_t> code() const { return {cache_.memory().base(), cache_.memory().capacity()}; }
  // The IR of the most recently translated block, for tests and logs.
  const ir::Block& last_ir() const { return ir_; }

 private:
  static uint64_t slow_access(CpuState* cpu, x64::SlowAccessFrame* frame);
  uint64_t do_slow_access(const uint8_t* return_address);
  bool plain_access();
  static void finish_narrow_load(uint8_t* data, const ir::MemAccess& m);
  bool access_memory(uint32_t va, uint32_t bytes, bool store, bool privileged, bool unaligned, uint8_t* data,
                     mmu::Translation& fault);
  bool watchpoint_hit(uint32_t va, uint32_t bytes, bool store, bool privileged, mmu::Translation& fault);
  bool fault(FaultFrame& frame);
  bool take_interrupts();  // false: stop
  const void* cached_code();
  const void* linked_code(uint32_t number);
  Block* lookup();  // at cpu.r[15]; null when an exception was taken instead
  Block* translate(const BlockKey& key, uint32_t page_id, const mmu::Translation& at, const mmu::Translation& second,
                   uint32_t second_id);
  void drop_block(Block* block);
  void clear_cache();
  frontend::CodeFlags translation_flags(uint32_t va) const;
  uint32_t code_flags(uint32_t va) const;  // of the page of `va`
  void run_once();

  EngineConfig config_;
  CpuState& cpu_;
  const GuestRam& ram_;
  Platform& platform_;
  mmu::Mmu* mmu_ = nullptr;
  std::unique_ptr<helpers::EngineServices> services_;
  CodeCache cache_;
  Xbyak::CodeGenerator assembler_;  // over the whole cache, in its writable view
  x64::Thunks written_thunks_{};    // in that view: what emitted code jumps to
  x64::Thunks thunks_{};            // the same to be executed
  x64::BackendConfig backend_;
  x64::PieceCache pieces_;
  std::vector<std::vector<JumpCacheEntry>> jump_caches_;
  uint32_t fault_effects_ = 0;  // arm::Effect of an abort that fault() has entered
  SlowSites slow_sites_;
  ir::Block ir_;
  EngineStatistics statistics_;
  std::optional<ExceptionLog> exception_log_;
};

}  // namespace crosswalk::engine
