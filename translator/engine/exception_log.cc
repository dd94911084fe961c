// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/exception_log.h"

#include "translator/arm32/cpu/fault_names.h"

namespace crosswalk::engine {
namespace {

const char* mode_name(uint32_t psr) { return arm::name_of(static_cast<Mode>(psr & 0x1f)); }

}  // namespace

void ExceptionLog::exception_taken(const CpuState& cpu, arm::Exception kind, uint32_t pc, uint32_t psr) {
  const auto place = [this](uint32_t address) {
    const std::string name = log_.describe_address ? log_.describe_address(address) : std::string();
    return name.empty() ? std::string() : " (" + name + ")";
  };
  const LogTurn turn(log_);
  std::fprintf(log_.file, "Taking exception %u [%s] on CPU %u\n", static_cast<unsigned>(kind), arm::name_of(kind),
               cpu.cpu_index);
  std::fprintf(log_.file, "...from PC 0x%08x%s%s, mode %s, SPSR 0x%08x\n", pc, psr >> 5 & 1 ? " (Thumb)" : "",
               place(pc).c_str(), mode_name(psr), psr);
  const Cp15& c = cpu.cp15;
  if (kind == arm::Exception::DataAbort)
    std::fprintf(log_.file, "...with DFSR 0x%x DFAR 0x%08x: %s\n", c.dfsr, c.dfar,
                 arm::describe_fault_status(c.dfsr, true).c_str());
  if (kind == arm::Exception::PrefetchAbort)
    std::fprintf(log_.file, "...with IFSR 0x%x IFAR 0x%08x: %s\n", c.ifsr, c.ifar,
                 arm::describe_fault_status(c.ifsr, false).c_str());
  std::fprintf(log_.file, "...to PC 0x%08x%s, mode %s, LR 0x%08x\n", cpu.r[15], place(cpu.r[15]).c_str(),
               mode_name(cpu.mode), cpu.r[14]);
}

}  // namespace crosswalk::engine
