// SPDX-License-Identifier: GPL-2.0-or-later
// A world is where the engine executes: `process` (an ordinary Linux thread) or `kvm` (the same
// thread, inside a KVM guest, CPL 3, same addresses). The engine is one function of one argument in
// both.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mmu-shadow/windows/window.h"

namespace crosswalk::engine {

// A host fault (SIGSEGV or #PF) raised by translated code, as registers. The handler may change gpr
// and rip; the world then resumes with them. gpr is indexed by the x86 register number (0 rax, 1
// rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8-15). SIMD registers and flags are kept by the
// world.
struct FaultFrame {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t address;  // the faulting linear address
  bool write;
  // False when the host could not tell the address (KVM_RUN's -EFAULT on an unmapped host page):
  // `address` is 0 and `write` means nothing; the metadata of the access at rip says what it was.
  bool address_valid = true;
  // rip is that of the next instruction: the store before it had no effect, on registers neither
  // but flags. The handler sets rip in any case.
  bool completed = false;
};

// Returns false when rip is not in translated code or the address is in no window: a bug in the
// engine; the world reports it with the registers and aborts.
using FaultHandler = bool (*)(void* context, FaultFrame& frame);

class World {
 public:
  virtual ~World() = default;
  // Runs entry(argument) on the calling thread, in this world, with `handler` receiving the faults
  // of translated code. Returns when entry returns. Not reentrant. Several threads may each be
  // inside their own World.
  virtual void run(void (*entry)(void*), void* argument, FaultHandler handler, void* context) = 0;
  virtual const char* name() const = 0;
  // Faults of windows come by `upcalls` in run() from now on, where the world can do that; null: no
  // more. They outlive the runs.
  virtual void deliver_by(mmu::FaultUpcalls* /*upcalls*/) {}
};

}  // namespace crosswalk::engine
