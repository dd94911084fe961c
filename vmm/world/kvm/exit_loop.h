// SPDX-License-Identifier: GPL-2.0-or-later
// Executes a function inside the VM, and does outside what each exit asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "translator/base/trace.h"
#include "translator/engine/world.h"
#include "vmm/world/kvm/engine_vcpu.h"
#include "vmm/world/kvm/kvm_counters.h"
#include "vmm/world/kvm/kvm_vm.h"

namespace crosswalk::vmm {
class Sandbox;
}

namespace crosswalk::kvm {

// What SYSCALL does inside the VM.
enum class SyscallEntry : uint8_t {
  Unknown,
  Exception,  // #GP or #UD
  LstarCpl0,  // as the SDM says
  LstarCpl3,  // goes to LSTAR and stays at CPL 3
};

class ExitLoop {
 public:
  // An exit that cannot be served, or a fault that the handler refused.
  struct Failure {
    std::string what;
    engine::FaultFrame frame{};
  };

  // All outlive this. `counters` are only this vCPU's.
  ExitLoop(KvmVm& vm, EngineVcpu& cpu, KvmCounters& counters);

  // Enters the VM and serves its exits until entry(argument) has returned. Not reentrant.
  std::optional<Failure> run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context);

  // From now on, the system calls of code inside the VM are those that `sandbox` allows it.
  // Outlives this.
  void confine(const vmm::Sandbox& sandbox) { sandbox_ = &sandbox; }
  // Exits become events of `ring`, which the CPU that runs here fills; null: none. Outlives this.
  void set_trace(trace::Ring* ring) { trace_ = ring; }
  // Known from the first system call on.
  SyscallEntry syscall_entry() const { return syscall_entry_; }

 private:
  // Each returns with failure_ set when it cannot serve the exit. serve() returns true when the
  // engine function is done.
  bool serve(const Exit& exit);
  void serve_syscall();
  void serve_nested_fault();
  void serve_vector(uint8_t vector);
  void serve_page_fault(engine::FaultFrame& fault);
  bool serve_refused_syscall();
  void serve_host_fault(const Exit& exit, engine::FaultFrame frame);
  void serve_refused_store(const Exit& exit);
  void serve_host_call();
  bool resolve(uint64_t address);
  uint64_t system_call(uint64_t number, const kvm_regs& regs);
  void fail(const std::string& what, const engine::FaultFrame& frame) { failure_ = {what, frame}; }
  void count(const Exit& exit, uint64_t left);
  static bool upcall(void* self);

  VmMemory& memory_;
  const HostFunctions& host_functions_;
  EngineVcpu& cpu_;
  KvmCounters& counters_;
  const vmm::Sandbox* sandbox_ = nullptr;
  trace::Ring* trace_ = nullptr;
  SyscallEntry syscall_entry_ = SyscallEntry::Unknown;

  // ---- of the run ----
  engine::FaultHandler handler_ = nullptr;
  void* handler_context_ = nullptr;
  bool running_ = false;
  std::optional<Failure> failure_;
  uint64_t exit_detail_ = 0;  // for the trace: what the last exit was about
};

}  // namespace crosswalk::kvm
