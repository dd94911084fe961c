// SPDX-License-Identifier: GPL-2.0-or-later
// Ordinary C++ inside each world, system calls, and the fault interface. The process world runs the
// same cases.
#include <fcntl.h>
#include <immintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

#include "tests/vmm/world/access.h"
#include "tests/vmm/world/fixture.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::test {
namespace {

enum class Kind { Process, KvmDirect, KvmExit };

class Worlds : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::Process) {
      world_ = std::move(*vmm::make_process_world());
      return;
    }
    if (auto usable = kvm::check_kvm(); !usable) GTEST_SKIP() << "needs KVM: " << usable.error();
    kvm::KvmOptions options;
    using Delivery = kvm::KvmOptions::FaultDelivery;
    options.fault_delivery = GetParam() == Kind::KvmDirect ? Delivery::Auto : Delivery::Exit;
    auto world = make_world(options);
    ASSERT_NE(world, nullptr);
    kvm_ = world.get();
    world_ = std::move(world);
  }
  std::unique_ptr<engine::World> world_;
  kvm::KvmWorld* kvm_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(All, Worlds, testing::Values(Kind::Process, Kind::KvmDirect, Kind::KvmExit),
                         [](const auto& info) {
                           return info.param == Kind::Process     ? "process"
                                  : info.param == Kind::KvmDirect ? "kvm"
                                                                  : "kvm_exit_delivery";
                         });

uint64_t fibonacci(uint64_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

struct Work {
  uint64_t number = 0;
  std::string text;
  double real = 0;
  bool operator==(const Work&) const = default;
};

Work ordinary_work() {
  Work result;
  result.number = fibonacci(20);
  std::map<int, std::string> map;
  for (int i = 0; i < 2000; i++)
    map[i * 7919 % 2003] = std::string(static_cast<size_t>(i % 90), static_cast<char>('a' + i % 26));
  for (const auto& [key, value] : map) result.number = result.number * 31 + static_cast<uint64_t>(key) + value.size();
  std::vector<double> reals(5000);
  for (size_t i = 0; i < reals.size(); i++) reals[i] = std::sin(static_cast<double>(i));
  for (const double x : reals) result.real += x * x;
  for (int i = 0; i < 10; i++) {
    try {
      if (i % 2) throw std::out_of_range("odd " + std::to_string(i));
      map.at(-1);
    } catch (const std::exception& e) {
      result.text += e.what();
    }
  }
  return result;
}

TEST_P(Worlds, RunsOrdinaryCode) {
  const Work expected = ordinary_work();
  Work actual;
  run_in(*world_, [&] { actual = ordinary_work(); });
  EXPECT_EQ(actual, expected);
}

[[gnu::target("avx2")]] float avx_sum(const std::vector<float>& values) {
  __m256 sum = _mm256_setzero_ps();
  for (size_t i = 0; i < values.size(); i += 8) sum = _mm256_add_ps(sum, _mm256_loadu_ps(&values[i]));
  float lanes[8];
  _mm256_storeu_ps(lanes, sum);
  return lanes[0] + lanes[3] * 2 + lanes[7] * 4;
}

TEST_P(Worlds, RunsAvx) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "the host has no AVX2";
  std::vector<float> values(1 << 14);
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(i % 100);
  float actual = 0;
  run_in(*world_, [&] { actual = avx_sum(values); });
  EXPECT_EQ(actual, avx_sum(values));
}

TEST_P(Worlds, FloatingPointControlIsTheCallers) {
  uint32_t mxcsr = 0;
  uint16_t fcw = 0, host_fcw = 0;
  asm("fnstcw %0" : "=m"(host_fcw));
  const uint32_t before = _mm_getcsr();
  _mm_setcsr(before | 0x8000);  // flush to zero
  run_in(*world_, [&] {
    mxcsr = _mm_getcsr();
    asm("fnstcw %0" : "=m"(fcw));
  });
  _mm_setcsr(before);
  EXPECT_EQ(mxcsr & ~0x3fu, (before | 0x8000) & ~0x3fu);
  EXPECT_EQ(fcw, host_fcw);
}

