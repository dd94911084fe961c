// SPDX-License-Identifier: GPL-2.0-or-later
// The architectural and run-time state of one guest CPU, as translated code sees it.
//
// Translated code addresses this structure through one host register (r15 = &state + kStateBias), so the
// layout is an interface: fields are plain data, and the hot ones lie within 256 bytes of the start.
// Everything that one CPU owns is here or behind a pointer from here; there are no globals.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

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

// Bits of CpuState::interrupt_lines.
enum InterruptLine : uint32_t {
  kLineIrq = 1u << 0,  // from the GIC's CPU interface
  kLineFiq = 1u << 1,
  kLineStop = 1u << 2,  // the machine wants this CPU to leave the run loop
  kLineWork = 1u << 3,  // cross-CPU work is queued for this CPU
  kLinePoll = 1u << 4,  // the CPU is to poll once more, though there is nothing to see; wakes no CPU
};

// Registers banked by mode. Index with the BankIndex of a mode.
enum BankIndex : uint8_t {
  kBankUser,
  kBankSvc,
  kBankAbt,
  kBankUnd,
  kBankIrq,
  kBankFiq,
  kBankMon,
  kBankHyp,
  kBankCount
};

struct BankedRegisters {
  uint32_t r13[kBankCount];
  uint32_t r14[kBankCount];   // Hyp shares User's r14; ELR_hyp is separate
  uint32_t spsr[kBankCount];  // [kBankUser] is unused
  uint32_t r8_12_user[5];     // r8-r12 of every mode but FIQ, while FIQ's are current
  uint32_t r8_12_fiq[5];      // r8-r12 of FIQ, while another mode's are current
  uint32_t elr_hyp;
};

// System control coprocessor registers that hold state (names as in ARM DDI 0406C, chapter B4). Read-only
// identification registers are constants of the CPU model and are not here.
struct Cp15 {
  uint32_t sctlr, actlr, cpacr, nsacr;
  uint64_t ttbr0, ttbr1;  // 64 bits wide with TTBCR.EAE=1
  uint32_t ttbcr, dacr;
  uint32_t dfsr, ifsr, adfsr, aifsr, dfar, ifar;
  uint64_t par;
  uint32_t prrr, nmrr;  // MAIR0/MAIR1 with EAE=1: the same registers
  uint32_t amair0, amair1;
  uint32_t vbar, mvbar;
  uint32_t contextidr, fcseidr;
  uint32_t tpidrurw, tpidruro, tpidrprw;
  uint32_t csselr;
  uint32_t cntkctl, cntp_ctl, cntv_ctl, cntfrq;
  uint64_t cntp_cval, cntv_cval, cntvoff;
  uint32_t pmcr, pmcntenset, pmovsr, pmselr, pmuserenr, pmintenset, pmccntr, pmxevtyper;
  uint32_t l2ctlr, l2ectlr;
};

// Debug (coprocessor 14) and performance-monitor registers that hold state, beyond those in Cp15.
struct DebugRegisters {
  uint32_t dbgdscr, dbgvcr, dbgwfar, dbgosdlr, dbgclaim, dbgprcr;
  uint32_t os_locked;  // DBGOSLSR.OSLK
  uint32_t dbgbvr[6], dbgbcr[6], dbgwvr[4], dbgwcr[4];
  // Follow from the others (debug.h): whether a breakpoint or vector catch, and a watchpoint, may match anything.
  uint8_t breaking, watching;
};
struct PerformanceMonitors {
  uint32_t evtyper[6], evcntr[6];  // PMXEVTYPER and PMXEVCNTR of counters 0-5
  uint32_t ccfiltr;                // PMXEVTYPER with PMSELR.SEL = 31
  uint32_t cycle_residue;          // cycles not yet counted with PMCR.D = 1
  uint64_t synchronized;           // Platform::nanoseconds() up to which the counters are current
  uint64_t interrupt_at;           // Platform::counter() at which the overflow interrupt rises; 0: it does not
  uint8_t interrupt;               // the overflow interrupt's level as of `synchronized`
  uint8_t filtered;                // a counter runs at one privilege level only, so changes of it must be seen;
  uint8_t user;                    // then: whether the time since `synchronized` passed in User mode
};

