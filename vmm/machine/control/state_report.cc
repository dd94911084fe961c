// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/state_report.h"

#include <fmt/format.h>

#include <atomic>
#include <iterator>

#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/fault_names.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"
#include "vmm/machine/loader/symbols.h"

namespace crosswalk::vmm {
namespace {

constexpr size_t kCountsInLine = 4;

std::string name_at(const SymbolTable* symbols, uint32_t address) {
  const std::string name = symbols ? symbols->describe(address) : std::string();
  return name.empty() ? name : " (" + name + ")";
}

// "-zC- AIF", as in many debuggers: flags that are set are capital letters.
std::string flag_letters(uint32_t psr) {
  std::string text;
  for (const auto& [bit, letter] : {std::pair{31, 'N'}, {30, 'Z'}, {29, 'C'}, {28, 'V'}, {8, 'A'}, {7, 'I'}, {6, 'F'}})
    text.push_back(psr >> bit & 1 ? letter : '-');
  return text;
}

const char* name_of(Sleep sleep) {
  switch (sleep) {
    case Sleep::WaitForInterrupt: return ", asleep in WFI";
    case Sleep::WaitForEvent: return ", asleep in WFE";
    case Sleep::Stopped: return ", stopped by the debugger";
    case Sleep::Paused: return ", paused";
    case Sleep::Off:
    case Sleep::Awake: break;
  }
  return "";
}

std::string control_line(const CpuState& cpu) {
  const Cp15& c = cpu.cp15;
  const auto on = [&](uint32_t bit) { return c.sctlr & bit ? "on" : "off"; };
  return fmt::format(
      "  SCTLR={:08x} (MMU {}, data cache {}, instruction cache {}, alignment checks {}, vectors at 0x{:08x})\n"
      "  TTBCR={:08x} TTBR0={:08x} TTBR1={:08x} DACR={:08x} CONTEXTIDR={:08x} VBAR={:08x} CPACR={:08x}\n",
      c.sctlr, on(arm::kSctlrM), on(arm::kSctlrC), on(arm::kSctlrI), on(arm::kSctlrA),
      arm::vector_address(cpu, arm::Exception::Reset), c.ttbcr, c.ttbr0, c.ttbr1, c.dacr, c.contextidr, c.vbar,
      c.cpacr);
}

std::string abort_lines(const CpuState& cpu) {
  const Cp15& c = cpu.cp15;
  std::string text;
  if (c.dfsr | c.dfar) {
    text += fmt::format("  last data abort: DFSR={:x} DFAR={:08x}: {}\n", c.dfsr, c.dfar,
                        arm::describe_fault_status(c.dfsr, true));
  }
  if (c.ifsr | c.ifar) {
    text += fmt::format("  last prefetch abort: IFSR={:x} IFAR={:08x}: {}\n", c.ifsr, c.ifar,
                        arm::describe_fault_status(c.ifsr, false));
  }
  return text.empty() ? "  no abort yet\n" : text;
}

std::string interrupt_line(const CpuState& cpu) {
  const uint32_t lines = std::atomic_ref<uint32_t>(const_cast<uint32_t&>(cpu.interrupt_lines)).load();
  return fmt::format("  interrupts: IRQ {}{}, FIQ {}{}\n", lines & kLineIrq ? "asserted" : "quiet",
                     cpu.i ? ", masked" : "", lines & kLineFiq ? "asserted" : "quiet", cpu.f ? ", masked" : "");
}

std::string register_lines(const CpuState& cpu) {
  std::string text;
  for (int n = 0; n < 16; ++n)
    text += fmt::format("{}R{:02}={:08x}{}", n % 4 ? " " : "  ", n, cpu.r[n], n % 4 == 3 ? "\n" : "");
  return text;
}

std::string count_lines(const StateReport& report) {
  std::string text;
  for (size_t i = 0; i < report.counts.size(); ++i) {
    const auto& [name, value] = report.counts[i];
    text += fmt::format("{}{} {}", i % kCountsInLine ? ", " : i ? "\n  " : "  ", name, value);
  }
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string describe_state(const CpuState& cpu, const StateReport& report) {
  const uint32_t psr = read_cpsr(cpu);
  const auto mode = static_cast<Mode>(cpu.mode);
  std::string text = fmt::format("crosswalk: the guest's state after {:.3f} s\n", report.seconds);
  if (report.sleep == Sleep::Off) return text + fmt::format("  CPU {}: off (PSCI)\n", cpu.cpu_index);
  if (!report.answered) {
    text += fmt::format(
        "  CPU {} did not answer; this was read while it runs, and its registers may be those of some time before\n",
        cpu.cpu_index);
  }
  text += fmt::format("  CPU {}: pc {:08x}{}, {}, mode {}, CPSR {:08x} {}{}\n", cpu.cpu_index, cpu.r[15],
                      name_at(report.symbols, cpu.r[15]), cpu.t ? "Thumb" : "Arm", arm::name_of(mode), psr,
                      flag_letters(psr), name_of(report.sleep));
  text += fmt::format("  lr {:08x}{}", cpu.r[14], name_at(report.symbols, cpu.r[14]));
  if (arm::mode_has_spsr(mode)) text += fmt::format(", SPSR {:08x}", cpu.banked.spsr[bank_of(mode)]);
  text += "\n" + register_lines(cpu) + control_line(cpu) + abort_lines(cpu) + interrupt_line(cpu);
  if (!report.memory.empty()) text += "  " + report.memory + "\n";
  return text + count_lines(report);
}

}  // namespace crosswalk::vmm
