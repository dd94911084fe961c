// SPDX-License-Identifier: GPL-2.0-or-later
// The `kvm` world: the calling thread's own code, at its own addresses, at CPL 3 inside a KVM VM.
//
// Its parts: the VM (kvm_vm.h), which vCPUs can have in common, with what it reaches of this
// process (vm_memory.h); one vCPU (engine_vcpu.h) with its pages (vcpu_frame.h); the loop that
// serves exits (exit_loop.h); how translations are dropped (tlb_flush.h); and the choice between
// mechanisms (mechanisms.h). Faults of translated code are delivered by ring0/upcall.h.
//
// vDSO: clock_gettime works inside where KVM can map the kernel's vvar page (it can on current
// kernels); RDTSC is the same inside and outside when tsc_is_exact().
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "translator/base/result.h"
#include "translator/engine/world.h"
#include "vmm/world/kvm/engine_vcpu.h"
#include "vmm/world/kvm/exit_loop.h"
#include "vmm/world/kvm/host_functions.h"
#include "vmm/world/kvm/kvm_counters.h"
#include "vmm/world/kvm/kvm_options.h"
#include "vmm/world/kvm/kvm_vm.h"
#include "vmm/world/kvm/mechanisms.h"
#include "vmm/world/kvm/tlb_flush.h"
#include "vmm/world/kvm/vm_memory.h"

namespace crosswalk::kvm {

class KvmWorld final : public engine::World {
 public:
  // Reaches what is mapped in this process now. Other regions become reachable when they are first
  // touched.
  static Result<std::unique_ptr<KvmWorld>> create(const KvmOptions& options);

  // Aborts with the state printed on a fault that `handler` refuses and on any exit that is not
  // understood. System calls of the entry function are made by the calling thread, except those
  // that would make a second thread of execution or change the thread's own registers (clone, fork,
  // vfork, clone3, rt_sigreturn, arch_prctl): those return -ENOSYS.
  void run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context) override;
  const char* name() const override { return "kvm"; }
  // Code that was not there when the world was made may be executed in run() too: [begin,
  // begin+bytes).
  Result<bool> add_code(const void* begin, size_t bytes);

  // Runs fn(argument) inside the VM: at once when already there, else by an entry of its own.
  // Precondition: fn takes no faults in windows.
  void execute(void (*fn)(void*), void* argument);
  // The same for anything that can be called.
  template <class Function>
  void execute(Function function) {
    execute([](void* f) { (*static_cast<Function*>(f))(); }, &function);
  }
  // Whether the caller executes inside the VM. Only the thread that owns this world may ask.
  bool inside() const { return cpu_->inside(); }

  HostFunctions& host_functions() { return vm_->host_functions; }
  // At once when the caller is outside, by one exit when inside. Aborts with the state printed when
  // there is none of this number.
  uint64_t host_call(HostFunctions::Number number, const HostFunctions::Arguments& arguments = {});

  VmMemory& memory() { return *vm_->memory; }
  // As memory().reach(), inside or outside.
  Result<bool> reach(uint64_t address, uint64_t bytes);
  // Carries out `changed` and clears it. Precondition: inside().
  void invalidate(ring0::Invalidations& changed) { flush_.carry_out(changed); }

  ExitLoop& exits() { return loop_; }
  KvmCounters counters() const;
  const Mechanisms& mechanisms() const { return mechanisms_; }
  // See TscOffset.
  bool tsc_is_exact() const { return cpu_->tsc().exact(); }

 private:
  KvmWorld(std::unique_ptr<KvmVm> vm, std::unique_ptr<EngineVcpu> cpu);
  static Result<std::unique_ptr<KvmWorld>> make(const KvmOptions& options);
  Result<bool> set_up(const KvmOptions& options);
  Result<uint64_t> rdtsc_inside();

  std::unique_ptr<KvmVm> vm_;
  std::unique_ptr<EngineVcpu> cpu_;
  KvmCounters counters_;
  ExitLoop loop_;
  TlbFlush flush_;
  Mechanisms mechanisms_;
  HostFunctions::Number reach_;
  std::string reach_error_;  // of the last call of reach_ that failed
};

}  // namespace crosswalk::kvm
