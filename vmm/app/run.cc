// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/run.h"

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "mmu-shadow/mmu.h"
#include "mmu-shadow/walker/regime.h"
#include "translator/arm32/cpu/reset.h"
#include "translator/engine/engine.h"
#include "translator/engine/world.h"
#include "vmm/app/observability.h"
#include "vmm/base/patient_write.h"
#include "vmm/base/sandbox.h"
#include "vmm/base/statistics.h"
#include "vmm/host/probe.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/state_report.h"
#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::vmm {
namespace {

constexpr unsigned kBootCpu = 0;  // the one that runs when the machine is switched on

int fail(const std::string& message, ExitStatus status) {
  std::fprintf(stderr, "crosswalk: %s\n", message.c_str());
  return status;
}

// What --mmu, --windows and --world leave open: measures the host where it must. Afterwards `mmu` and `world` are set,
// and `windows` if the mode has some.
void resolve_by_host(RunOptions& options) {
  const auto has_form = [&](mmu::Form form) { return options.mmu && options.mmu->mode.form == form; };
  if (!options.mmu || (has_form(mmu::Form::Hybrid) && !options.windows && !options.world)) {
    HostFacts facts = probe_host();
    if (options.world) facts = within(*options.world, facts);
    const Choice choice = pick_auto(facts);
    if (!options.mmu) options.mmu = choice.mode;
    options.windows = choice.windows;
  }
  if (has_form(mmu::Form::SoftTlb))
    options.windows = nullptr;
  else if (!options.windows)
    options.windows = &default_windows(*options.mmu, options.world.value_or(WorldKind::Process));
  if (!options.world) options.world = options.windows ? options.windows->provider.world : WorldKind::Process;
}

MachineConfig machine_config(const RunOptions& options, const Sandbox* sandbox) {
  MachineConfig config;
  config.sandbox = sandbox;
  config.memory_bytes = options.memory_bytes;
  config.shared_ram = options.windows && options.windows->provider.ram_is_file;
  for (const DiskOption& disk : options.disks) config.disks.push_back({disk.path, disk.read_only, disk.any_format});
  config.input_fd = STDIN_FILENO;
  config.output_fd = STDOUT_FILENO;
  config.error_fd = STDERR_FILENO;
  config.escape_keys = isatty(STDIN_FILENO);
  config.virtio_console = options.console == "virtio";
  config.catch_signals = true;
  config.timeout_seconds = options.timeout_seconds;
  // The resident size of windows is looked at when the CPU polls; that of flat's one window is RAM's.
  if (options.windows && options.mmu->mode != mmu::Mode::Flat)
    config.poll_seconds = options.windows->provider.poll_seconds;
  // A guest that never leaves an address space is judged all the same.
  if (options.mmu->mode == mmu::Mode::Hybrid) config.poll_seconds = 0.01;
  config.semihosting = {options.semihosting, options.semihosting_files,
                        options.append.empty() ? options.kernel : options.kernel + " " + options.append};
  return config;
}

// What the machine asks of the engine.
class Port final : public EnginePort {
 public:
  Port(mmu::Mmu& mmu, const engine::Engine& engine, std::string memory)
      : mmu_(mmu), engine_(engine), memory_(std::move(memory)) {}
  void external_write(CpuState&, uint64_t pa, uint64_t bytes) override { mmu_.note_external_write(pa, bytes); }
  bool translate(CpuState& cpu, uint32_t va, bool write, uint64_t& pa) override {
    const mmu::Translation at = mmu_.translate(cpu, va, write ? mmu::AccessKind::Store : mmu::AccessKind::Load,
                                               is_privileged(static_cast<Mode>(cpu.mode)));
    pa = at.pa;
    return at.ok;
  }
  void add_state(const CpuState& cpu, StateReport& state) override {
    const mmu::RegimeKey key = mmu::key_of(mmu::regime_of(cpu.cp15), is_privileged(static_cast<Mode>(cpu.mode)));
    state.memory = memory_ + "; now a " + (cpu.memory_window ? "window" : "software TLB");
    if (key.mmu_enabled())
      state.memory += " for ASID " + std::to_string(key.asid) + (key.privileged ? ", privileged" : ", user");
    else
      state.memory += ", untranslated";
    const engine::EngineStatistics& e = engine_.statistics();
    const mmu::Statistics& m = mmu_.statistics();
    state.counts = {{"blocks translated", e.blocks_translated},
                    {"interrupts", e.interrupts},
                    {"prefetch aborts", e.prefetch_aborts},
                    {"data aborts", e.data_aborts},
                    {"window faults", e.window_faults},
                    {"walks", m.walks},
                    {"space switches", m.space_switches},
                    {"flushes", m.flush_all + m.flush_asid + m.flush_mva + m.flush_mvaa}};
  }

