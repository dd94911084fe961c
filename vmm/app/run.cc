// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/run.h"

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>

#include "translator/engine/world.h"
#include "vmm/app/observability.h"
#include "vmm/app/vm.h"
#include "vmm/base/output_file.h"
#include "vmm/base/patient_write.h"
#include "vmm/base/raw_terminal.h"
#include "vmm/base/sandbox.h"
#include "vmm/base/statistics.h"
#include "vmm/host/probe.h"
#include "vmm/machine/control/serial_backend.h"
#include "vmm/machine/machine.h"

namespace crosswalk::vmm {
namespace {

int fail(const std::string& message, ExitStatus status) {
  std::fprintf(stderr, "crosswalk: %s\n", message.c_str());
  return status;
}

// What --mmu, --windows and --world leave open: measures the host where it must. Afterwards `mmu`
// and `world` are set, and `windows` if the mode has some.
void resolve_by_host(RunOptions& options) {
  const auto has_form = [&](mmu::Form form) { return options.mmu && options.mmu->mode.form == form; };
  if (!options.mmu || (has_form(mmu::Form::Hybrid) && !options.windows && !options.world)) {
    HostFacts facts = probe_host(options.memory_bytes);
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

bool is_stdio(const SerialConfig& serial) { return serial.kind == SerialConfig::Kind::Stdio; }
bool at_standard_input(const RunOptions& options) { return std::ranges::any_of(options.serial, is_stdio); }

// What the machine has of a serial port. `backend`: null for standard input and output.
PortConfig port_config(const RunOptions& options, const SerialBackend* backend) {
  if (backend) return {backend->input_fd(), backend->output_fd(), false};
  return {STDIN_FILENO, reopen_nonblocking(STDOUT_FILENO), options.escape_key != 0 && isatty(STDIN_FILENO)};
}

MachineConfig machine_config(const RunOptions& options, const Sandbox* sandbox) {
  MachineConfig config;
  config.sandbox = sandbox;
  config.cpus = options.cpus;
  config.memory_bytes = options.memory_bytes;
  config.shared_ram = options.windows && options.windows->provider.ram_is_file;
  for (const DiskOption& disk : options.disks) config.disks.push_back({disk.path, disk.read_only, disk.any_format});
  config.escape_key = options.escape_key;
  config.virtio_console = options.console == "virtio";
  config.network = options.network;
  config.shares = options.shares;
  config.flash[0] = {options.bios, false, true};
  for (unsigned bank = 0; bank < 2; ++bank)
    if (const auto& flash = options.flash[bank]) config.flash[bank] = {flash->path, flash->read_only, false};
  config.has_flash = !config.flash[0].path.empty() || !config.flash[1].path.empty() || needs_flash(options.kernel) ||
                     options.restored_flash;
  config.catch_signals = true;
  config.power_button_by_signal = options.power_button_by_signal;
  config.timeout_seconds = options.timeout_seconds;
  // The resident size of windows is looked at when the CPU polls; that of flat's one window is
  // RAM's.
  if (options.windows && options.mmu->mode != mmu::Mode::Flat)
    config.poll_seconds = options.windows->provider.poll_seconds;
  // A guest that never leaves an address space is judged all the same.
  if (options.mmu->mode == mmu::Mode::Hybrid) config.poll_seconds = 0.01;
  config.reboots = options.reboot;
  config.waits = options.wait;
  config.cpu_model = options.cpu;
  config.debugger = options.debugger;
  config.semihosting = {options.semihosting, options.semihosting_files,
                        options.append.empty() ? options.kernel : options.kernel + " " + options.append};
  return config;
}

// What --restore's snapshot says of the machine is so, unless options say it too: then they must
// say the same.
Result<bool> take_shape(RunOptions& options, const MachineShape& shape) {
  const auto differs = [](const char* option, const std::string& of_snapshot) {
    return Error{std::string("--restore: the snapshot's machine has ") + option + " " + of_snapshot +
                 "; leave the option out"};
  };
  if (options.chose_memory && options.memory_bytes != shape.memory_bytes)
    return differs("--memory", std::to_string(shape.memory_bytes >> 20) + "M");
  if (options.chose_cpus && options.cpus != shape.cpus) return differs("--smp", std::to_string(shape.cpus));
  if (options.chose_cpu && options.cpu != shape.cpu_model) return differs("--cpu", shape.cpu_model);
  if (!shape.flash && (options.flash[0] || options.flash[1]))
    return Error{"--restore: the snapshot's machine has no flash; leave --pflash out"};
  options.restored_flash = shape.flash;
  options.memory_bytes = shape.memory_bytes;
  options.cpus = shape.cpus;
  options.cpu = shape.cpu_model;
  return true;
}

const char* path_or_null(const std::string& path) { return path.empty() ? nullptr : path.c_str(); }

// --dump-dtb.
Result<bool> write_device_tree(const std::string& path, std::span<const uint8_t> tree) {
  if (tree.empty()) return Error{"--dump-dtb: this ELF image leaves no room for a device tree, so it gets none"};
  auto file = OutputFile::open("--dump-dtb", path);
  if (!file) return file.take_error();
  return file->finish(std::fwrite(tree.data(), 1, tree.size(), file->stream()) == tree.size());
}

// What is said at the end, to a standard error that may be a pipe that nobody reads: then only
// once.
class Messages {
 public:
  explicit Messages(int fd) : fd_(fd) {}
  void operator()(const std::string& lines) { taken_ = taken_ && print_error(fd_, lines, kMilliseconds); }

 private:
  static constexpr int kMilliseconds = 100;
  int fd_;
  bool taken_ = true;
};

StatisticsTable statistics(const RunOptions& options, const std::optional<Conditions>& conditions, Vm& vm,
                           Observability& observability) {
  StatisticsTable table;
  if (conditions) {
    for (const auto& row : conditions->rows())
      std::visit([&](const auto& value) { table.add("conditions", row.first, value); }, row.second);
  }
  table.add("run", "mmu", std::string(options.mmu->name));
  if (options.mmu->takes_windows()) table.add("run", "windows", std::string(options.windows->name));
  table.add("run", "world", std::string(vm.cpus().front()->world->name()));
  if (options.cpus > 1) table.add("run", "cpus", uint64_t{options.cpus});
  vm.add_statistics(table);
  observability.add_statistics(table, vm.machine());
  return table;
}

int report(const RunOptions& options, const std::optional<Conditions>& conditions, Vm& vm, Observability& observability,
           std::optional<OutputFile>& stats_json, Messages& say) {
  Machine& machine = vm.machine();
  const engine::World& world = *vm.cpus().front()->world;
  if (options.stats || !options.stats_json.empty()) {
    const StatisticsTable table = statistics(options, conditions, vm, observability);
    if (options.stats) say(table.table());
    if (!options.stats_json.empty()) {
      if (auto written = table.write_json(*stats_json); !written) return fail(written.error(), kExitInternalError);
    }
  }
  if (auto written = observability.finish(world); !written) return fail(written.error(), kExitInternalError);
  if (std::ranges::any_of(vm.cpus(), [](const auto& cpu) { return cpu->mmu->flat_violation(); }))
    say("crosswalk: the guest turned its MMU on, which --mmu flat ignores\n");
  const StopState state = machine.stop().state();
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

// The heap grows by a few large pages at a time and never shrinks. In small steps the host backs it
// with small pages and collapses them to large ones later; in a VM an access to such a page faults
// again and again until that is done. And each step leaves the VM.
void set_up_heap(unsigned cpus) {
  mallopt(M_TOP_PAD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 4 << 20);  // no longer chosen by malloc(3) when the others are set
  // The threads of CPUs make no heaps of their own, for which none of that holds.
  if (cpus > 1) mallopt(M_ARENA_MAX, 1);
}

}  // namespace

int run_guest(const RunOptions& requested, const Invocation& invocation) {
  RunOptions options = requested;
  std::optional<Conditions> conditions;
  if (options.stats || !options.stats_json.empty() || !options.control.empty()) conditions.emplace(invocation);
  std::unique_ptr<SavedMachine> saved;
  if (!options.restore.empty()) {
    auto opened = SavedMachine::open("--restore", options.restore);
    if (!opened) return fail(opened.error(), kExitBadOptions);
    saved = std::move(*opened);
    if (auto taken = take_shape(options, saved->shape()); !taken) return fail(taken.error(), kExitBadOptions);
  }
  set_up_heap(options.cpus);
  resolve_by_host(options);
  // whoever asks for the state too early gets none; blocked, it is heard all the same
  signal(SIGUSR1, SIG_IGN);
  // Before anything large exists: the terminal's guardian is a fork of this process.
  std::optional<RawTerminal> terminal(std::in_place, at_standard_input(options) ? STDIN_FILENO : -1);
  const auto refuse = [&](const std::string& message, ExitStatus status) {
    terminal.reset();
    return fail(message, status);
  };
  const MonitorFiles monitor_files{options.control, options.snapshot,
                                   options.snapshot.empty() ? "" : options.snapshot + ".new"};
  std::unique_ptr<SerialBackend> serial[kSerialPorts];
  for (size_t port = 0; port < options.serial.size(); ++port) {
    if (is_stdio(options.serial[port])) continue;
    auto opened = SerialBackend::open(options.serial[port]);
    if (!opened) return refuse(opened.error(), kExitBadOptions);
    serial[port] = std::move(*opened);
    if (const std::string& name = serial[port]->name(); !name.empty())
      std::fprintf(stderr, "crosswalk: the %sserial line is at %s\n", port == 0 ? "" : "second ", name.c_str());
  }
  std::optional<Sandbox> sandbox;
  if (options.sandbox && !Sandbox::built_in()) {
    std::fputs("crosswalk: built with a sanitizer: the sandbox is off\n", stderr);
  } else if (options.sandbox) {
    auto made = Sandbox::create({.semihosting_files = !options.semihosting_files.empty(),
                                 .sockets = options.network.kind == NetKind::User,
                                 .flash_files = options.flash[0] || options.flash[1],
                                 .tftp = options.network.tftp,
                                 .tap = options.network.kind == NetKind::Tap,
                                 .shares = !options.shares.empty(),
                                 .writable_shares = !std::ranges::all_of(options.shares, &ShareConfig::read_only),
                                 .control_socket = path_or_null(monitor_files.control),
                                 .serial_sockets = {serial[0] ? serial[0]->socket_path() : nullptr,
                                                    serial[1] ? serial[1]->socket_path() : nullptr},
                                 .snapshot = path_or_null(monitor_files.snapshot),
                                 .new_snapshot = path_or_null(monitor_files.new_snapshot)});
    if (!made) return refuse(made.error(), kExitInternalError);
    sandbox = std::move(*made);
  }
  MachineConfig config = machine_config(options, sandbox ? &*sandbox : nullptr);
  config.monitor_files = &monitor_files;
  config.version = "crosswalk " + invocation.version + ", commit " + invocation.commit;
  const PortConfig first = port_config(options, serial[0].get());
  config.input_fd = first.input_fd;
  config.output_fd = first.output_fd;
  config.escape_keys = first.escape_keys;
  if (options.serial.size() > 1) config.second_port = port_config(options, serial[1].get());
  config.error_fd = reopen_nonblocking(STDERR_FILENO);
  config.before_exit = [&terminal] { terminal->restore(); };
  config.continued = [&terminal] { terminal->resume(); };
  auto machine = Machine::create(config);
  if (!machine) return refuse(machine.error(), kExitBadOptions);
  const BootConfig boot{options.kernel, options.initrd, options.append, options.dtb, "arm," + options.cpu};
  if (auto loaded = saved ? (*machine)->restore(*saved) : (*machine)->load(boot); !loaded)
    return refuse(loaded.error(), kExitBadOptions);
  saved.reset();
  if (!options.dump_dtb.empty()) {
    auto written = write_device_tree(options.dump_dtb, (*machine)->device_tree());
    return written ? kExitPoweredOff : refuse(written.error(), kExitBadOptions);
  }
  std::optional<OutputFile> stats_json;
  if (!options.stats_json.empty()) {
    auto opened = OutputFile::open("--stats-json", options.stats_json);
    if (!opened) return refuse(opened.error(), kExitBadOptions);
    stats_json = std::move(*opened);
  }
  Observability observability;
  if (auto prepared = observability.prepare(options); !prepared) return refuse(prepared.error(), kExitBadOptions);
  auto vm = Vm::create(options, std::move(*machine), observability);
  if (!vm) return refuse(vm.error(), kExitInternalError);
  (*vm)->machine().set_statistics([&] { return statistics(options, conditions, **vm, observability).json(); });
  for (const auto& line : serial)
    if (line) line->start(sandbox ? &*sandbox : nullptr);
  (*vm)->run(sandbox ? &*sandbox : nullptr);
  const bool ended = (*vm)->machine().shutdown();
  for (const auto& line : serial)
    if (line && ended) line->stop();
  terminal->restore();
  Messages say(config.error_fd);
  if (conditions) conditions->end();
  const int status = report(options, conditions, **vm, observability, stats_json, say);
  if (!ended) {
    // The I/O thread may still use all that would be destroyed now.
    say("crosswalk: a request to a disk or to standard output does not end; the process ends without it\n");
    std::fflush(nullptr);
    _exit(status);
  }
  return status;
}

}  // namespace crosswalk::vmm
