// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/process/fault_upcalls.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>

namespace crosswalk::vmm {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStackBytes = 256 << 10;
// A guard page, the stack, and the area above it.
constexpr size_t kMappedBytes = kPage + kStackBytes + 2 * kPage;

}  // namespace

// Its offsets are in the code below.
struct FaultUpcallStack::Area {
  uint8_t state[4096];  // XSAVE or FXSAVE
  uint64_t gpr[16];     // by x86 register number; not 0 (rax) and 4 (rsp)
  mmu::FaultUpcall* upcall;
  uint64_t xsave;     // 1: XSAVE, of x87, SSE and AVX; 0: FXSAVE
  uint64_t rip, rsp;  // where it goes on
  uint64_t rax;
  uint32_t mxcsr;  // of C++ code
  Handler handler;
  void* context;
};

void call_handler(void* area) { FaultUpcallStack::handle(*static_cast<FaultUpcallStack::Area*>(area)); }

}  // namespace crosswalk::vmm

// rax = the Area; rsp = the stack, a multiple of 16. The way back is a jump through memory below
// the red zone of where it goes. Not IRETQ: QEMU's emulation (7.2) lets it read the stack as the
// kernel.
asm(R"(
  .text
  .globl crosswalk_fault_upcall
  .hidden crosswalk_fault_upcall
crosswalk_fault_upcall:
  movq %rcx, 4096+8*1(%rax)
  movq %rdx, 4096+8*2(%rax)
  movq %rbx, 4096+8*3(%rax)
  movq %rbp, 4096+8*5(%rax)
  movq %rsi, 4096+8*6(%rax)
  movq %rdi, 4096+8*7(%rax)
  movq %r8, 4096+8*8(%rax)
  movq %r9, 4096+8*9(%rax)
  movq %r10, 4096+8*10(%rax)
  movq %r11, 4096+8*11(%rax)
  movq %r12, 4096+8*12(%rax)
  movq %r13, 4096+8*13(%rax)
  movq %r14, 4096+8*14(%rax)
  movq %r15, 4096+8*15(%rax)
  movq %rax, %rbx
  cmpq $0, 4096+8*17(%rbx)
  je 1f
  movl $7, %eax
  xorl %edx, %edx
  xsave64 (%rbx)
  jmp 2f
1: fxsave64 (%rbx)
2: ldmxcsr 4096+8*21(%rbx)
  movq %rbx, %rdi
  call crosswalk_fault_upcall_handler
  cmpq $0, 4096+8*17(%rbx)
  je 3f
  movl $7, %eax
  xorl %edx, %edx
  xrstor64 (%rbx)
  jmp 4f
3: fxrstor64 (%rbx)
4: movq 4096+8*16(%rbx), %rax
  movq 4096+8*18(%rbx), %rdx
  movq 4096+8*19(%rbx), %rcx
  movq %rdx, -136(%rcx)
  pushq 24(%rax)
  movq $0, (%rax)
  popfq
  movq 4096+8*20(%rbx), %rax
  movq 4096+8*1(%rbx), %rcx
  movq 4096+8*2(%rbx), %rdx
  movq 4096+8*5(%rbx), %rbp
  movq 4096+8*6(%rbx), %rsi
  movq 4096+8*7(%rbx), %rdi
  movq 4096+8*8(%rbx), %r8
  movq 4096+8*9(%rbx), %r9
  movq 4096+8*10(%rbx), %r10
  movq 4096+8*11(%rbx), %r11
  movq 4096+8*12(%rbx), %r12
  movq 4096+8*13(%rbx), %r13
  movq 4096+8*14(%rbx), %r14
  movq 4096+8*15(%rbx), %r15
  movq 4096+8*19(%rbx), %rsp
  movq 4096+8*3(%rbx), %rbx
  jmp *-136(%rsp)
)");

extern "C" {
extern const char crosswalk_fault_upcall[];
__attribute__((used, visibility("hidden"))) void crosswalk_fault_upcall_handler(void* area) {
  crosswalk::vmm::call_handler(area);
}
}

namespace crosswalk::vmm {

void FaultUpcallStack::handle(Area& area) {
  const int saved_errno = errno;
  engine::FaultFrame frame;
  std::memcpy(frame.gpr, area.gpr, sizeof frame.gpr);
  frame.gpr[0] = area.upcall->rax;
  frame.gpr[4] = area.upcall->rsp;
  frame.rip = area.upcall->rip;
  frame.address = area.upcall->address;
  frame.write = area.upcall->write != 0;
  area.handler(area.context, frame);
  std::memcpy(area.gpr, frame.gpr, sizeof frame.gpr);
  area.rax = frame.gpr[0];
  area.rsp = frame.gpr[4];
  area.rip = frame.rip;
  errno = saved_errno;
}

bool FaultUpcallStack::attach(mmu::FaultUpcalls& upcalls, Handler handler, void* context) {
  static_assert(offsetof(Area, gpr) == 4096 && offsetof(Area, upcall) == 4096 + 8 * 16 &&
                offsetof(Area, xsave) == 4096 + 8 * 17 && offsetof(Area, rip) == 4096 + 8 * 18 &&
                offsetof(Area, rsp) == 4096 + 8 * 19 && offsetof(Area, rax) == 4096 + 8 * 20 &&
                offsetof(Area, mxcsr) == 4096 + 8 * 21 && offsetof(mmu::FaultUpcall, rflags) == 24);
  if (area_ == nullptr) {
    void* const memory = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    if (mprotect(memory, kPage, PROT_NONE) != 0) {
      munmap(memory, kMappedBytes);
      return false;
    }
    area_ = new (static_cast<uint8_t*>(memory) + kPage + kStackBytes) Area{};
  }
  area_->handler = handler;
  area_->context = context;
  area_->xsave = __builtin_cpu_supports("avx") ? 1 : 0;
  asm("stmxcsr %0" : "=m"(area_->mxcsr));
  area_->mxcsr &= ~0x3fu;  // no exceptions so far
  upcalls_ = &upcalls;
  // The end of the stack is where the area begins.
  area_->upcall = upcalls.attach(crosswalk_fault_upcall, area_, area_);
  return area_->upcall != nullptr;
}

void FaultUpcallStack::detach() {
  if (area_ != nullptr && area_->upcall != nullptr) upcalls_->detach(area_->upcall);
  if (area_ != nullptr) area_->upcall = nullptr;
}

FaultUpcallStack::~FaultUpcallStack() {
  if (area_ != nullptr) munmap(reinterpret_cast<uint8_t*>(area_) - kStackBytes - kPage, kMappedBytes);
}

}  // namespace crosswalk::vmm
