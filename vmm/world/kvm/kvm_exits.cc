// SPDX-License-Identifier: GPL-2.0-or-later
// The run loop of the KVM world: what is done outside the VM for each kind of exit.
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "vmm/base/sandbox.h"
#include "vmm/world/fault_report.h"
#include "vmm/world/kvm/kvm_world.h"

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

void KvmWorld::run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context) {
  try {
    enter(entry, argument, handler, context);
  } catch (const KvmError& error) {
    const kvm_sregs sregs = vcpu_->get_sregs();
    char registers[160];
    std::snprintf(registers, sizeof registers, "\n  cs %04x cr2 %016llx cr3 %016llx fs base %016llx", sregs.cs.selector,
                  sregs.cr2, sregs.cr3, sregs.fs.base);
    vmm::panic((std::string(error.what()) + " (in the kvm world)" + registers).c_str(), failure_frame_);
  }
}

void KvmWorld::execute(void (*fn)(void*), void* argument) {
  if (inside()) return fn(argument);
  run(
      fn, argument, [](void*, engine::FaultFrame&) { return false; }, nullptr);
}

KvmWorld::HostFunctionNumber KvmWorld::add_host_function(HostFunction function, void* context) {
  for (HostFunctionNumber number = 0; number < host_functions_.size(); number++) {
    if (host_functions_[number].function != nullptr) continue;
    host_functions_[number] = {function, context};
    return number;
  }
  throw KvmError("too many host functions");
}

void KvmWorld::remove_host_function(HostFunctionNumber number) { host_functions_[number] = {}; }

uint64_t KvmWorld::call_host_function(uint64_t number, const HostArguments& arguments) {
  if (number >= host_functions_.size() || host_functions_[number].function == nullptr)
    fail("host call of function " + std::to_string(number) + ", which there is not", frame_of_registers());
  const HostEntry& entry = host_functions_[number];
  return entry.function(entry.context, arguments);
}

uint64_t KvmWorld::host_call(HostFunctionNumber number, const HostArguments& arguments) {
  return inside() ? ring0::host_call_out(number, arguments) : call_host_function(number, arguments);
}

KvmCounters KvmWorld::counters() const {
  KvmCounters result = counters_;
  result.upcalls = area_->upcalls;
  return result;
}

void KvmWorld::enter(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context) {
  if (running_) throw KvmError("the KVM world is not reentrant");
  running_ = true;
  struct Leave {
    bool& running;
    ~Leave() { running = false; }
  } leave{running_};
  handler_ = handler;
  handler_context_ = context;
  area_->busy = 0;
  area_->engine_mxcsr = _mm_getcsr() & ~0x3fu;  // control bits; no exceptions so far
  asm("fnstcw %0" : "=m"(area_->engine_fcw));

  unsigned long fs_base = 0, gs_base = 0;
  syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base);
  syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_base);
  user_sregs_.fs.base = fs_base;
  user_sregs_.gs.base = gs_base;
  vcpu_->set_sregs(user_sregs_);
  kvm_regs& regs = vcpu_->regs();
  regs = {};
  regs.rip = stubs_.enter;
  regs.rsp = engine_stack_top_;
  regs.rdi = reinterpret_cast<uint64_t>(entry);
  regs.rsi = reinterpret_cast<uint64_t>(argument);
  regs.rflags = ring0::kEngineRflags;
  vcpu_->mark_dirty();

  for (bool done = false; !done;) {
    __atomic_store_n(&area_->inside, 1, __ATOMIC_SEQ_CST);
    const Exit exit = vcpu_->run();
    __atomic_store_n(&area_->inside, 0, __ATOMIC_SEQ_CST);
    const uint64_t left = __builtin_ia32_rdtsc();
    exit_detail_ = exit.port;
    if (exit.kind == ExitKind::Interrupted) {
      counters_.interrupted++;
    } else {
      counters_.exits++;
      done = serve(exit);
    }
    const ExitReason reason = reason_of(exit);
    const uint64_t ticks = __builtin_ia32_rdtsc() - left;
    counters_.ticks_outside += ticks;
    auto& of_reason = counters_.by_reason[static_cast<size_t>(reason)];
    of_reason.count++;
    of_reason.ticks += ticks;
    trace::end(trace_, trace::Kind::VmExit, left, exit_detail_, 0, static_cast<uint32_t>(reason));
    // A host that is suspended interrupts KVM_RUN or finds the thread outside; ticks wrap if the
    // TSC restarted.
    if (exit.kind == ExitKind::Interrupted || ticks > kTicksOfALongExit) keep_tsc_aligned();
  }
}

ExitReason KvmWorld::reason_of(const Exit& exit) {
  if (exit.kind == ExitKind::Interrupted) return ExitReason::Interrupted;
  if (exit.kind == ExitKind::HostFault) return ExitReason::HostFault;
  if (exit.kind != ExitKind::Port) return ExitReason::Other;
  switch (exit.port) {
    case ring0::kPortSyscall:
    case ring0::kPortVector + ring0::kVectorGeneralProtection:
    case ring0::kPortVector + ring0::kVectorInvalidOpcode: return ExitReason::SystemCall;
    case ring0::kPortVector + ring0::kVectorPageFault: return ExitReason::PageFault;
    case ring0::kPortMap: return ExitReason::Map;
    case ring0::kPortHostCall: return ExitReason::HostCall;
    case ring0::kPortFlush: return ExitReason::Flush;
    case ring0::kPortNestedFault: return ExitReason::NestedFault;
    default: return ExitReason::Other;
  }
}

