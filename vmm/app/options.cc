// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/options.h"

#include <algorithm>
#include <bit>
#include <boost/program_options.hpp>
#include <cstring>
#include <optional>
#include <sstream>
#include <utility>

#include "translator/base/result.h"
#include "translator/engine/log.h"
#include "vmm/app/option_values.h"
#include "vmm/app/qemu_options.h"

namespace crosswalk::vmm {
namespace {

namespace po = boost::program_options;

constexpr std::pair<const char*, std::optional<WorldKind>> kWorlds[] = {
    {"auto", std::nullopt}, {"process", WorldKind::Process}, {"kvm", WorldKind::Kvm}};
constexpr std::pair<const char*, mmu::FlushPolicy> kFlushPolicies[] = {
    {"lazy", mmu::FlushPolicy::Lazy}, {"eager", mmu::FlushPolicy::Eager}, {"auto", mmu::FlushPolicy::Auto}};
constexpr std::pair<const char*, kvm::KvmOptions::FaultDelivery> kFaultDeliveries[] = {
    {"auto", kvm::KvmOptions::FaultDelivery::Auto},
    {"direct", kvm::KvmOptions::FaultDelivery::Direct},
    {"exit", kvm::KvmOptions::FaultDelivery::Exit}};
constexpr std::pair<const char*, kvm::KvmOptions::Flush> kWindowFlushes[] = {{"auto", kvm::KvmOptions::Flush::Auto},
                                                                             {"gate", kvm::KvmOptions::Flush::Gate},
                                                                             {"exit", kvm::KvmOptions::Flush::Exit}};
constexpr const char* kCpus[] = {"cortex-a15", "cortex-a7"};
constexpr const char* kBenchKernels[] = {"armmp", "armmp-lpae"};
constexpr const char* kConsoles[] = {"pl011", "virtio"};
constexpr std::pair<const char*, bool> kOnSigterm[] = {{"quit", false}, {"powerbutton", true}};
constexpr std::pair<const char*, bool> kSwitch[] = {{"on", true}, {"off", false}};

constexpr const char* kUsage =
    "Usage: crosswalk run --kernel FILE [options]   boot a guest\n"
    "       crosswalk run --bios FILE [options]     start firmware\n"
    "       crosswalk info [--json]                 what this host can do\n"
    "       crosswalk bench [options]               compare the MMU modes\n"
    "       crosswalk snapshot [options]            save a running guest\n"
    "       crosswalk control [options]             command a running guest\n"
    "       crosswalk COMMAND --help                the options of one command\n"
    "       crosswalk --version                     version, commit and compiler\n";

constexpr const char* kStatuses =
    "\nExit status of run: 0 the guest powered off; 1 an internal error; 2 bad options;\n"
    "3 the guest reset (a Linux panic with panic=-1 ends so); 4 --timeout passed;\n"
    "5 Ctrl-A x; 128+n signal n; with --semihosting the guest's own code.\n";
constexpr const char* kQemuOptions =
    "\nQEMU's options (-m, -nographic, -drive, ...) are taken where they mean something\n"
    "here, and answered otherwise.\n";

// How help is printed: columns altogether, and those of the sentences at least.
constexpr unsigned kHelpColumns = 80, kSentenceColumns = 48;
po::options_description titled(const char* title) {
  return po::options_description(title, kHelpColumns, kSentenceColumns);
}

std::vector<std::string> names_of(const std::vector<const ModeRow*>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const ModeRow* row : rows) names.push_back(row->name);
  return names;
}

std::vector<const ModeRow*> all_modes() {
  std::vector<const ModeRow*> rows;
  for (const ModeRow& row : modes()) rows.push_back(&row);
  return rows;
}

// Null: auto.
Result<const ModeRow*> choose_mode(const std::vector<const ModeRow*>& rows, const std::string& option,
                                   const std::string& text) {
  if (text == "auto") return nullptr;
  for (const ModeRow* row : rows) {
    if (text == row->name) return row;
  }
  return Error{option + ": unknown value '" + text + "'; use one of: auto, " + join(names_of(rows), ", ")};
}

constexpr uint64_t kMinTraceEvents = 100, kMaxTraceEvents = 100'000'000;

// Raw values as Boost stores them; the checks turn them into RunOptions.
struct RunText {
  std::string mmu, windows, world, memory, smp, code_cache, flush, fill, soft_tlb, trace_events, fault_delivery,
      window_flush, sandbox, escape, network, control, gdb, on_sigterm;
  std::vector<std::string> disks, shares, flash, serial;
  bool wait = false;
};

const char* name_of(WorldKind world) {
  for (const auto& [name, value] : kWorlds) {
    if (value == world) return name;
  }
  return "?";
}

// Where the entries are made decides where the engine can be.
Result<bool> choose_windows(RunOptions& run, const RunText& text) {
  auto mmu = choose_mode(all_modes(), "--mmu", text.mmu), windows = choose_mode(providers(), "--windows", text.windows);
  if (!mmu) return mmu.take_error();
  if (!windows) return windows.take_error();
  run.mmu = *mmu;
  run.windows = *windows;
  if (run.windows && !(run.mmu && run.mmu->takes_windows())) {
    std::vector<const ModeRow*> takers = all_modes();
    std::erase_if(takers, [](const ModeRow* row) { return !row->takes_windows(); });
    return Error{"--windows does not go with --mmu " + text.mmu + "; use --mmu " + join(names_of(takers), " or ")};
  }
  if (run.mmu && run.mmu->is_provider()) run.windows = run.mmu;
  if (run.windows && run.world && !run.windows->can_be_in(*run.world)) {
    const char* option = run.mmu->is_provider() ? "--mmu " : "--windows ";
    return Error{"--world " + text.world + " does not go with " + option + run.windows->name + "; use --world " +
                 name_of(run.windows->provider.world) + ", or " + option +
                 join(names_of(providers(*run.world)), " or ")};
  }
  return true;
}

po::options_description run_description(RunOptions& run, RunText& text) {
  po::options_description guest = titled("The guest"), mechanisms = titled("How it is run"),
                          ends = titled("What it gets of the host, and its end"), views = titled("What is shown"),
                          tuning = titled("For measurements and tests of Crosswalk itself");
  // clang-format off
  guest.add_options()
      ("help", "Print this help.")
      ("kernel", po::value(&run.kernel)->value_name("FILE"), "Guest image: zImage, raw binary or ELF; loaded and entered as by QEMU's -M virt.")
      ("initrd", po::value(&run.initrd)->value_name("FILE"), "Initial RAM disk, passed to the kernel in the device tree.")
      ("append", po::value(&run.append)->value_name("STR"), "Kernel command line.")
      ("bios", po::value(&run.bios)->value_name("FILE"), "Firmware, which starts in flash at address 0; --kernel, --initrd and --append are what it is asked to boot (fw_cfg). FILE is not changed.")
      ("pflash", po::value(&text.flash)->value_name("FILE[,readonly][,unit=0|1]")->composing(), "Flash of 64 MiB at address 0 for the first FILE, at 0x4000000 for the second one, or after --bios. What the guest programs is written to FILE. Flash at 0 is firmware, as with --bios.")
      ("dtb", po::value(&run.dtb)->value_name("FILE"), "Device tree to use instead of the board's own; memory and /chosen are still filled in.")
      ("memory", po::value(&text.memory)->value_name("SIZE")->default_value("1G"), "Guest RAM, in MiB or with suffix K, M or G: 16M to 3G.")
      ("smp", po::value(&text.smp)->value_name("N")->default_value("1"), "CPUs: 1 to 8.")
      ("cpu", po::value(&run.cpu)->value_name("MODEL")->default_value("cortex-a15"), "CPU model: cortex-a15 or cortex-a7.")
      ("disk", po::value(&text.disks)->value_name("FILE[,readonly][,format=raw]")->composing(), "Raw disk image for a virtio block device; may be given several times. It is locked as by QEMU. format=raw: whatever the file looks like.")
      ("net", po::value(&text.network)->value_name("NET")->default_value("none"), "A network card (virtio): user[,hostfwd=...][,restrict=on][,tftp=DIR] for a network inside Crosswalk (no privilege; the host is 10.0.2.2), tap,ifname=NAME[,queues=N] for an interface of the host, or none. Also mac=ADDRESS. See docs/devices.md.")
      ("share", po::value(&text.shares)->value_name("DIR,TAG[,readonly]")->composing(), "Share a folder with the guest (virtio-9p), which mounts it by its tag: mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt. May be given several times. See docs/devices.md.")
      ("restore", po::value(&run.restore)->value_name("FILE"), "Go on with the guest of a snapshot, in any mode, instead of booting one; with the same disks and other devices.")
      ("dump-dtb", po::value(&run.dump_dtb)->value_name("FILE"), "Write the device tree that the guest would get to FILE, and end.");
  mechanisms.add_options()
      ("mmu", po::value(&text.mmu)->value_name("MODE")->default_value("auto"), ("How guest memory is reached: auto, " + join(names_of(all_modes()), ", ") + "; see below.").c_str())
      ("windows", po::value(&text.windows)->value_name("MODE")->default_value("auto"), ("Whose windows hybrid and flat have: " + join(names_of(providers()), ", ") + ", or auto for what costs less here.").c_str())
      ("world", po::value(&text.world)->value_name("WORLD")->default_value("auto"), "Where the engine executes: process, kvm, or auto for the MMU mode's default.")
      ("flush", po::value(&text.flush)->value_name("POLICY")->default_value("auto"), "What a guest TLB flush does to entries: lazy drops them, eager walks again for them in bulk, auto decides each time.")
      ("fault-delivery", po::value(&text.fault_delivery)->value_name("HOW")->default_value("auto"), "How a window fault inside KVM reaches its handler: direct (no exit), exit, or auto for what costs less here.")
      ("window-flush", po::value(&text.window_flush)->value_name("HOW")->default_value("auto"), "How entries of shadow windows are flushed from the CPU's TLB: gate (INVLPG at CPL 0), exit, or auto.");
  ends.add_options()
      ("console", po::value(&run.console)->value_name("DEVICE")->default_value("pl011"), "Serial device that receives stdin: pl011, or virtio, which adds a virtio console (hvc0); the PL011 prints all the same.")
      ("serial", po::value(&text.serial)->value_name("WHERE")->composing()->default_value({"stdio"}, "stdio"), "The other end of the serial line: stdio; pty, a pseudo-terminal whose name is printed; unix:PATH, a socket made there; file:PATH, for output alone; or null. Given twice, there is a second serial port (ttyAMA1).")
      ("escape", po::value(&text.escape)->value_name("LETTER")->default_value("a"), "On a terminal, Ctrl and this letter are the key that x (quit), p (power button), i (state), s (snapshot), b (break) or h (help) follows; none: there is no such key.")
      ("control", po::value(&text.control)->value_name("unix:PATH"), "Take commands in JSON, as QEMU's -qmp, from a Unix socket made at PATH; crosswalk control sends them. See docs/control.md.")
      ("snapshot-file", po::value(&run.snapshot)->value_name("FILE"), "Where a snapshot of the guest goes at Ctrl-A s and SIGUSR2. Afterwards the guest goes on.")
      ("reboot", po::bool_switch(&run.reboot), "When the guest resets itself, boot it again instead of ending.")
      ("on-sigterm", po::value(&text.on_sigterm)->value_name("WHAT")->default_value("quit"), "What the first SIGTERM does: quit ends the run; powerbutton presses the guest's power button, and the second one ends the run.")
      ("timeout", po::value(&run.timeout_seconds)->value_name("SECONDS"), "Stop the guest after this time of the host's, print its state, and end with exit status 4.")
      ("sandbox", po::value(&text.sandbox)->value_name("on|off")->default_value("on"), "Confine Crosswalk while the guest runs: no capabilities, only the system calls that it needs (docs/security.md).")
      ("semihosting", po::bool_switch(&run.semihosting), "Serve Arm semihosting calls: console, clock, command line, exit code.")
      ("semihosting-files", po::value(&run.semihosting_files)->value_name("DIR"), "Let semihosting open, make, rename and remove regular files below DIR too; implies --semihosting.");
  views.add_options()
      ("stats", po::bool_switch(&run.stats), "Print a table of statistics to stderr at exit.")
      ("stats-json", po::value(&run.stats_json)->value_name("FILE"), "Write the statistics as JSON to FILE at exit; - is standard output.")
      ("stats-by-asid", po::bool_switch(&run.stats_by_asid), "Statistics for each ASID of the guest too: time, switches, faults, entries.")
      ("count-instructions", po::bool_switch(&run.count_instructions), "Count guest instructions and blocks in translated code, for the statistics; costs some speed.")
      ("trace", po::value(&run.trace)->value_name("FILE"), "Write a timeline to FILE at exit, as JSON for ui.perfetto.dev: faults, flushes, address spaces, exits, exceptions, translation, devices.")
      ("trace-events", po::value(&text.trace_events)->value_name("N")->default_value("1000000"), "How many events --trace keeps; the oldest are dropped. 56 bytes each: 100 to 100000000.")
      ("perf-map", po::bool_switch(&run.perf_map), "Write /tmp/perf-PID.map, from which perf report takes the names of translated guest code.")
      ("symbols", po::value(&run.symbols)->value_name("FILE"), "Guest functions for --perf-map, --trace, -d int and printed states: an ELF file or a System.map; by default those of an ELF --kernel.")
      ("gdb", po::value(&text.gdb)->value_name("[HOST:]PORT|unix:PATH"), "Let a GDB (gdb-multiarch) connect there, by TCP or by a socket in the file system; without HOST, from this host alone. See docs/running-guests.md.")
      ("wait", po::bool_switch(&text.wait), "Run nothing before the GDB of --gdb says so, or without one, cont of --control.")
      ("log,d", po::value(&run.log_items)->value_name("ITEMS"), "Log, as QEMU's -d: in_asm, op (IR), out_asm, int, exec, cpu; comma-separated.")
      ("log-file,D", po::value(&run.log_file)->value_name("FILE"), "Where the log goes; standard error by default.");
  tuning.add_options()
      ("code-cache", po::value(&text.code_cache)->value_name("SIZE")->default_value("64M"), "Memory for translated code, with suffix M: 4M to 1G.")
      ("no-recycle", po::bool_switch(&run.no_recycle), "When that memory is full, drop all translated code, not the oldest part.")
      ("no-relocate", po::bool_switch(&run.no_relocate), "Translate code anew for each address that it is mapped at.")
      ("no-mixed-pages", po::bool_switch(&run.no_mixed_pages), "At a store to a page with translated code, drop all of its code, also where the guest stores there again and again.")
      ("no-chain", po::bool_switch(&run.no_chain), "Do not link translated blocks to each other.")
      ("no-guess-targets", po::bool_switch(&run.no_guess_targets), "Let calls and returns through a register find their target by the jump cache alone.")
      ("no-optimise", po::bool_switch(&run.no_optimise), "Skip the IR passes.")
      ("no-flag-fusion", po::bool_switch(&run.no_flag_fusion), "Do not use x86 flags directly between an instruction and the condition it feeds.")
      ("no-assume-fp-mode", po::bool_switch(&run.no_assume_fp_mode), "Let translated code test at each instruction whether floating point is enabled, and how it rounds and flushes.")
      ("no-carry-vectors", po::bool_switch(&run.no_carry_vectors), "Load SIMD registers from memory in each round of a loop.")
      ("no-native-simd", po::bool_switch(&run.no_native_simd), "Execute Advanced SIMD and parallel arithmetic (UADD8 and the like) by calls, not by SSE and AVX in line.")
      ("no-share-lookups", po::bool_switch(&run.no_share_lookups), "Look the software TLB up for each access, also where neighbours could share a lookup.")
      ("no-fill-around", po::bool_switch(&run.no_fill_around), "Install only the page that faulted in a window, never its neighbours.")
      ("largest-entry", po::value(&text.fill)->value_name("SIZE")->default_value("2M"), "Enter at most this much of a section or block at once in a window: a power of two from 4K to 2M.")
      ("soft-tlb-entries", po::value(&text.soft_tlb)->value_name("N|auto")->default_value("auto"), "Entries of each address space's software TLB, a power of two from 256 to 65536; auto: as many as are in use, from 1024 on.")
      ("no-install-on-return", po::bool_switch(&run.no_install_on_return), "Do not enter the page of a guest abort in the window when the guest comes back.")
      ("no-share-tables", po::bool_switch(&run.no_share_tables), "Give each of the kernel's address spaces page tables of its own for the kernel's addresses too (shadow, ept, kmod).")
      ("no-prefill", po::bool_switch(&run.no_prefill), "Start new address spaces without their predecessor's instruction pages and software TLB.");
  // clang-format on
  po::options_description all = titled("Options of run");
  all.add(guest).add(mechanisms).add(ends).add(views).add(tuning);
  return all;
}

po::options_description info_description(InfoOptions& info) {
  po::options_description description = titled("Options of info");
  description.add_options()("help", "Print this help.")("json", po::bool_switch(&info.json),
                                                        "Print machine-readable JSON instead of text.");
  return description;
}

po::options_description control_description(ControlOptions& control) {
  po::options_description description = titled("Options of control");
  description.add_options()("help", "Print this help.")("control", po::value(&control.control)->value_name("unix:PATH"),
                                                        "The socket of a running guest's --control.")(
      "execute", po::value(&control.execute)->value_name("NAME")->default_value("query-status"),
      "The command; query-commands lists them. What it returns is printed.")(
      "arguments", po::value(&control.arguments)->value_name("JSON"), "Its arguments, as a JSON object.");
  return description;
}

po::options_description snapshot_description(SnapshotOptions& snapshot) {
  po::options_description description = titled("Options of snapshot");
  description.add_options()("help", "Print this help.")(
      "control", po::value(&snapshot.control)->value_name("unix:PATH"), "The socket of a running guest's --control.")(
      "output", po::value(&snapshot.output)->value_name("FILE"), "The file, for crosswalk run --restore.")(
      "quit", po::bool_switch(&snapshot.quit), "End the run there, so that its disks stay as they are.");
  return description;
}

struct BenchText {
  std::string mmus, baselines, workloads;
};

po::options_description bench_description(BenchOptions& bench, BenchText& text) {
  po::options_description description = titled("Options of bench");
  const auto repeat = bench.repeat, slices = bench.slices, timeout = bench.timeout_seconds, target = bench.milliseconds;
  // clang-format off
  description.add_options()
      ("help", "Print this help.")
      ("mmu", po::value(&text.mmus)->value_name("LIST"), "MMU modes to compare, separated by commas, each with a flush policy (shadow:lazy) and options of run (shadow+no-fill-around+largest-entry=64K) if you like; without it, all that this host can run but flat.")
      ("baseline", po::value(&text.baselines)->value_name("LIST"), "Also run the same work elsewhere: qemu (qemu-system-arm), qemu-user (the Linux program in qemu-arm) or native (the same as an x86 program). Ratios are to the first.")
      ("workloads", po::value(&text.workloads)->value_name("LIST"), "Run only these: names, or linux, bare, compute, system, experiment, program.")
      ("bare-chases", po::bool_switch(&bench.bare_chases), "Run the pointer chases as a bare-metal program in every mode, not in flat alone.")
      ("repeat", po::value(&bench.repeat)->value_name("N")->default_value(repeat), "Runs of each image in each mode, interleaved; the median counts.")
      ("slices", po::value(&bench.slices)->value_name("N")->default_value(slices), "How often a run measures each Linux workload or program; the modes take turns.")
      ("timeout", po::value(&bench.timeout_seconds)->value_name("SECONDS")->default_value(timeout), "Longest time that one run may take.")
      ("milliseconds", po::value(&bench.milliseconds)->value_name("N")->default_value(target), "Time that each measurement of a Linux workload is scaled to.")
      ("json", po::value(&bench.json_file)->value_name("FILE"), "Write every sample as JSON to FILE too.")
      ("stats", po::value(&bench.stats_folder)->value_name("FOLDER"), "Write the statistics of each run of a mode to FOLDER/MODE-IMAGE-RUN.json.")
      ("images", po::value(&bench.images)->value_name("FOLDER"), "Folder of the guest images; without it, the one beside this program.")
      ("snapshots", po::value(&bench.snapshots_folder)->value_name("FOLDER"), "Do not boot Linux for each run: restore a snapshot of a guest that has booted. It is made in FOLDER when it is missing or older than what it is made of.")
      ("kernel", po::value(&bench.kernel)->value_name("NAME")->default_value(bench.kernel), "Linux kernel of the Linux workloads: armmp or armmp-lpae.")
      ("memory", po::value(&bench.memory)->value_name("SIZE")->default_value(bench.memory), "RAM of each guest.")
      ("smp", po::value(&bench.smp)->value_name("N")->default_value(bench.smp), "CPUs of each guest: 1 to 8.");
  // clang-format on
  return description;
}

std::string mode_help() {
  std::string text = "\nModes (--mmu):\n";
  for (const ModeRow& row : modes())
    text += "  " + std::string(row.name) + std::string(12 - std::strlen(row.name), ' ') + row.help + "\n";
  return text + "  auto        the best of these on this host, by measured costs\n";
}

std::string help_text(const po::options_description& description) {
  std::ostringstream stream;
  stream << description;
  std::string text = stream.str();
  for (size_t at; (at = text.find(" \n")) != std::string::npos;) text.erase(at, 1);
  return text;
}

// Of Boost's form: takes what it knows off `arguments`.
std::vector<po::option> qemu_option(std::vector<std::string>& arguments) {
  auto words = take_qemu_option(arguments);
  if (!words) throw po::error(words.error());
  std::vector<po::option> options;
  for (const OptionWords& word : *words) options.emplace_back(word.name, word.values);
  return options;
}

// Boost's messages are fine but for the missing advice.
Result<po::variables_map> parse(const std::vector<std::string>& arguments, const po::options_description& description,
                                const char* command) {
  const std::string advice = std::string("; see crosswalk ") + command + " --help";
  try {
    po::variables_map values;
    po::command_line_parser parser(arguments);
    parser.options(description).style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing);
    if (command == std::string("run")) parser.extra_style_parser(qemu_option);
    const auto parsed = parser.run();
    for (const auto& option : parsed.options) {
      if (option.position_key != -1 && !option.value.empty())
        return Error{std::string(command) + ": '" + option.value[0] + "' does not belong to any option" + advice};
    }
    po::store(parsed, values);
    po::notify(values);
    return values;
  } catch (const po::error& error) {
    // Boost replaces its placeholders, such as %value%, in what the user has written too, and for
    // ever.
    std::vector<std::string> plain = arguments;
    bool changed = false;
    for (std::string& argument : plain) {
      for (char& c : argument) changed |= c == '%', c = c == '%' ? '_' : c;
    }
    if (changed) {
      auto again = parse(plain, description, command);
      return again ? Error{std::string(command) + ": a '%' where none can be" + advice} : again.take_error();
    }
    return Error{std::string(command) + ": " + error.what() + advice};
  }
}

