// SPDX-License-Identifier: GPL-2.0-or-later
// Coprocessor 14: debug (ARM DDI 0406C, C11) and trivial Jazelle (A2.10). What breakpoints and
// watchpoints do is in debug.cc. No external debugger reads the communication channel or stops the
// CPU: DBGDSCR.HDBGen keeps what is written and means nothing.
#include <cstring>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/system_rows.h"

namespace crosswalk::arm {
namespace {

using rows::Encoding;
using rows::kReadZero;
using rows::kWriteIgnored;

#define DEBUG_FIELD(member) (offsetof(CpuState, debug) + offsetof(DebugRegisters, member))

constexpr uint32_t kOsLockKey = 0xc5acce55;
// OSLM = 0b10: the OS Lock is implemented
constexpr uint32_t kOslsrOslm = 1u << 3, kOslsrOslk = 1u << 1;
constexpr uint32_t kDscrTxFull = 1u << 29;
// DBGDSCR: what monitor-mode software may write: MDBGEN, HDBGEN, ITRen, UDCCdis, INTdis, DBGack,
// MOE.
constexpr uint32_t kDscrWritable = 0x0000fc3c;
// DBGDSCRint shows status only: TXfull, RXfull, MDBGEN, UDCCdis, MOE and the like.
constexpr uint32_t kDscrVisible = 0x7000fc3c;
// Without VMIDs and the Security Extensions; BCR has no MASK (DBGDEVID.BPAddrMask).
constexpr uint32_t kBcrWritable = 0x00ffe1e7, kWcrWritable = 0x1f1fffff, kVcrWritable = 0x000000df;
// DBGPRSR: powered up. DBGDEVID as QEMU 7.2 has it.
constexpr uint32_t kPrsrPoweredUp = 1, kDbgdevid = 0x01110f13, kDbgdevid1CortexA7 = 1;

uint32_t give(uint64_t& value, uint64_t result) {
  value = result;
  return kEffectNone;
}

// After a write that may change what matches. It counts from the next instruction on; software that
// waits for its ISB cannot tell.
constexpr uint32_t kMatchesChanged = kEffectDebugChanged | kEffectEndBlock;
uint32_t matches_changed(GuestCpu& cpu) {
  recompute_debug(cpu);
  return kMatchesChanged;
}
uint32_t write_field(SystemContext& c, const SystemRegister& row, uint64_t value) {
  const auto stored = static_cast<uint32_t>(value & row.write_mask);
  std::memcpy(reinterpret_cast<uint8_t*>(&c.cpu) + row.offset, &stored, sizeof stored);
  return matches_changed(c.cpu);
}

uint32_t read_dbgdidr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, id_registers(c.cpu).dbgdidr);
}
uint32_t read_dbgdscr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.debug.dbgdscr & kDscrVisible);
}
uint32_t write_dbgdscr(SystemContext& c, const SystemRegister&, uint64_t value) {
  uint32_t& dscr = c.cpu.debug.dbgdscr;
  dscr = (dscr & ~kDscrWritable) | (static_cast<uint32_t>(value) & kDscrWritable);
  return matches_changed(c.cpu);
}
// The transmit register stays full after the first write: nobody reads it, as with no debugger
// attached.
uint32_t write_dbgdtrtx(SystemContext& c, const SystemRegister&, uint64_t) {
  c.cpu.debug.dbgdscr |= kDscrTxFull;
  return kEffectNone;
}
uint32_t write_dbgoslar(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.debug.os_locked = static_cast<uint32_t>(value) == kOsLockKey;
  return matches_changed(c.cpu);
}
uint32_t read_dbgoslsr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, kOslsrOslm | (c.cpu.debug.os_locked ? kOslsrOslk : 0u));
}
uint32_t read_dbgprsr(SystemContext&, const SystemRegister&, uint64_t& value) { return give(value, kPrsrPoweredUp); }
uint32_t write_dbgclaimset(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.debug.dbgclaim |= static_cast<uint32_t>(value) & 0xff;
  return kEffectNone;
}
uint32_t read_dbgclaimset(SystemContext&, const SystemRegister&, uint64_t& value) { return give(value, 0xff); }
uint32_t read_dbgclaimclr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.debug.dbgclaim);
}
uint32_t write_dbgclaimclr(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.debug.dbgclaim &= ~static_cast<uint32_t>(value);
  return kEffectNone;
}
// DBGAUTHSTATUS: non-secure invasive and non-invasive debug implemented and enabled.
uint32_t read_dbgauthstatus(SystemContext&, const SystemRegister&, uint64_t& value) { return give(value, 0x0f); }
uint32_t read_dbgdevid(SystemContext&, const SystemRegister&, uint64_t& value) { return give(value, kDbgdevid); }
uint32_t read_dbgdevid1(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.midr == id_registers(CpuModel::CortexA7).midr ? kDbgdevid1CortexA7 : 0);
}