 private:
  mmu::Mmu& mmu_;
  const engine::Engine& engine_;
  std::string memory_;
};

// The worlds, backends, MMU and engine, in the order in which they must be made.
struct Runner {
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<FILE, Close> log;
  std::optional<OutputFile> stats_json;
  Observability observability;
  std::unique_ptr<engine::World> world;
  kvm::KvmWorld* kvm_world = nullptr;  // the same, if it is one
  std::unique_ptr<mmu::WindowBackend> backend;
  mmu::MmuCosts costs;
  std::optional<engine::Engine> engine;
  std::unique_ptr<mmu::Mmu> mmu;
  std::unique_ptr<Port> port;
};

Result<bool> make_runner(const RunOptions& options, Machine& machine, Runner& runner) {
  mmu::MmuConfig mmu_config;
  mmu_config.mode = options.mmu->mode;
  mmu_config.fill_around = !options.no_fill_around;
  mmu_config.flush = options.flush;
  mmu_config.fill_bytes = options.fill_bytes;
  mmu_config.prefill = !options.no_prefill;
  mmu_config.install_on_return = !options.no_install_on_return;
  mmu_config.share_tables = !options.no_share_tables;
  // One for each address space, and those that address spaces share: in Linux one or two.
  const unsigned windows = mmu_config.max_spaces + 8;
  kvm::KvmWorld* kvm_world = nullptr;
  if (needs_kvm(options)) {
    auto made = kvm::KvmWorld::create({.fault_delivery = options.fault_delivery, .flush = options.window_flush});
    if (!made) return made.take_error();
    kvm_world = runner.kvm_world = made->get();
    // The timer thread reads the same counter outside the VM.
    if (machine.clock().uses_tsc() && !kvm_world->tsc_is_exact()) {
      return Error{"this KVM does not show the host's time-stamp counter to the VM; use --world process"};
    }
    runner.world = std::move(*made);
  } else {
    runner.world = make_process_world();
  }
  if (options.windows) {
    auto made = options.windows->provider.make({kvm_world, machine.ram(), windows});
    if (!made) return made.take_error();
    runner.backend = std::move(*made);
  }
  mmu::measure_walk_costs(mmu_config.costs);
  if (runner.backend && mmu_config.mode != mmu::Mode::Flat) {
    if (auto measured = measure_window_costs(*runner.world, *runner.backend, machine.ram(), mmu_config.costs);
        !measured)
      return Error{std::string("--mmu ") + options.mmu->name + ": windows do not work here: " + measured.error()};
    if (machine.clock().uses_tsc()) mmu_config.costs.ticks_per_ns = machine.clock().tsc_mhz() / 1000;
  }
  runner.costs = mmu_config.costs;
  CpuState& cpu = machine.cpu(kBootCpu);
  arm::reset_cpu(cpu, options.cpu == "cortex-a7" ? arm::CpuModel::CortexA7 : arm::CpuModel::CortexA15);
  machine.set_boot_registers(cpu);
  engine::EngineConfig engine_config;
  engine_config.mode = mmu_config.mode;
  engine_config.code_cache_bytes = options.code_cache_bytes;
  engine_config.chain = !options.no_chain;
  engine_config.optimise = !options.no_optimise;
  engine_config.flag_fusion = !options.no_flag_fusion;
  engine_config.log.items = engine::parse_log_items(options.log_items).items;
  engine_config.log.file = stderr;
  if (engine_config.log.items && !options.log_file.empty()) {
    runner.log.reset(std::fopen(options.log_file.c_str(), "w"));
    if (!runner.log) return Error{"--log-file: cannot write '" + options.log_file + "': " + std::strerror(errno)};
    engine_config.log.file = runner.log.get();
  }
  runner.observability.configure(mmu_config, engine_config);
  runner.engine.emplace(engine_config, cpu, machine.ram(), machine.platform());
  runner.mmu = mmu::make_mmu(mmu_config, machine.ram(), *runner.engine, runner.backend.get());
  runner.engine->attach(*runner.mmu);
  runner.world->add_code(runner.engine->code().data(), runner.engine->code().size());
  if (auto set = runner.observability.attach(cpu, *runner.engine, kvm_world); !set) return set.take_error();
  runner.port = std::make_unique<Port>(
      *runner.mmu, *runner.engine,
      std::string("memory: --mmu ") + options.mmu->name + ", " + runner.world->name() + " world");
  machine.set_engine(runner.port.get());
  machine.set_symbols(&runner.observability.symbols());
  machine.platform().timers_changed(cpu);
  return true;
}

void add_engine_statistics(StatisticsTable& table, const Runner& runner) {
  const mmu::Statistics& m = runner.mmu->statistics();
  const double ticks_per_second = runner.costs.ticks_per_ns * 1e9;
  table.add("engine", engine::kCounters, runner.engine->statistics(), ticks_per_second);
  table.add("mmu", mmu::kCounters, m, ticks_per_second);
  table.add("mmu", mmu::kWalkCosts, runner.costs, ticks_per_second);
  if (m.window_faults_installed != 0 || m.promotions != 0)
    table.add("mmu", mmu::kWindowCosts, runner.costs, ticks_per_second);
}

// What is said at the end, to a standard error that may be a pipe that nobody reads: then only once.
class Messages {
 public:
  explicit Messages(int fd) : fd_(fd) {}
  void operator()(const std::string& lines) { taken_ = taken_ && print_error(fd_, lines, kMilliseconds); }