const char* name_of(ExitReason reason) {
  switch (reason) {
    case ExitReason::SystemCall: return "system call";
    case ExitReason::HostCall: return "host call";
    case ExitReason::Map: return "map memory";
    case ExitReason::PageFault: return "page fault";
    case ExitReason::NestedFault: return "nested fault";
    case ExitReason::HostFault: return "host fault";
    case ExitReason::Flush: return "flush";
    case ExitReason::Interrupted: return "interrupted";
    case ExitReason::Other:
    case ExitReason::Count: break;
  }
  return "other";
}

engine::FaultFrame KvmWorld::frame_of_registers() {
  const kvm_regs& r = vcpu_->regs();
  return {.gpr = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
                  r.r15},
          .rip = r.rip,
          .address = 0,
          .write = false,
          .address_valid = false};
}

void KvmWorld::fail(const std::string& what, const engine::FaultFrame& frame) {
  failure_frame_ = frame;
  throw KvmError(what);
}

// Returns true when the engine function is done.
bool KvmWorld::serve(const Exit& exit) {
  switch (exit.kind) {
    case ExitKind::Port: break;
    case ExitKind::Interrupted: return false;
    case ExitKind::HostFault: serve_host_fault(); return false;
    case ExitKind::Mmio:
    case ExitKind::Shutdown:
    case ExitKind::FailEntry:
    case ExitKind::InternalError:
    case ExitKind::Unexpected:
    case ExitKind::Error: fail(describe(exit), frame_of_registers());
  }
  kvm_regs& regs = vcpu_->regs();
  switch (exit.port) {
    case ring0::kPortDone: return true;
    case ring0::kPortSyscall:
      if (syscall_entry_ == SyscallEntry::Unknown) {
        syscall_entry_ = vcpu_->get_sregs().cs.dpl == 0 ? SyscallEntry::LstarCpl0 : SyscallEntry::LstarCpl3;
      }
      regs.rax = system_call(regs.rax, regs);
      if (syscall_entry_ == SyscallEntry::LstarCpl3) {
        regs.rip = regs.rcx;
        regs.rflags = regs.r11;
      }  // else SYSRET follows, and rcx and r11 are as it wants them
      vcpu_->mark_dirty();
      return false;
    case ring0::kPortMap:
      exit_detail_ = regs.rdi;
      regs.rax = resolve(regs.rdi);
      vcpu_->mark_dirty();
      return false;
    case ring0::kPortHostCall:
      counters_.host_calls++;
      exit_detail_ = regs.rdi;
      regs.rax = call_host_function(regs.rdi, {regs.rsi, regs.rdx, regs.rcx, regs.r8, regs.r9});
      vcpu_->mark_dirty();
      return false;
    case ring0::kPortFlush: {
      ring0::Cr4 cr4 = std::bit_cast<ring0::Cr4>(static_cast<uint64_t>(user_sregs_.cr4));
      cr4.pge = !cr4.pge;
      user_sregs_.cr4 = ring0::raw(cr4);
      vcpu_->set_sregs(user_sregs_);
      counters_.flush_exits++;
      return false;
    }
    case ring0::kPortNestedFault: {
      const ring0::ExceptionFrame& frame = *exception_frame_;
      const uint64_t address = exit_detail_ = regs.rax;
      counters_.nested_faults++;
      regs.rax = frame.rax;
      regs.rip = frame.rip;
      regs.rsp = frame.rsp;
      regs.rflags = frame.rflags;
      if (in_window_range(address) || !resolve(address)) {
        engine::FaultFrame failure = frame_of_registers();
        failure.address = address;
        failure.address_valid = true;
        failure.write = (frame.error & ring0::kPageFaultWrite) != 0;
        fail("page fault inside the fault handler", failure);
      }
      vcpu_->mark_dirty();
      return false;
    }
    case ring0::kPortRefused: {
      engine::FaultFrame failure{.gpr = {},
                                 .rip = area_->rip,
                                 .address = area_->address,
                                 .write = (area_->error & ring0::kPageFaultWrite) != 0};
      std::memcpy(failure.gpr, area_->gpr, sizeof failure.gpr);
      fail("unexpected page fault in the engine", failure);
    }
    default:
      if (exit.port >= ring0::kPortVector && exit.port < ring0::kPortVector + ring0::kVectors) {
        serve_vector(static_cast<uint8_t>(exit.port - ring0::kPortVector));
        return false;
      }
      fail(describe(exit), frame_of_registers());
  }
}

