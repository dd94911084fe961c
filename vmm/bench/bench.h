// SPDX-License-Identifier: GPL-2.0-or-later
// `crosswalk bench`: runs the guest workloads in several MMU modes, and under QEMU, in turn, and
// compares them.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "vmm/base/conditions.h"

namespace crosswalk::vmm {

// What --baseline may name: engines that are not a mode of this program.
inline constexpr const char* kBaselines[] = {"qemu", "qemu-user", "native"};
inline bool is_baseline(const std::string& engine) {
  return std::find(std::begin(kBaselines), std::end(kBaselines), engine) != std::end(kBaselines);
}

// A mode of this program, as in --mmu: shadow:lazy+no-fill-around.
struct BenchMode {
  std::string name;
  std::vector<std::string> devices = {};  // of the host, that it needs
  bool operator==(const BenchMode&) const = default;
};

struct BenchOptions {
  std::vector<BenchMode> mmu_modes;  // --mmu; parse_options gives every mode but flat without it
  // --baseline: of qemu, qemu-user, native; ratios are to the first, or to a mode
  std::vector<std::string> baselines;
  // --workloads: names or groups; empty: all but experiment, program
  std::vector<std::string> workloads;
  bool bare_chases = false;  // --bare-chases: not in Linux, but bare-metal in every mode
  unsigned repeat = 2;       // --repeat: runs of each image in each mode, interleaved
  // --slices: how often a run measures each Linux workload or program, modes in turn
  unsigned slices = 5;
  unsigned timeout_seconds = 300;  // --timeout: of one run
  unsigned milliseconds = 200;     // --milliseconds: time that a slice is scaled to
  std::string json_file;           // --json: also write every sample there
  std::string stats_folder;        // --stats: each mode's statistics of each run go there, as JSON
  // --images: folder of the guest images; empty: "guest" beside this executable
  std::string images;
  // --snapshots: Linux guests go on from one that has booted, whose snapshot is in this folder
  std::string snapshots_folder;
  std::string kernel = "armmp";  // --kernel: armmp or armmp-lpae
  std::string memory = "1G";     // --memory of each guest
  std::string smp = "1";         // --smp: CPUs of each guest
};

// What a mode in bench's --mmu, such as shadow:lazy+no-fill-around, is as options of run.
std::vector<std::string> mode_arguments(const std::string& mode);

// Prints progress on stderr and the table on stdout, with what `invocation` and the host are.
// Returns the process's exit status (exit_status.h): 0 when every mode either ran all its workloads
// with right results or was skipped because the host cannot run it.
int run_bench(const BenchOptions& options, const Invocation& invocation);

}  // namespace crosswalk::vmm
