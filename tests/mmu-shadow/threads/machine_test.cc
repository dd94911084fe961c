// SPDX-License-Identifier: GPL-2.0-or-later
// The MMUs of a machine's CPUs, each on a thread of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kL1 = 0x40004000, kL2 = 0x40008000, kPa = 0x41000000;
constexpr uint32_t kNotGlobal = 1 << 11, kReadWrite = 2 | 3 << 2 | 3 << 4;

struct Listener final : CodeListener {
  bool code_written(uint64_t, uint32_t) override { return true; }
  void check_code(uint64_t pa) override { checked.push_back(pa); }
  void page_ids_dropped() override { drops++; }
  std::vector<uint64_t> checked;
  uint64_t drops = 0;
};

// A CPU with its MMU. All have the same tables: the first MiB, in small pages.
struct Cpu {
  Cpu(const MmuConfig& config, const GuestRam& ram, MmuMachine& machine, WindowBackend* backend = nullptr)
      : ram(ram), mmu(std::move(*make_mmu(config, ram, machine, backend))) {
    state->cp15.sctlr = CW_SCTLR_M;
    state->cp15.ttbr0 = kL1;
    state->cp15.dacr = 1;
    state->mode = 0x10;
    mmu->attach(*state);
    use(1);
  }
  void use(uint32_t asid) {
    state->cp15.contextidr = asid;
    mmu->activate(*state);
  }
  uint32_t lines() const { return std::atomic_ref(state->interrupt_lines).load(); }
  void poll() {
    if (!(lines() & kLinePoll)) return;
    lower_line(*state, kLinePoll);
    mmu->polled(*state);
  }
  // What translated code has of the page.
  const SoftTlbEntry& entry(uint32_t va) const { return soft_tlb_entry(state->mem_base, va); }
  // The PA that an access gets.
  uint64_t load(uint32_t va) {
    const SoftTlbEntry& e = entry(va);
    if (e.tag_load != va) return mmu->fill(*state, va, AccessKind::Load).pa;
    return ram.base + (e.addend + va - reinterpret_cast<uint64_t>(ram.host));
  }
  void map(uint32_t va, uint32_t pa, uint32_t flags = kNotGlobal) const {
    std::atomic_ref(*reinterpret_cast<uint32_t*>(ram.at(kL2 + (va >> 12) * 4))).store(pa | kReadWrite | flags);
  }

  const GuestRam& ram;
  std::unique_ptr<CpuState> state = std::make_unique<CpuState>();
  std::unique_ptr<Mmu> mmu;
};

class MachineTest : public ::testing::Test {
 protected:
  explicit MachineTest(unsigned count = 3, uint32_t max_page_ids = 0) {
    memory.write32(kL1, kL2 | 1);
    MmuConfig config{.mode = Mode::Soft};
    if (max_page_ids != 0) config.max_page_ids = max_page_ids;
    machine = std::make_unique<MmuMachine>(config, memory.ram, listener);
    for (unsigned i = 0; i < count; i++) cpus.push_back(std::make_unique<Cpu>(config, memory.ram, *machine));
  }
  // body(CPU, its number) on the thread of each.
  template <class Body>
  void run(Body body) {
    std::latch all_here(static_cast<ptrdiff_t>(cpus.size()));
    std::vector<std::thread> threads;
    for (size_t i = 0; i < cpus.size(); i++)
      threads.emplace_back([&, i] {
        Cpu& cpu = *cpus[i];
        all_here.arrive_and_wait();
        cpu.mmu->unpark(*cpu.state);
        body(cpu, i);
        cpu.mmu->park(*cpu.state);
      });
    for (std::thread& thread : threads) thread.join();
  }

  TestMemory memory{64 << 20};
  Listener listener;
  std::unique_ptr<MmuMachine> machine;
  std::vector<std::unique_ptr<Cpu>> cpus;
};

// Each CPU changes the mapping of a page of its own, flushes and waits; from then on no CPU gets an
// older one, in either of its two address spaces.
TEST_F(MachineTest, WhatIsFlushedIsGoneForAll) {
  constexpr uint32_t kVersions = 300;
  std::atomic<uint32_t> complete[3] = {}, done{0};
  const auto va_of = [](size_t cpu) { return static_cast<uint32_t>(0x10000 + cpu * 0x1000); };
  for (size_t i = 0; i < cpus.size(); i++) cpus[i]->map(va_of(i), kPa);
  run([&](Cpu& cpu, size_t self) {
    for (uint32_t version = 1; done != cpus.size() && !HasFailure(); version++) {
      if (version < kVersions) {
        cpu.map(va_of(self), kPa + version * 0x1000);
        cpu.mmu->flush_mva_all_asids(*cpu.state, va_of(self), true);
        EXPECT_TRUE(cpu.lines() & kLineShootdown);
        cpu.mmu->synchronize(*cpu.state);
        complete[self].store(version, std::memory_order_release);
      } else {
        done += version == kVersions;
      }
      std::this_thread::yield();  // there may be more CPUs than the host has
      for (size_t i = 0; i < 6; i++) {
        cpu.use(1 + i % 2);
        const size_t other = (self + i) % cpus.size();
        const uint32_t least = complete[other].load(std::memory_order_acquire);
        EXPECT_GE(cpu.load(va_of(other)), kPa + least * 0x1000) << "of CPU " << other;
        cpu.poll();
      }
    }
  });
}