// Which bank each --pflash is.
Result<bool> check_flash(RunOptions& run, const RunText& text) {
  for (const std::string& flash : text.flash) {
    auto parsed = parse_flash(flash);
    if (!parsed) return parsed.take_error();
    if (parsed->unit < 0) parsed->unit = run.flash[0] || !run.bios.empty() ? 1 : 0;
    auto& bank = run.flash[parsed->unit];
    if (bank) return Error{"--pflash: " + flash + ": there are two banks of flash, and this one has a file already"};
    if (parsed->unit == 0 && !run.bios.empty())
      return Error{"--pflash: " + flash + ": --bios is what the bank at 0 has; give one of the two"};
    bank = *parsed;
  }
  return true;
}

// Where the guest comes from: a kernel, firmware, or a snapshot.
Result<bool> check_source(RunOptions& run, const po::variables_map& values) {
  if (!values.count("restore")) {
    if (run.kernel.empty() && run.bios.empty() && !run.flash[0])
      return Error{"run: no guest to boot; give --kernel FILE, or firmware by --bios FILE"};
    return true;
  }
  for (const char* option : {"kernel", "initrd", "append", "dtb", "dump-dtb", "bios"}) {
    if (values.count(option))
      return Error{std::string("--restore: the guest is the snapshot's; leave --") + option + " out"};
  }
  if (run.reboot) return Error{"--restore: there is no kernel to boot again; leave --reboot out"};
  run.chose_memory = !values["memory"].defaulted();
  run.chose_cpus = !values["smp"].defaulted();
  run.chose_cpu = !values["cpu"].defaulted();
  return check_file("--restore", run.restore);
}