// An exception whose stub exited at CPL 0. Resumption is by the stub's IRETQ with the
// ExceptionFrame.
void KvmWorld::serve_vector(uint8_t vector) {
  kvm_regs& regs = vcpu_->regs();
  ring0::ExceptionFrame& frame = *exception_frame_;
  engine::FaultFrame fault = frame_of_registers();
  const bool from_engine = vector != ring0::kVectorDoubleFault && frame.cs == ring0::kUserCode;
  if (from_engine) {
    fault.rip = frame.rip;
    fault.gpr[4] = frame.rsp;
  }
  if (from_engine && vector == ring0::kVectorPageFault) {
    counters_.page_fault_exits++;
    fault.address = exit_detail_ = vcpu_->get_sregs().cr2;
    fault.address_valid = true;
    fault.write = (frame.error & ring0::kPageFaultWrite) != 0;
    if (!in_window_range(fault.address) && resolve(fault.address)) return;
    if (area_->busy != 0) fail("page fault inside the fault handler", fault);
    std::memcpy(area_->gpr, fault.gpr, sizeof fault.gpr);
    area_->rip = frame.rip;
    area_->rflags = frame.rflags;
    area_->address = fault.address;
    area_->error = frame.error;
    frame.rip = stubs_.upcall_saved;
    frame.rsp = fault_stack_top_;
    frame.rflags = ring0::kEngineRflags;
    return;
  }
  // Some KVMs do not let SYSCALL enter LSTAR at CPL 3: it raises #GP or #UD there.
  if (from_engine && (vector == ring0::kVectorGeneralProtection || vector == ring0::kVectorInvalidOpcode)) {
    uint16_t opcode;
    std::memcpy(&opcode, reinterpret_cast<const void*>(frame.rip), sizeof opcode);
    if (opcode == kSyscallOpcode) {
      syscall_entry_ = SyscallEntry::Exception;
      frame.rip += sizeof opcode;
      regs.rax = system_call(regs.rax, regs);
      regs.rcx = frame.rip;
      regs.r11 = frame.rflags;
      vcpu_->mark_dirty();
      return;
    }
  }
  char at[32];
  std::snprintf(at, sizeof at, " at rip %llx", static_cast<unsigned long long>(fault.rip));
  fail("exception vector " + std::to_string(vector) + (from_engine ? " in the engine" : " at CPL 0") +
           (ring0::has_error_code(vector) ? ", error code " + std::to_string(frame.error) : "") + at,
       fault);
}

// The engine's page tables allow the access and the host's do not. The handler runs outside the VM,
// on the same thread and the same memory: what it does about it is system calls.
void KvmWorld::serve_host_fault() {
  counters_.host_faults++;
  engine::FaultFrame frame = frame_of_registers();
  exit_detail_ = frame.rip;
  const uint64_t arena = reinterpret_cast<uint64_t>(arena_);
  if (frame.rip - arena < kRegionBytes) fail("host fault in the world's own code", frame);
  if (area_->busy != 0) fail("host fault inside the fault handler", frame);
  if (handler_ == nullptr || !handler_(handler_context_, frame)) {
    fail("unexpected access to host memory that is not mapped or is read-only", frame);
  }
  kvm_regs& r = vcpu_->regs();
  const auto& g = frame.gpr;
  r.rax = g[0], r.rcx = g[1], r.rdx = g[2], r.rbx = g[3], r.rsp = g[4], r.rbp = g[5], r.rsi = g[6], r.rdi = g[7];
  r.r8 = g[8], r.r9 = g[9], r.r10 = g[10], r.r11 = g[11], r.r12 = g[12], r.r13 = g[13], r.r14 = g[14], r.r15 = g[15];
  r.rip = frame.rip;
  vcpu_->mark_dirty();
}

uint64_t KvmWorld::system_call(uint64_t number, const kvm_regs& regs) {
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
// wrong.
bool KvmWorld::resolve(uint64_t address) {
  const uint64_t region = address >> 30;
  if (region >= kRegions || region_gpa_[region] != 0) return false;
  uint8_t resident;
  void* page = reinterpret_cast<void*>(address & ~(ring0::kPageBytes - 1));
  // ENOMEM: nothing is mapped there
  if (mincore(page, ring0::kPageBytes, &resident) != 0) return false;
  try {
    add_regions(region, 1);
  } catch (const KvmError& error) {
    fail(error.what(), frame_of_registers());
  }
  counters_.regions_added++;
  return true;
}

// Runs inside the VM, called by ring0's upcall with the faulting state in the UpcallArea.
bool KvmWorld::upcall(void* self) {
  auto& world = *static_cast<KvmWorld*>(self);
  ring0::UpcallArea& area = *world.area_;
  if (!world.in_window_range(area.address) && ring0::out_call(ring0::kPortMap, area.address, 0) != 0) return true;
  engine::FaultFrame frame{
      .gpr = {}, .rip = area.rip, .address = area.address, .write = (area.error & ring0::kPageFaultWrite) != 0};
  std::memcpy(frame.gpr, area.gpr, sizeof frame.gpr);
  if (world.handler_ == nullptr || !world.handler_(world.handler_context_, frame)) return false;
  std::memcpy(area.gpr, frame.gpr, sizeof frame.gpr);
  area.rip = frame.rip;
  return true;
}

}  // namespace crosswalk::kvm