// A CPU that has polled has applied what was in the log.
TEST_F(MachineTest, ACpuIsWaitedForUntilItHasPolled) {
  Cpu &first = *cpus[0], &second = *cpus[1];
  first.map(0x10000, kPa);
  for (Cpu* const cpu : {&first, &second}) cpu->mmu->unpark(*cpu->state);
  first.load(0x10000);
  const uint64_t end = machine->flushes.add({.kind = MmuPort::Flush::All, .broadcast = true}, 1);
  const auto is_waited_for = [&] {
    bool waited = false;
    machine->cpus.wait_for_others(
        1, end, [](RunningCpus::Index) { return true; },
        [&] {
          waited = true;
          return false;
        });
    return waited;
  };
  EXPECT_TRUE(is_waited_for());
  first.poll();
  EXPECT_FALSE(is_waited_for());
  EXPECT_NE(first.entry(0x10000).tag_load, 0x10000u);
}

TEST_F(MachineTest, OnlyWhoMayHaveAnEntryIsWaitedFor) {
  Cpu &first = *cpus[0], &second = *cpus[1];
  first.map(0x10000, kPa);
  first.map(0x20000, kPa, 0);
  for (Cpu* const cpu : {&first, &second}) cpu->mmu->unpark(*cpu->state);
  second.use(2);
  second.load(0x10000);
  // As the DSB after the operation asks it; this one gives up then.
  const auto asks = [&](MmuPort::Flush operation) {
    operation.broadcast = true;
    raise_line(*first.state, kLineStop);
    first.mmu->flush(*first.state, operation);
    first.mmu->synchronize(*first.state);
    const bool asked = second.lines() & kLinePoll;
    second.poll();
    return asked;
  };
  using Flush = MmuPort::Flush;
  EXPECT_FALSE(asks({Flush::OfAsid, 1, 0}));
  EXPECT_TRUE(asks({Flush::OfAsid, 2, 0}));
  EXPECT_TRUE(asks({Flush::All, 0, 0}));
  EXPECT_TRUE(asks({Flush::PageOfAllAsids, 0, 0x10000}));
  EXPECT_FALSE(asks({Flush::Page, 1, 0x10000}));
  EXPECT_TRUE(asks({Flush::Page, 2, 0x10000}));
  second.load(0x20000);  // global
  EXPECT_TRUE(asks({Flush::Page, 1, 0x20000}));
  EXPECT_FALSE(asks({Flush::OfAsid, 1, 0}));
  second.state->mode = 0x13;
  second.use(2);
  EXPECT_TRUE(asks({Flush::OfAsid, 1, 0}));
  second.mmu->park(*second.state);
  EXPECT_FALSE(asks({Flush::All, 0, 0}));
}

// A CPU that sleeps is not waited for; it has nothing old when it goes on.
TEST_F(MachineTest, WhatIsFlushedWhileACpuSleepsIsGoneWhenItWakes) {
  Cpu &first = *cpus[0], &second = *cpus[1];
  for (Cpu* const cpu : {&first, &second}) {
    cpu->map(0x10000, kPa);
    cpu->mmu->unpark(*cpu->state);
    EXPECT_EQ(cpu->load(0x10000), kPa);
  }
  second.mmu->park(*second.state);
  first.map(0x10000, kPa + 0x1000);
  first.mmu->flush_mva_all_asids(*first.state, 0x10000, true);
  first.mmu->synchronize(*first.state);
  EXPECT_FALSE(first.lines() & kLineShootdown);
  second.mmu->unpark(*second.state);
  EXPECT_EQ(second.load(0x10000), kPa + 0x1000u);
}

TEST_F(MachineTest, AFlushOfOneCpuIsItsAlone) {
  Cpu &first = *cpus[0], &second = *cpus[1];
  for (Cpu* const cpu : {&first, &second}) {
    cpu->map(0x10000, kPa);
    cpu->mmu->unpark(*cpu->state);
    cpu->load(0x10000);
  }
  first.mmu->flush_all(*first.state);
  EXPECT_FALSE(first.lines() & kLineShootdown);
  second.mmu->polled(*second.state);
  EXPECT_NE(first.entry(0x10000).tag_load, 0x10000u);
  EXPECT_EQ(second.entry(0x10000).tag_load, 0x10000u);
}