// The other ends of the serial ports, in order.
Result<bool> check_serial(RunOptions& run, const RunText& text) {
  for (const std::string& where : text.serial) {
    auto parsed = parse_serial(where);
    if (!parsed) return parsed.take_error();
    const auto same = std::ranges::find_if(run.serial, [&](const SerialConfig& other) {
      return parsed->kind == other.kind && (parsed->kind == SerialConfig::Kind::Stdio || !parsed->path.empty()) &&
             parsed->path == other.path;
    });
    if (same != run.serial.end())
      return Error{"--serial: " + where + " is the other end of the first line already; give another one"};
    run.serial.push_back(*parsed);
  }
  if (run.serial.size() > kSerialPorts)
    return Error{"--serial: there are " + std::to_string(kSerialPorts) + " serial ports at most; give it less often"};
  return true;
}

// What the guest is made of.
Result<bool> check_guest(RunOptions& run, const RunText& text, const po::variables_map& values) {
  if (auto checked = check_flash(run, text); !checked) return checked;
  if (auto checked = check_source(run, values); !checked) return checked;
  for (const auto& [option, path] : {std::pair{"--kernel", run.kernel}, std::pair{"--bios", run.bios},
                                     std::pair{"--initrd", run.initrd}, std::pair{"--dtb", run.dtb}}) {
    if (path.empty()) {
      if (values.count(option + 2)) return Error{std::string(option) + ": the file name is empty; give a file"};
      continue;
    }
    if (auto checked = check_file(option, path); !checked) return checked;
  }
  auto memory = parse_memory(text.memory);
  if (!memory) return memory.take_error();
  run.memory_bytes = *memory;
  auto cpus = parse_cpus(text.smp);
  if (!cpus) return cpus.take_error();
  run.cpus = *cpus;
  for (const std::string& disk : text.disks) {
    auto parsed = parse_disk(disk);
    if (!parsed) return parsed.take_error();
    run.disks.push_back(*parsed);
  }
  for (const std::string& share : text.shares) {
    auto parsed = parse_share(share);
    if (!parsed) return parsed.take_error();
    if (std::ranges::find(run.shares, parsed->tag, &ShareConfig::tag) != run.shares.end())
      return Error{"--share: two folders have the tag '" + parsed->tag + "'; give each one of its own"};
    run.shares.push_back(*parsed);
  }
  if (run.shares.size() > kMaxShares)
    return Error{"--share: at most " + std::to_string(kMaxShares) + " folders fit; give fewer"};
  auto network = parse_net(text.network);
  if (!network) return network.take_error();
  run.network = *network;
  if (auto checked = check_name(kCpus, "--cpu", run.cpu); !checked) return checked;
  if (auto checked = check_serial(run, text); !checked) return checked;
  auto escape = parse_escape(text.escape);
  if (!escape) return escape.take_error();
  run.escape_key = *escape;
  return check_name(kConsoles, "--console", run.console);
}

