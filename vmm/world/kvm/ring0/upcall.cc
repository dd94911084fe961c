// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/ring0/upcall.h"

#include <xbyak/xbyak.h>

#include <bit>
#include <cstring>

namespace crosswalk::kvm::ring0 {
namespace {

// Xbyak has no privileged instructions; these are their encodings (SDM volume 2).
class Assembler : public Xbyak::CodeGenerator {
 public:
  Assembler(uint8_t* memory) : Xbyak::CodeGenerator(kCodeBytes, memory) {}
  uint64_t here() { return reinterpret_cast<uint64_t>(getCurr()); }
  // The start of the next function.
  uint64_t next() {
    align(16);
    return here();
  }
  void out_port(uint8_t port) { db(0xe6), db(port); }  // OUT imm8, AL
  void iretq() { db(0x48), db(0xcf); }
  void sysretq() { db(0x48), db(0x0f), db(0x07); }
  void mov_rax_cr2() { db(0x0f), db(0x20), db(0xd0); }
  void mov_cr3_rax() { db(0x0f), db(0x22), db(0xd8); }
  void invlpg_rdi() { db(0x0f), db(0x01), db(0x3f); }
  void xsave64_rdi() { db(0x48), db(0x0f), db(0xae), db(0x27); }    // XSAVE64 [rdi]
  void fxsave64_rdi() { db(0x48), db(0x0f), db(0xae), db(0x07); }   // FXSAVE64 [rdi]
  void fxrstor64_rdi() { db(0x48), db(0x0f), db(0xae), db(0x0f); }  // FXRSTOR64 [rdi]
  void xrstor64_rdi() { db(0x48), db(0x0f), db(0xae), db(0x2f); }   // XRSTOR64 [rdi]
};

// The code at CPL 3; functions return where their code starts. Operands are relative to rip, since
// the code and what it accesses lie in one arena.
class UserCode : public Assembler {
 public:
  UserCode(const StubConfig& config, uint8_t* memory) : Assembler(memory), config_(config) {}

  uint64_t generate_enter() {
    using namespace Xbyak::util;
    const uint64_t start = next();
    load_engine_controls();
    mov(rax, rdi);
    mov(rdi, rsi);
    xor_(ebp, ebp);  // ends a frame-pointer walk
    call(rax);
    leave_by(kPortDone);
    return start;
  }

  // Sets upcall_saved of `stubs`, too.
  uint64_t generate_upcall(Stubs& stubs) {
    Xbyak::Label nested, refused;
    const uint64_t start = next();
    cmp(byte[in_area(offsetof(UpcallArea, busy))], 0);
    jne(nested, T_NEAR);
    save_exception();
    stubs.upcall_saved = here();
    call_handler(refused);
    resume();
    L(refused);
    leave_by(kPortRefused);
    L(nested);
    leave_by(kPortNestedFault);  // resumed with all registers of the ExceptionFrame
    return start;
  }

  uint64_t generate_syscall() {
    const uint64_t start = next();
    out_port(kPortSyscall);
    sysretq();
    return start;
  }

 private:
  Xbyak::RegRip at(const void* object, size_t offset) const {
    return Xbyak::util::rip + static_cast<const void*>(static_cast<const uint8_t*>(object) + offset);
  }
  Xbyak::RegRip in_area(size_t offset) const { return at(config_.area, offset); }
  Xbyak::Address area(size_t offset) const { return qword[in_area(offset)]; }
  Xbyak::Address gpr(int i) const { return area(offsetof(UpcallArea, gpr) + 8 * static_cast<size_t>(i)); }

  // MXCSR and the x87 control word of the engine's C++ code.
  void load_engine_controls() {
    fninit();
    fldcw(word[in_area(offsetof(UpcallArea, engine_fcw))]);
    ldmxcsr(dword[in_area(offsetof(UpcallArea, engine_mxcsr))]);
  }
  void leave_by(Port port) {
    out_port(port);
    ud2();
  }

