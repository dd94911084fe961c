// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>
#include <variant>
#include <vector>

#include "vmm/app/control_client.h"
#include "vmm/app/info.h"
#include "vmm/app/options.h"
#include "vmm/app/run.h"
#include "vmm/base/conditions.h"
#include "vmm/base/exit_status.h"
#include "vmm/base/standard_files.h"
#include "vmm/bench/bench.h"
#include "vmm/version.h"

namespace crosswalk::vmm {
namespace {

struct Dispatch {
  const Invocation& invocation;

  int operator()(const RunOptions& options) const { return run_guest(options, invocation); }
  int operator()(const ControlOptions& options) const { return run_control(options); }
  int operator()(const SnapshotOptions& options) const { return run_snapshot(options); }
  int operator()(const InfoOptions& options) const { return run_info(options); }
  int operator()(const BenchOptions& options) const { return run_bench(options, invocation); }
  int operator()(const HelpText& help) const {
    std::fputs(help.text.c_str(), stdout);
    return 0;
  }
  int operator()(const ShowVersion&) const {
    std::fputs(kVersionText, stdout);
    return 0;
  }
  int operator()(const OptionError& error) const {
    std::fprintf(stderr, "crosswalk: %s\n", error.message.c_str());
    return kExitBadOptions;
  }
};

}  // namespace
}  // namespace crosswalk::vmm

int main(int argc, char** argv) {
  using namespace crosswalk::vmm;
  if (!open_missing_standard_files()) return kExitInternalError;
  // A write beyond `ulimit -f` is an error like a full disk, and not the end.
  signal(SIGXFSZ, SIG_IGN);
  try {
    const Invocation invocation{kVersion, kCommit, {argv, argv + argc}};
    return std::visit(Dispatch{invocation}, parse_options(std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crosswalk: internal error: %s\n", error.what());
    return kExitInternalError;
  }
}
