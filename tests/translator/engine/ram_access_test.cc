// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/ram_access.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>

namespace crosswalk::test {
namespace {

constexpr size_t kPage = 4096;
constexpr greg_t kTrapFlag = 0x100;

// Counts the instructions that access a page: each faults, is executed with the page there, and
// traps after.
struct Counted {
  static uint8_t* page;
  static volatile int accesses;
  static void fault(int, siginfo_t*, void* context) {
    accesses = accesses + 1;
    mprotect(page, kPage, PROT_READ | PROT_WRITE);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
  }
  static void trap(int, siginfo_t*, void* context) {
    mprotect(page, kPage, PROT_NONE);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  }
};
uint8_t* Counted::page;
volatile int Counted::accesses;

int count(uint8_t* host, uint8_t* data, uint32_t bytes, bool store) {
  struct sigaction action {
  }, old_fault, old_trap;
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = Counted::fault;
  sigaction(SIGSEGV, &action, &old_fault);
  action.sa_sigaction = Counted::trap;
  sigaction(SIGTRAP, &action, &old_trap);
  Counted::accesses = 0;
  mprotect(Counted::page, kPage, PROT_NONE);
  engine::access_ram(host, data, bytes, store);
  mprotect(Counted::page, kPage, PROT_READ | PROT_WRITE);
  sigaction(SIGSEGV, &old_fault, nullptr);
  sigaction(SIGTRAP, &old_trap, nullptr);
  return Counted::accesses;
}

TEST(RamAccess, IsOneAccess) {
  Counted::page =
      static_cast<uint8_t*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(Counted::page, MAP_FAILED);
  struct Case {
    uint32_t bytes;
    int accesses;
    uint32_t offset = 101;
  };
  // Parts of what crosses a page: 12 bytes of words at its end, and of halfwords at its beginning.
  for (const Case& c : {Case{1, 1}, Case{2, 1}, Case{4, 1}, Case{8, 1}, Case{16, 2}, Case{3, 2}, Case{15, 4},
                        Case{12, 2, 4}, Case{12, 2, 8}, Case{14, 3, 2}, Case{6, 2, 0}})
    for (const bool store : {false, true}) {
      SCOPED_TRACE(testing::Message() << c.bytes << (store ? " stored" : " loaded"));
      uint8_t* const host = Counted::page + c.offset;
      uint8_t data[16], pattern[16];
      for (uint8_t i = 0; i < 16; i++) pattern[i] = 0x81 + i;
      std::memset(data, 0, 16);
      std::memset(Counted::page, 0, kPage);
      std::memcpy(store ? data : host, pattern, 16);
      EXPECT_EQ(count(host, data, c.bytes, store), c.accesses);
      EXPECT_EQ(std::memcmp(store ? host : data, pattern, c.bytes), 0);
      EXPECT_EQ(store ? host[c.bytes] : c.bytes < 16 ? data[c.bytes] : 0, 0);
    }
  munmap(Counted::page, kPage);
}

}  // namespace
}  // namespace crosswalk::test