TEST_P(Worlds, DeepRecursionFitsTheStack) {
  struct Recursion {
    static uint64_t sum(uint64_t n) {
      volatile char space[512];
      space[n % 512] = static_cast<char>(n);
      return n == 0 ? 0 : sum(n - 1) + 1 + (space[n % 512] & 0);
    }
  };
  uint64_t depth = 0;
  run_in(*world_, [&] { depth = Recursion::sum(5000); });
  EXPECT_EQ(depth, 5000u);
}

TEST_P(Worlds, SystemCalls) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ssize_t written = 0;
  int failed_errno = 0;
  pid_t pid = 0;
  run_in(*world_, [&] {
    written = write(pipe_fds[1], "from inside", 11);
    if (write(-1, "x", 1) < 0) failed_errno = errno;
    pid = static_cast<pid_t>(syscall(SYS_getpid));
  });
  EXPECT_EQ(written, 11);
  EXPECT_EQ(failed_errno, EBADF);
  EXPECT_EQ(pid, getpid());
  char text[32] = {};
  EXPECT_EQ(read(pipe_fds[0], text, sizeof text), 11);
  EXPECT_STREQ(text, "from inside");
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST_P(Worlds, MemoryMappedInside) {
  bool ok = true;
  uint64_t far_sum = 0;
  run_in(*world_, [&] {
    // Next to what is there, and at addresses where nothing has been.
    for (uint64_t i = 1; i <= 6; i++) {
      void* hint = reinterpret_cast<void*>((uint64_t{0x1000} << 30) + i * (uint64_t{3} << 30));
      auto* p = static_cast<uint8_t*>(
          mmap(hint, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
      if (p == MAP_FAILED) {
        ok = false;
        return;
      }
      for (size_t o = 0; o < 8 << 20; o += 4096 * 64) p[o] = static_cast<uint8_t>(i);
      for (size_t o = 0; o < 8 << 20; o += 4096 * 64) far_sum += p[o];
      // What is mapped again is new memory.
      munmap(p, 8 << 20);
      p = static_cast<uint8_t*>(
          mmap(hint, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
      if (p == MAP_FAILED || p[0] != 0) ok = false;
      if (p != MAP_FAILED) munmap(p, 8 << 20);
    }
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int i = 0; i < 40; i++) {
      blocks.emplace_back(new char[48 << 20]);
      blocks.back()[(48 << 20) - 1] = 1;
    }
  });
  EXPECT_TRUE(ok);
  EXPECT_EQ(far_sum, 32u * (1 + 2 + 3 + 4 + 5 + 6));
}

TEST_P(Worlds, ClocksAgree) {
  const bool exact = kvm_ == nullptr || kvm_->tsc_is_exact();
  const auto ns = [](const timespec& t) { return t.tv_sec * 1000000000ll + t.tv_nsec; };
  // Several times, with pauses: a TSC can be right at first, within the time of a slow entry, and
  // then fall behind.
  for (int round = 0; round < 20; round++) {
    uint64_t before = __builtin_ia32_rdtsc(), during = 0;
    timespec inside{}, start{}, end{};
    clock_gettime(CLOCK_MONOTONIC, &start);
    run_in(*world_, [&] {
      during = __builtin_ia32_rdtsc();
      clock_gettime(CLOCK_MONOTONIC, &inside);
    });
    clock_gettime(CLOCK_MONOTONIC, &end);
    const uint64_t after = __builtin_ia32_rdtsc();
    if (exact) {
      ASSERT_LE(before, during) << "round " << round;
      ASSERT_LE(during, after) << "round " << round;
      // The vDSO may read the TSC.
      ASSERT_LE(ns(start), ns(inside));
      ASSERT_LE(ns(inside), ns(end));
    }
    usleep(500);
  }
  if (!exact) GTEST_SKIP() << "this KVM cannot set the TSC offset exactly";
}

TEST_P(Worlds, SignalsInterruptAndReturn) {
  static volatile sig_atomic_t ticks;
  ticks = 0;
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) { ticks = ticks + 1; };
  ASSERT_EQ(sigaction(SIGALRM, &action, &old), 0);
  const itimerval every_ms{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every_ms, nullptr);
  // The loop below makes no system call: the signal has to interrupt it.
  uint64_t rounds = 0;
  run_in(*world_, [&] {
    const int before = ticks;  // on a slow machine some have come already
    while (ticks < before + 5) rounds++;
  });
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &old, nullptr);
  EXPECT_GE(ticks, 5);
  EXPECT_GT(rounds, 0u);
}

TEST_P(Worlds, RunsOnAnotherThreadAndAgain) {
  static thread_local int local = 7;
  int seen = 0;
  std::thread([&] {
    local = 42;
    run_in(*world_, [&] { seen = local; });
  }).join();
  EXPECT_EQ(seen, 42);
  run_in(*world_, [&] { seen = local; });
  EXPECT_EQ(seen, 7);
}

// ---- faults ----

// Sets every register to a known value, loads from rdi, and stores all registers and flags as they
// are after.
struct RegisterFile {
  uint64_t gpr[16], flags;
  alignas(32) uint8_t ymm[16][32];
};
extern "C" void crosswalk_test_fault_registers(RegisterFile* in_out, uint64_t address);
extern "C" const char crosswalk_test_fault_site[], crosswalk_test_fault_after[];
asm(R"(
  .text
crosswalk_test_fault_registers:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  push %rdi
  mov %rdi, %rax
  mov %rsi, %rdi
  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  movdqu 160+32*\n(%rax), %xmm\n
  .endr
  mov 8(%rax), %rcx
  mov 16(%rax), %rdx
  mov 24(%rax), %rbx
  mov 40(%rax), %rbp
  mov 48(%rax), %rsi
  mov 64(%rax), %r8
  mov 72(%rax), %r9
  mov 80(%rax), %r10
  mov 88(%rax), %r11
  mov 96(%rax), %r12
  mov 104(%rax), %r13
  mov 112(%rax), %r14
  mov 120(%rax), %r15
  push 128(%rax)
  popfq
  mov 0(%rax), %rax
crosswalk_test_fault_site:
  mov (%rdi), %rax
crosswalk_test_fault_after:
  push %rax
  pushfq
  mov 16(%rsp), %rax
  pop 128(%rax)
  pop 0(%rax)
  mov %rcx, 8(%rax)
  mov %rdx, 16(%rax)
  mov %rbx, 24(%rax)
  mov %rsp, 32(%rax)
  mov %rbp, 40(%rax)
  mov %rsi, 48(%rax)
  mov %rdi, 56(%rax)
  mov %r8, 64(%rax)
  mov %r9, 72(%rax)
  mov %r10, 80(%rax)
  mov %r11, 88(%rax)
  mov %r12, 96(%rax)
  mov %r13, 104(%rax)
  mov %r14, 112(%rax)
  mov %r15, 120(%rax)
  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  movdqu %xmm\n, 160+32*\n(%rax)
  .endr
  cld
  pop %rdi
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
)");
static_assert(offsetof(RegisterFile, ymm) == 160 && offsetof(RegisterFile, flags) == 128);

// A page that faults on access in any world: unmapped in the process, and (kvm) nothing to make
// reachable.
uint64_t faulting_address() {
  void* p = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(p, 4096);
  return reinterpret_cast<uint64_t>(p);
}

constexpr uint64_t kArithmeticFlags = 0x8d5;  // OF SF ZF AF PF CF
constexpr uint64_t kDirectionFlag = 0x400;

TEST_P(Worlds, FaultHandlerSeesAndSetsRegistersAndTheRestIsKept) {
  // In the kvm world this is a window address: only those reach the handler with an address.
  uint64_t address = faulting_address();
  if (kvm_ != nullptr) {
    address = uint64_t{0x3000} << 30;
    kvm_->memory().add_window_range(address, uint64_t{1} << 30);
  }
  for (const uint64_t flags :
       {uint64_t{0x2}, 0x2 | kArithmeticFlags, uint64_t{0x2 | 0x401}, 0x2 | kDirectionFlag | 0x80}) {
    RegisterFile in{}, out{};
    for (int i = 0; i < 16; i++) {
      in.gpr[i] = 0x1111111111111111u * static_cast<uint64_t>(i + 1) + 5;
      for (int b = 0; b < 32; b++) in.ymm[i][b] = static_cast<uint8_t>(i * 32 + b + 1);
    }
    in.flags = flags;
    out = in;
    engine::FaultFrame seen{};
    int faults = 0;
    run_in(
        *world_, [&] { crosswalk_test_fault_registers(&out, address + 8); },
        [&](engine::FaultFrame& frame) {
          seen = frame;
          faults++;
          // Dirty what the handler is allowed to: SIMD registers, x87, MXCSR, flags.
          asm volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm15, %%xmm15\n pcmpeqd %%xmm7, %%xmm7\n fld1" ::
                           : "xmm0", "xmm15", "xmm7");
          volatile double x = 1.0;
          x = x / 3;
          frame.gpr[0] = 0xabcdef;
          frame.gpr[9] = 99;
          frame.rip = reinterpret_cast<uint64_t>(crosswalk_test_fault_after);
          return true;
        });
    ASSERT_EQ(faults, 1);
    EXPECT_TRUE(seen.address_valid);
    EXPECT_EQ(seen.address, address + 8);
    EXPECT_FALSE(seen.write);
    EXPECT_EQ(seen.rip, reinterpret_cast<uint64_t>(crosswalk_test_fault_site));
    for (int i = 0; i < 16; i++) {
      if (i == 4) {
        EXPECT_EQ(seen.gpr[i], out.gpr[i]) << "the stack pointer is where it was";
      } else if (i == 7) {
        EXPECT_EQ(seen.gpr[i], address + 8);
      } else {
        EXPECT_EQ(seen.gpr[i], in.gpr[i]) << "gpr " << i;
        EXPECT_EQ(out.gpr[i], i == 0 ? 0xabcdefu : i == 9 ? 99u : in.gpr[i]) << "gpr " << i;
      }
      EXPECT_EQ(std::memcmp(out.ymm[i], in.ymm[i], 16), 0) << "xmm" << i;
    }
    EXPECT_EQ(out.flags & (kArithmeticFlags | kDirectionFlag), flags & (kArithmeticFlags | kDirectionFlag));
  }
}

