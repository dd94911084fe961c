// SPDX-License-Identifier: GPL-2.0-or-later
// Logs of what is translated and executed, in the manner of qemu-system-arm's -d: guest code, IR
// and x86 code of each translation, exceptions taken, and the CPU's registers at each entry to
// translated code.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"

namespace crosswalk::engine {

enum LogItem : uint32_t {
  kLogInAsm = 1 << 0,   // guest instructions of each translated block
  kLogOp = 1 << 1,      // its IR
  kLogOutAsm = 1 << 2,  // its x86 code
  kLogInt = 1 << 3,     // interrupts and exceptions (exception_log.h)
  kLogExec = 1 << 4,    // each entry to translated code (with chaining off: each block)
  kLogCpu = 1 << 5,     // the registers there
};

struct LogConfig {
  uint32_t items = 0;
  FILE* file = nullptr;  // not null when items != 0
  // "function+0x1c" for a guest address; empty text when it has no name. May be empty itself.
  std::function<std::string(uint32_t)> describe_address;
};

struct LogItems {
  uint32_t items = 0;   // a mask
  std::string unknown;  // the first word that is none of the items; then there are none
};
// Of "in_asm,op,out_asm,int,exec,cpu".
LogItems parse_log_items(const std::string& list);

// While it lives, no other thread writes to the log: several lines stay together.
class LogTurn {
 public:
  explicit LogTurn(const LogConfig& log) : file_(log.file) { flockfile(file_); }
  ~LogTurn() { funlockfile(file_); }
  LogTurn(const LogTurn&) = delete;
  LogTurn& operator=(const LogTurn&) = delete;

 private:
  FILE* const file_;
};

void log_translation(const LogConfig& log, const ir::Block& ir, const uint8_t* code, size_t bytes);
void log_registers(const LogConfig& log, const CpuState& cpu);

}  // namespace crosswalk::engine
