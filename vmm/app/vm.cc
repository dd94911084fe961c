// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/vm.h"

#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "mmu-shadow/walker/regime.h"
#include "translator/arm32/cpu/reset.h"
#include "vmm/base/sandbox.h"
#include "vmm/base/statistics.h"
#include "vmm/host/window_costs.h"
#include "vmm/machine/control/state_report.h"
#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::vmm {

Result<std::unique_ptr<Vm>> Vm::create(const RunOptions& options, std::unique_ptr<Machine> machine,
                                       Observability& observability) {
  std::unique_ptr<Vm> vm(new Vm(options, std::move(machine), observability));
  if (auto opened = vm->open_log(); !opened) return opened.take_error();
  vm->engine_config_ = vm->engine_config();
  observability.configure(vm->engine_config_);
  auto translations = engine::Translations::create(vm->engine_config_);
  if (!translations) return translations.take_error();
  vm->translations_ = std::move(*translations);
  for (unsigned index = 0; index < vm->machine_->cpu_count(); ++index) {
    if (auto made = vm->make_cpu(index); !made) return made.take_error();
  }
  vm->machine_->set_engine(vm.get());
  vm->machine_->set_symbols(&observability.symbols());
  return vm;
}

Result<bool> Vm::open_log() {
  if (!engine::parse_log_items(options_.log_items).items || options_.log_file.empty()) return true;
  log_.reset(std::fopen(options_.log_file.c_str(), "w"));
  if (!log_) return Error{"--log-file: cannot write '" + options_.log_file + "': " + std::strerror(errno)};
  return true;
}

mmu::MmuConfig Vm::mmu_config() const {
  mmu::MmuConfig config;
  config.mode = options_.mmu->mode;
  config.fill_around = !options_.no_fill_around;
  config.flush = options_.flush;
  config.fill_bytes = options_.fill_bytes;
  config.prefill = !options_.no_prefill;
  config.soft_tlb = options_.soft_tlb;
  config.install_on_return = !options_.no_install_on_return;
  config.share_tables = !options_.no_share_tables;
  // What is resident is this process's, in the windows of all CPUs.
  const uint64_t cpus = machine_->cpu_count();
  if (cpus > 1) config.max_resident_pages = cpus * (machine_->ram().size >> 12) * 2 + mmu::kResidentBeyondRam;
  return config;
}

engine::EngineConfig Vm::engine_config() const {
  engine::EngineConfig config;
  config.mode = options_.mmu->mode;
  config.code_cache_bytes = options_.code_cache_bytes;
  config.chain = !options_.no_chain;
  config.optimise = !options_.no_optimise;
  config.flag_fusion = !options_.no_flag_fusion;
  config.assume_fp_mode = !options_.no_assume_fp_mode;
  config.guess_targets = !options_.no_guess_targets;
  config.carry_vectors = !options_.no_carry_vectors;
  config.recycle = !options_.no_recycle;
  config.mixed_pages = !options_.no_mixed_pages;
  config.relocate = !options_.no_relocate;
  config.translate.native_simd = !options_.no_native_simd;
  config.share_lookups = !options_.no_share_lookups;
  config.log.items = engine::parse_log_items(options_.log_items).items;
  config.log.file = log_ ? log_.get() : stderr;
  return config;
}

Result<bool> Vm::make_world(VmCpu& cpu) const {
  if (!needs_kvm(options_)) {
    auto made = make_process_world();
    if (!made) return made.take_error();
    cpu.world = std::move(*made);
    return true;
  }
  auto made = kvm::KvmWorld::create({.fault_delivery = options_.fault_delivery, .flush = options_.window_flush});
  if (!made) return made.take_error();
  cpu.kvm_world = made->get();
  cpu.world = std::move(*made);
  // The timer thread reads the same counter outside the VM.
  if (machine_->clock().uses_tsc() && !cpu.kvm_world->tsc_is_exact()) {
    return Error{"this KVM does not show the host's time-stamp counter to the VM; use --world process"};
  }
  return true;
}