struct CpuState;
namespace trace {
class Ring;
}
namespace arm {
class ExceptionObserver;
}

// One entry of the jump cache: where translated code for (virtual address | T) begins. Valid only while the
// instruction-page table of the current address space holds `page_id` for the address's page.
struct JumpCacheEntry {
  uint32_t target;  // guest VA, bit 0 = T; 0xffffffff when empty
  uint32_t page_id;
  const void* code;
};
inline constexpr uint32_t kJumpCacheEntries = 65536;  // power of two
// Where the entry of a target is: by word, with high bits folded in. Translated code computes the same.
inline constexpr int kJumpCacheFold = 11;
inline constexpr uint32_t jump_cache_index(uint32_t target) {
  return ((target >> kJumpCacheFold) + target * 4) / sizeof(JumpCacheEntry) & (kJumpCacheEntries - 1);
}
inline constexpr uint32_t kInstructionPageEntries = 2048;  // per address space; indexed by VA[22:12]

struct alignas(64) CpuState {
  // ---- hot: within reach of a byte displacement -----------------------------------------------------
  uint32_t r[16];                  // r[15] is the address of the current instruction, valid outside translated code
  uint64_t nz;                     // N and Z as a value: Z = (low 32 bits == 0), N = bit 31 or bit 63
  uint8_t c, v, q, ge;             // c, v, q: 0 or 1; ge: GE[3:0]
  uint8_t t, e, it, j;             // PSR.T, PSR.E, PSR.IT (8 bits), PSR.J
  uint8_t mode;                    // PSR.M (enum Mode)
  uint8_t a, i, f;                 // PSR mask bits
  uint8_t fp_enabled;              // 1 when VFP/Advanced SIMD instructions may execute now (CPACR and FPEXC.EN)
  uint8_t simd_enabled;            // the same for Advanced SIMD (CPACR.ASEDIS also clear)
  uint8_t strict_alignment;        // every access must be aligned: SCTLR.A set, or SCTLR.M clear
  uint8_t monitor_armed;           // local exclusive monitor
  uint8_t page_ids_e, page_ids_a;  // PSR.E and strict_alignment that the page ids and the jump cache were made for
  uint8_t memory_window;           // 1: mem_base is a window, 0: a software TLB
  // Non-zero makes translated code leave at its next poll. Written by any thread.
  uint32_t pending;
  // Any thread sets bits (InterruptLine), then `pending`.
  uint32_t interrupt_lines;
  uint64_t mem_base;            // window base, or the software TLB of the current address space: host r14
  uint32_t* instruction_pages;  // page ids of the current address space, kInstructionPageEntries of them
  JumpCacheEntry* jump_cache;   // jump_caches[memory_window]
  uint64_t host_sp;             // stack pointer that translated code runs with
  uint32_t mxcsr;               // MXCSR for guest VFP code: rounding mode, FZ, and the cumulative flags so far
  uint32_t mxcsr_standard;      // MXCSR for Advanced SIMD ("standard FPSCR value"), cumulative flags so far
  uint32_t fpscr;               // everything of FPSCR but the cumulative flags still in mxcsr*
  uint32_t fpexc;
  uint32_t monitor_address;  // VA of the last load-exclusive
  uint32_t monitor_size;     // bytes
  uint64_t monitor_value;    // what the last load-exclusive read
  uint64_t spill[16];        // backend spill slots
  // Arguments of the out-of-line memory path and of calls (backend/x64): never live across instructions.
  uint32_t access_va, access_kind;
  uint32_t call_args[3];
  uint32_t host_mxcsr;  // of the C++ code around
  alignas(16) uint8_t access_value[16];
  // ---- SIMD and floating-point registers: D0-D31, little-endian ---------------------------------------
  alignas(16) uint8_t vreg[32 * 8];
  alignas(16) uint8_t vspill[16 * 16];  // backend spill slots for SIMD values; scratch for helpers
  uint64_t fp_operands[3];              // operands of an out-of-line floating-point operation; [0] becomes its result
  uint64_t fp_saved;                    // a host register meanwhile
  uint64_t spill_more[48];              // backend spill slots beyond spill[]
  // ---- cold ------------------------------------------------------------------------------------------
  BankedRegisters banked;
  Cp15 cp15;
  JumpCacheEntry* jump_caches[2];  // by memory_window: going from one form to the other costs no entry
  uint32_t midr, mpidr;
  uint32_t cpu_index;
  uint32_t exit_reason;  // engine::ExitReason of the last exit from translated code
  uint32_t exit_link;    // with kExitLink: the link's number in the code cache
  // Back pointers for helpers called from translated code; each subsystem sets its own.
  void* engine;           // engine::Engine
  void* space;            // mmu::AddressSpace, the current one
  uint64_t instructions;  // guest instructions executed, when counting is on
  uint64_t blocks;        // and translated blocks entered
  DebugRegisters debug;
  PerformanceMonitors performance;
  trace::Ring* trace;                          // trace.h; null: off
  arm::ExceptionObserver* exception_observer;  // exception_observer.h; null: none
};

