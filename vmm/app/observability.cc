// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/observability.h"

#include <fmt/format.h>

#include "translator/base/counter.h"
#include "vmm/base/statistics.h"
#include "vmm/machine/machine.h"
#include "vmm/world/kvm/kvm_world.h"

namespace crosswalk::vmm {
namespace {

// What --count-instructions shows.
struct InstructionCounters {
  uint64_t instructions = 0, blocks = 0;
  double per_second = 0, per_second_awake = 0;  // in millions
};
constexpr Counter<InstructionCounters> kInstructionCounters[] = {
    {"guest instructions executed", &InstructionCounters::instructions},
    {"blocks executed", &InstructionCounters::blocks},
    {"guest instructions a second", &InstructionCounters::per_second, CounterUnit::Mips},
    {"guest instructions a second, not waiting", &InstructionCounters::per_second_awake, CounterUnit::Mips},
};

InstructionCounters instructions_of(const CpuState& cpu, const MachineCounters& machine) {
  const auto rate = [&](uint64_t ticks) {
    const double seconds = static_cast<double>(ticks) / static_cast<double>(kCounterFrequency);
    return seconds > 0 ? static_cast<double>(cpu.instructions) / seconds * 1e-6 : 0;
  };
  return {cpu.instructions, cpu.blocks, rate(machine.elapsed_ticks),
          machine.elapsed_ticks > machine.wait_ticks ? rate(machine.elapsed_ticks - machine.wait_ticks) : 0};
}

}  // namespace

Result<bool> Observability::prepare(const RunOptions& options) {
  options_ = options;
  start_ = ClockPair::now();
  // Read now, whether something will ask for them or not: a state may be wanted at any time.
  if (options.symbols.empty()) {
    symbols_ = SymbolTable::of_kernel(options.kernel);
  } else {
    auto loaded = SymbolTable::load(options.symbols, "--symbols");
    if (!loaded) return loaded.take_error();
    symbols_ = std::move(*loaded);
  }
  if (options.perf_map) {
    auto made = PerfMap::create(PerfMap::default_path(), symbols_);
    if (!made) return made.take_error();
    perf_map_ = std::move(*made);
  }
  if (!options.trace.empty()) {
    auto made = TraceBuffer::create(options.trace_events);
    if (!made) return made.take_error();
    trace_ = std::move(*made);
    auto file = OutputFile::open("--trace", options.trace);
    if (!file) return file.take_error();
    trace_file_ = std::move(*file);
  }
  if (options.stats_by_asid) accounts_ = std::make_unique<mmu::AsidAccounts>(mmu::Mmu::kAsids);
  return true;
}

void Observability::configure(mmu::MmuConfig& config) const { config.accounts = accounts_.get(); }

void Observability::configure(engine::EngineConfig& config) const {
  config.listener = perf_map_.get();
  config.count = options_.count_instructions;
  config.log.describe_address = [this](uint32_t va) { return symbols_.describe(va); };
}

Result<bool> Observability::attach(CpuState& cpu, const engine::Engine& engine, kvm::KvmWorld* kvm_world) {
  kvm_world_ = kvm_world;
  if (kvm_world && (trace_ || accounts_) && !kvm_world->tsc_is_exact()) {
    return Error{std::string(trace_ ? "--trace" : "--stats-by-asid") +
                 ": this KVM does not show the host's time-stamp counter to the VM; use --world process"};
  }
  if (accounts_) accounts_->watch_data_aborts(&engine.statistics().data_aborts);
  if (trace_) {
    cpu.trace = &trace_->ring();
    if (kvm_world) kvm_world->exits().set_trace(cpu.trace);
  }
  return true;
}

void Observability::add_statistics(StatisticsTable& table, const Machine& machine, const CpuState& cpu,
                                   const mmu::Mmu& mmu) {
  const ClockPair now = ClockPair::now();
  const double ticks_per_second =
      static_cast<double>(now.tsc - start_.tsc) * 1e9 / static_cast<double>(now.nanoseconds - start_.nanoseconds);
  if (options_.count_instructions) table.add("engine", kInstructionCounters, instructions_of(cpu, machine.counters()));
  if (kvm_world_) add_exits(table, ticks_per_second);
  if (accounts_) add_asids(table, mmu, ticks_per_second);
}

void Observability::add_exits(StatisticsTable& table, double ticks_per_second) const {
  const kvm::KvmCounters counters = kvm_world_->counters();
  table.add("kvm", kvm::kCounters, counters, ticks_per_second);
  for (size_t i = 0; i < kvm::kExitReasons; i++)
    table.add("kvm", kvm::kReasonCounters, counters.by_reason[i], ticks_per_second,
              kvm::name_of(static_cast<kvm::ExitReason>(i)));
}

void Observability::add_asids(StatisticsTable& table, const mmu::Mmu& mmu, double ticks_per_second) {
  accounts_->settle(mmu.statistics());
  StatisticsTable::Grid grid{"by ASID", "asid", {}, {}};
  for (const auto& counter : mmu::kAsidCounters) grid.columns.push_back(counter.name);
  for (uint32_t asid = 0; asid < accounts_->asids(); asid++) {
    const mmu::AsidTotals& totals = accounts_->of(asid);
    if (totals.ticks_user + totals.ticks_privileged == 0) continue;
    StatisticsTable::Grid::Row row{asid, {}};
    for (const auto& counter : mmu::kAsidCounters) {
      std::visit([&](auto value) { row.values.push_back(value); }, counter.shown(totals, ticks_per_second));
    }
    grid.rows.push_back(std::move(row));
  }
  table.add(std::move(grid));
}

Result<bool> Observability::finish(const engine::World& world) {
  if (perf_map_) {
    if (auto written = perf_map_->finish(); !written) return written;
  }
  if (trace_) {
    trace_->ring().close_space(trace::ticks());
    TraceDescription description;
    description.process = "crosswalk " + options_.kernel;
    description.facts = {{"mmu", options_.mmu->name}, {"world", world.name()}};
    description.symbols = &symbols_;
    return write_trace(*trace_file_, trace_->ring(), trace_->start(), ClockPair::now(), description);
  }
  return true;
}

}  // namespace crosswalk::vmm
