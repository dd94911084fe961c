// SPDX-License-Identifier: GPL-2.0-or-later
// What the guest has in one CPU: its registers. Plain data without pointers, so that a copy saves
// the CPU, and the copy written back to another CpuState restores it (Engine::guest_replaced()
// makes the rest follow).
#pragma once

#include <cstdint>
#include <type_traits>

namespace crosswalk {

// PSR.M values (ARM DDI 0406C, B1.3.1, table B1-1).
enum class Mode : uint8_t {
  User = 0x10,
  Fiq = 0x11,
  Irq = 0x12,
  Supervisor = 0x13,
  Monitor = 0x16,
  Abort = 0x17,
  Hyp = 0x1a,
  Undefined = 0x1b,
  System = 0x1f,
};

// Registers banked by mode. Index with the BankIndex of a mode, bank_of(); System has User's.
enum BankIndex : uint8_t {
  kBankUser,
  kBankFiq,
  kBankSvc,
  kBankIrq,
  kBankAbt,
  kBankMon,
  kBankUnd,
  kBankHyp,
  kBankCount
};

struct BankedRegisters {
  uint32_t r13[kBankCount];
  uint32_t r14[kBankCount];   // Hyp shares User's r14
  uint32_t spsr[kBankCount];  // [kBankUser] is 0
  uint32_t r8_12_user[5];     // r8-r12 of every mode but FIQ, while FIQ's are current
  uint32_t r8_12_fiq[5];      // r8-r12 of FIQ, while another mode's are current
};

// System control coprocessor registers that hold state (names as in ARM DDI 0406C, chapter B4).
// Read-only identification registers are constants of the CPU model and are not here.
struct Cp15 {
  uint32_t sctlr, actlr, cpacr;
  uint64_t ttbr0, ttbr1;  // 64 bits wide with TTBCR.EAE=1
  uint32_t ttbcr, dacr;
  uint32_t dfsr, ifsr, dfar, ifar;
  uint64_t par;
  uint32_t prrr, nmrr;  // MAIR0/MAIR1 with EAE=1: the same registers
  uint32_t vbar;
  uint32_t contextidr;
  uint32_t tpidrurw, tpidruro, tpidrprw;
  uint32_t csselr;
  uint32_t cntkctl, cntp_ctl, cntv_ctl, cntfrq;
  uint64_t cntp_cval, cntv_cval, cntvoff;
  uint32_t pmcr, pmcntenset, pmovsr, pmselr, pmuserenr, pmintenset, pmccntr;
  uint32_t l2ctlr;
};

// Debug (coprocessor 14) and performance-monitor registers that hold state, beyond those in Cp15.
struct DebugRegisters {
  uint32_t dbgdscr, dbgvcr, dbgwfar, dbgosdlr, dbgclaim, dbgprcr;
  uint32_t os_locked;  // DBGOSLSR.OSLK
  uint32_t dbgbvr[6], dbgbcr[6], dbgwvr[4], dbgwcr[4];
  // Follow from the others (debug.h): whether a breakpoint or vector catch, and a watchpoint, may
  // match anything.
  uint8_t breaking, watching;
};
struct PerformanceMonitors {
  uint32_t evtyper[6], evcntr[6];  // PMXEVTYPER and PMXEVCNTR of counters 0-5
  uint32_t ccfiltr;                // PMXEVTYPER with PMSELR.SEL = 31
  uint32_t cycle_residue;          // cycles not yet counted with PMCR.D = 1
  uint64_t synchronized;           // Platform::nanoseconds() up to which the counters are current
  // Platform::counter() at which the overflow interrupt rises; 0: it does not
  uint64_t interrupt_at;
  uint8_t interrupt;  // the overflow interrupt's level as of `synchronized`
  // a counter runs at one privilege level only, so changes of it must be seen;
  uint8_t filtered;
  // then: whether the time since `synchronized` passed in User mode
  uint8_t user;
};

// Translated code finds it through r15; what lies in its first 128 bytes takes a byte displacement.
struct alignas(64) GuestCpu {
  // r[15] is the address of the current instruction, valid outside translated code
  uint32_t r[16];
  uint64_t nz;               // N and Z as a value: Z = (low 32 bits == 0), N = bit 31 or bit 63
  uint8_t c, v, q;           // 0 or 1
  uint8_t t, e, it, j;       // PSR.T, PSR.E, PSR.IT (8 bits), PSR.J
  uint8_t mode;              // PSR.M (enum Mode)
  uint8_t a, i, f;           // PSR mask bits
  uint8_t fp_mode;           // how floating point and Advanced SIMD behave now: fp_system.h, FpModeBit
  uint8_t strict_alignment;  // every access must be aligned: SCTLR.A set, or SCTLR.M clear
  uint8_t monitor_armed;     // local exclusive monitor
  uint8_t fpscr_nzcv;        // FPSCR.N to V in bits 3:0
  // MXCSR for guest VFP code: rounding mode, FZ, and the cumulative flags so far
  uint32_t mxcsr;
  // MXCSR for Advanced SIMD ("standard FPSCR value"), cumulative flags so far
  uint32_t mxcsr_standard;
  uint32_t fpscr;  // everything of FPSCR but NZCV, and the cumulative flags still in mxcsr*
  uint32_t fpexc;
  uint32_t monitor_address;          // VA of the last load-exclusive
  uint32_t monitor_size;             // bytes
  uint64_t monitor_value;            // what the last load-exclusive read
  uint32_t ge_mask;                  // GE[3:0]: byte n is 0xff where GE[n] is set, else 0
  alignas(16) uint8_t vreg[32 * 8];  // D0-D31, little-endian
  BankedRegisters banked;
  Cp15 cp15;
  uint32_t midr, mpidr;
  uint32_t cpu_index;  // of the board's CPUs; MPIDR.Aff0
  DebugRegisters debug;
  PerformanceMonitors performance;
};
static_assert(std::is_trivially_copyable_v<GuestCpu> && std::is_standard_layout_v<GuestCpu>);

inline constexpr bool is_privileged(Mode m) { return m != Mode::User; }

// The banks are numbered so that this is all. Translated code computes the same.
constexpr BankIndex bank_of(Mode m) {
  const auto n = static_cast<uint32_t>(m);
  return static_cast<BankIndex>((n ^ n >> 1) & 7);
}
static_assert(bank_of(Mode::User) == kBankUser && bank_of(Mode::System) == kBankUser &&
              bank_of(Mode::Fiq) == kBankFiq && bank_of(Mode::Supervisor) == kBankSvc &&
              bank_of(Mode::Irq) == kBankIrq && bank_of(Mode::Abort) == kBankAbt &&
              bank_of(Mode::Monitor) == kBankMon && bank_of(Mode::Undefined) == kBankUnd &&
              bank_of(Mode::Hyp) == kBankHyp);

// GE[3:0] in bits 3:0.
inline uint32_t read_ge(const GuestCpu& s) { return (s.ge_mask & 0x08040201u) * 0x01010101u >> 24; }
inline void write_ge(GuestCpu& s, uint32_t ge) { s.ge_mask = (ge * 0x00204081u & 0x01010101u) * 0xffu; }

// CPSR from its parts and back. write_nzcv changes no other part.
inline uint32_t read_nzcv(const GuestCpu& s) {
  const bool n = (s.nz >> 31 & 1) | (s.nz >> 63);
  const bool z = static_cast<uint32_t>(s.nz) == 0;
  return uint32_t{n} << 31 | uint32_t{z} << 30 | uint32_t{s.c} << 29 | uint32_t{s.v} << 28;
}
inline void write_nzcv(GuestCpu& s, uint32_t psr) {
  const bool n = psr >> 31 & 1, z = psr >> 30 & 1;
  s.nz = (uint64_t{n} << 63) | (z ? 0 : 1);
  s.c = psr >> 29 & 1;
  s.v = psr >> 28 & 1;
}
inline uint32_t read_cpsr(const GuestCpu& s) {
  return read_nzcv(s) | uint32_t{s.q} << 27 | (s.it & 3u) << 25 | uint32_t{s.j} << 24 | read_ge(s) << 16 |
         (s.it >> 2 & 0x3fu) << 10 | uint32_t{s.e} << 9 | uint32_t{s.a} << 8 | uint32_t{s.i} << 7 | uint32_t{s.f} << 6 |
         uint32_t{s.t} << 5 | s.mode;
}

}  // namespace crosswalk
