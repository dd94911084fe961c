// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/engine_vcpu.h"

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <bit>

namespace crosswalk::kvm {
namespace {

kvm_segment segment(uint16_t selector, uint8_t type, bool code) {
  kvm_segment s = {};
  s.limit = 0xffffffff, s.selector = selector, s.type = type, s.present = 1, s.dpl = selector & 3, s.s = 1, s.g = 1;
  s.l = code, s.db = !code;
  return s;
}

}  // namespace

Result<std::unique_ptr<EngineVcpu>> EngineVcpu::create(KvmVm& vm, const VcpuFrame& frame, uint64_t id) {
  auto run_bytes = vm.system.vcpu_run_bytes();
  if (!run_bytes) return run_bytes.take_error();
  auto vcpu = Vcpu::create(vm.vm, *run_bytes, id);
  if (!vcpu) return vcpu.take_error();
  std::unique_ptr<EngineVcpu> made(new EngineVcpu(frame, std::move(*vcpu)));
  if (auto set = made->set_up(vm); !set) return set.take_error();
  return made;
}

Result<bool> EngineVcpu::set_up(const KvmVm& vm) {
  if (auto set = vcpu_->set_cpuid(vm.cpuid); !set) return set;
  const uint64_t mask = host_xsave_mask();
  frame_.install_stubs(mask);

  ring0::Cr4 cr4;
  constexpr uint32_t kXsave = 1u << 26, kFsgsbase = 1u << 0;
  const auto* leaf1 = find_leaf(vm.cpuid, 1);
  const auto* leaf7 = find_leaf(vm.cpuid, 7);
  // A KVM that hides XSAVE from its guests refuses CR4.OSXSAVE; the host's setting then stays in
  // force at CPL 3.
  cr4.osxsave = leaf1 != nullptr && (leaf1->ecx & kXsave) != 0 && mask != 0;
  cr4.fsgsbase = leaf7 != nullptr && (leaf7->ebx & kFsgsbase) != 0;
  const bool osxsave = cr4.osxsave;
  ring0::Efer efer;
  efer.nxe = vm.memory->no_execute();

  auto sregs = vcpu_->get_sregs();
  if (!sregs) return sregs.take_error();
  user_sregs_ = *sregs;
  user_sregs_.cr0 = ring0::raw(ring0::Cr0{});
  user_sregs_.cr4 = ring0::raw(cr4);
  user_sregs_.cr3 = vm.memory->tables().root();
  user_sregs_.efer = ring0::raw(efer);
  user_sregs_.cs = segment(ring0::kUserCode, ring0::kTypeCode, true);
  user_sregs_.ss = user_sregs_.ds = user_sregs_.es = user_sregs_.fs = user_sregs_.gs =
      segment(ring0::kUserData, ring0::kTypeData, false);
  const ring0::SystemPages& pages = frame_.system_pages();
  user_sregs_.gdt = {pages.gdt, ring0::SystemPages::kGdtLimit, {}};
  user_sregs_.idt = {pages.idt, ring0::SystemPages::kIdtLimit, {}};
  user_sregs_.tr = {};
  user_sregs_.tr.base = pages.tss;
  user_sregs_.tr.limit = ring0::SystemPages::kTssLimit;
  user_sregs_.tr.selector = ring0::kTaskState;
  user_sregs_.tr.type = ring0::kTypeBusyTss64;
  user_sregs_.tr.present = 1;
  if (auto set = vcpu_->set_sregs(user_sregs_); !set) return set;

  const struct {
    uint32_t index;
    uint64_t value;
    const char* name;
  } msrs[] = {{0xc0000081, ring0::kStar, "IA32_STAR"},
              {0xc0000082, frame_.stubs().syscall, "IA32_LSTAR"},
              {0xc0000084, 0, "IA32_FMASK"}};
  for (const auto& msr : msrs) {
    if (auto set = vcpu_->set_msr(msr.index, msr.value, msr.name); !set) return set;
  }
  if (!osxsave) return true;
  const auto* leaf13 = find_leaf(vm.cpuid, 13);
  return vcpu_->set_xcr0(mask & (leaf13 != nullptr ? leaf13->eax : 0));
}

Result<bool> EngineVcpu::prepare_call(void (*entry)(void*), void* argument) {
  ring0::UpcallArea& area = frame_.area();
  area.busy = 0;
  area.engine_mxcsr = _mm_getcsr() & ~0x3fu;  // control bits; no exceptions so far
  asm("fnstcw %0" : "=m"(area.engine_fcw));

  unsigned long fs_base = 0, gs_base = 0;
  syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base);
  syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_base);
  user_sregs_.fs.base = fs_base;
  user_sregs_.gs.base = gs_base;
  if (auto set = vcpu_->set_sregs(user_sregs_); !set) return set;
  kvm_regs& regs = vcpu_->regs();
  regs = {};
  regs.rip = frame_.stubs().enter;
  regs.rsp = frame_.engine_stack_top();
  regs.rdi = reinterpret_cast<uint64_t>(entry);
  regs.rsi = reinterpret_cast<uint64_t>(argument);
  regs.rflags = ring0::kEngineRflags;
  vcpu_->mark_dirty();
  return true;
}

Result<bool> EngineVcpu::prepare_timing_loop(uint64_t iterations) {
  kvm_sregs sregs = user_sregs_;
  sregs.cs = segment(ring0::kKernelCode, ring0::kTypeCode, true);
  sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = segment(ring0::kKernelData, ring0::kTypeData, false);
  if (auto set = vcpu_->set_sregs(sregs); !set) return set;
  kvm_regs& regs = vcpu_->regs();
  regs = {};
  regs.rip = frame_.stubs().timing_loop;
  regs.rcx = iterations;
  regs.rsp = reinterpret_cast<uint64_t>(&frame_.exception_frame());
  regs.rflags = 2;
  vcpu_->mark_dirty();
  return true;
}

Exit EngineVcpu::run() {
  uint64_t& inside = frame_.area().inside;
  __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
  const Exit exit = vcpu_->run();
  __atomic_store_n(&inside, 0, __ATOMIC_SEQ_CST);
  return exit;
}

engine::FaultFrame EngineVcpu::fault_frame() {
  const kvm_regs& r = vcpu_->regs();
  return {.gpr = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
                  r.r15},
          .rip = r.rip,
          .address = 0,
          .write = false,
          .address_valid = false};
}

void EngineVcpu::resume_with(const engine::FaultFrame& frame) {
  kvm_regs& r = vcpu_->regs();
  const auto& g = frame.gpr;
  r.rax = g[0], r.rcx = g[1], r.rdx = g[2], r.rbx = g[3], r.rsp = g[4], r.rbp = g[5], r.rsi = g[6], r.rdi = g[7];
  r.r8 = g[8], r.r9 = g[9], r.r10 = g[10], r.r11 = g[11], r.r12 = g[12], r.r13 = g[13], r.r14 = g[14], r.r15 = g[15];
  r.rip = frame.rip;
  vcpu_->mark_dirty();
}

Result<bool> EngineVcpu::flush() {
  ring0::Cr4 cr4 = std::bit_cast<ring0::Cr4>(static_cast<uint64_t>(user_sregs_.cr4));
  cr4.pge = !cr4.pge;
  user_sregs_.cr4 = ring0::raw(cr4);
  return vcpu_->set_sregs(user_sregs_);
}

}  // namespace crosswalk::kvm