// after = 3 * before, with both operands in ymm registers across a store to `address`.
extern "C" void crosswalk_test_ymm_across_fault(const uint64_t* before, uint64_t* after, uint64_t address);
asm(R"(
  .text
crosswalk_test_ymm_across_fault:
  push %rbx
  mov %rsi, %rbx
  vmovdqu (%rdi), %ymm5
  vpaddq %ymm5, %ymm5, %ymm14
  mov %rdx, %rdi
  call crosswalk_test_store8
  vpaddq %ymm14, %ymm5, %ymm5
  vmovdqu %ymm5, (%rbx)
  vzeroupper
  pop %rbx
  ret
)");

TEST_P(Worlds, YmmIsKeptAcrossAFault) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "the host has no AVX2";
  uint64_t address = faulting_address();
  if (kvm_ != nullptr) {
    address = uint64_t{0x3000} << 30;
    kvm_->memory().add_window_range(address, uint64_t{1} << 30);
  }
  const uint64_t before[4] = {1, 2, uint64_t{3} << 40, 4};
  uint64_t wrong = 0;
  int faults = 0;
  std::vector<float> values(64, 1.5f);
  float sum = 0;
  run_in(
      *world_,
      [&] {
        for (int i = 0; i < 3; i++) {
          uint64_t after[4] = {};
          crosswalk_test_ymm_across_fault(before, after, address);
          for (int lane = 0; lane < 4; lane++) wrong += after[lane] != 3 * before[lane];
        }
      },
      [&](engine::FaultFrame& frame) {
        if (!is_access(frame)) return false;
        faults++;
        sum = avx_sum(values);  // overwrites ymm registers and ends with vzeroupper
        give_up(frame);
        return true;
      });
  EXPECT_EQ(faults, 3);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(sum, avx_sum(values));
}

