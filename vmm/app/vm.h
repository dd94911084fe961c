// SPDX-License-Identifier: GPL-2.0-or-later
// A virtual machine: the machine, and for each of its CPUs what executes it.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"
#include "translator/base/trace.h"
#include "translator/engine/engine.h"
#include "translator/engine/translations.h"
#include "translator/engine/world.h"
#include "vmm/app/observability.h"
#include "vmm/app/options.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/machine.h"

namespace crosswalk::vmm {

// One CPU, with its parts in the order in which they are made.
struct VmCpu {
  explicit VmCpu(CpuState& cpu) : state(cpu) {}

  CpuState& state;  // the machine's
  std::unique_ptr<engine::World> world;
  kvm::KvmWorld* kvm_world = nullptr;  // the same, if it is one
  std::unique_ptr<mmu::WindowBackend> backend;
  mmu::MmuCosts costs;
  std::unique_ptr<mmu::Mmu> mmu;
  std::optional<engine::Engine> engine;
  uint64_t left = trace::ticks();  // when it was not in the guest last
  std::thread thread;              // of CPUs but the first, whose thread is that which calls Vm::run
};

class Vm final : private EnginePort {
 public:
  // `machine` has loaded its guest. `options` leave nothing open. `observability` is prepared, and
  // outlives the virtual machine.
  static Result<std::unique_ptr<Vm>> create(const RunOptions& options, std::unique_ptr<Machine> machine,
                                            Observability& observability);

  // Starts the machine and runs the guest until the machine stops: CPU 0 on this thread, the others
  // each on one of its own, which are started first. Nothing is opened and no thread started
  // afterwards. `sandbox`: what confines these threads; null: nothing.
  void run(const Sandbox* sandbox);

  Machine& machine() { return *machine_; }
  const std::vector<std::unique_ptr<VmCpu>>& cpus() const { return cpus_; }
  void add_statistics(StatisticsTable& table) const;

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };

  Vm(const RunOptions& options, std::unique_ptr<Machine> machine, Observability& observability)
      : options_(options), machine_(std::move(machine)), observability_(observability) {}
  Result<bool> open_log();
  Result<bool> make_cpu(unsigned index);
  void run_cpu(unsigned index, const Sandbox* sandbox);
  Result<bool> make_world(VmCpu& cpu) const;
  Result<bool> make_backend(VmCpu& cpu, mmu::MmuConfig& config) const;
  mmu::MmuConfig mmu_config() const;
  engine::EngineConfig engine_config() const;

  VmCpu& of(const CpuState& cpu) { return *cpus_[cpu.cpu_index]; }
  void external_write(CpuState& cpu, uint64_t pa, uint64_t bytes) override;
  void flash_hidden(CpuState& cpu) override;
  bool translate(CpuState& cpu, uint32_t va, bool write, uint64_t& pa) override;
  bool translate_for_debugger(CpuState& cpu, uint32_t va, uint64_t& pa) override;
  void debugger_changed(CpuState& cpu, bool registers) override;
  void forget_translations() override { translations_->clear(); }
  void add_state(const CpuState& cpu, StateReport& state) override;

  RunOptions options_;
  std::unique_ptr<Machine> machine_;
  Observability& observability_;
  std::unique_ptr<FILE, Close> log_;
  engine::EngineConfig engine_config_;
  std::unique_ptr<engine::Translations> translations_;  // of all CPUs
  std::unique_ptr<mmu::MmuMachine> mmu_machine_;        // the same
  std::vector<std::unique_ptr<VmCpu>> cpus_;
};

}  // namespace crosswalk::vmm