// And the costs of what it does, which are measured for the first CPU.
Result<bool> Vm::make_backend(VmCpu& cpu, mmu::MmuConfig& config) const {
  if (!options_.windows) return true;
  // One for each address space, and those that address spaces share: in Linux one or two.
  const unsigned windows = config.max_spaces + 8;
  const Provider& provider = options_.windows->provider;
  const WindowSite site{cpu.kvm_world, machine_->ram(), windows, machine_->cpu_count()};
  const bool measured = config.mode == mmu::Mode::Flat || cpus_.size() > 1;
  auto made = measured ? provider.make(site) : make_measured(*cpu.world, provider, site, config.costs);
  if (!made) return Error{std::string("--mmu ") + options_.mmu->name + ": " + made.error()};
  cpu.backend = std::move(*made);
  cpu.world->deliver_by(cpu.backend->upcalls());
  if (machine_->clock().uses_tsc()) config.costs.ticks_per_ns = machine_->clock().tsc_mhz() / 1000;
  return true;
}

Result<bool> Vm::make_cpu(unsigned index) {
  VmCpu& cpu = *cpus_.emplace_back(std::make_unique<VmCpu>(machine_->cpu(index)));
  mmu::MmuConfig mmu_config = this->mmu_config();
  if (auto made = make_world(cpu); !made) return made;
  if (index == 0)
    mmu::measure_walk_costs(mmu_config.costs);
  else
    mmu_config.costs = cpus_.front()->costs;
  if (auto made = make_backend(cpu, mmu_config); !made) return made;
  cpu.costs = mmu_config.costs;
  const arm::CpuModel model = options_.cpu == "cortex-a7" ? arm::CpuModel::CortexA7 : arm::CpuModel::CortexA15;
  if (!machine_->restored()) {
    arm::reset_cpu(cpu.state, model, index, machine_->cpu_count());
    if (index == 0) machine_->set_boot_registers(cpu.state);
  }
  observability_.configure(mmu_config, index);
  if (!mmu_machine_) mmu_machine_ = std::make_unique<mmu::MmuMachine>(mmu_config, machine_->ram(), *translations_);
  auto made_mmu = mmu::make_mmu(mmu_config, machine_->ram(), *mmu_machine_, cpu.backend.get());
  if (!made_mmu) return made_mmu.take_error();
  cpu.mmu = std::move(*made_mmu);
  cpu.engine.emplace(engine_config_, *translations_, *cpu.mmu, cpu.state, machine_->platform());
  if (cpu.kvm_world) {
    const auto code = translations_->code();
    if (auto added = cpu.kvm_world->add_code(code.data(), code.size()); !added) return added;
  }
  if (auto set = observability_.attach(cpu.state, *cpu.engine, *cpu.mmu, cpu.kvm_world); !set) return set.take_error();
  machine_->platform().timers_changed(cpu.state);
  return true;
}

void Vm::run(const Sandbox* sandbox) {
  machine_->start();
  for (unsigned index = 1; index < cpus_.size(); ++index) {
    cpus_[index]->thread = std::thread([this, index, sandbox] {
      const char name[] = {'C', 'P', 'U', ' ', static_cast<char>('0' + index), 0};
      pthread_setname_np(pthread_self(), name);
      run_cpu(index, sandbox);
    });
  }
  run_cpu(0, sandbox);
  for (const auto& cpu : cpus_) {
    if (cpu->thread.joinable()) cpu->thread.join();
  }
}

void Vm::run_cpu(unsigned index, const Sandbox* sandbox) {
  VmCpu& cpu = *cpus_[index];
  if (sandbox) {
    if (cpu.kvm_world) cpu.kvm_world->exits().confine(*sandbox);
    sandbox->enter(cpu.kvm_world ? Sandbox::Role::KvmCpu : Sandbox::Role::Cpu);
  }
  // Time in which the CPU is off is no address space's.
  const auto pass_over = [&cpu] { cpu.mmu->slept(trace::ticks() - cpu.left); };
  machine_->run_cpu(index, [&](CpuStart how) {
    if (how != CpuStart::AsBefore) {
      pass_over();
      cpu.engine->restart(how == CpuStart::MachineReset ? engine::Restart::AllIsNew : engine::Restart::CpuIsNew);
    }
    cpu.world->run([](void* engine) { static_cast<engine::Engine*>(engine)->run(); }, &*cpu.engine,
                   &engine::Engine::handle_fault, &*cpu.engine);
    cpu.left = trace::ticks();
  });
  pass_over();
}