TEST_P(Worlds, AccessesReportReadAndWrite) {
  uint64_t address = faulting_address();
  if (kvm_ != nullptr) {
    address = uint64_t{0x3000} << 30;
    kvm_->memory().add_window_range(address, uint64_t{1} << 30);
  }
  std::vector<std::pair<uint64_t, bool>> seen;
  uint64_t given_up = 0;
  run_in(
      *world_,
      [&] {
        for (const unsigned bytes : {1u, 2u, 4u, 8u}) {
          given_up += load(address + 16 * bytes, bytes).given_up;
          given_up += store(address + 16 * bytes, bytes, 1).given_up;
        }
      },
      [&](engine::FaultFrame& frame) {
        if (!is_access(frame)) return false;
        seen.emplace_back(frame.address, frame.write);
        give_up(frame);
        return true;
      });
  EXPECT_EQ(given_up, 8u);
  ASSERT_EQ(seen.size(), 8u);
  for (size_t i = 0; i < seen.size(); i++) {
    EXPECT_EQ(seen[i].first, address + (16u << i / 2));
    EXPECT_EQ(seen[i].second, i % 2 == 1);
  }
}

TEST_P(Worlds, HandlerMayTouchNewMemoryAndMakeSystemCalls) {
  uint64_t address = faulting_address();
  if (kvm_ != nullptr) {
    address = uint64_t{0x3000} << 30;
    kvm_->memory().add_window_range(address, uint64_t{1} << 30);
  }
  uint64_t sum = 0;
  int faults = 0;
  run_in(
      *world_,
      [&] {
        for (int i = 0; i < 3; i++) sum += load(address, 8).given_up;
      },
      [&](engine::FaultFrame& frame) {
        if (!is_access(frame)) return false;
        faults++;
        void* hint =
            reinterpret_cast<void*>((uint64_t{0x1800} << 30) + static_cast<uint64_t>(faults) * (uint64_t{2} << 30));
        auto* p = static_cast<volatile uint64_t*>(
            mmap(hint, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
        if (p == MAP_FAILED) return false;
        p[100] = 5;
        sum += p[100];
        munmap(hint, 1 << 20);
        give_up(frame);
        return true;
      });
  EXPECT_EQ(faults, 3);
  EXPECT_EQ(sum, 18u);
}

using WorldsDeathTest = Worlds;
INSTANTIATE_TEST_SUITE_P(All, WorldsDeathTest, testing::Values(Kind::Process, Kind::KvmDirect, Kind::KvmExit),
                         [](const auto& info) {
                           return info.param == Kind::Process     ? "process"
                                  : info.param == Kind::KvmDirect ? "kvm"
                                                                  : "kvm_exit_delivery";
                         });

TEST_P(WorldsDeathTest, RefusedFaultIsReported) {
  // A forked child cannot use its parent's VM: run the whole program again.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const uint64_t address = faulting_address();
        run_in(*world_, [&] { load(address + 0x123, 1); });
      },
      "unexpected .*rip [0-9a-f]{16}.*rdi [0-9a-f]*123");
}

TEST_P(WorldsDeathTest, StackOverflowIsReported) {
  if (kvm_ == nullptr) GTEST_SKIP() << "the process world runs on the thread's own stack";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  struct Recursion {
    static uint64_t deep(uint64_t n) {
      if (n == 1'000'000'000) return 0;
      volatile char space[4096];
      space[n % 4096] = 1;
      return deep(n + 1) + static_cast<uint64_t>(space[n % 4096]);
    }
  };
  EXPECT_DEATH(run_in(*world_, [] { Recursion::deep(0); }), "unexpected .*fault");
}

TEST_P(WorldsDeathTest, IllegalInstructionIsReported) {
  if (kvm_ == nullptr) GTEST_SKIP() << "SIGILL is not this world's";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_in(*world_, [] { asm volatile("ud2"); }), "exception vector 6 in the engine");
}

}  // namespace
}  // namespace crosswalk::test
