// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/run_control.h"

#include <unistd.h>

#include <chrono>
#include <string>

#include "vmm/base/patient_write.h"

namespace crosswalk::vmm {
namespace {
constexpr int kErrorMilliseconds = 100;               // how long standard error may take nothing
constexpr std::chrono::milliseconds kLastFlush{100};  // for output, when a CPU did not stop
}  // namespace

void RunControl::state_requested() {
  std::string text = reporter_.ask();
  if (text.empty()) text = "crosswalk: the guest has ended\n";
  print_error(config_.error_fd, text, kErrorMilliseconds);
}

void RunControl::exit_now(int status) {
  if (config_.before_exit) config_.before_exit();
  _exit(status);
}

void RunControl::stop_overdue() {
  if (reporter_.has_left_guest()) return;
  std::string text;
  if (stop_.state().reason == StopReason::Timeout) text = reporter_.of_running();
  io_.finish(kLastFlush);
  if (reporter_.has_left_guest()) return;
  if (config_.before_exit) config_.before_exit();
  print_error(config_.error_fd, text + "crosswalk: the CPU did not stop in time; the process ends without it\n",
              kErrorMilliseconds);
  _exit(stop_.state().exit_status());
}

}  // namespace crosswalk::vmm
