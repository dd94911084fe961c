// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/vmm/world/access.h"

#include <cstdlib>
#include <initializer_list>

// rdi = address, rsi = value; results in rax and rdx (an Accessed).
asm(R"(
  .text
  .globl crosswalk_test_store8
crosswalk_test_accesses:
crosswalk_test_load1: movzbl (%rdi), %eax
  xorl %edx, %edx
  ret
crosswalk_test_load2: movzwl (%rdi), %eax
  xorl %edx, %edx
  ret
crosswalk_test_load4: movl (%rdi), %eax
  xorl %edx, %edx
  ret
crosswalk_test_load8: movq (%rdi), %rax
  xorl %edx, %edx
  ret
crosswalk_test_store1: movb %sil, (%rdi)
  xorl %edx, %edx
  ret
crosswalk_test_store2: movw %si, (%rdi)
  xorl %edx, %edx
  ret
crosswalk_test_store4: movl %esi, (%rdi)
  xorl %edx, %edx
  ret
crosswalk_test_store8: movq %rsi, (%rdi)
  xorl %edx, %edx
  ret
crosswalk_test_accesses_end:
crosswalk_test_give_up: xorl %eax, %eax
  movl $1, %edx
  ret
)");

extern "C" {
extern const char crosswalk_test_accesses[], crosswalk_test_accesses_end[], crosswalk_test_give_up[];
crosswalk::test::Accessed crosswalk_test_load1(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_load2(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_load4(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_load8(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_store1(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_store2(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_store4(uint64_t, uint64_t);
crosswalk::test::Accessed crosswalk_test_store8(uint64_t, uint64_t);
}

namespace crosswalk::test {

Accessed load(uint64_t address, unsigned bytes) {
  switch (bytes) {
    case 1: return crosswalk_test_load1(address, 0);
    case 2: return crosswalk_test_load2(address, 0);
    case 4: return crosswalk_test_load4(address, 0);
    case 8: return crosswalk_test_load8(address, 0);
    default: std::abort();
  }
}

Accessed store(uint64_t address, unsigned bytes, uint64_t value) {
  switch (bytes) {
    case 1: return crosswalk_test_store1(address, value);
    case 2: return crosswalk_test_store2(address, value);
    case 4: return crosswalk_test_store4(address, value);
    case 8: return crosswalk_test_store8(address, value);
    default: std::abort();
  }
}

bool is_access(engine::FaultFrame& frame) {
  if (frame.completed) {
    // Two or three bytes each.
    for (const auto store :
         {crosswalk_test_store1, crosswalk_test_store2, crosswalk_test_store4, crosswalk_test_store8})
      if (const auto start = reinterpret_cast<uint64_t>(store); frame.rip - start - 2 < 2) {
        frame.rip = start;
        frame.completed = false;
        break;
      }
  }
  return frame.rip >= reinterpret_cast<uint64_t>(crosswalk_test_accesses) &&
         frame.rip < reinterpret_cast<uint64_t>(crosswalk_test_accesses_end);
}

void give_up(engine::FaultFrame& frame) { frame.rip = reinterpret_cast<uint64_t>(crosswalk_test_give_up); }

}  // namespace crosswalk::test
