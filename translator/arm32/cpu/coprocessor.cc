// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/coprocessor.h"

#include <algorithm>
#include <cstring>

#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/arm32/cpu/system_rows.h"

namespace crosswalk::arm {
namespace {

// CRn = 0, opc1 = 0, CRm = 2-7: the identification scheme's space; what is not allocated is RAZ
// (B7.1).
constexpr SystemRegister kReservedIdentification =
    rows::row(15, "Reserved ID", {0, 0, 0, 0}, kPl1Read, rows::kReadZero, nullptr);
// CRn = 15: IMPLEMENTATION DEFINED test and configuration registers. RAZ/WI, as QEMU has it for
// these CPUs.
constexpr SystemRegister kImplementationDefined =
    rows::row(15, "IMPLEMENTATION DEFINED c15", {15, 0, 0, 0}, kPl1, rows::kReadZero, rows::kWriteIgnored);

constexpr uint32_t kPmuserenrEn = 1;
constexpr uint32_t kDbgdscrUdccDis = 1u << 12;

const SystemRegister* find_row(std::span<const SystemRegister> table, uint32_t key) {
  const auto it = std::lower_bound(table.begin(), table.end(), key,
                                   [](const SystemRegister& row, uint32_t k) { return rows::encoding_key(row) < k; });
  return it != table.end() && rows::encoding_key(*it) == key ? &*it : nullptr;
}

bool condition_holds(const GuestCpu& cpu, Condition condition) {
  if (condition == Condition::None) return true;
  if (condition == Condition::Cp15Barrier) return cpu.cp15.sctlr & kSctlrCp15Ben;
  if (!in_user_mode(cpu)) return true;
  const uint32_t cntkctl = cpu.cp15.cntkctl;
  switch (condition) {
    case Condition::PerformancePl0: return cpu.cp15.pmuserenr & kPmuserenrEn;
    case Condition::CounterPhysical: return cntkctl & kCntkctlPl0Pcten;
    case Condition::CounterVirtual: return cntkctl & kCntkctlPl0Vcten;
    case Condition::CounterFrequency: return cntkctl & (kCntkctlPl0Pcten | kCntkctlPl0Vcten);
    case Condition::TimerPhysical: return cntkctl & kCntkctlPl0Pten;
    case Condition::TimerVirtual: return cntkctl & kCntkctlPl0Vten;
    case Condition::DebugPl0: return !(cpu.debug.dbgdscr & kDbgdscrUdccDis);
    default: return true;
  }
}

uint64_t load_field(const CpuState& cpu, const SystemRegister& row) {
  uint64_t value = 0;
  std::memcpy(&value, reinterpret_cast<const uint8_t*>(&cpu) + row.offset, row.bytes);
  return value;
}
void store_field(CpuState& cpu, const SystemRegister& row, uint64_t value) {
  value &= row.write_mask;
  std::memcpy(reinterpret_cast<uint8_t*>(&cpu) + row.offset, &value, row.bytes);
}

}  // namespace

const SystemRegister* find_system_register(unsigned coprocessor, unsigned crn, unsigned opc1, unsigned crm,
                                           unsigned opc2) {
  if (coprocessor != 15 && coprocessor != 14) return nullptr;
  const uint32_t key = crn << 12 | opc1 << 8 | crm << 4 | opc2;
  if (coprocessor == 14) return find_row(cp14_rows(), key);
  if (const SystemRegister* found = find_row(cp15_rows(), key)) return found;
  if (crn == 0 && opc1 == 0 && crm >= 2 && crm <= 7) return &kReservedIdentification;
  if (crn == 15) return &kImplementationDefined;
  return nullptr;
}

const SystemRegister* find_system_register_64(unsigned coprocessor, unsigned opc1, unsigned crm) {
  if (coprocessor != 15 && coprocessor != 14) return nullptr;
  return find_row(coprocessor == 15 ? cp15_rows() : cp14_rows(), 1u << 16 | opc1 << 8 | crm << 4);
}

bool access_allowed(const GuestCpu& cpu, const SystemRegister& row, bool write) {
  return can_ever_access(row, write, !in_user_mode(cpu)) && condition_holds(cpu, row.condition);
}

uint32_t read_system_register(SystemContext& context, const SystemRegister& row, uint64_t& value) {
  if (!access_allowed(context.cpu, row, false)) return kEffectUndefined;
  if (row.read) return row.read(context, row, value);
  value = load_field(context.cpu, row);
  return kEffectNone;
}

uint32_t write_system_register(SystemContext& context, const SystemRegister& row, uint64_t value) {
  if (!access_allowed(context.cpu, row, true)) return kEffectUndefined;
  if (row.write) return row.write(context, row, value);
  store_field(context.cpu, row, value);
  return row.write_effects;
}

bool swp_enabled(const GuestCpu& cpu) { return cpu.cp15.sctlr & kSctlrSw; }

}  // namespace crosswalk::arm
