// SPDX-License-Identifier: GPL-2.0-or-later
// What --trace, --perf-map, --count-instructions and --stats-by-asid need in one run: made before
// the engine, attached to it, written at exit. docs/observability.md says how the files are used.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  void configure(mmu::MmuConfig& config, unsigned cpu) const;
  void configure(engine::EngineConfig& config) const;
  // Before the run, each CPU with its parts, which are there until finish(). `kvm_world` is null in
  // the process world.
  Result<bool> attach(CpuState& cpu, const engine::Engine& engine, const mmu::Mmu& mmu, kvm::KvmWorld* kvm_world);

  // Guest functions: those of --symbols or of an ELF kernel; perhaps none.
  const SymbolTable& symbols() const { return symbols_; }

  // After the run: the rows that need more than one subsystem's counters, of all CPUs together, and
  // with several CPUs a table of them.
  void add_statistics(StatisticsTable& table, const Machine& machine);
  // Writes the files.
  Result<bool> finish(const engine::World& world);

 private:
  struct Cpu {
    std::unique_ptr<TraceBuffer> trace;           // null: none
    std::unique_ptr<mmu::AsidAccounts> accounts;  // null: none
    const CpuState* state = nullptr;
    const engine::Engine* engine = nullptr;
    const mmu::Mmu* mmu = nullptr;
    kvm::KvmWorld* kvm_world = nullptr;
  };
  void add_cpus(StatisticsTable& table, const Machine& machine) const;
  void add_asids(StatisticsTable& table, double ticks_per_second);
  void add_exits(StatisticsTable& table, double ticks_per_second) const;

  RunOptions options_;
  SymbolTable symbols_;
  std::unique_ptr<PerfMap> perf_map_;
  std::optional<OutputFile> trace_file_;
  std::vector<Cpu> cpus_;  // by index
  ClockPair start_;
};

}  // namespace crosswalk::vmm
