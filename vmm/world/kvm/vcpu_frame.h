// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU's own pages in the arena: descriptor tables and CPL 0 stubs (supervisor only), CPL 3 stubs
// (read-only), and the stacks of the engine and of its fault handler, with guard pages.
#pragma once

#include <cstdint>

#include "vmm/world/kvm/ring0/upcall.h"
#include "vmm/world/kvm/vm_memory.h"

namespace crosswalk::kvm {

// x87, SSE, AVX and AVX-512 state (SDM volume 1, 13.1), as far as the host's XCR0 enables it.
uint64_t host_xsave_mask();

class VcpuFrame {
 public:
  // Pages of no other use, which tests of mechanisms make a window of.
  static constexpr uint64_t kTestPages = 8;

  static uint64_t bytes(uint64_t engine_stack_bytes);
  // `memory` has bytes() bytes, and outlives this.
  VcpuFrame(uint8_t* memory, uint64_t engine_stack_bytes);

  Result<bool> map(VmMemory& memory) const;
  // Makes stubs that save `xsave_mask` in an upcall, and the descriptor tables that lead to them.
  void install_stubs(uint64_t xsave_mask);
  // Whether a #PF calls the fault handler at once, or by an exit.
  void deliver_faults(bool direct) { ring0::set_page_fault_delivery(system_pages_, stubs_, direct); }
  // Descriptor tables and stubs are from now on as they are: not even page tables that code inside
  // has changed lead to a writable page of them.
  Result<bool> protect() const;

  ring0::UpcallArea& area() const { return *area_; }
  // What an exception from CPL 3 has pushed.
  ring0::ExceptionFrame& exception_frame() const { return *exception_frame_; }
  const ring0::Stubs& stubs() const { return stubs_; }
  const ring0::SystemPages& system_pages() const { return system_pages_; }
  uint64_t engine_stack_top() const { return base() + bytes_; }
  uint64_t fault_stack_top() const;
  uint64_t test_pages() const;

 private:
  uint64_t base() const { return reinterpret_cast<uint64_t>(memory_); }

  uint8_t* const memory_;
  const uint64_t bytes_;
  ring0::UpcallArea* const area_;
  ring0::ExceptionFrame* const exception_frame_;
  ring0::Stubs stubs_;
  ring0::SystemPages system_pages_;
};

}  // namespace crosswalk::kvm
