// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/fault_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace crosswalk {

void panic(const char* what, const engine::FaultFrame& frame) {
  static constexpr const char* kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                             "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  char text[1200];
  size_t used = 0;
  const auto append = [&](const char* format, auto... values) {
    const int n = std::snprintf(text + used, sizeof text - used, format, values...);
    if (n > 0) used = std::min(used + static_cast<size_t>(n), sizeof text - 1);
  };
  append("crosswalk: %s\n", what);
  if (frame.address_valid) {
    append("  %s of address %016llx\n", frame.write ? "write" : "read or fetch",
           static_cast<unsigned long long>(frame.address));
  } else {
    append("  %s", "the host did not tell the address\n");
  }
  append("  rip %016llx\n", static_cast<unsigned long long>(frame.rip));
  for (int i = 0; i < 16; i++) {
    append("  %-3s %016llx%s", kNames[i], static_cast<unsigned long long>(frame.gpr[i]), i % 4 == 3 ? "\n" : "");
  }
  // Nothing can be done about a failing standard error here.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, used);
  std::abort();
}

}  // namespace crosswalk
