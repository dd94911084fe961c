// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one CPU: finds its code, has it made when there is none, runs it, and does what it leaves to
// C++. The translations are the machine's. It is one function (run) that works in either world.
#pragma once

#include <optional>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/platform.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/engine/code_lookup.h"
#include "translator/engine/engine_config.h"
#include "translator/engine/exception_log.h"
#include "translator/engine/jump_caches.h"
#include "translator/engine/slow_path.h"
#include "translator/engine/statistics.h"
#include "translator/engine/translations.h"
#include "translator/engine/window_faults.h"
#include "translator/engine/world.h"

namespace crosswalk::engine {

// What is another one since the last run.
enum class Restart : uint8_t {
  None,
  CpuIsNew,  // RAM and other CPUs have gone on
  AllIsNew,  // RAM was written, and no other CPU is on
};

class Engine {
 public:
  // `config` is that of `translations`, and `mmu` has them as its listener. The CPU has been reset;
  // its address space becomes current.
  Engine(const EngineConfig& config, Translations& translations, mmu::Mmu& mmu, CpuState& cpu, Platform& platform);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // GuestCpu was written anew, as from a saved copy, and perhaps RAM too: all that follows from
  // them is made again. Not while run() is running. Platform::timers_changed is the caller's.
  void guest_replaced();

  // The CPU was reset, and its boot registers set. What follows is made again by the next run().
  // Not while run() is running.
  void restart(Restart what = Restart::CpuIsNew) { restart_ = what; }

  // A debugger on the host has changed what it looks at, and with `registers` also the CPU's
  // registers. On the CPU's thread, in Platform::run_queued_work; what follows is made again
  // afterwards.
  void debugger_changed(bool registers) {
    changed_ = registers || changed_ == Changed::Registers ? Changed::Registers : Changed::Points;
  }

  // Runs the guest from cpu.r[15] until kLineStop is raised. Call inside a World whose fault
  // handler is handle_fault.
  void run();
  // Runs at most one block (tests). Takes pending interrupts first.
  void step();
  // World's FaultHandler; context is the Engine.
  static bool handle_fault(void* engine, FaultFrame& frame) {
    return static_cast<Engine*>(engine)->faults_.handle(frame);
  }

  const EngineStatistics& statistics() const { return statistics_; }

 private:
  void begin_anew();
  bool take_interrupts();  // false: stop
  void follow_debugger();
  void run_once();

  const LogConfig log_;
  CpuState& cpu_;
  mmu::Mmu& mmu_;
  Platform& platform_;
  Translations& translations_;
  const mmu::Mmu::Self self_;
  void (*const enter_)(CpuState*, const void*);  // x64::Thunks
  EngineStatistics statistics_;
  JumpCaches jump_caches_;
  CodeLookup lookup_;
  SlowPath slow_path_;
  WindowFaults faults_;
  Restart restart_ = Restart::None;
  enum class Changed : uint8_t { Nothing, Points, Registers } changed_ = Changed::Nothing;
  helpers::EngineServices services_;
  std::optional<ExceptionLog> exception_log_;
};

}  // namespace crosswalk::engine
