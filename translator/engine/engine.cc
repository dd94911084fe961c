// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/engine.h"

#include <atomic>
#include <utility>

#include "translator/arm32/cpu/events.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/exit_reason.h"

namespace crosswalk::engine {

Engine::Engine(const EngineConfig& config, Translations& translations, mmu::Mmu& mmu, CpuState& cpu, Platform& platform)
    : log_(config.log),
      cpu_(cpu),
      mmu_(mmu),
      platform_(platform),
      translations_(translations),
      self_(mmu.self()),
      enter_(translations.thunks().enter),
      jump_caches_(cpu, config.mode.form == mmu::Form::Hybrid ? 2 : 1),
      lookup_(config, cpu, mmu, translations, statistics_),
      slow_path_(config.mode.lookup, cpu, mmu, platform, translations, statistics_),
      faults_(cpu, mmu, translations, statistics_),
      services_{mmu, platform} {
  services_.slow_path = &slow_path_;
  cpu.engine = &services_;
  cpu.events = &translations.events();
  translations.attach({&cpu, &mmu, &jump_caches_, self_.cpus});
  mmu.attach(cpu);
  if (log_.items & kLogInt) cpu.exception_observer = &exception_log_.emplace(log_);
  mmu.activate(cpu);
  choose_jump_cache(cpu);
}

Engine::~Engine() {
  if (exception_log_) cpu_.exception_observer = nullptr;
  translations_.detach(cpu_);
}

void Engine::guest_replaced() {
  translations_.clear();
  begin_anew();
}

// All that follows from the CPU's registers.
void Engine::begin_anew() {
  mmu_.activate(cpu_);
  mmu_.flush_all(cpu_);
  mmu_.debug_changed(cpu_);
  mmu_.forget_instruction_pages();
  choose_jump_cache(cpu_);
  cpu_.exit_reason = kExitNone;
  arm::recompute_pending(cpu_);
}

void Engine::follow_debugger() {
  const Changed changed = std::exchange(changed_, Changed::Nothing);
  if (changed == Changed::Registers) {
    mmu_.activate(cpu_);
    choose_jump_cache(cpu_);
    cpu_.exit_reason = kExitNone;  // r[15] may be elsewhere
  }
  mmu_.debug_changed(cpu_);
}

bool Engine::take_interrupts() {
  const uint32_t lines = std::atomic_ref<uint32_t>(cpu_.interrupt_lines).load();
  arm::stop_watching(cpu_);
  if (lines & kLineStop) return false;
  // Lowered first: who raises it from now on is not heard yet.
  if (lines & kLinePoll) lower_line(cpu_, kLinePoll);
  mmu_.polled(cpu_);
  choose_jump_cache(cpu_);
  if (lines & kLineWork) {
    // It may wait for other CPUs.
    mmu_.park(cpu_);
    platform_.run_queued_work(cpu_);
    mmu_.unpark(cpu_);
    if (changed_ != Changed::Nothing) follow_debugger();
  }
  switch (arm::pending_interrupt(cpu_)) {
    case arm::Interrupt::None: break;
    case arm::Interrupt::Irq:
      statistics_.interrupts++;
      helpers::take_exception(cpu_, arm::Exception::Irq, cpu_.r[15]);
      break;
    case arm::Interrupt::Fiq:
      statistics_.interrupts++;
      helpers::take_exception(cpu_, arm::Exception::Fiq, cpu_.r[15]);
      break;
  }
  arm::recompute_pending(cpu_);
  return true;
}

void Engine::run() {
  mmu_.unpark(cpu_);
  switch (std::exchange(restart_, Restart::None)) {
    case Restart::None: break;
    case Restart::CpuIsNew: begin_anew(); break;
    case Restart::AllIsNew: guest_replaced(); break;
  }
  for (;;) {
    if (std::atomic_ref<uint32_t>(cpu_.pending).load(std::memory_order_acquire) && !take_interrupts()) break;
    run_once();
  }
  mmu_.park(cpu_);
}

void Engine::step() {
  if (std::atomic_ref<uint32_t>(cpu_.pending).load() && !take_interrupts()) return;
  run_once();
}

void Engine::run_once() {
  self_.cpus->between_blocks(self_.index);
  // PSR.E and alignment checking change only outside translated code. Page ids stand for code of
  // one setting.
  if (cpu_.e != cpu_.page_ids_e || cpu_.strict_alignment != cpu_.page_ids_a) {
    cpu_.page_ids_e = cpu_.e;
    cpu_.page_ids_a = cpu_.strict_alignment;
    mmu_.forget_instruction_pages();
  }
  const uint32_t reason = cpu_.exit_reason;
  cpu_.exit_reason = kExitNone;
  const void* const code = lookup_.next(reason);
  if (!code) return;
  if (log_.items) log_registers(log_, cpu_);
  enter_(&cpu_, code);
  if (faults_.has_effects()) {
    helpers::apply_effects(cpu_, faults_.take_effects());
    arm::recompute_pending(cpu_);
  }
  switch (cpu_.exit_reason) {
    case kExitLookup: statistics_.exits_lookup++; break;
    case kExitLink: statistics_.exits_link++; break;
    case kExitApart: statistics_.exits_apart++; break;
    case kExitIndirect: statistics_.exits_indirect++; break;
    case kExitPoll: statistics_.exits_poll++; break;
    default: statistics_.exits_exception++; break;
  }
}

}  // namespace crosswalk::engine