// How it is run.
Result<bool> check_mechanisms(RunOptions& run, const RunText& text) {
  std::string problem;
  const auto chosen = [&](const auto& table, const char* option, const std::string& name, auto& value) {
    auto choice = choose(table, option, name);
    if (choice)
      value = *choice;
    else
      problem = choice.error();
    return problem.empty();
  };
  if (!chosen(kWorlds, "--world", text.world, run.world) || !chosen(kFlushPolicies, "--flush", text.flush, run.flush) ||
      !chosen(kFaultDeliveries, "--fault-delivery", text.fault_delivery, run.fault_delivery) ||
      !chosen(kWindowFlushes, "--window-flush", text.window_flush, run.window_flush) ||
      !chosen(kSwitch, "--sandbox", text.sandbox, run.sandbox) ||
      !chosen(kOnSigterm, "--on-sigterm", text.on_sigterm, run.power_button_by_signal))
    return Error{problem};
  if (auto checked = choose_windows(run, text); !checked) return checked;
  if (!needs_kvm(run) && (run.fault_delivery != kvm::KvmOptions::FaultDelivery::Auto ||
                          run.window_flush != kvm::KvmOptions::Flush::Auto)) {
    return Error{"--fault-delivery and --window-flush are about windows inside KVM; use --mmu " +
                 join(names_of(providers(WorldKind::Kvm)), " or ") + ", or --world kvm"};
  }
  return true;
}

