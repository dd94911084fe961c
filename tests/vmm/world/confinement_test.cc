// SPDX-License-Identifier: GPL-2.0-or-later
// What code inside the VM cannot do: execute memory that is not code, change the stubs, have any
// function or any system call made outside.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "tests/vmm/world/fixture.h"
#include "translator/engine/code_memory.h"
#include "vmm/base/sandbox.h"

namespace crosswalk::test {
namespace {

class Confinement : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    // A forked child cannot use its parent's VM: death tests run the whole program again.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};
using ConfinementDeathTest = Confinement;

constexpr uint8_t kCode[] = {0xb8, 0x2a, 0x00, 0x00, 0x00, 0xc3};  // mov eax, 42; ret
using Function = int (*)();

int call(const void* code) { return reinterpret_cast<Function>(reinterpret_cast<uintptr_t>(code))(); }

TEST_F(Confinement, TheCodeCacheIsExecutedInItsExecutableView) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const auto memory = std::move(*engine::CodeMemory::create(4 << 20));
  ASSERT_TRUE(world->add_code(memory.base(), memory.capacity()));
  int result = 0, patched = 0;
  run_in(*world, [&] {
    std::memcpy(memory.writable(memory.base()), kCode, sizeof kCode);
    result = call(memory.base());
    memory.writable(memory.base())[1] = 43;
    patched = call(memory.base());
  });
  EXPECT_EQ(result, 42);
  EXPECT_EQ(patched, 43);
}

TEST_F(ConfinementDeathTest, TheWritableViewIsNotExecuted) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const auto memory = std::move(*engine::CodeMemory::create(4 << 20));
  ASSERT_TRUE(world->add_code(memory.base(), memory.capacity()));
  std::memcpy(memory.writable(memory.base()), kCode, sizeof kCode);
  EXPECT_DEATH(run_in(*world, [&] { call(memory.writable(memory.base())); }), "unexpected .*fault in the engine");
}

TEST_F(ConfinementDeathTest, TheExecutableViewIsNotWritten) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const auto memory = std::move(*engine::CodeMemory::create(4 << 20));
  ASSERT_TRUE(world->add_code(memory.base(), memory.capacity()));
  EXPECT_DEATH(run_in(*world, [&] { *const_cast<uint8_t*>(memory.base()) = 0xc3; }), "unexpected .*(fault|read-only)");
}

TEST_F(ConfinementDeathTest, GuestRamIsNotExecuted) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const TestRam memory(4 << 20);
  std::memcpy(memory.ram.host, kCode, sizeof kCode);
  EXPECT_DEATH(run_in(*world, [&] { call(memory.ram.host); }), "unexpected .*fault in the engine");
}

// Page tables are within reach of code inside; the pages of stubs and descriptors are writable by
// none of them.
TEST_F(ConfinementDeathTest, StubsAreNotWrittenByAnotherName) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const uint64_t alias = uint64_t{0x3000} << 30;
  world->memory().add_window_range(alias, kvm::kRegionBytes);
  // The arena's first pages: the memory slot that was made first, at 4 GiB (vm_memory.cc).
  constexpr uint64_t kArena = uint64_t{4} << 30;
  EXPECT_DEATH(run_in(*world,
                      [&] {
                        kvm::ring0::Invalidations changed;
                        world->memory().tables().map(alias, kArena, 4096, {}, changed);
                        world->invalidate(changed);
                        *reinterpret_cast<volatile uint8_t*>(alias) = 1;
                      }),
               "not mapped or is read-only");
}

