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

// Ticks are the system counter's: of the run, and those in which CPUs were on and did not wait.
InstructionCounters instructions_of(uint64_t instructions, uint64_t blocks, uint64_t elapsed, uint64_t awake) {
  const auto rate = [&](uint64_t ticks) {
    const double seconds = static_cast<double>(ticks) / static_cast<double>(kCounterFrequency);
    return seconds > 0 ? static_cast<double>(instructions) / seconds * 1e-6 : 0;
  };
  return {instructions, blocks, rate(elapsed), rate(awake)};
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
  cpus_.resize(options.cpus);
  for (Cpu& cpu : cpus_) {
    if (options.stats_by_asid) cpu.accounts = std::make_unique<mmu::AsidAccounts>(mmu::Mmu::kAsids);
    if (options.trace.empty()) continue;
    auto made = TraceBuffer::create(options.trace_events / options.cpus);
    if (!made) return made.take_error();
    cpu.trace = std::move(*made);
  }
  if (!options.trace.empty()) {
    auto file = OutputFile::open("--trace", options.trace);
    if (!file) return file.take_error();
    trace_file_ = std::move(*file);
  }
  return true;
}

void Observability::configure(mmu::MmuConfig& config, unsigned cpu) const {
  config.accounts = cpus_[cpu].accounts.get();
}

void Observability::configure(engine::EngineConfig& config) const {
  config.listener = perf_map_.get();
  config.count = options_.count_instructions;
  config.log.describe_address = [this](uint32_t va) { return symbols_.describe(va); };
}

Result<bool> Observability::attach(CpuState& state, const engine::Engine& engine, const mmu::Mmu& mmu,
                                   kvm::KvmWorld* kvm_world) {
  Cpu& cpu = cpus_[state.cpu_index];
  cpu.state = &state;
  cpu.engine = &engine;
  cpu.mmu = &mmu;
  cpu.kvm_world = kvm_world;
  if (kvm_world && (cpu.trace || cpu.accounts) && !kvm_world->tsc_is_exact()) {
    return Error{std::string(cpu.trace ? "--trace" : "--stats-by-asid") +
                 ": this KVM does not show the host's time-stamp counter to the VM; use --world process"};
  }
  if (cpu.accounts) cpu.accounts->watch_data_aborts(&engine.statistics().data_aborts);
  if (cpu.trace) {
    state.trace = &cpu.trace->ring();
    if (kvm_world) kvm_world->exits().set_trace(state.trace);
  }
  return true;
}

void Observability::add_statistics(StatisticsTable& table, const Machine& machine) {
  const ClockPair now = ClockPair::now();
  const double ticks_per_second =
      static_cast<double>(now.tsc - start_.tsc) * 1e9 / static_cast<double>(now.nanoseconds - start_.nanoseconds);
  if (options_.count_instructions) {
    uint64_t instructions = 0, blocks = 0;
    for (const Cpu& cpu : cpus_) {
      instructions += cpu.state->instructions;
      blocks += cpu.state->blocks;
    }
    const MachineCounters counters = machine.counters();
    const uint64_t on = cpus_.size() == 1 ? counters.elapsed_ticks : counters.on_ticks;
    table.add("engine", kInstructionCounters,
              instructions_of(instructions, blocks, counters.elapsed_ticks,
                              on > counters.wait_ticks ? on - counters.wait_ticks : 0));
  }
  if (cpus_.front().kvm_world) add_exits(table, ticks_per_second);
  if (cpus_.size() > 1) add_cpus(table, machine);
  if (options_.stats_by_asid) add_asids(table, ticks_per_second);
}

void Observability::add_cpus(StatisticsTable& table, const Machine& machine) const {
  StatisticsTable::Grid grid{"cpus", "cpu", {}, {}};
  for (const Cpu& cpu : cpus_) {
    grid.columns.clear();
    StatisticsTable::Grid::Row row{cpu.state->cpu_index, {}};
    const auto add = [&](const char* column, StatisticsTable::Value value) {
      grid.columns.emplace_back(column);
      row.values.push_back(std::move(value));
    };
    const auto seconds = [](uint64_t ticks) { return static_cast<double>(ticks) / double{kCounterFrequency}; };
    const VcpuCounters& machine_counters = machine.counters_of(cpu.state->cpu_index);
    const engine::EngineStatistics& e = cpu.engine->statistics();
    const mmu::Statistics& m = cpu.mmu->statistics();
    add("on s", seconds(machine_counters.on_ticks));
    add("waiting s", seconds(machine_counters.wait_ticks));
    add("waits", machine_counters.waits);
    if (options_.count_instructions) add("instructions", cpu.state->instructions);
    add("interrupts", e.interrupts);
    add("device accesses", e.device_accesses);
    add("window faults", e.window_faults);
    add("walks", m.walks);
    add("space switches", m.space_switches);
    if (cpu.kvm_world) add("exits", cpu.kvm_world->counters().exits);
    grid.rows.push_back(std::move(row));
  }
  table.add(std::move(grid));
}

void Observability::add_exits(StatisticsTable& table, double ticks_per_second) const {
  kvm::KvmCounters counters;
  for (const Cpu& cpu : cpus_) add_counters(counters, cpu.kvm_world->counters());
  table.add("kvm", kvm::kCounters, counters, ticks_per_second);
  for (size_t i = 0; i < kvm::kExitReasons; i++)
    table.add("kvm", kvm::kReasonCounters, counters.by_reason[i], ticks_per_second,
              kvm::name_of(static_cast<kvm::ExitReason>(i)));
}

void Observability::add_asids(StatisticsTable& table, double ticks_per_second) {
  for (const Cpu& cpu : cpus_) cpu.accounts->settle(cpu.mmu->statistics());
  StatisticsTable::Grid grid{"by ASID", "asid", {}, {}};
  for (const auto& counter : mmu::kAsidCounters) grid.columns.push_back(counter.name);
  for (uint32_t asid = 0; asid < mmu::Mmu::kAsids; asid++) {
    mmu::AsidTotals totals;
    for (const Cpu& cpu : cpus_) add_counters(totals, cpu.accounts->of(asid));
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
  if (trace_file_) {
    std::vector<const trace::Ring*> rings;
    for (const Cpu& cpu : cpus_) {
      cpu.trace->ring().close_space(trace::ticks());
      rings.push_back(&cpu.trace->ring());
    }
    TraceDescription description;
    description.process = "crosswalk " + options_.kernel;
    description.facts = {{"mmu", options_.mmu->name}, {"world", world.name()}};
    description.symbols = &symbols_;
    return write_trace(*trace_file_, rings, cpus_.front().trace->start(), ClockPair::now(), description);
  }
  return true;
}

}  // namespace crosswalk::vmm