TEST_F(MachineTest, APageWithCodeLosesWriteAccessWhenTheOtherCpuPolls) {
  Cpu &first = *cpus[0], &second = *cpus[1];
  second.map(0x10000, kPa);
  for (Cpu* const cpu : {&first, &second}) cpu->mmu->unpark(*cpu->state);
  second.mmu->fill(*second.state, 0x10000, AccessKind::Store);
  EXPECT_EQ(second.entry(0x10000).tag_store, 0x10000u);
  first.mmu->protect_code_page(kPa);
  EXPECT_TRUE(second.lines() & kLinePoll);
  EXPECT_TRUE(second.state->pending);
  second.poll();
  EXPECT_NE(second.entry(0x10000).tag_store, 0x10000u);
  EXPECT_EQ(second.entry(0x10000).tag_load, 0x10000u);
  EXPECT_EQ(listener.checked, std::vector<uint64_t>{kPa});
  second.mmu->polled(*second.state);
  EXPECT_EQ(listener.checked.size(), 1u);
}

struct FewIdsTest : MachineTest {
  static constexpr uint32_t kIds = 64;
  FewIdsTest() : MachineTest(3, kIds) {}
};

// All CPUs need more page ids than there are: each that is returned is of the page that was asked
// for until the CPU polls.
TEST_F(FewIdsTest, AreDroppedWhileOthersWantSome) {
  for (uint32_t page = 0; page < 256; page++) cpus[0]->map(page << 12, kPa + page * 0x1000);
  run([&](Cpu& cpu, size_t self) {
    for (uint32_t i = 0; i < 3000 && !HasFailure(); i++) {
      const uint32_t page = (i * 7 + static_cast<uint32_t>(self)) % 256, flags = i % 2;
      cpu.use(1 + i % 3);
      Translation t;
      const uint32_t id = cpu.mmu->fetch_page(*cpu.state, page << 12, flags, t);
      ASSERT_NE(id, 0u);
      const PageIdsOf<uint32_t>::Record expected{page, static_cast<uint32_t>((kPa - memory.ram.base) >> 12) + page,
                                                 flags};
      EXPECT_EQ(machine->ids.record(id), expected);
      EXPECT_EQ(cpu.state->instruction_pages[page], id);
      EXPECT_EQ(t.pa, kPa + page * 0x1000);
      cpu.poll();
    }
  });
  EXPECT_GT(listener.drops, 10u);
  EXPECT_LE(machine->ids.count(), kIds + cpus.size());
}

// What can be written until the next commit, as in a TLB.
class CachedWindow final : public Window {
 public:
  CachedWindow() : Window(uint64_t{1} << 40) {}
  bool install(uint32_t va, uint64_t, uint64_t bytes, bool writable) override {
    for (uint32_t page = va >> 12; page < (va + bytes) >> 12; page++) {
      lost[page] = !writable;
      if (writable) stores[page] = true;
    }
    return true;
  }
  void remove(uint32_t va, uint64_t bytes) override {
    for (uint32_t page = va >> 12; page < (va + bytes) >> 12 && page < kPages; page++) lost[page] = true;
  }
  void commit() override {
    for (uint32_t page = 0; page < kPages; page++) stores[page] = stores[page] && !lost[page];
  }

  static constexpr uint32_t kPages = 256;
  bool lost[kPages] = {}, stores[kPages] = {};
};

struct CachedBackend final : WindowBackend {
  std::unique_ptr<Window> create_window() override {
    auto made = std::make_unique<CachedWindow>();
    window = made.get();
    return made;
  }
  CachedWindow* window = nullptr;
};

// A page that another CPU has translated is installed anew, around another one, before the CPU
// polls: its write access is gone from the record then, but not from the TLB.
TEST(Machine, WriteAccessIsGoneAfterAPoll) {
  TestMemory memory{64 << 20};
  Listener listener;
  const MmuConfig config{.mode = Mode::Window};
  MmuMachine machine(config, memory.ram, listener);
  CachedBackend first_backend, backend;
  Cpu first(config, memory.ram, machine, &first_backend), cpu(config, memory.ram, machine, &backend);
  memory.write32(kL1, kL2 | 1);
  for (uint32_t page = 0; page < 16; page++) first.map(page << 12, kPa + page * 0x1000);
  Translation t;
  cpu.mmu->unpark(*cpu.state);
  EXPECT_EQ(cpu.mmu->window_fault(*cpu.state, 0, 4, true, t), FaultOutcome::Installed);
  EXPECT_TRUE(backend.window->stores[1]);
  first.mmu->protect_code_page(kPa + 0x1000);
  EXPECT_EQ(cpu.mmu->window_fault(*cpu.state, 0, 4, true, t), FaultOutcome::Installed);
  cpu.poll();
  EXPECT_FALSE(backend.window->stores[1]);
  EXPECT_EQ(listener.checked, std::vector<uint64_t>{kPa + 0x1000});
}

}  // namespace
}  // namespace crosswalk::mmu::test