  // The interrupted registers, some of which are in the ExceptionFrame, to the UpcallArea. rax is
  // the faulting address.
  void save_exception() {
    using Xbyak::util::rax;
    mov(area(offsetof(UpcallArea, address)), rax);
    for (int i = 1; i < 16; i++) {
      if (i != 4) mov(gpr(i), Xbyak::Reg64(i));
    }
    const struct {
      size_t from, to;
    } copies[] = {{offsetof(ExceptionFrame, rax), offsetof(UpcallArea, gpr)},
                  {offsetof(ExceptionFrame, rsp), offsetof(UpcallArea, gpr) + size_t{8} * 4},
                  {offsetof(ExceptionFrame, rip), offsetof(UpcallArea, rip)},
                  {offsetof(ExceptionFrame, rflags), offsetof(UpcallArea, rflags)},
                  {offsetof(ExceptionFrame, error), offsetof(UpcallArea, error)}};
    for (const auto& copy : copies) {
      mov(rax, qword[at(config_.exception_frame, copy.from)]);
      mov(area(copy.to), rax);
    }
  }

  // Goes to `refused` when the handler returns false.
  void call_handler(Xbyak::Label& refused) {
    using namespace Xbyak::util;
    mov(area(offsetof(UpcallArea, busy)), 1);
    inc(area(offsetof(UpcallArea, upcalls)));
    cld();
    load_xsave_operands();
    if (config_.xsave_mask != 0) {
      xsave64_rdi();
    } else {
      fxsave64_rdi();
    }
    load_engine_controls();
    mov(rdi, area(offsetof(UpcallArea, handler_argument)));
    xor_(ebp, ebp);  // ends a frame-pointer walk
    call(area(offsetof(UpcallArea, handler)));
    test(al, al);
    jz(refused, T_NEAR);
  }

  // All registers as the UpcallArea has them, and on with what was interrupted.
  void resume() {
    using Xbyak::util::rsp;
    load_xsave_operands();
    if (config_.xsave_mask != 0) {
      xrstor64_rdi();
    } else {
      fxrstor64_rdi();
    }
    for (int i = 0; i < 16; i++) {
      if (i != 4) mov(Xbyak::Reg64(i), gpr(i));
    }
    mov(area(offsetof(UpcallArea, busy)), 0);
    lea(rsp, area(offsetof(UpcallArea, rflags)));
    popfq();
    // From here on no flag may change. A fault on the next instruction fetch overwrites only what
    // is consumed by then.
    mov(rsp, gpr(4));
    jmp(area(offsetof(UpcallArea, rip)));
  }

  void load_xsave_operands() {
    using namespace Xbyak::util;
    lea(rdi, area(offsetof(UpcallArea, xsave)));
    mov(eax, static_cast<uint32_t>(config_.xsave_mask));
    mov(edx, static_cast<uint32_t>(config_.xsave_mask >> 32));
  }

  const StubConfig& config_;
};

// The code at CPL 0; functions return where their code starts.
class SupervisorCode : public Assembler {
 public:
  using Assembler::Assembler;

  // Resumption after the `out` is by the IRETQ that follows, with the ExceptionFrame as whoever
  // caught it left it.
  uint64_t generate_vector(uint8_t vector) {
    const uint64_t start = next();
    out_port(static_cast<uint8_t>(kPortVector + vector));
    if (has_error_code(vector)) add(Xbyak::util::rsp, 8);
    iretq();
    return start;
  }

  // Goes on where generate_page_fault_target() says.
  uint64_t generate_page_fault() {
    using namespace Xbyak::util;
    const uint64_t start = next();
    push(rax);
    mov_rax_cr2();
    lea(rsp, ptr[rip + target_]);
    iretq();
    return start;
  }
  // The IRETQ frame of that stub: constant.
  void generate_page_fault_target(uint64_t target, uint64_t stack) {
    next();
    L(target_);
    dq(target);
    dq(kUserCode);
    dq(kEngineRflags);
    dq(stack);
    dq(kUserData);
  }

  // See invalidate_address().
  uint64_t generate_breakpoint_gate() {
    using Xbyak::util::rdi;
    const uint64_t start = next();
    Xbyak::Label all;
    test(rdi, rdi);
    jz(all);
    invlpg_rdi();
    iretq();
    L(all);
    mov_cr3_rax();
    iretq();
    return start;
  }

  uint64_t generate_timing_loop() {
    using Xbyak::util::rcx;
    const uint64_t start = next();
    Xbyak::Label loop;
    L(loop);
    dec(rcx);
    jnz(loop);
    out_port(kPortLoopDone);
    ud2();
    return start;
  }