Result<mmu::SoftTlbSizes> parse_soft_tlb(const std::string& text) {
  if (text == "auto") return mmu::SoftTlbSizes{};
  const uint64_t entries = text.find_first_not_of("0123456789") == std::string::npos ? parse_size(text) : 0;
  if (entries < mmu::kLeastSoftTlb || entries > mmu::kMostSoftTlb || !std::has_single_bit(entries))
    return Error{"--soft-tlb-entries: '" + text + "' is neither auto nor a power of two from 256 to 65536"};
  return mmu::SoftTlbSizes{static_cast<uint32_t>(entries), static_cast<uint32_t>(entries)};
}

Result<bool> check_numbers(RunOptions& run, const RunText& text, const po::variables_map& values) {
  constexpr double kMaxTimeout = 1e9;
  if (values.count("timeout") && !(run.timeout_seconds > 0 && run.timeout_seconds <= kMaxTimeout))
    return Error{"--timeout: give a number of seconds greater than 0"};
  const uint64_t fill = parse_size(text.fill);
  if (fill < 4096 || fill > (2 << 20) || !std::has_single_bit(fill))
    return Error{"--largest-entry: '" + text.fill + "' is not a power of two from 4K to 2M"};
  run.fill_bytes = static_cast<uint32_t>(fill);
  auto soft_tlb = parse_soft_tlb(text.soft_tlb);
  if (!soft_tlb) return Error{soft_tlb.error()};
  run.soft_tlb = *soft_tlb;
  run.code_cache_bytes = parse_size(text.code_cache);
  if (run.code_cache_bytes < (uint64_t{4} << 20) || run.code_cache_bytes > (uint64_t{1} << 30))
    return Error{"--code-cache: '" + text.code_cache + "' is not a size from 4M to 1G"};
  run.trace_events = parse_size(text.trace_events);
  if (run.trace_events < kMinTraceEvents || run.trace_events > kMaxTraceEvents)
    return Error{"--trace-events: '" + text.trace_events + "' is not a number from 100 to 100000000"};
  return true;
}

