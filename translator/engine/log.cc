// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/log.h"

#include <capstone/capstone.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <sstream>

namespace crosswalk::engine {
namespace {

void disassemble(FILE* out, cs_arch arch, int mode, const uint8_t* code, size_t bytes, uint64_t address) {
  csh handle;
  if (cs_open(arch, static_cast<cs_mode>(mode), &handle) != CS_ERR_OK) return;
  cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
  cs_insn* insns = nullptr;
  const size_t n = cs_disasm(handle, code, bytes, address, 0, &insns);
  for (size_t i = 0; i < n; i++)
    std::fprintf(out, "0x%08llx:  %-8s %s\n", static_cast<unsigned long long>(insns[i].address), insns[i].mnemonic,
                 insns[i].op_str);
  if (n) cs_free(insns, n);
  cs_close(&handle);
}

}  // namespace

LogItems parse_log_items(const std::string& list) {
  static constexpr const char* kNames[] = {"in_asm", "op", "out_asm", "int", "exec", "cpu"};
  uint32_t items = 0;
  std::stringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    const auto* const at =
        std::find_if(std::begin(kNames), std::end(kNames), [&](const char* name) { return word == name; });
    if (at == std::end(kNames)) return {0, word};
    items |= 1u << (at - std::begin(kNames));
  }
  return {items, ""};
}

void log_translation(const LogConfig& log, const ir::Block& ir, const uint8_t* code, size_t bytes) {
  if (!(log.items & (kLogInAsm | kLogOp | kLogOutAsm))) return;
  const LogTurn turn(log);
  if (log.items & kLogInAsm) {
    std::fprintf(log.file, "IN: \n");
    for (const ir::GuestInst& g : ir.guest) {
      uint8_t raw[4];
      uint32_t word = g.word;
      if (ir.thumb && g.bytes == 4) word = word << 16 | word >> 16;  // halfwords in memory order
      std::memcpy(raw, &word, 4);
      disassemble(log.file, CS_ARCH_ARM, ir.thumb ? CS_MODE_THUMB : CS_MODE_ARM, raw, g.bytes, g.pc);
    }
    std::fprintf(log.file, "\n");
  }
  if (log.items & kLogOp) std::fprintf(log.file, "OP:\n%s\n", ir::print(ir).c_str());
  if (log.items & kLogOutAsm) {
    std::fprintf(log.file, "OUT: [size=%zu]\n", bytes);
    disassemble(log.file, CS_ARCH_X86, CS_MODE_64, code, bytes, reinterpret_cast<uint64_t>(code));
    std::fprintf(log.file, "\n");
  }
}

void log_registers(const LogConfig& log, const CpuState& cpu) {
  if (!(log.items & (kLogExec | kLogCpu))) return;
  const LogTurn turn(log);
  if (log.items & kLogExec) std::fprintf(log.file, "Trace %u: %08x%s\n", cpu.cpu_index, cpu.r[15], cpu.t ? " T" : "");
  if (!(log.items & kLogCpu)) return;
  for (int n = 0; n < 16; n++) std::fprintf(log.file, "R%02d=%08x%c", n, cpu.r[n], n % 4 == 3 ? '\n' : ' ');
  std::fprintf(log.file, "PSR=%08x\n", read_cpsr(cpu));
}

}  // namespace crosswalk::engine
