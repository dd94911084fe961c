// SPDX-License-Identifier: GPL-2.0-or-later
// System registers of coprocessors 15 and 14 (ARM DDI 0406C, B3.17, B4.1, B8, C11; Cortex-A15 TRM,
// chapter 4), as a table with one row a register or operation. An encoding without a row is
// UNDEFINED.
//
// Both uses are served: at translation time, find() gives the row, whose static fields say whether
// the access is a plain load or store of a CpuState field and what it may require afterwards; at
// run time, read_system_register and write_system_register do the access with all checks.
#pragma once

#include <cstdint>
#include <span>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/effects.h"
#include "translator/arm32/cpu/mmu_port.h"
#include "translator/arm32/cpu/platform.h"

namespace crosswalk::arm {

// What a register access may need besides the CPU.
struct SystemContext {
  CpuState& cpu;
  MmuPort& mmu;
  Platform& platform;
  // With kEffectDataAbort: for data_abort().
  uint32_t abort_fsr = 0;
  uint32_t abort_far = 0;
};

enum Access : uint8_t {
  kPl1Read = 1,
  kPl1Write = 2,
  kPl0Read = 4,
  kPl0Write = 8,
  kPl1 = kPl1Read | kPl1Write,
  kPl0 = kPl1 | kPl0Read | kPl0Write,
};

// A condition, beyond `access`, that decides at run time whether an access is allowed.
enum class Condition : uint8_t {
  None,
  Cp15Barrier,       // SCTLR.CP15BEN
  PerformancePl0,    // PL0: PMUSERENR.EN
  CounterPhysical,   // PL0: CNTKCTL.PL0PCTEN
  CounterVirtual,    // PL0: CNTKCTL.PL0VCTEN
  CounterFrequency,  // PL0: either of the two
  TimerPhysical,     // PL0: CNTKCTL.PL0PTEN
  TimerVirtual,      // PL0: CNTKCTL.PL0VTEN
  DebugPl0,          // PL0: DBGDSCR.UDCCdis clear
};

struct SystemRegister;
// Both return effects. A read function of a 32-bit register leaves value[63:32] zero.
using ReadFunction = uint32_t (*)(SystemContext&, const SystemRegister&, uint64_t& value);
using WriteFunction = uint32_t (*)(SystemContext&, const SystemRegister&, uint64_t value);

struct SystemRegister {
  const char* name = "";
  uint8_t coprocessor = 15;
  bool is_64bit = false;  // MRRC/MCRR: opc1 and crm identify it
  uint8_t crn = 0, opc1 = 0, crm = 0, opc2 = 0;
  uint8_t access = 0;  // Access
  Condition condition = Condition::None;
  ReadFunction read = nullptr;    // null: a load of the state field
  WriteFunction write = nullptr;  // null: a store of (value & write_mask) to the state field
  uint16_t offset = 0;            // of the state field in CpuState; used when read or write is null
  uint8_t bytes = 0;              // of the state field: 4 or 8; 0: none
  uint64_t write_mask = ~uint64_t{0};
  // All effects a write may have; for plain_write, exactly those it has (the field changed or not).
  // Undefined and DataAbort apart, a read has none.
  uint32_t write_effects = 0;

  // A read is a load of `bytes` bytes at `offset`, a write a store of (value & write_mask) there
  // followed by write_effects; where `condition` is None, only the static PL check precedes them.
  bool plain_read() const { return read == nullptr && bytes != 0; }
  bool plain_write() const { return write == nullptr && bytes != 0; }
};

// The row of an encoding, or null: UNDEFINED. For MRC, MCR, MRRC and MCRR; the MRC2 forms to
// coprocessors 14 and 15 are UNPREDICTABLE and may be treated as UNDEFINED.
const SystemRegister* find_system_register(unsigned coprocessor, unsigned crn, unsigned opc1, unsigned crm,
                                           unsigned opc2);
const SystemRegister* find_system_register_64(unsigned coprocessor, unsigned opc1, unsigned crm);

// Whether the access is allowed now (privilege, condition). A translator may call it with a
// CpuState whose mode it assumes only when row.condition is None; can_ever_access is the static
// part.
bool access_allowed(const GuestCpu& cpu, const SystemRegister& row, bool write);
inline bool can_ever_access(const SystemRegister& row, bool write, bool privileged) {
  return row.access & (write ? (privileged ? kPl1Write : kPl0Write) : (privileged ? kPl1Read : kPl0Read));
}

// MRC and MRRC. kEffectUndefined when not allowed: `value` is then untouched.
uint32_t read_system_register(SystemContext& context, const SystemRegister& row, uint64_t& value);
// MCR and MCRR. Returns effects.
uint32_t write_system_register(SystemContext& context, const SystemRegister& row, uint64_t value);

// SWP and SWPB are UNDEFINED unless SCTLR.SW is set.
bool swp_enabled(const GuestCpu& cpu);

// All rows with state or behaviour (not the two ranges that find answers with a common row: the
// reserved part of the identification space, and IMPLEMENTATION DEFINED c15, both RAZ and c15 also
// WI). For tests and documentation.
std::span<const SystemRegister> cp15_rows();
std::span<const SystemRegister> cp14_rows();

}  // namespace crosswalk::arm