// r15 in translated code points this many bytes into CpuState, to double the reach of byte displacements.
inline constexpr int kStateBias = 128;

inline constexpr bool is_privileged(Mode m) { return m != Mode::User; }

constexpr BankIndex bank_of(Mode m) {
  switch (m) {
    case Mode::Supervisor: return kBankSvc;
    case Mode::Abort: return kBankAbt;
    case Mode::Undefined: return kBankUnd;
    case Mode::Irq: return kBankIrq;
    case Mode::Fiq: return kBankFiq;
    case Mode::Monitor: return kBankMon;
    case Mode::Hyp: return kBankHyp;
    default: return kBankUser;
  }
}

// CPSR from its parts and back. write_psr_flags touches N, Z, C, V, Q, GE, IT, J, T, E only as the mask says.
inline uint32_t read_nzcv(const CpuState& s) {
  const bool n = (s.nz >> 31 & 1) | (s.nz >> 63);
  const bool z = static_cast<uint32_t>(s.nz) == 0;
  return uint32_t{n} << 31 | uint32_t{z} << 30 | uint32_t{s.c} << 29 | uint32_t{s.v} << 28;
}
inline void write_nzcv(CpuState& s, uint32_t psr) {
  const bool n = psr >> 31 & 1, z = psr >> 30 & 1;
  s.nz = (uint64_t{n} << 63) | (z ? 0 : 1);
  s.c = psr >> 29 & 1;
  s.v = psr >> 28 & 1;
}
inline uint32_t read_cpsr(const CpuState& s) {
  return read_nzcv(s) | uint32_t{s.q} << 27 | (s.it & 3u) << 25 | uint32_t{s.j} << 24 | (s.ge & 15u) << 16 |
         (s.it >> 2 & 0x3fu) << 10 | uint32_t{s.e} << 9 | uint32_t{s.a} << 8 | uint32_t{s.i} << 7 | uint32_t{s.f} << 6 |
         uint32_t{s.t} << 5 | s.mode;
}

// Marks an interrupt line and makes the CPU look. Callable from any thread; a sleeping CPU is woken by whoever
// owns its wait (the machine).
inline void raise_line(CpuState& s, uint32_t line) {
  std::atomic_ref<uint32_t>(s.interrupt_lines).fetch_or(line, std::memory_order_seq_cst);
  std::atomic_ref<uint32_t>(s.pending).store(1, std::memory_order_seq_cst);
}
inline void lower_line(CpuState& s, uint32_t line) {
  std::atomic_ref<uint32_t>(s.interrupt_lines).fetch_and(~line, std::memory_order_seq_cst);
}

}  // namespace crosswalk