 private:
  Xbyak::Label target_;
};

}  // namespace

Stubs generate_stubs(const StubConfig& config, uint8_t* supervisor_code, uint8_t* user_code) {
  Stubs stubs;
  UserCode user(config, user_code);
  stubs.enter = user.generate_enter();
  const uint64_t upcall = user.generate_upcall(stubs);
  stubs.syscall = user.generate_syscall();

  SupervisorCode supervisor(supervisor_code);
  for (uint8_t v = 0; v < kVectors; v++) stubs.vector[v] = supervisor.generate_vector(v);
  stubs.page_fault_direct = supervisor.generate_page_fault();
  stubs.breakpoint_gate = supervisor.generate_breakpoint_gate();
  stubs.timing_loop = supervisor.generate_timing_loop();
  supervisor.generate_page_fault_target(upcall, config.fault_stack_top);
  return stubs;
}

namespace {

InterruptGate gate(uint64_t target, uint8_t dpl = 0, uint8_t ist = 0) {
  InterruptGate g{.offset_low = static_cast<uint16_t>(target),
                  .offset_middle = static_cast<uint16_t>(target >> 16),
                  .offset_high = static_cast<uint32_t>(target >> 32)};
  g.dpl = dpl & 3;
  g.ist = ist;
  return g;
}

}  // namespace

SystemPages build_system_pages(uint8_t* memory, const Stubs& stubs, uint64_t rsp0, uint64_t double_fault_stack_top) {
  SystemPages pages{.gdt = reinterpret_cast<uint64_t>(memory),
                    .tss = reinterpret_cast<uint64_t>(memory) + kPageBytes,
                    .idt = reinterpret_cast<uint64_t>(memory) + 2 * kPageBytes};
  std::memset(memory, 0, 3 * kPageBytes);

  uint64_t gdt[7] = {};
  const auto segment = [](uint64_t type, uint64_t dpl, bool code) {
    SegmentDescriptor d;
    d.type = type, d.dpl = dpl, d.l = code, d.db = !code;
    return std::bit_cast<uint64_t>(d);
  };
  gdt[kKernelCode / 8] = segment(kTypeCode, 0, true);
  gdt[kKernelData / 8] = segment(kTypeData, 0, false);
  gdt[kUserData / 8] = segment(kTypeData, 3, false);
  gdt[kUserCode / 8] = segment(kTypeCode, 3, true);
  // a 16-byte system descriptor: its upper half is the upper half of the base
  SegmentDescriptor tss_low;
  tss_low.limit_low = SystemPages::kTssLimit, tss_low.limit_high = 0, tss_low.g = 0, tss_low.s = 0;
  tss_low.type = kTypeBusyTss64;
  tss_low.base_low = pages.tss & 0xffffff, tss_low.base_high = pages.tss >> 24 & 0xff;
  gdt[kTaskState / 8] = std::bit_cast<uint64_t>(tss_low);
  gdt[kTaskState / 8 + 1] = pages.tss >> 32;
  std::memcpy(memory, gdt, sizeof gdt);

  TaskState64 tss;
  tss.rsp[0] = rsp0;
  tss.ist[0] = double_fault_stack_top;
  std::memset(tss.io_map, 0xff, sizeof tss.io_map);
  for (unsigned port = kPortSyscall; port < kPortEnd; port++)
    tss.io_map[port / 8] &= static_cast<uint8_t>(~(1u << port % 8));
  std::memcpy(memory + kPageBytes, &tss, sizeof tss);

  auto* idt = reinterpret_cast<InterruptGate*>(memory + 2 * kPageBytes);
  for (unsigned v = 0; v < 256; v++) {
    // Nothing injects interrupts; should one come, it is reported as vector 15 (reserved).
    const uint64_t target = stubs.vector[v < kVectors ? v : 15];
    idt[v] = gate(target, 0, v == kVectorDoubleFault ? 1 : 0);
  }
  idt[kVectorBreakpoint] = gate(stubs.breakpoint_gate, 3);
  return pages;
}

void set_page_fault_delivery(const SystemPages& pages, const Stubs& stubs, bool direct) {
  reinterpret_cast<InterruptGate*>(pages.idt)[kVectorPageFault] =
      gate(direct ? stubs.page_fault_direct : stubs.vector[kVectorPageFault]);
}

}  // namespace crosswalk::kvm::ring0
