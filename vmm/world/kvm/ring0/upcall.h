// SPDX-License-Identifier: GPL-2.0-or-later
// The code at CPL 0 (a stub per vector) and the few instructions at CPL 3 that stand between it and
// C++. Knows nothing of KVM: an exit is an `out` to a port.
//
// A page fault at CPL 3, `direct`:
//   CPU       pushes SS, RSP, RFLAGS, CS, RIP and the error code on the RSP0 stack, which lies in
//             memory that CPL 3 may read, at a fixed address: an ExceptionFrame
//   CPL 0     push rax; rax = CR2; IRETQ to upcall() on the fault stack. Four instructions: on a
//             software-MMU KVM each is emulated, at 1-2 us
//   CPL 3     upcall() copies the ExceptionFrame and the registers to the UpcallArea, saves the
//             SIMD state, calls UpcallArea::handler, restores everything and jumps back. No exit.
// With `direct` off, the stub is an `out`, and whoever catches it fills the UpcallArea and
// continues at upcall_saved(). A fault while an upcall is being handled (the handler touched engine
// memory for the first time) leaves UpcallArea alone and exits by kPortNestedFault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmm/world/kvm/ring0/x86.h"

namespace crosswalk::kvm::ring0 {

// I/O ports of the exits. KVM has a quirk at 0x7e, hence well above.
enum Port : uint8_t {
  kPortVector = 0xa0,       // + vector, from CPL 0: an ExceptionFrame is on the RSP0 stack
  kPortSyscall = 0xc0,      // entered by SYSCALL: rcx = next rip, r11 = rflags
  kPortDone = 0xc1,         // the engine function returned
  kPortNestedFault = 0xc2,  // see above; rax = CR2
  kPortRefused = 0xc3,      // UpcallArea::handler returned false
  // rdi = address: make the engine memory there reachable; rax = 1 when done, else 0
  kPortMap = 0xc4,
  // rdi = number of a host function, its HostArguments in rsi, rdx, rcx, r8, r9; rax = result
  kPortHostCall = 0xc5,
  kPortFlush = 0xc6,     // drop all translations
  kPortLoopDone = 0xc7,  // the CPL 0 timing loop ended
  kPortEnd = 0xc8,
};

// What the RSP0 stack holds below its top after an exception from CPL 3. `error` is absent
// (garbage) for vectors without an error code, and rax is there only after the direct #PF stub.
struct ExceptionFrame {
  uint64_t rax, error, rip, cs, rflags, rsp, ss;
};

struct alignas(64) UpcallArea {
  // XSAVE area: 64-byte aligned, and the header must be zero at first (SDM volume 1, 13.4.2).
  uint8_t xsave[8192];
  uint64_t gpr[16];  // by x86 register number
  uint64_t rip, rflags, address, error;
  uint64_t busy;  // an upcall is being handled
  bool (*handler)(void*);
  void* handler_argument;
  uint32_t engine_mxcsr;  // MXCSR of the engine's C++ code
  uint16_t engine_fcw;
  uint64_t inside;  // 1 while the vCPU runs
  uint64_t upcalls;
};

struct StubConfig {
  UpcallArea* area = nullptr;
  ExceptionFrame* exception_frame = nullptr;  // on top of the RSP0 stack
  uint64_t fault_stack_top = 0;
  uint64_t xsave_mask = 0;  // state components to save in an upcall; 0: FXSAVE
};

// Addresses of the generated code, equal inside and outside the VM.
struct Stubs {
  uint64_t vector[kVectors] = {};  // CPL 0
  uint64_t page_fault_direct = 0;  // CPL 0
  uint64_t breakpoint_gate = 0;    // CPL 0; see invalidate_address()
  // For LSTAR: an out, then SYSRET. In a user page, because a software-MMU KVM was seen to go there
  // without a change of CPL; whoever catches the out then resumes at rcx itself.
  uint64_t syscall = 0;
  uint64_t timing_loop = 0;  // CPL 0: rcx iterations of two instructions, then kPortLoopDone
  // CPL 3: rdi = void (*)(void*), rsi = its argument, rsp = 16-byte aligned stack top
  uint64_t enter = 0;
  uint64_t upcall_saved = 0;  // CPL 3
};

// Preconditions: both code areas have kCodeBytes bytes; supervisor_code need not be accessible at
// CPL 3.
inline constexpr size_t kCodeBytes = 4096;
Stubs generate_stubs(const StubConfig& config, uint8_t* supervisor_code, uint8_t* user_code);

// GDT, TSS and IDT in one supervisor page each.
struct SystemPages {
  uint64_t gdt = 0, tss = 0, idt = 0;
  static constexpr uint16_t kGdtLimit = 7 * 8 - 1, kTssLimit = sizeof(TaskState64) - 1,
                            kIdtLimit = 256 * sizeof(InterruptGate) - 1;
};
// `memory` is 3 pages, at the same address inside the VM. rsp0 is the end of the ExceptionFrame.
SystemPages build_system_pages(uint8_t* memory, const Stubs& stubs, uint64_t rsp0, uint64_t double_fault_stack_top);
// Chooses how a #PF is delivered.
void set_page_fault_delivery(const SystemPages& pages, const Stubs& stubs, bool direct);

// ---- Called by engine code inside the VM, at CPL 3 ----

// #BP enters a CPL 0 gate: software interrupts with a vector operand raise #UD on some KVMs, INT3
// does not. The gate does INVLPG of rdi, or loads CR3 from rax when rdi is 0.
inline void invalidate_address(uint64_t va) { asm volatile("int3" : : "D"(va) : "memory", "cc"); }
inline void invalidate_all(uint64_t cr3) { asm volatile("int3" : : "D"(uint64_t{0}), "a"(cr3) : "memory", "cc"); }
inline uint64_t out_call(Port port, uint64_t rdi, uint64_t rsi) {
  uint64_t rax = 0;
  switch (port) {  // the port is an immediate operand
    case kPortMap: asm volatile("outb %%al, %1" : "+a"(rax) : "i"(kPortMap), "D"(rdi), "S"(rsi) : "memory"); break;
    case kPortFlush: asm volatile("outb %%al, %1" : "+a"(rax) : "i"(kPortFlush), "D"(rdi), "S"(rsi) : "memory"); break;
    default: asm volatile("ud2");
  }
  return rax;
}
using HostArguments = std::array<uint64_t, 5>;
inline uint64_t host_call_out(uint64_t number, const HostArguments& arguments) {
  uint64_t rax = 0;
  register uint64_t r8 asm("r8") = arguments[3];
  register uint64_t r9 asm("r9") = arguments[4];
  asm volatile("outb %%al, %1"
               : "+a"(rax)
               : "i"(kPortHostCall), "D"(number), "S"(arguments[0]), "d"(arguments[1]), "c"(arguments[2]), "r"(r8),
                 "r"(r9)
               : "memory");
  return rax;
}

}  // namespace crosswalk::kvm::ring0