constexpr SystemRegister state(const char* name, Encoding e, uint8_t access, size_t offset, uint32_t mask = ~0u,
                               Condition condition = Condition::None) {
  return rows::field(14, name, e, access, offset, mask, 0, condition);
}
constexpr SystemRegister reg(const char* name, Encoding e, uint8_t access, ReadFunction read, WriteFunction write,
                             Condition condition = Condition::None, uint32_t effects = 0) {
  return rows::row(14, name, e, access, read, write, effects, condition);
}
// State that decides what matches.
constexpr SystemRegister matching(const char* name, Encoding e, size_t offset, uint32_t mask = ~0u) {
  return rows::field(14, name, e, kPl1, offset, mask, kMatchesChanged, Condition::None, write_field);
}

// Value and control registers of breakpoint or watchpoint n.
constexpr SystemRegister breakpoint_value(const char* name, uint8_t n) {
  return matching(name, {0, 0, n, 4}, DEBUG_FIELD(dbgbvr) + size_t{4} * n);
}
constexpr SystemRegister breakpoint_control(const char* name, uint8_t n) {
  return matching(name, {0, 0, n, 5}, DEBUG_FIELD(dbgbcr) + size_t{4} * n, kBcrWritable);
}
constexpr SystemRegister watchpoint_value(const char* name, uint8_t n) {
  return matching(name, {0, 0, n, 6}, DEBUG_FIELD(dbgwvr) + size_t{4} * n, ~3u);
}
constexpr SystemRegister watchpoint_control(const char* name, uint8_t n) {
  return matching(name, {0, 0, n, 7}, DEBUG_FIELD(dbgwcr) + size_t{4} * n, kWcrWritable);
}

