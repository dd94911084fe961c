// SPDX-License-Identifier: GPL-2.0-or-later
// The command line: crosswalk run | info | bench | control | snapshot | --version. To add an
// option: one line in options.cc's table of the subcommand, one field here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "vmm/app/option_values.h"
#include "vmm/bench/bench.h"
#include "vmm/host/modes.h"
#include "vmm/machine/debug/debugger.h"
#include "vmm/world/kvm/kvm_options.h"

namespace crosswalk::vmm {

struct RunOptions {
  std::string kernel, initrd, append, dtb, cpu;
  std::string dump_dtb;  // file; empty: none
  std::string restore;   // a snapshot's file; empty: none
  uint64_t memory_bytes = 0;
  unsigned cpus = 1;
  // Whether an option chose them; otherwise a snapshot's are taken.
  bool chose_memory = false, chose_cpus = false, chose_cpu = false;
  bool restored_flash = false;  // the machine of --restore has flash
  std::vector<DiskOption> disks;
  std::string bios;                     // empty: none
  std::optional<FlashOption> flash[2];  // by bank
  NetConfig network;
  std::vector<SerialConfig> serial;  // 1 to kSerialPorts
  std::vector<ShareConfig> shares;
  // Null or nothing: auto. `windows` is never null for a mode that is a provider.
  const ModeRow* mmu = nullptr;
  const ModeRow* windows = nullptr;
  std::optional<WorldKind> world;
  bool power_button_by_signal = false;
  uint8_t escape_key = 1;  // Ctrl-A; 0: none
  std::string console;     // "pl011", or "virtio" for that device too: which one gets stdin
  bool stats = false;
  std::string stats_json;  // empty: none
  // each implies `stats` when there is no stats_json
  bool stats_by_asid = false, count_instructions = false;
  bool sandbox = true;
  std::string trace;          // file; empty: none
  uint64_t trace_events = 0;  // kept at most
  bool perf_map = false;
  std::string symbols;            // file; empty: the kernel's own, if it is an ELF file
  double timeout_seconds = 0;     // 0: none
  std::string control, snapshot;  // paths; empty: none
  bool reboot = false;
  bool wait = false;  // for the control socket; the debugger's is in `debugger`
  std::optional<DebuggerConfig> debugger;
  bool semihosting = false;
  std::string semihosting_files;    // a directory; empty: none
  std::string log_items, log_file;  // log_file empty: stderr
  uint64_t code_cache_bytes = 0;
  mmu::FlushPolicy flush = mmu::FlushPolicy::Auto;
  bool no_prefill = false, no_install_on_return = false, no_share_tables = false;
  uint32_t fill_bytes = 0;
  mmu::SoftTlbSizes soft_tlb{};
  kvm::KvmOptions::FaultDelivery fault_delivery = kvm::KvmOptions::FaultDelivery::Auto;
  kvm::KvmOptions::Flush window_flush = kvm::KvmOptions::Flush::Auto;
  bool no_recycle = false, no_mixed_pages = false, no_relocate = false;
  bool no_chain = false, no_optimise = false, no_flag_fusion = false, no_assume_fp_mode = false,
       no_carry_vectors = false, no_native_simd = false, no_fill_around = false;
  bool no_share_lookups = false, no_guess_targets = false;
};

// Whether the engine executes inside KVM. Auto, before it is resolved, does not ask for it.
bool needs_kvm(const RunOptions& options);
// The devices of the host that a run with these options opens.
std::vector<std::string> host_devices(const RunOptions& options);

struct InfoOptions {
  bool json = false;
  uint64_t memory_bytes = uint64_t{1} << 30;  // of the guest that it is about: run's default
};

struct ControlOptions {
  std::string control;             // path of the socket
  std::string execute, arguments;  // a command, and a JSON object or nothing
};

struct SnapshotOptions {
  std::string control;  // path of the socket
  std::string output;
  bool quit = false;
};

struct HelpText {
  std::string text;
};

struct ShowVersion {};

// One line: what is wrong and what to do. The exit status is kExitBadOptions.
struct OptionError {
  std::string message;
};

using Command = std::variant<RunOptions, InfoOptions, BenchOptions, ControlOptions, SnapshotOptions, HelpText,
                             ShowVersion, OptionError>;

// `arguments` is argv without the program's name. Files that must exist are checked.
Command parse_options(const std::vector<std::string>& arguments);

}  // namespace crosswalk::vmm
