// SPDX-License-Identifier: GPL-2.0-or-later
// What --trace, --perf-map, --count-instructions and --stats-by-asid need in one run: made before
// the engine, attached to it, written at exit. docs/observability.md says how the files are used.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mmu-shadow/accounts.h"
#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"
#include "translator/engine/engine.h"
#include "translator/engine/world.h"
#include "vmm/app/options.h"
#include "vmm/app/perf_map.h"
#include "vmm/app/trace_writer.h"
#include "vmm/machine/loader/symbols.h"

namespace crosswalk::kvm {
class KvmWorld;
}

namespace crosswalk::vmm {

class Machine;
class StatisticsTable;

class Observability {
 public:
  // Reads symbols, opens files, allocates. Errors are the options' fault.
  Result<bool> prepare(const RunOptions& options);
  // This object outlives what is made from the configurations.
  void configure(mmu::MmuConfig& config) const;
  void configure(engine::EngineConfig& config) const;
  // Before the run. `kvm_world` is null in the process world.
  Result<bool> attach(CpuState& cpu, const engine::Engine& engine, kvm::KvmWorld* kvm_world);

  // Guest functions: those of --symbols or of an ELF kernel; perhaps none.
  const SymbolTable& symbols() const { return symbols_; }

  // After the run: the rows that need more than one subsystem's counters.
  void add_statistics(StatisticsTable& table, const Machine& machine, const CpuState& cpu, const mmu::Mmu& mmu);
  // Writes the files.
  Result<bool> finish(const engine::World& world);

 private:
  void add_asids(StatisticsTable& table, const mmu::Mmu& mmu, double ticks_per_second);
  void add_exits(StatisticsTable& table, double ticks_per_second) const;

  RunOptions options_;
  SymbolTable symbols_;
  std::unique_ptr<PerfMap> perf_map_;
  std::unique_ptr<TraceBuffer> trace_;
  std::optional<OutputFile> trace_file_;
  std::unique_ptr<mmu::AsidAccounts> accounts_;
  kvm::KvmWorld* kvm_world_ = nullptr;
  ClockPair start_;
};

}  // namespace crosswalk::vmm