TEST_F(Confinement, AHostFunctionGetsItsNumbersArguments) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  struct Seen {
    kvm::KvmWorld* world;
    kvm::HostFunctions::Arguments arguments{};
    bool inside = true;
  } seen{world.get()};
  const auto number = world->host_functions().add(
      [](void* context, const kvm::HostFunctions::Arguments& arguments) {
        auto& s = *static_cast<Seen*>(context);
        s.arguments = arguments;
        s.inside = s.world->inside();
        return uint64_t{99};
      },
      &seen);
  uint64_t result = 0;
  run_in(*world, [&] { result = world->host_call(number, {1, uint64_t{2} << 40, 3, 4, 5}); });
  EXPECT_EQ(result, 99u);
  EXPECT_FALSE(seen.inside);
  EXPECT_EQ(seen.arguments, (kvm::HostFunctions::Arguments{1, uint64_t{2} << 40, 3, 4, 5}));
  EXPECT_EQ(world->counters().host_calls, 1u);
}

TEST_F(ConfinementDeathTest, HostCallsOfNoFunctionEndTheProcess) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const auto removed =
      world->host_functions().add([](void*, const kvm::HostFunctions::Arguments&) { return uint64_t{0}; }, nullptr);
  world->host_functions().remove(removed);
  EXPECT_DEATH(run_in(*world, [&] { world->host_call(removed); }), "host call of function [0-9]+, which there is not");
  EXPECT_DEATH(run_in(*world, [&] { world->host_call(1000); }), "host call of function 1000, which there is not");
  // An address, as a function.
  EXPECT_DEATH(run_in(*world, [&] { kvm::ring0::host_call_out(reinterpret_cast<uint64_t>(&getppid), {}); }),
               "host call of function [0-9]+, which there is not");
}

TEST_F(Confinement, HostFunctionsOfWindowsRefuseWhatIsNotInOne) {
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  const TestRam memory(4 << 20);
  const auto backend = make_ept(*world, memory.ram);
  const auto window = backend->create_window();
  ASSERT_NE(window, nullptr);
  bool good = false, beyond_ram = true, below_ram = true, beyond_window = true, unaligned = true;
  run_in(*world, [&] {
    good = window->install(0x1000, memory.ram.base, 4096, true);
    beyond_ram = window->install(0x1000, memory.ram.base + memory.ram.size, 4096, true);
    below_ram = window->install(0x1000, memory.ram.base - 4096, 4096, true);
    beyond_window = window->install(0xfffff000, memory.ram.base, 8192, true);
    unaligned = window->install(0x1800, memory.ram.base, 4096, true);
  });
  EXPECT_TRUE(good);
  EXPECT_FALSE(beyond_ram);
  EXPECT_FALSE(below_ram);
  EXPECT_FALSE(beyond_window);
  EXPECT_FALSE(unaligned);
}

TEST_F(ConfinementDeathTest, SystemCallsInsideAreThoseOfTheList) {
  if (!vmm::Sandbox::built_in()) GTEST_SKIP() << "built with a sanitizer";
  const auto world = make_world();
  ASSERT_NE(world, nullptr);
  auto sandbox = vmm::Sandbox::create({});
  ASSERT_TRUE(sandbox) << sandbox.error();
  const auto confined = [&](auto body) {
    world->exits().confine(*sandbox);
    sandbox->enter(vmm::Sandbox::Role::KvmCpu);
    bool good = false;
    run_in(*world, [&] { good = body(); });
    _exit(good ? 0 : 7);
  };
  EXPECT_EXIT(confined([] {
                timespec now;
                const char text[] = "from inside\n";
                void* const p = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0 && p != MAP_FAILED &&
                       munmap(p, 8192) == 0 && write(2, text, sizeof text - 1) > 0;
              }),
              testing::ExitedWithCode(0), "from inside");
  EXPECT_EXIT(confined([] { return syscall(SYS_socket, 1, 1, 0) >= 0; }), testing::ExitedWithCode(1),
              "stopped the system call socket \\(41\\) of code inside the VM");
  EXPECT_EXIT(confined([] { return syscall(SYS_arch_prctl, 0x1003, nullptr) == 0; }), testing::ExitedWithCode(1),
              "stopped the system call arch_prctl .*inside the VM");
  EXPECT_EXIT(confined([] {
                return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
              }),
              testing::ExitedWithCode(1), "stopped the system call mmap .*inside the VM");
}

}  // namespace
}  // namespace crosswalk::test
