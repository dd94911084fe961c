// SPDX-License-Identifier: GPL-2.0-or-later
// Loads from flash in windows: its entries are there while it is readable, and never writable.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "mmu-shadow/mmu.h"
#include "tests/mmu-shadow/noting_backend.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kRamBase = 0x40000000, kRamBytes = 16 << 20;
constexpr uint64_t kFlashBytes = FlashBanks::kBanks * FlashBanks::kBankBytes;
constexpr uint32_t kRoot = 0x40004000, kFlash = 0x04000000, kVa = 0x10000000, kRamVa = 0x20000000;
uint32_t normal(uint32_t pa) { return pa | 2 | 3 << 2 | 3 << 10; }

struct NoCode final : CodeListener {
  bool code_written(uint64_t, uint32_t) override { return true; }
};

// RAM and flash in one file, as a machine has them.
struct Memory {
  Memory() {
    ram.size = kRamBytes;
    ram.flash = &banks;
    ram.fd = memfd_create("crosswalk-test", 0);
    EXPECT_EQ(ftruncate(ram.fd, static_cast<off_t>(kRamBytes + kFlashBytes)), 0);
    start = static_cast<uint8_t*>(
        mmap(nullptr, kRamBase + kRamBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ram.host = start + kRamBase;
    constexpr int kReadWrite = PROT_READ | PROT_WRITE, kFlags = MAP_SHARED | MAP_FIXED;
    EXPECT_NE(mmap(ram.host, kRamBytes, kReadWrite, kFlags, ram.fd, 0), MAP_FAILED);
    EXPECT_NE(mmap(start, kFlashBytes, kReadWrite, kFlags, ram.fd, kRamBytes), MAP_FAILED);
    set(kVa, normal(kFlash));
    set(kRamVa, normal(0x40800000));
  }
  ~Memory() {
    munmap(start, kRamBase + kRamBytes);
    close(ram.fd);
  }
  void set(uint32_t va, uint32_t descriptor) { std::memcpy(ram.at(kRoot + (va >> 20) * 4), &descriptor, 4); }
  void hide() { banks.readable = 1; }
  void show() { banks.readable = 3; }

  FlashBanks banks;
  GuestRam ram;
  uint8_t* start;
};

struct Cpu {
  Cpu(const MmuConfig& config, const GuestRam& ram, MmuMachine& machine, WindowBackend& backend)
      : mmu(std::move(*make_mmu(config, ram, machine, &backend))) {
    state->cp15.sctlr = CW_SCTLR_M;
    state->cp15.ttbr0 = kRoot;
    state->cp15.dacr = 1;
    state->mode = 0x13;
    mmu->attach(*state);
    use(1);
  }
  void use(uint32_t asid) {
    state->cp15.contextidr = asid;
    mmu->activate(*state);
  }
  FaultOutcome load(uint32_t va) { return access(va, false); }
  FaultOutcome access(uint32_t va, bool write) {
    Translation t;
    return mmu->window_fault(*state, va, 4, write, t);
  }

  std::unique_ptr<CpuState> state = std::make_unique<CpuState>();
  std::unique_ptr<Mmu> mmu;
};

class FlashInWindows : public testing::Test {
 protected:
  uint64_t reaches(const Cpu& cpu, uint32_t va) const { return backend_.reaches(cpu.state->mem_base, va); }

  Memory memory_;
  NoCode listener_;
  NotingBackend backend_;
  MmuConfig config_{.mode = Mode::Window, .share_tables = false};
  std::unique_ptr<MmuMachine> machine_ = std::make_unique<MmuMachine>(config_, memory_.ram, listener_);
};

TEST_F(FlashInWindows, IsReadAsLongAsItIsReadable) {
  Cpu cpu(config_, memory_.ram, *machine_, backend_);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(cpu.load(kVa + 0x5004), FaultOutcome::Installed);
    EXPECT_EQ(cpu.load(kRamVa), FaultOutcome::Installed);
    EXPECT_EQ(reaches(cpu, kVa + 0x5004), kFlash + 0x5000);
    EXPECT_EQ(reaches(cpu, kVa + 0xff000), kFlash + 0xff000);  // the whole section
    EXPECT_FALSE(backend_.writable(cpu.state->mem_base, kVa + 0x5004));
    EXPECT_EQ(cpu.access(kVa + 0x5004, true), FaultOutcome::Device);
    memory_.hide();
    cpu.mmu->flash_hidden(*cpu.state);
    EXPECT_EQ(reaches(cpu, kVa + 0x5004), 0u);
    EXPECT_EQ(reaches(cpu, kRamVa), 0x40800000u);
    EXPECT_EQ(cpu.load(kVa + 0x5004), FaultOutcome::Device);
    memory_.show();
  }
}

TEST_F(FlashInWindows, OtherSpacesLoseItBeforeTheyAreUsed) {
  Cpu cpu(config_, memory_.ram, *machine_, backend_);
  EXPECT_EQ(cpu.load(kVa), FaultOutcome::Installed);
  const uint64_t first = cpu.state->mem_base;
  cpu.use(2);
  ASSERT_NE(cpu.state->mem_base, first);
  EXPECT_EQ(cpu.load(kVa), FaultOutcome::Installed);
  memory_.hide();
  cpu.mmu->flash_hidden(*cpu.state);
  memory_.show();
  EXPECT_EQ(cpu.load(kVa), FaultOutcome::Installed);
  cpu.use(1);
  ASSERT_EQ(cpu.state->mem_base, first);
  EXPECT_EQ(reaches(cpu, kVa), 0u);
}

TEST_F(FlashInWindows, AFlushThatWalksAgainLeavesNoWriteAccess) {
  config_.flush = FlushPolicy::Eager;
  Cpu cpu(config_, memory_.ram, *machine_, backend_);
  EXPECT_EQ(cpu.load(kVa), FaultOutcome::Installed);
  cpu.mmu->flush_all(*cpu.state);
  EXPECT_FALSE(backend_.writable(cpu.state->mem_base, kVa));
  memory_.set(kVa, normal(0x40900000));
  cpu.mmu->flush_all(*cpu.state);
  if (reaches(cpu, kVa) == 0) {
    EXPECT_EQ(cpu.load(kVa), FaultOutcome::Installed);
  }
  EXPECT_EQ(reaches(cpu, kVa), 0x40900000u);
}

// One that runs is stopped, and has no entry when it goes on.
TEST_F(FlashInWindows, IsHiddenFromAllCpus) {
  NotingBackend others;
  Cpu one(config_, memory_.ram, *machine_, backend_), two(config_, memory_.ram, *machine_, others);
  one.mmu->unpark(*one.state);
  two.mmu->unpark(*two.state);
  EXPECT_EQ(two.load(kVa), FaultOutcome::Installed);
  EXPECT_NE(others.reaches(two.state->mem_base, kVa), 0u);
  std::thread other([&] {
    while (!(std::atomic_ref(two.state->interrupt_lines).load() & kLinePoll)) std::this_thread::yield();
    lower_line(*two.state, kLinePoll);
    EXPECT_FALSE(memory_.ram.flash_holds(kFlash));
    two.mmu->polled(*two.state);
    EXPECT_EQ(others.reaches(two.state->mem_base, kVa), 0u);
    EXPECT_EQ(two.load(kVa), FaultOutcome::Device);
    two.mmu->park(*two.state);
  });
  memory_.hide();
  one.mmu->flash_hidden(*one.state);
  other.join();
}

// What a load in the window gets.
TEST(FlashInMmapWindows, HasItsBytes) {
  Memory memory;
  std::memcpy(memory.ram.at(kFlash + 0x1000), "flash", 5);
  std::memcpy(memory.ram.at(0x40800000), "ram", 3);
  NoCode listener;
  const MmuConfig config{.mode = Mode::Window};
  MmuMachine machine(config, memory.ram, listener);
  const auto backend = make_mmap(memory.ram);
  Cpu cpu(config, memory.ram, machine, *backend);
  ASSERT_EQ(cpu.load(kVa + 0x1000), FaultOutcome::Installed);
  ASSERT_EQ(cpu.load(kRamVa), FaultOutcome::Installed);
  const auto* const window = reinterpret_cast<const char*>(cpu.state->mem_base);
  EXPECT_EQ(std::memcmp(window + kVa + 0x1000, "flash", 5), 0);
  EXPECT_EQ(std::memcmp(window + kRamVa, "ram", 3), 0);
}

TEST(FlashInMmapWindows, IsNeverMappedWritable) {
  Memory memory;
  const auto backend = make_mmap(memory.ram);
  const auto window = backend->create_window();
  EXPECT_TRUE(window->install(0, 0, kFlashBytes / 2, false));
  EXPECT_FALSE(window->install(0, 0, 4096, true));
  EXPECT_FALSE(window->install(0, kFlashBytes / 2 - 4096, 8192, false));
  EXPECT_FALSE(window->install(0, kFlashBytes, 4096, false));
  EXPECT_FALSE(window->install(0, kRamBase + kRamBytes, 4096, false));
}

}  // namespace
}  // namespace crosswalk::mmu::test