Result<bool> check_debugger(RunOptions& run, const RunText& text, const po::variables_map& values) {
  if (!values.count("gdb")) {
    if (text.wait && text.control.empty())
      return Error{"--wait: nobody could have the guest go on; give --gdb or --control too"};
    run.wait = text.wait;
    return true;
  }
  auto address = parse_listen_address(text.gdb);
  if (!address) return Error{"--gdb: " + address.error()};
  run.debugger = {*address, text.wait};
  return true;
}

// What is logged and measured, and the files of that and of semihosting.
Result<bool> check_outputs(RunOptions& run, const std::string& control, const po::variables_map& values) {
  if (const std::string unknown = engine::parse_log_items(run.log_items).unknown; !unknown.empty())
    return Error{"--log: unknown item '" + unknown + "'; use one of: in_asm, op, out_asm, int, exec, cpu"};
  if (values.count("stats-json") && run.stats_json.empty())
    return Error{"--stats-json: the file name is empty; give a file"};
  if (values.count("trace") && run.trace.empty()) return Error{"--trace: the file name is empty; give a file"};
  if (values.count("symbols")) {
    if (auto checked = check_file("--symbols", run.symbols); !checked) return checked;
  }
  if ((run.stats_by_asid || run.count_instructions) && run.stats_json.empty()) run.stats = true;
  if (values.count("dump-dtb") && run.dump_dtb.empty()) return Error{"--dump-dtb: the file name is empty; give a file"};
  for (const auto& [option, file] : {std::pair{"--stats-json", run.stats_json}, std::pair{"--log-file", run.log_file},
                                     std::pair{"--trace", run.trace}, std::pair{"--dump-dtb", run.dump_dtb}}) {
    const bool may_be_stdout = option == std::string("--stats-json") || option == std::string("--dump-dtb");
    if (file.empty() || (file == "-" && may_be_stdout)) continue;
    if (auto checked = check_writable(option, file); !checked) return checked;
  }
  if (values.count("snapshot-file") && run.snapshot.empty())
    return Error{"--snapshot-file: the file name is empty; give a file"};
  if (values.count("control")) {
    auto path = parse_socket("--control", control);
    if (!path) return path.take_error();
    run.control = *path;
  }
  if (values.count("semihosting-files")) {
    if (auto checked = check_directory("--semihosting-files", run.semihosting_files); !checked) return checked;
    run.semihosting = true;
  }
  return true;
}