 private:
  static constexpr int kMilliseconds = 100;
  int fd_;
  bool taken_ = true;
};

int report(const RunOptions& options, Machine& machine, Runner& runner, Messages& say) {
  if (options.stats || !options.stats_json.empty()) {
    StatisticsTable table;
    table.add("run", "mmu", std::string(options.mmu->name));
    if (options.mmu->takes_windows()) table.add("run", "windows", std::string(options.windows->name));
    table.add("run", "world", std::string(runner.world->name()));
    machine.add_statistics(table);
    add_engine_statistics(table, runner);
    runner.observability.add_statistics(table, machine, machine.cpu(kBootCpu), *runner.mmu);
    if (options.stats) say(table.table());
    if (!options.stats_json.empty()) {
      if (auto written = table.write_json(*runner.stats_json); !written)
        return fail(written.error(), kExitInternalError);
    }
  }
  if (auto written = runner.observability.finish(*runner.world); !written)
    return fail(written.error(), kExitInternalError);
  const StopState state = machine.stop_state();
  switch (state.reason) {
    case StopReason::Timeout:
      say(machine.describe_stopped());
      say(fmt::format("crosswalk: stopped after --timeout {:g} seconds\n", options.timeout_seconds));
      break;
    case StopReason::Reset: say("crosswalk: the guest asked for a reset\n"); break;
    default: break;
  }
  return state.exit_status();
}

// The heap grows by a few large pages at a time and never shrinks. In small steps the host backs it with small pages
// and collapses them to large ones later; in a VM an access to such a page faults again and again until that is done.
// And each step leaves the VM.
void grow_heap_in_large_steps() {
  mallopt(M_TOP_PAD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 4 << 20);  // no longer chosen by malloc(3) when the others are set
}

}  // namespace

int run_guest(const RunOptions& requested) {
  RunOptions options = requested;
  grow_heap_in_large_steps();
  resolve_by_host(options);
  signal(SIGUSR1, SIG_IGN);  // whoever asks for the state too early gets none; blocked, it is heard all the same
  // Before anything large exists: the terminal's guardian is a fork of this process.
  std::optional<RawTerminal> terminal(std::in_place, STDIN_FILENO);
  std::optional<Sandbox> sandbox;
  if (options.sandbox && !Sandbox::built_in()) {
    std::fputs("crosswalk: built with a sanitizer: the sandbox is off\n", stderr);
  } else if (options.sandbox) {
    auto made = Sandbox::create({.semihosting_files = !options.semihosting_files.empty()});
    if (!made) {
      terminal.reset();
      return fail(made.error(), kExitInternalError);
    }
    sandbox = std::move(*made);
  }
  MachineConfig config = machine_config(options, sandbox ? &*sandbox : nullptr);
  config.output_fd = reopen_nonblocking(STDOUT_FILENO);
  config.error_fd = reopen_nonblocking(STDERR_FILENO);
  config.before_exit = [&terminal] { terminal->restore(); };
  config.continued = [&terminal] { terminal->resume(); };
  auto machine = Machine::create(config);
  if (!machine) {
    terminal.reset();
    return fail(machine.error(), kExitBadOptions);
  }
  const BootConfig boot{options.kernel, options.initrd, options.append, options.dtb, "arm," + options.cpu};
  if (auto loaded = (*machine)->load(boot); !loaded) {
    terminal.reset();
    return fail(loaded.error(), kExitBadOptions);
  }
  Runner runner;
  if (!options.stats_json.empty()) {
    auto opened = OutputFile::open("--stats-json", options.stats_json);
    if (!opened) {
      terminal.reset();
      return fail(opened.error(), kExitBadOptions);
    }
    runner.stats_json = std::move(*opened);
  }
  if (auto prepared = runner.observability.prepare(options); !prepared) {
    terminal.reset();
    return fail(prepared.error(), kExitBadOptions);
  }
  if (auto made = make_runner(options, **machine, runner); !made) {
    terminal.reset();
    return fail(made.error(), kExitInternalError);
  }
  // Nothing is opened and no thread started from here on.
  (*machine)->start();
  if (sandbox) {
    if (runner.kvm_world) runner.kvm_world->confine(*sandbox);
    sandbox->enter(runner.kvm_world ? Sandbox::Role::KvmCpu : Sandbox::Role::Cpu);
  }
  runner.world->run([](void* engine) { static_cast<engine::Engine*>(engine)->run(); }, &*runner.engine,
                    &engine::Engine::handle_fault, &*runner.engine);
  const bool ended = (*machine)->shutdown();
  terminal->restore();
  Messages say(config.error_fd);
  const int status = report(options, **machine, runner, say);
  if (!ended) {
    // The I/O thread may still use all that would be destroyed now.
    say("crosswalk: a request to a disk or to standard output does not end; the process ends without it\n");
    std::fflush(nullptr);
    _exit(status);
  }
  return status;
}

}  // namespace crosswalk::vmm
