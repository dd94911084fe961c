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

// A rip-relative operand: the generated code and `object` lie in one arena.
Xbyak::RegRip at_rip(const void* object, size_t offset) {
  return Xbyak::util::rip + static_cast<const void*>(static_cast<const uint8_t*>(object) + offset);
}

void generate_upcall(Assembler& a, const StubConfig& config, Stubs& stubs, uint64_t& upcall) {
  using namespace Xbyak::util;
  UpcallArea* area = config.area;
  const auto at = [&](size_t offset) { return a.qword[at_rip(area, offset)]; };
  const auto gpr = [&](int i) { return at(offsetof(UpcallArea, gpr) + 8 * static_cast<size_t>(i)); };
  const auto frame = [&](size_t offset) { return a.qword[at_rip(config.exception_frame, offset)]; };
  Xbyak::Label nested, saved, refused;

  upcall = a.here();
  a.cmp(a.byte[at_rip(area, offsetof(UpcallArea, busy))], 0);
  a.jne(nested, Xbyak::CodeGenerator::T_NEAR);
  a.mov(at(offsetof(UpcallArea, address)), rax);
  for (int i = 1; i < 16; i++) {
    if (i != 4) a.mov(gpr(i), Xbyak::Reg64(i));
  }
  const struct {
    size_t from, to;
  } copies[] = {{offsetof(ExceptionFrame, rax), offsetof(UpcallArea, gpr)},
                {offsetof(ExceptionFrame, rsp), offsetof(UpcallArea, gpr) + size_t{8} * 4},
                {offsetof(ExceptionFrame, rip), offsetof(UpcallArea, rip)},
                {offsetof(ExceptionFrame, rflags), offsetof(UpcallArea, rflags)},
                {offsetof(ExceptionFrame, error), offsetof(UpcallArea, error)}};
  for (const auto& copy : copies) {
    a.mov(rax, frame(copy.from));
    a.mov(at(copy.to), rax);
  }

  stubs.upcall_saved = a.here();
  a.mov(at(offsetof(UpcallArea, busy)), 1);
  a.inc(at(offsetof(UpcallArea, upcalls)));
  a.cld();
  const auto load_xsave_operands = [&] {
    a.lea(rdi, at(offsetof(UpcallArea, xsave)));
    a.mov(eax, static_cast<uint32_t>(config.xsave_mask));
    a.mov(edx, static_cast<uint32_t>(config.xsave_mask >> 32));
  };
  load_xsave_operands();
  if (config.xsave_mask != 0) {
    a.xsave64_rdi();
  } else {
    a.fxsave64_rdi();
  }
  a.fninit();
  a.fldcw(a.word[at_rip(area, offsetof(UpcallArea, engine_fcw))]);
  a.ldmxcsr(a.dword[at_rip(area, offsetof(UpcallArea, engine_mxcsr))]);
  a.mov(rdi, at(offsetof(UpcallArea, handler_argument)));
  a.xor_(ebp, ebp);  // ends a frame-pointer walk
  a.call(at(offsetof(UpcallArea, handler)));
  a.test(al, al);
  a.jz(refused, Xbyak::CodeGenerator::T_NEAR);
  load_xsave_operands();
  if (config.xsave_mask != 0) {
    a.xrstor64_rdi();
  } else {
    a.fxrstor64_rdi();
  }
  for (int i = 0; i < 16; i++) {
    if (i != 4) a.mov(Xbyak::Reg64(i), gpr(i));
  }
  a.mov(at(offsetof(UpcallArea, busy)), 0);
  a.lea(rsp, at(offsetof(UpcallArea, rflags)));
  a.popfq();
  // From here on no flag may change. A fault on the next instruction fetch overwrites only what is
  // consumed by then.
  a.mov(rsp, gpr(4));
  a.jmp(at(offsetof(UpcallArea, rip)));

  a.L(refused);
  a.out_port(kPortRefused);
  a.ud2();
  a.L(nested);
  a.out_port(kPortNestedFault);  // resumed with all registers of the ExceptionFrame
  a.ud2();
}

}  // namespace

Stubs generate_stubs(const StubConfig& config, uint8_t* supervisor_code, uint8_t* user_code) {
  using namespace Xbyak::util;
  Stubs stubs;
  uint64_t upcall = 0;
  Assembler user(user_code);
  stubs.enter = user.here();
  user.fninit();
  user.fldcw(user.word[at_rip(config.area, offsetof(UpcallArea, engine_fcw))]);
  user.ldmxcsr(user.dword[at_rip(config.area, offsetof(UpcallArea, engine_mxcsr))]);
  user.mov(rax, rdi);
  user.mov(rdi, rsi);
  user.xor_(ebp, ebp);
  user.call(rax);
  user.out_port(kPortDone);
  user.ud2();
  user.align(16);
  generate_upcall(user, config, stubs, upcall);
  user.align(16);
  stubs.syscall = user.here();
  user.out_port(kPortSyscall);
  user.sysretq();

  Assembler kernel(supervisor_code);
  // Resumption after the `out` is by the IRETQ that follows, with the ExceptionFrame as whoever
  // caught it left it.
  for (uint8_t v = 0; v < kVectors; v++) {
    kernel.align(16);
    stubs.vector[v] = kernel.here();
    kernel.out_port(static_cast<uint8_t>(kPortVector + v));
    if (has_error_code(v)) kernel.add(rsp, 8);
    kernel.iretq();
  }
  kernel.align(16);
  Xbyak::Label target;
  stubs.page_fault_direct = kernel.here();
  kernel.push(rax);
  kernel.mov_rax_cr2();
  kernel.lea(rsp, kernel.ptr[rip + target]);
  kernel.iretq();

  kernel.align(16);
  Xbyak::Label all;
  stubs.breakpoint_gate = kernel.here();
  kernel.test(rdi, rdi);
  kernel.jz(all);
  kernel.invlpg_rdi();
  kernel.iretq();
  kernel.L(all);
  kernel.mov_cr3_rax();
  kernel.iretq();

  kernel.align(16);
  Xbyak::Label loop;
  stubs.timing_loop = kernel.here();
  kernel.L(loop);
  kernel.dec(rcx);
  kernel.jnz(loop);
  kernel.out_port(kPortLoopDone);
  kernel.ud2();

  // The IRETQ frame of the direct stub: constant.
  kernel.align(16);
  kernel.L(target);
  kernel.dq(upcall);
  kernel.dq(kUserCode);
  kernel.dq(kEngineRflags);
  kernel.dq(config.fault_stack_top);
  kernel.dq(kUserData);
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