Command parse_run(const std::vector<std::string>& arguments) {
  RunOptions run;
  RunText text;
  const po::options_description description = run_description(run, text);
  auto values = parse(arguments, description, "run");
  if (!values) return OptionError{values.error()};
  if (values->count("help")) return HelpText{help_text(description) + mode_help() + kStatuses + kQemuOptions};
  if (auto checked = check_guest(run, text, *values); !checked) return OptionError{checked.error()};
  if (auto checked = check_mechanisms(run, text); !checked) return OptionError{checked.error()};
  if (auto checked = check_numbers(run, text, *values); !checked) return OptionError{checked.error()};
  if (auto checked = check_outputs(run, text.control, *values); !checked) return OptionError{checked.error()};
  if (auto checked = check_debugger(run, text, *values); !checked) return OptionError{checked.error()};
  return run;
}

Command parse_info(const std::vector<std::string>& arguments) {
  InfoOptions info;
  const po::options_description description = info_description(info);
  auto values = parse(arguments, description, "info");
  if (!values) return OptionError{values.error()};
  if (values->count("help")) return HelpText{help_text(description)};
  return info;
}

Command parse_control(const std::vector<std::string>& arguments) {
  ControlOptions control;
  const po::options_description description = control_description(control);
  auto values = parse(arguments, description, "control");
  if (!values) return OptionError{values.error()};
  if (values->count("help")) return HelpText{help_text(description)};
  if (!values->count("control")) return OptionError{"control: no guest; give --control unix:PATH"};
  auto path = parse_socket("--control", control.control);
  if (!path) return OptionError{path.error()};
  control.control = *path;
  return control;
}

