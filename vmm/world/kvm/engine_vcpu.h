// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU that executes code of this process, at CPL 3: its registers and its frame at CPL 0.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "translator/engine/world.h"
#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/kvm_vm.h"
#include "vmm/world/kvm/tsc_offset.h"
#include "vmm/world/kvm/vcpu_frame.h"

namespace crosswalk::kvm {

class EngineVcpu {
 public:
  // `vm` outlives it. `frame` is mapped there, and is in the memory of no other vCPU.
  static Result<std::unique_ptr<EngineVcpu>> create(KvmVm& vm, const VcpuFrame& frame, uint64_t id);

  VcpuFrame& frame() { return frame_; }
  const VcpuFrame& frame() const { return frame_; }
  TscOffset& tsc() { return tsc_; }
  const TscOffset& tsc() const { return tsc_; }

  // The next run() calls entry(argument) on the engine's stack, with the calling thread's FS and GS
  // bases and floating-point control.
  Result<bool> prepare_call(void (*entry)(void*), void* argument);
  // The next run() is `iterations` of the timing loop at CPL 0.
  Result<bool> prepare_timing_loop(uint64_t iterations);
  Exit run();
  // While it runs, and executes code inside. Only its own thread may ask.
  bool inside() const { return __atomic_load_n(&frame_.area().inside, __ATOMIC_RELAXED) != 0; }

  // ---- after an exit ----
  // Registers, as changed by whoever asks.
  kvm_regs& regs() { return vcpu_->regs(); }
  void regs_changed() { vcpu_->mark_dirty(); }
  // The same as a fault without an address, and back.
  engine::FaultFrame fault_frame();
  Result<bool> finish_store() { return vcpu_->finish_store(); }
  void resume_with(const engine::FaultFrame& frame);
  Result<kvm_sregs> system_registers() const { return vcpu_->get_sregs(); }
  // Drops all its translations.
  Result<bool> flush();

 private:
  EngineVcpu(const VcpuFrame& frame, std::unique_ptr<Vcpu> vcpu)
      : frame_(frame), vcpu_(std::move(vcpu)), tsc_(*vcpu_) {}
  Result<bool> set_up(const KvmVm& vm);

  VcpuFrame frame_;
  std::unique_ptr<Vcpu> vcpu_;
  kvm_sregs user_sregs_{};  // at CPL 3
  TscOffset tsc_;
};

}  // namespace crosswalk::kvm