constexpr auto kRows = rows::sorted(std::to_array<SystemRegister>({
    // ---- debug: c0
    reg("DBGDIDR", {0, 0, 0, 0}, kPl1Read | kPl0Read, read_dbgdidr, nullptr, Condition::DebugPl0),
    reg("DBGDSCRint", {0, 0, 1, 0}, kPl1Read | kPl0Read, read_dbgdscr, nullptr, Condition::DebugPl0),
    reg("DBGDTRRXint/TXint", {0, 0, 5, 0}, kPl0, kReadZero, write_dbgdtrtx, Condition::DebugPl0),
    state("DBGWFAR", {0, 0, 6, 0}, kPl1, DEBUG_FIELD(dbgwfar)),
    matching("DBGVCR", {0, 0, 7, 0}, DEBUG_FIELD(dbgvcr), kVcrWritable),
    reg("DBGDTRRXext", {0, 0, 0, 2}, kPl1, kReadZero, kWriteIgnored),
    reg("DBGDSCRext", {0, 0, 2, 2}, kPl1, read_dbgdscr, write_dbgdscr, Condition::None, kMatchesChanged),
    reg("DBGDTRTXext", {0, 0, 3, 2}, kPl1, kReadZero, write_dbgdtrtx),
    breakpoint_value("DBGBVR0", 0),
    breakpoint_value("DBGBVR1", 1),
    breakpoint_value("DBGBVR2", 2),
    breakpoint_value("DBGBVR3", 3),
    breakpoint_value("DBGBVR4", 4),
    breakpoint_value("DBGBVR5", 5),
    breakpoint_control("DBGBCR0", 0),
    breakpoint_control("DBGBCR1", 1),
    breakpoint_control("DBGBCR2", 2),
    breakpoint_control("DBGBCR3", 3),
    breakpoint_control("DBGBCR4", 4),
    breakpoint_control("DBGBCR5", 5),
    watchpoint_value("DBGWVR0", 0),
    watchpoint_value("DBGWVR1", 1),
    watchpoint_value("DBGWVR2", 2),
    watchpoint_value("DBGWVR3", 3),
    watchpoint_control("DBGWCR0", 0),
    watchpoint_control("DBGWCR1", 1),
    watchpoint_control("DBGWCR2", 2),
    watchpoint_control("DBGWCR3", 3),

    // ---- debug: c1, c2, c7
    reg("DBGDRAR", {1, 0, 0, 0}, kPl1Read | kPl0Read, kReadZero, nullptr, Condition::DebugPl0),
    reg("DBGOSLAR", {1, 0, 0, 4}, kPl1Write, nullptr, write_dbgoslar, Condition::None, kMatchesChanged),
    reg("DBGOSLSR", {1, 0, 1, 4}, kPl1Read, read_dbgoslsr, nullptr),
    matching("DBGOSDLR", {1, 0, 3, 4}, DEBUG_FIELD(dbgosdlr), 1),
    matching("DBGPRCR", {1, 0, 4, 4}, DEBUG_FIELD(dbgprcr), 1),
    reg("DBGPRSR", {1, 0, 5, 4}, kPl1Read, read_dbgprsr, nullptr),
    reg("DBGDSAR", {2, 0, 0, 0}, kPl1Read | kPl0Read, kReadZero, nullptr, Condition::DebugPl0),
    reg("DBGDEVID2", {7, 0, 0, 7}, kPl1Read, kReadZero, nullptr),
    reg("DBGDEVID1", {7, 0, 1, 7}, kPl1Read, read_dbgdevid1, nullptr),
    reg("DBGDEVID", {7, 0, 2, 7}, kPl1Read, read_dbgdevid, nullptr),
    reg("DBGCLAIMSET", {7, 0, 8, 6}, kPl1, read_dbgclaimset, write_dbgclaimset),
    reg("DBGCLAIMCLR", {7, 0, 9, 6}, kPl1, read_dbgclaimclr, write_dbgclaimclr),
    reg("DBGAUTHSTATUS", {7, 0, 14, 6}, kPl1Read, read_dbgauthstatus, nullptr),
    rows::row64(14, "DBGDRAR (64-bit)", 0, 1, kPl1Read | kPl0Read, kReadZero, nullptr, 0, Condition::DebugPl0),
    rows::row64(14, "DBGDSAR (64-bit)", 0, 2, kPl1Read | kPl0Read, kReadZero, nullptr, 0, Condition::DebugPl0),

    // ---- trivial Jazelle: the registers, not the execution state. TEECR and TEEHBR are ThumbEE's,
    // which is not there.
    reg("JIDR", {0, 7, 0, 0}, kPl1Read, kReadZero, nullptr),
    reg("JOSCR", {1, 7, 0, 0}, kPl1, kReadZero, kWriteIgnored),
    reg("JMCR", {2, 7, 0, 0}, kPl1, kReadZero, kWriteIgnored),
}));
static_assert(rows::no_duplicates(kRows));

}  // namespace

std::span<const SystemRegister> cp14_rows() { return kRows; }

}  // namespace crosswalk::arm