Command parse_snapshot(const std::vector<std::string>& arguments) {
  SnapshotOptions snapshot;
  const po::options_description description = snapshot_description(snapshot);
  auto values = parse(arguments, description, "snapshot");
  if (!values) return OptionError{values.error()};
  if (values->count("help")) return HelpText{help_text(description)};
  if (!values->count("control")) return OptionError{"snapshot: no guest; give --control unix:PATH"};
  if (snapshot.output.empty()) return OptionError{"snapshot: no file; give --output FILE"};
  auto path = parse_socket("--control", snapshot.control);
  if (!path) return OptionError{path.error()};
  snapshot.control = *path;
  return snapshot;
}

Command parse_bench(const std::vector<std::string>& arguments) {
  BenchOptions bench;
  BenchText text;
  const po::options_description description = bench_description(bench, text);
  auto values = parse(arguments, description, "bench");
  if (!values) return OptionError{values.error()};
  if (values->count("help")) return HelpText{help_text(description)};
  std::vector<std::string> names = split(text.mmus);
  if (values->count("mmu") && names.empty())
    return OptionError{"--mmu: the list is empty; give for instance soft,mmap"};
  if (names.empty()) {
    names = names_of(all_modes());
    std::erase(names, "flat");  // most guests need an MMU
  }
  for (const std::string& name : names) {
    std::vector<std::string> run = mode_arguments(name);
    run.insert(run.end(), {"--kernel", "/proc/self/exe"});  // any file
    const Command command = parse_run(run);
    if (const auto* error = std::get_if<OptionError>(&command))
      return OptionError{"--mmu " + name + ": " + error->message};
    const auto* options = std::get_if<RunOptions>(&command);
    if (!options) return OptionError{"--mmu " + name + ": that is no mode to run"};
    bench.mmu_modes.push_back({name, host_devices(*options)});
  }
  bench.baselines = split(text.baselines);
  if (values->count("baseline") && bench.baselines.empty())
    return OptionError{"--baseline: the list is empty; give for instance qemu,native"};
  for (const std::string& name : bench.baselines) {
    if (auto checked = check_name(kBaselines, "--baseline", name); !checked) return OptionError{checked.error()};
  }
  if (auto checked = check_name(kBenchKernels, "--kernel", bench.kernel); !checked) return OptionError{checked.error()};
  if (auto memory = parse_memory(bench.memory); !memory) return OptionError{memory.error()};
  if (auto cpus = parse_cpus(bench.smp); !cpus) return OptionError{cpus.error()};
  if (bench.repeat == 0 || bench.repeat > 1000) return OptionError{"--repeat: give a number from 1 to 1000"};
  if (bench.slices == 0 || bench.slices > 1000) return OptionError{"--slices: give a number from 1 to 1000"};
  if (bench.timeout_seconds == 0) return OptionError{"--timeout: give a number of seconds greater than 0"};
  if (bench.milliseconds == 0) return OptionError{"--milliseconds: give a number greater than 0"};
  bench.workloads = split(text.workloads);
  return bench;
}

}  // namespace

bool needs_kvm(const RunOptions& options) {
  return options.world == WorldKind::Kvm || (options.windows && options.windows->provider.world == WorldKind::Kvm);
}

std::vector<std::string> host_devices(const RunOptions& options) {
  std::vector<std::string> devices;
  if (needs_kvm(options)) devices.emplace_back("/dev/kvm");
  if (options.windows && options.windows->provider.device) devices.emplace_back(options.windows->provider.device);
  return devices;
}

Command parse_options(const std::vector<std::string>& arguments) {
  if (arguments.empty())
    return OptionError{"no command; use crosswalk run, info, bench, snapshot or control, or crosswalk --help"};
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  const std::string& command = arguments[0];
  if (arguments.back() == "--version" && arguments.size() <= 2) return ShowVersion{};
  if (command == "run") return parse_run(rest);
  if (command == "info") return parse_info(rest);
  if (command == "bench") return parse_bench(rest);
  if (command == "control") return parse_control(rest);
  if (command == "snapshot") return parse_snapshot(rest);
  if (command == "--help" || command == "-h" || command == "help") {
    RunOptions run;
    RunText run_text;
    InfoOptions info;
    BenchOptions bench;
    BenchText bench_text;
    ControlOptions control;
    SnapshotOptions snapshot;
    return HelpText{std::string(kUsage) + "\n" + help_text(run_description(run, run_text)) + "\n" +
                    help_text(info_description(info)) + "\n" + help_text(bench_description(bench, bench_text)) + "\n" +
                    help_text(snapshot_description(snapshot)) + "\n" + help_text(control_description(control)) +
                    mode_help() + kStatuses + kQemuOptions};
  }
  return OptionError{"unknown command '" + command +
                     "'; use run, info, bench, snapshot or control, or crosswalk --help"};
}

}  // namespace crosswalk::vmm