void Vm::add_statistics(StatisticsTable& table) const {
  machine_->add_statistics(table);
  table.add("engine", engine::kTranslationCounters, translations_->statistics(), /*ticks_per_second=*/0);
  engine::EngineStatistics e;
  mmu::Statistics m;
  for (const auto& cpu : cpus_) {
    add_counters(e, cpu->engine->statistics());
    m += cpu->mmu->statistics();
  }
  const mmu::MmuCosts& costs = cpus_.front()->costs;
  const double ticks_per_second = costs.ticks_per_ns * 1e9;
  table.add("engine", engine::kCounters, e, ticks_per_second);
  table.add("mmu", mmu::kCounters, m, ticks_per_second);
  table.add("mmu", mmu::kWalkCosts, costs, ticks_per_second);
  if (m.window_faults_installed != 0 || m.promotions != 0) table.add("mmu", mmu::kWindowCosts, costs, ticks_per_second);
}

// ---- what the machine asks of the engine

void Vm::external_write(CpuState& cpu, uint64_t pa, uint64_t bytes) { of(cpu).mmu->note_external_write(pa, bytes); }

void Vm::flash_hidden(CpuState& cpu) { of(cpu).mmu->flash_hidden(cpu); }

bool Vm::translate(CpuState& cpu, uint32_t va, bool write, uint64_t& pa) {
  const mmu::AccessKind kind = write ? mmu::AccessKind::Store : mmu::AccessKind::Load;
  const mmu::Translation at = of(cpu).mmu->translate(cpu, va, kind, is_privileged(static_cast<Mode>(cpu.mode)));
  pa = at.pa;
  return at.ok;
}

// As a privileged access with all domains' managers, whose permissions are not checked (B3.7.3).
bool Vm::translate_for_debugger(CpuState& cpu, uint32_t va, uint64_t& pa) {
  constexpr uint32_t kManagers = ~uint32_t{0};
  const uint32_t dacr = std::exchange(cpu.cp15.dacr, kManagers);
  const mmu::Translation at = of(cpu).mmu->translate(cpu, va, mmu::AccessKind::Load, true);
  cpu.cp15.dacr = dacr;
  pa = at.pa;
  return at.ok;
}

void Vm::debugger_changed(CpuState& cpu, bool registers) { of(cpu).engine->debugger_changed(registers); }

void Vm::add_state(const CpuState& cpu, StateReport& state) {
  const VmCpu& parts = of(cpu);
  const mmu::RegimeKey key = mmu::key_of(mmu::regime_of(cpu.cp15), is_privileged(static_cast<Mode>(cpu.mode)));
  state.memory = std::string("memory: --mmu ") + options_.mmu->name + ", " + parts.world->name() + " world; now a " +
                 (cpu.memory_window ? "window" : "software TLB");
  if (key.mmu_enabled())
    state.memory += " for ASID " + std::to_string(key.asid) + (key.privileged ? ", privileged" : ", user");
  else
    state.memory += ", untranslated";
  const engine::EngineStatistics& e = parts.engine->statistics();
  const mmu::Statistics& m = parts.mmu->statistics();
  state.counts = {{"blocks translated", translations_->statistics().blocks_translated},
                  {"interrupts", e.interrupts},
                  {"prefetch aborts", e.prefetch_aborts},
                  {"data aborts", e.data_aborts},
                  {"window faults", e.window_faults},
                  {"walks", m.walks},
                  {"space switches", m.space_switches},
                  {"flushes", m.flush_all + m.flush_asid + m.flush_mva + m.flush_mvaa}};
}

}  // namespace crosswalk::vmm
