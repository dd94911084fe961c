// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/debugger/registers.h"

#include <cstring>
#include <iterator>
#include <string_view>

#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::vmm {
namespace {

constexpr unsigned kPc = 15, kCpsr = 16, kFirstD = 17, kFpscr = kFirstD + 32, kFirstQ = kFpscr + 1,
                   kFirstSystem = kFirstQ + 16;

struct SystemRow {
  const char* name;
  unsigned bytes;
  uint64_t (*read)(CpuState& cpu);
};

#define FIELD(name, field)                                                             \
  {                                                                                    \
    name, sizeof(CpuState::field), [](CpuState& cpu) -> uint64_t { return cpu.field; } \
  }
#define CP15(name, field)                                                               \
  {                                                                                     \
    name, sizeof(Cp15::field), [](CpuState& cpu) -> uint64_t { return cpu.cp15.field; } \
  }
#define OF_MODE(name, mode, n)                                                                   \
  {                                                                                              \
    name, 4, [](CpuState& cpu) -> uint64_t { return arm::register_of_mode(cpu, Mode::mode, n); } \
  }
#define SPSR_OF(name, bank)                                                  \
  {                                                                          \
    name, 4, [](CpuState& cpu) -> uint64_t { return cpu.banked.spsr[bank]; } \
  }

constexpr SystemRow kSystem[] = {
    FIELD("MIDR", midr),
    FIELD("MPIDR", mpidr),
    CP15("SCTLR", sctlr),
    CP15("ACTLR", actlr),
    CP15("CPACR", cpacr),
    CP15("TTBR0", ttbr0),
    CP15("TTBR1", ttbr1),
    CP15("TTBCR", ttbcr),
    CP15("DACR", dacr),
    CP15("DFSR", dfsr),
    CP15("IFSR", ifsr),
    CP15("DFAR", dfar),
    CP15("IFAR", ifar),
    CP15("PAR", par),
    CP15("PRRR", prrr),
    CP15("NMRR", nmrr),
    CP15("VBAR", vbar),
    CP15("CONTEXTIDR", contextidr),
    CP15("TPIDRURW", tpidrurw),
    CP15("TPIDRURO", tpidruro),
    CP15("TPIDRPRW", tpidrprw),
    CP15("CNTKCTL", cntkctl),
    CP15("CNTFRQ", cntfrq),
    CP15("CNTP_CTL", cntp_ctl),
    CP15("CNTP_CVAL", cntp_cval),
    CP15("CNTV_CTL", cntv_ctl),
    CP15("CNTV_CVAL", cntv_cval),
    CP15("PMCR", pmcr),
    FIELD("FPEXC", fpexc),
    FIELD("DBGDSCR", debug.dbgdscr),
    {"SPSR", 4, [](CpuState& cpu) -> uint64_t { return arm::read_spsr(cpu); }},
    OF_MODE("SP_usr", User, 13),
    OF_MODE("LR_usr", User, 14),
    OF_MODE("SP_svc", Supervisor, 13),
    OF_MODE("LR_svc", Supervisor, 14),
    SPSR_OF("SPSR_svc", kBankSvc),
    OF_MODE("SP_abt", Abort, 13),
    OF_MODE("LR_abt", Abort, 14),
    SPSR_OF("SPSR_abt", kBankAbt),
    OF_MODE("SP_und", Undefined, 13),
    OF_MODE("LR_und", Undefined, 14),
    SPSR_OF("SPSR_und", kBankUnd),
    OF_MODE("SP_irq", Irq, 13),
    OF_MODE("LR_irq", Irq, 14),
    SPSR_OF("SPSR_irq", kBankIrq),
    OF_MODE("SP_fiq", Fiq, 13),
    OF_MODE("LR_fiq", Fiq, 14),
    SPSR_OF("SPSR_fiq", kBankFiq),
};

#undef FIELD
#undef CP15
#undef OF_MODE
#undef SPSR_OF

// GDB makes no registers of this size of its own where VFP's are described.
constexpr const char* kNeonTypes =
    "<vector id=\"neon_u8\" type=\"uint8\" count=\"16\"/><vector id=\"neon_u16\" type=\"uint16\" count=\"8\"/>"
    "<vector id=\"neon_u32\" type=\"uint32\" count=\"4\"/><vector id=\"neon_u64\" type=\"uint64\" count=\"2\"/>"
    "<vector id=\"neon_f32\" type=\"ieee_single\" count=\"4\"/>"
    "<union id=\"neon_q\"><field name=\"u8\" type=\"neon_u8\"/><field name=\"u16\" type=\"neon_u16\"/>"
    "<field name=\"u32\" type=\"neon_u32\"/><field name=\"u64\" type=\"neon_u64\"/>"
    "<field name=\"f32\" type=\"neon_f32\"/></union>";

std::string reg(const std::string& name, unsigned bytes, const char* more) {
  return "<reg name=\"" + name + "\" bitsize=\"" + std::to_string(bytes * 8) + "\"" + more + "/>";
}

std::string little_endian(uint64_t value, unsigned bytes) {
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

uint32_t word_of(const std::string& value) {
  uint32_t word = 0;
  std::memcpy(&word, value.data(), sizeof word);
  return word;
}

}  // namespace

std::string target_description() {
  std::string text =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
      "<architecture>arm</architecture><feature name=\"org.gnu.gdb.arm.core\">";
  for (unsigned n = 0; n < 13; ++n) text += reg("r" + std::to_string(n), 4, " type=\"uint32\"");
  text +=
      reg("sp", 4, " type=\"data_ptr\"") + reg("lr", 4, "") + reg("pc", 4, " type=\"code_ptr\"") + reg("cpsr", 4, "");
  text += "</feature><feature name=\"org.gnu.gdb.arm.vfp\">";
  for (unsigned n = 0; n < 32; ++n) text += reg("d" + std::to_string(n), 8, " type=\"ieee_double\"");
  text += reg("fpscr", 4, " type=\"int\" group=\"float\"");
  text += "</feature><feature name=\"org.gnu.gdb.arm.neon\">";
  text += kNeonTypes;
  for (unsigned n = 0; n < 16; ++n) text += reg("q" + std::to_string(n), 16, " type=\"neon_q\"");
  text += "</feature><feature name=\"org.crosswalk.arm.system\">";
  for (const SystemRow& row : kSystem)
    text += reg(row.name, row.bytes,
                row.bytes == 8 ? " type=\"uint64\" group=\"system\" save-restore=\"no\""
                               : " type=\"uint32\" group=\"system\" save-restore=\"no\"");
  return text + "</feature></target>";
}

unsigned debugger_register_count() { return kFirstSystem + static_cast<unsigned>(std::size(kSystem)); }
unsigned debugger_general_registers() { return kFirstQ; }

unsigned debugger_register_bytes(unsigned number) {
  if (number >= kFirstSystem) return kSystem[number - kFirstSystem].bytes;
  if (number >= kFirstQ) return 16;
  return number >= kFirstD && number < kFpscr ? 8 : 4;
}

std::string read_debugger_register(CpuState& cpu, unsigned number) {
  if (number <= kPc) return little_endian(cpu.r[number], 4);
  if (number == kCpsr) return little_endian(read_cpsr(cpu), 4);
  if (number < kFpscr) return {reinterpret_cast<const char*>(cpu.vreg) + size_t{8} * (number - kFirstD), 8};
  if (number == kFpscr) return little_endian(arm::read_fpscr(cpu), 4);
  if (number < kFirstSystem) return {reinterpret_cast<const char*>(cpu.vreg) + size_t{16} * (number - kFirstQ), 16};
  const SystemRow& row = kSystem[number - kFirstSystem];
  return little_endian(row.read(cpu), row.bytes);
}

bool write_debugger_register(CpuState& cpu, unsigned number, const std::string& value) {
  if (number < kPc) {
    cpu.r[number] = word_of(value);
  } else if (number == kPc) {
    cpu.r[kPc] = word_of(value) & (cpu.t ? ~1u : ~3u);
  } else if (number == kCpsr) {
    return arm::set_cpsr(cpu, word_of(value));
  } else if (number < kFpscr) {
    std::memcpy(cpu.vreg + size_t{8} * (number - kFirstD), value.data(), 8);
  } else if (number == kFpscr) {
    arm::write_fpscr(cpu, word_of(value));
  } else if (number < kFirstSystem) {
    std::memcpy(cpu.vreg + size_t{16} * (number - kFirstQ), value.data(), 16);
  } else {
    return false;
  }
  return true;
}

}  // namespace crosswalk::vmm
