// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/exit_loop.h"

#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "vmm/base/sandbox.h"

namespace crosswalk::kvm {
namespace {

constexpr uint64_t kTicksOfALongExit = uint64_t{1} << 32;  // a second or two of TSC
constexpr uint16_t kSyscallOpcode = 0x050f;                // 0f 05, little-endian

uint64_t linux_system_call(uint64_t number, const kvm_regs& regs) {
  uint64_t result = number;
  register uint64_t r10 asm("r10") = regs.r10;
  register uint64_t r8 asm("r8") = regs.r8;
  register uint64_t r9 asm("r9") = regs.r9;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(regs.rdi), "S"(regs.rsi), "d"(regs.rdx), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

}  // namespace

ExitLoop::ExitLoop(KvmVm& vm, EngineVcpu& cpu, KvmCounters& counters)
    : memory_(*vm.memory), host_functions_(vm.host_functions), cpu_(cpu), counters_(counters) {
  cpu_.frame().area().handler = &ExitLoop::upcall;
  cpu_.frame().area().handler_argument = this;
}

std::optional<ExitLoop::Failure> ExitLoop::run(void (*entry)(void*), void* argument, engine::FaultHandler handler,
                                               void* context) {
  if (running_) return Failure{"the KVM world is not reentrant"};
  running_ = true;
  handler_ = handler;
  handler_context_ = context;
  failure_.reset();
  if (auto prepared = cpu_.prepare_call(entry, argument); !prepared) fail(prepared.error(), {});
  for (bool done = false; !done && !failure_;) {
    const Exit exit = cpu_.run();
    const uint64_t left = __builtin_ia32_rdtsc();
    exit_detail_ = exit.port;
    done = exit.kind != ExitKind::Interrupted && serve(exit);
    count(exit, left);
  }
  running_ = false;
  return std::exchange(failure_, std::nullopt);
}

// `left`: the time-stamp counter after the exit.
void ExitLoop::count(const Exit& exit, uint64_t left) {
  ++(exit.kind == ExitKind::Interrupted ? counters_.interrupted : counters_.exits);
  const ExitReason reason = reason_of(exit);
  const uint64_t ticks = __builtin_ia32_rdtsc() - left;
  counters_.ticks_outside += ticks;
  auto& of_reason = counters_.by_reason[static_cast<size_t>(reason)];
  of_reason.count++;
  of_reason.ticks += ticks;
  trace::end(trace_, trace::Kind::VmExit, left, exit_detail_, 0, static_cast<uint32_t>(reason));
  // A host that is suspended interrupts KVM_RUN or finds the thread outside; ticks wrap if the TSC
  // restarted.
  if (exit.kind == ExitKind::Interrupted || ticks > kTicksOfALongExit) cpu_.tsc().keep();
}

bool ExitLoop::serve(const Exit& exit) {
  if (exit.kind == ExitKind::HostFault || exit.is_emulation_failure()) {
    serve_host_fault(exit, cpu_.fault_frame());
    return false;
  }
  if (exit.kind == ExitKind::Mmio && memory_.host_of(exit.gpa) != 0) {
    serve_refused_store(exit);
    return false;
  }
  if (exit.kind != ExitKind::Port) {
    fail(describe(exit), cpu_.fault_frame());
    return false;
  }
  kvm_regs& regs = cpu_.regs();
  const ring0::UpcallArea& area = cpu_.frame().area();
  switch (exit.port) {
    case ring0::kPortDone: return true;
    case ring0::kPortSyscall: serve_syscall(); break;
    case ring0::kPortHostCall: serve_host_call(); break;
    case ring0::kPortNestedFault: serve_nested_fault(); break;
    case ring0::kPortMap:
      exit_detail_ = regs.rdi;
      regs.rax = resolve(regs.rdi);
      cpu_.regs_changed();
      break;
    case ring0::kPortFlush:
      if (auto flushed = cpu_.flush(); !flushed) fail(flushed.error(), cpu_.fault_frame());
      counters_.flush_exits++;
      break;
    case ring0::kPortRefused: {
      engine::FaultFrame refused{
          .gpr = {}, .rip = area.rip, .address = area.address, .write = (area.error & ring0::kPageFaultWrite) != 0};
      std::memcpy(refused.gpr, area.gpr, sizeof refused.gpr);
      fail("unexpected page fault in the engine", refused);
      break;
    }
    default:
      if (exit.port >= ring0::kPortVector && exit.port < ring0::kPortVector + ring0::kVectors)
        serve_vector(static_cast<uint8_t>(exit.port - ring0::kPortVector));
      else
        fail(describe(exit), cpu_.fault_frame());
  }
  return false;
}

void ExitLoop::serve_syscall() {
  kvm_regs& regs = cpu_.regs();
  if (syscall_entry_ == SyscallEntry::Unknown) {
    auto sregs = cpu_.system_registers();
    if (!sregs) return fail(sregs.error(), cpu_.fault_frame());
    syscall_entry_ = sregs->cs.dpl == 0 ? SyscallEntry::LstarCpl0 : SyscallEntry::LstarCpl3;
  }
  regs.rax = system_call(regs.rax, regs);
  if (syscall_entry_ == SyscallEntry::LstarCpl3) {
    regs.rip = regs.rcx;
    regs.rflags = regs.r11;
  }  // else SYSRET follows, and rcx and r11 are as it wants them
  cpu_.regs_changed();
}

void ExitLoop::serve_host_call() {
  kvm_regs& regs = cpu_.regs();
  counters_.host_calls++;
  exit_detail_ = regs.rdi;
  const auto result = host_functions_.call(regs.rdi, {regs.rsi, regs.rdx, regs.rcx, regs.r8, regs.r9});
  if (!result)
    return fail("host call of function " + std::to_string(regs.rdi) + ", which there is not", cpu_.fault_frame());
  regs.rax = *result;
  cpu_.regs_changed();
}

void ExitLoop::serve_nested_fault() {
  kvm_regs& regs = cpu_.regs();
  const ring0::ExceptionFrame& frame = cpu_.frame().exception_frame();
  const uint64_t address = exit_detail_ = regs.rax;
  counters_.nested_faults++;
  regs.rax = frame.rax;
  regs.rip = frame.rip;
  regs.rsp = frame.rsp;
  regs.rflags = frame.rflags;
  if (memory_.in_window_range(address) || !resolve(address)) {
    if (failure_) return;
    engine::FaultFrame fault = cpu_.fault_frame();
    fault.address = address;
    fault.address_valid = true;
    fault.write = (frame.error & ring0::kPageFaultWrite) != 0;
    return fail("page fault inside the fault handler", fault);
  }
  cpu_.regs_changed();
}

// An exception whose stub exited at CPL 0. Resumption is by the stub's IRETQ with the
// ExceptionFrame.
void ExitLoop::serve_vector(uint8_t vector) {
  const ring0::ExceptionFrame& frame = cpu_.frame().exception_frame();
  engine::FaultFrame fault = cpu_.fault_frame();
  const bool from_engine = vector != ring0::kVectorDoubleFault && frame.cs == ring0::kUserCode;
  if (from_engine) {
    fault.rip = frame.rip;
    fault.gpr[4] = frame.rsp;
  }
  if (from_engine && vector == ring0::kVectorPageFault) return serve_page_fault(fault);
  if (from_engine && (vector == ring0::kVectorGeneralProtection || vector == ring0::kVectorInvalidOpcode) &&
      serve_refused_syscall())
    return;
  char at[32];
  std::snprintf(at, sizeof at, " at rip %llx", static_cast<unsigned long long>(fault.rip));
  fail("exception vector " + std::to_string(vector) + (from_engine ? " in the engine" : " at CPL 0") +
           (ring0::has_error_code(vector) ? ", error code " + std::to_string(frame.error) : "") + at,
       fault);
}

// `fault` has the registers. The stub goes on in the upcall.
void ExitLoop::serve_page_fault(engine::FaultFrame& fault) {
  ring0::ExceptionFrame& frame = cpu_.frame().exception_frame();
  ring0::UpcallArea& area = cpu_.frame().area();
  counters_.page_fault_exits++;
  auto sregs = cpu_.system_registers();
  if (!sregs) return fail(sregs.error(), fault);
  fault.address = exit_detail_ = sregs->cr2;
  fault.address_valid = true;
  fault.write = (frame.error & ring0::kPageFaultWrite) != 0;
  if (!memory_.in_window_range(fault.address) && resolve(fault.address)) return;
  if (failure_) return;
  if (area.busy != 0) return fail("page fault inside the fault handler", fault);
  std::memcpy(area.gpr, fault.gpr, sizeof fault.gpr);
  area.rip = frame.rip;
  area.rflags = frame.rflags;
  area.address = fault.address;
  area.error = frame.error;
  frame.rip = cpu_.frame().stubs().upcall_saved;
  frame.rsp = cpu_.frame().fault_stack_top();
  frame.rflags = ring0::kEngineRflags;
}

// Some KVMs do not let SYSCALL enter LSTAR at CPL 3: it raises #GP or #UD there. False: the
// exception is of another instruction.
bool ExitLoop::serve_refused_syscall() {
  kvm_regs& regs = cpu_.regs();
  ring0::ExceptionFrame& frame = cpu_.frame().exception_frame();
  uint16_t opcode;
  std::memcpy(&opcode, reinterpret_cast<const void*>(frame.rip), sizeof opcode);
  if (opcode != kSyscallOpcode) return false;
  syscall_entry_ = SyscallEntry::Exception;
  frame.rip += sizeof opcode;
  regs.rax = system_call(regs.rax, regs);
  regs.rcx = frame.rip;
  regs.r11 = frame.rflags;
  cpu_.regs_changed();
  return true;
}

// KVM has emulated a store to a page that is there, but read-only: up to the store itself, which
// the host refuses.
void ExitLoop::serve_refused_store(const Exit& exit) {
  if (auto finished = cpu_.finish_store(); !finished) return fail(finished.error(), cpu_.fault_frame());
  engine::FaultFrame frame = cpu_.fault_frame();
  frame.address = memory_.host_of(exit.gpa);
  frame.address_valid = frame.write = frame.completed = true;
  serve_host_fault(exit, frame);
}

// The engine's page tables allow the access and the host's do not. The handler runs outside the VM,
// on the same thread and the same memory: what it does about it is system calls.
void ExitLoop::serve_host_fault(const Exit& exit, engine::FaultFrame frame) {
  counters_.host_faults++;
  exit_detail_ = frame.rip;
  if (memory_.is_own(frame.rip)) return fail("host fault in the world's own code", frame);
  if (cpu_.frame().area().busy != 0) return fail("host fault inside the fault handler", frame);
  if (handler_ == nullptr || !handler_(handler_context_, frame)) return fail("unexpected " + describe(exit), frame);
  cpu_.resume_with(frame);
}

uint64_t ExitLoop::system_call(uint64_t number, const kvm_regs& regs) {
  counters_.system_calls++;
  exit_detail_ = number;
  // The filter of this thread allows what the world does for itself too: KVM's ioctls among it, by
  // which code inside could change what the VM reaches.
  if (sandbox_ != nullptr &&
      !sandbox_->allows_inside(number, {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}))
    vmm::Sandbox::refuse_inside(number);
  switch (number) {
    // They would return in a second flow of control, or change registers of this thread that the VM
    // has its own of.
    case SYS_clone:
    case SYS_clone3:
    case SYS_fork:
    case SYS_vfork:
    case SYS_rt_sigreturn:
    case SYS_arch_prctl: return static_cast<uint64_t>(-ENOSYS);
    default: return linux_system_call(number, regs);
  }
}

// Makes the region of a faulting address reachable. Returns false when that cannot be what is
// wrong, and when it fails.
bool ExitLoop::resolve(uint64_t address) {
  auto resolved = memory_.resolve(address);
  if (!resolved) fail(resolved.error(), cpu_.fault_frame());
  if (!resolved || !*resolved) return false;
  counters_.regions_added++;
  return true;
}

// Runs inside the VM, called by ring0's upcall with the faulting state in the UpcallArea.
bool ExitLoop::upcall(void* self) {
  auto& loop = *static_cast<ExitLoop*>(self);
  ring0::UpcallArea& area = loop.cpu_.frame().area();
  if (!loop.memory_.in_window_range(area.address) && ring0::out_call(ring0::kPortMap, area.address, 0) != 0)
    return true;
  engine::FaultFrame frame{
      .gpr = {}, .rip = area.rip, .address = area.address, .write = (area.error & ring0::kPageFaultWrite) != 0};
  std::memcpy(frame.gpr, area.gpr, sizeof frame.gpr);
  if (loop.handler_ == nullptr || !loop.handler_(loop.handler_context_, frame)) return false;
  std::memcpy(area.gpr, frame.gpr, sizeof frame.gpr);
  area.rip = frame.rip;
  return true;
}

}  // namespace crosswalk::kvm
