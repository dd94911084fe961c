// SPDX-License-Identifier: GPL-2.0-or-later
// What a flush must not remove, page ids, code pages, flat mode, window edges: the parts of Mmu
// that agreement with the walker alone does not show.
#include "mmu-shadow/mmu.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

#include "mmu-shadow/base/page_set.h"
#include "tests/mmu-shadow/test_memory.h"
#include "tests/mmu-shadow/torture.h"
#include "translator/arm32/cpu/debug.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kL1 = 0x40004000, kL2 = 0x40008000;
constexpr uint32_t kUserVa = 0x00010000, kGlobalVa = 0x00020000, kLargeVa = 0x00040000, kSectionVa = 0xc0000000;
constexpr uint32_t kDevicePageVa = 0x00030000;
constexpr uint32_t kPa = 0x41000000;

struct Listener final : CodeListener {
  bool code_written(uint64_t pa, uint32_t) override {
    calls.push_back(pa);
    return answer;
  }
  void page_ids_dropped() override { drops++; }
  std::vector<uint64_t> calls;
  uint64_t drops = 0;
  bool answer = true;
};

// One L1: a page table with small pages (non-global, global), large pages, and a global section.
class MmuTest : public ::testing::TestWithParam<Mode> {
 protected:
  MmuTest() : memory(64 << 20), cpu(std::make_unique<CpuState>()) {
    memory.write32(kL1, kL2 | 1);
    memory.write32(kL1 + (kSectionVa >> 20) * 4, 0x42000000 | 2 | 3 << 2 | 3 << 10);
    memory.write32(kL2 + (kUserVa >> 12) * 4, kPa | 2 | 3 << 2 | 3 << 4 | 1 << 11);
    memory.write32(kL2 + (kGlobalVa >> 12) * 4, (kPa + 0x1000) | 2 | 3 << 2 | 3 << 4);
    memory.write32(kL2 + (kDevicePageVa >> 12) * 4, 0x09000000 | 2 | 3 << 4);
    for (uint32_t i = 0; i < 16; i++)
      memory.write32(kL2 + ((kLargeVa >> 12) + i) * 4, (kPa + 0x10000) | 1 | 3 << 2 | 3 << 4 | 1 << 11);
    if (GetParam() != Mode::Soft) {
      backend = make_mmap(memory.ram);
      accessor = std::make_unique<SignalAccessor>();
    } else {
      accessor = std::make_unique<SoftAccessor>();
    }
    mmu = std::move(*make_mmu({.mode = GetParam(), .fill_around = false}, memory.ram, listener, backend.get()));
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.ttbr0 = kL1;
    cpu->cp15.dacr = 1;
    switch_to(1, 0x10);
  }
  ~MmuTest() override {
    mmu.reset();
    accessor.reset();
  }
  void switch_to(uint32_t asid, uint8_t mode) {
    cpu->cp15.contextidr = asid;
    cpu->mode = mode;
    mmu->activate(*cpu);
  }
  AccessResult load(uint32_t va) { return accessor->access(*cpu, *mmu, va, 4, false, 0); }
  AccessResult store(uint32_t va, uint32_t v = 0) { return accessor->access(*cpu, *mmu, va, 4, true, v); }
  // Whether a load now needs the slow path.
  bool misses(uint32_t va) {
    const Statistics before = mmu->statistics();
    load(va);
    return mmu->statistics().walks != before.walks;
  }

  TestMemory memory;
  Listener listener;
  std::unique_ptr<CpuState> cpu;
  std::unique_ptr<WindowBackend> backend;
  std::unique_ptr<Accessor> accessor;
  std::unique_ptr<Mmu> mmu;
};

INSTANTIATE_TEST_SUITE_P(Modes, MmuTest, ::testing::Values(Mode::Soft, Mode::Window),
                         [](const auto& info) { return info.param == Mode::Soft ? "Soft" : "Mmap"; });

TEST_P(MmuTest, FlushesRemoveWhatTheyNameAndNothingElse) {
  const uint32_t all[] = {kUserVa, kGlobalVa, kLargeVa + 0x3000, kLargeVa + 0x5000, kSectionVa, kSectionVa + 0x7000};
  const auto fill_both = [&] {
    for (const uint32_t asid : {2u, 1u}) {
      switch_to(asid, 0x10);
      for (const uint32_t va : all) load(va);
      for (const uint32_t va : all) EXPECT_FALSE(misses(va));
    }
  };
  // Which of `all` miss afterwards, in ASID 1 and in ASID 2.
  const auto expect_missing = [&](const char* what, const std::vector<bool>& in1, const std::vector<bool>& in2) {
    for (const uint32_t asid : {1u, 2u}) {
      switch_to(asid, 0x10);
      for (size_t i = 0; i < std::size(all); i++)
        EXPECT_EQ(misses(all[i]), (asid == 1 ? in1 : in2)[i]) << what << " ASID " << asid << " entry " << i;
    }
  };
  const std::vector<bool> none(6, false), every(6, true);
  fill_both();
  mmu->flush_asid(*cpu, 1);
  expect_missing("TLBIASID", {true, false, true, true, false, false}, none);
  fill_both();
  mmu->flush_mva(*cpu, kUserVa, 1);
  expect_missing("TLBIMVA, page", {true, false, false, false, false, false}, none);
  fill_both();
  mmu->flush_mva(*cpu, kGlobalVa, 77);
  expect_missing("TLBIMVA, global page", {false, true, false, false, false, false},
                 {false, true, false, false, false, false});
  fill_both();
  mmu->flush_mva(*cpu, kLargeVa + 0xf000, 2);
  expect_missing("TLBIMVA, large page", none, {false, false, true, true, false, false});
  fill_both();
  mmu->flush_mva(*cpu, kSectionVa + 0xff000, 77);
  expect_missing("TLBIMVA, global section", {false, false, false, false, true, true},
                 {false, false, false, false, true, true});
  fill_both();
  mmu->flush_mva_all_asids(*cpu, kUserVa);
  expect_missing("TLBIMVAA", {true, false, false, false, false, false}, {true, false, false, false, false, false});
  fill_both();
  mmu->flush_mva(*cpu, kUserVa + 0x1000, 1);
  mmu->flush_asid(*cpu, 3);
  expect_missing("nothing", none, none);
  mmu->flush_all(*cpu);
  expect_missing("TLBIALL", every, every);
  EXPECT_EQ(mmu->statistics().flush_all, 1u);
  EXPECT_EQ(mmu->statistics().flush_mvaa, 1u);
}

// Every access to them is the slow path's, which checks alignment.
// A software TLB whose size follows use.
class SizedTlbTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kPages = 4096, kTables = 0x40010000;  // 16 MiB from VA 0 on, for each ASID

  void make(const MmuConfig& config) {
    mmu = std::move(*make_mmu(config, memory.ram, listener, nullptr));
    memory.write32(kL1 + 0xfff * 4, 0x42000000 | 2 | 3 << 2 | 3 << 10);
    for (uint32_t i = 0; i < kPages; i++) map(i, i);
    for (uint32_t i = 0; i < kPages / 256; i++) memory.write32(kL1 + i * 4, (kTables + i * 1024) | 1);
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.ttbr0 = kL1;
    cpu->cp15.dacr = 1;
    cpu->mode = 0x10;
    use(1);
  }
  void map(uint32_t page, uint32_t to, uint32_t more = 0) {
    memory.write32(kTables + page * 4, (kPa + to * 4096) | 2 | 3 << 2 | 3 << 4 | 1 << 11 | more);
  }
  void use(uint32_t asid) {
    cpu->cp15.contextidr = asid;
    mmu->activate(*cpu);
  }
  AccessResult load_from(uint32_t page) { return accessor.access(*cpu, *mmu, page * 4096, 4, false, 0); }
  // Loads from the pages, and returns how many missed.
  uint64_t touch(uint32_t first, uint32_t pages) {
    const uint64_t before = mmu->statistics().soft_misses;
    for (uint32_t i = first; i < first + pages; i++) {
      EXPECT_EQ(load_from(i).kind, AccessResult::Done);
    }
    return mmu->statistics().soft_misses - before;
  }
  void settle(uint32_t pages = kPages) {
    for (int i = 0; i < 20; i++) touch(0, pages);
  }

  TestMemory memory{64 << 20};
  Listener listener;
  std::unique_ptr<CpuState> cpu = std::make_unique<CpuState>();
  SoftAccessor accessor;
  std::unique_ptr<Mmu> mmu;
};

TEST_F(SizedTlbTest, GrowsToWhatIsInUse) {
  make({.mode = Mode::Soft});
  EXPECT_EQ(mmu->statistics().most_soft_tlb_entries, 1024u);
  settle();
  EXPECT_EQ(touch(0, kPages), 0u);
  EXPECT_EQ(mmu->statistics().most_soft_tlb_entries, 4096u);
  EXPECT_EQ(mmu->statistics().soft_tlb_resizes, 2u);
  use(2);  // another one of its own
  EXPECT_EQ(touch(0, 10), 10u);
  use(1);
  EXPECT_EQ(touch(0, kPages), 0u);
}

TEST_F(SizedTlbTest, StaysAsItIsIfFixed) {
  make({.mode = Mode::Soft, .soft_tlb = {512, 512}});
  settle();
  EXPECT_EQ(touch(0, kPages), kPages);
  EXPECT_EQ(touch(0, 512), 512u);
  EXPECT_EQ(touch(0, 512), 0u);
  EXPECT_EQ(mmu->statistics().soft_tlb_resizes, 0u);
  EXPECT_EQ(mmu->statistics().most_soft_tlb_entries, 512u);
}

TEST_F(SizedTlbTest, OnesUsedLongAgoMakeRoom) {
  make({.mode = Mode::Soft, .max_soft_tlb_entries = 2 * 3072});
  for (const uint32_t asid : {1u, 2u, 3u}) {
    use(asid);
    settle();
    EXPECT_EQ(touch(0, kPages), 0u);
  }
  use(1);
  EXPECT_EQ(touch(0, kPages), kPages);
  use(3);
  EXPECT_EQ(touch(0, kPages), 0u);
}

TEST_F(SizedTlbTest, ANewSpaceBeginsSmall) {
  make({.mode = Mode::Soft, .max_spaces = 2});
  settle();
  use(2);
  use(3);  // in place of 1
  touch(0, 1024);
  EXPECT_EQ(touch(1024, 64), 64u);
  EXPECT_EQ(touch(0, 64), 64u) << "replaced";
}

TEST_F(SizedTlbTest, ShrinksByFlushes) {
  make({.mode = Mode::Soft});
  settle();
  const uint64_t resizes = mmu->statistics().soft_tlb_resizes;
  for (int i = 0; i < 130; i++) {
    touch(0, 10);
    mmu->flush_asid(*cpu, 1);
    EXPECT_EQ(touch(0, 10), 10u);
  }
  EXPECT_EQ(mmu->statistics().soft_tlb_resizes, resizes + 1);
}

// Random accesses, changes of tables, spaces and flushes, while sizes change all the time.
TEST_F(SizedTlbTest, EverySizeAgreesWithTheTables) {
  const uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  make({.mode = Mode::Soft, .flush = FlushPolicy::Auto, .max_spaces = 4, .soft_tlb = {256, 4096}});
  std::vector<uint32_t> to(kPages);
  for (uint32_t i = 0; i < kPages; i++) {
    to[i] = i;
    memory.write32(kPa + i * 4096, i);
  }
  for (int round = 0; round < 400 && !HasFailure(); round++) {
    // What is in use is large for a while, and small for a while.
    const uint32_t pages = round / 100 % 2 == 0 ? 1u << (8 + below(5)) : 32;
    use(1 + below(6));
    for (uint32_t i = 0; i < 4 * pages; i++) {
      const uint32_t page = below(pages);
      const AccessResult r = accessor.access(*cpu, *mmu, page * 4096, 4, below(2) != 0, to[page]);
      if (r.kind != AccessResult::Done) ADD_FAILURE() << seed;
      const AccessResult now = load_from(page);
      EXPECT_EQ(now.value, to[page]) << "page " << page << ", seed " << seed;
    }
    for (int i = 0; i < 8; i++) {
      const uint32_t page = below(pages);
      map(page, to[page] = below(kPages));
      for (uint32_t asid = 1; asid <= 6; asid++) mmu->flush_mva(*cpu, page * 4096, asid);
    }
    if (below(3) == 0) mmu->flush_asid(*cpu, 1 + below(6));
    if (below(8) == 0) mmu->flush_all(*cpu);
  }
  EXPECT_GT(mmu->statistics().soft_tlb_resizes, 10u);
}

TEST_F(SizedTlbTest, SizesThatCannotBe) {
  for (const SoftTlbSizes& sizes : {SoftTlbSizes{128, 1024}, {1000, 1024}, {1024, 131072}, {2048, 1024}})
    EXPECT_FALSE(make_mmu({.mode = Mode::Soft, .soft_tlb = sizes}, memory.ram, listener, nullptr)) << sizes.least;
}

// A miss in a MiB in which there was one before reads the descriptors again (HeldWalks).
TEST_F(SizedTlbTest, MissesSeeChangedTables) {
  make({.mode = Mode::Soft});
  const auto pa = [&](uint32_t page, AccessKind kind = AccessKind::Load) {
    mmu->flush_all(*cpu);
    if (uint8_t* const host = mmu->refill(*cpu, page * 4096, kind).host)
      return memory.ram.base + static_cast<uint64_t>(host - memory.ram.host);
    const Translation t = mmu->fill(*cpu, page * 4096, kind);
    return t.ok ? t.pa : 0;
  };
  const auto refills = [&](uint32_t page) { return mmu->refill(*cpu, page * 4096, AccessKind::Load).host != nullptr; };
  EXPECT_EQ(pa(0), kPa);
  EXPECT_TRUE(refills(1));
  // The page's descriptor.
  map(1, 7);
  EXPECT_EQ(pa(1), kPa + 7 * 4096);
  memory.write32(kTables + 4, 0);
  EXPECT_EQ(pa(1), 0u);
  EXPECT_EQ(pa(1), 0u);
  map(1, 8);
  EXPECT_EQ(pa(1), kPa + 8 * 4096);
  // Read-only: AP[2:0] becomes 0b111.
  EXPECT_EQ(pa(1, AccessKind::Store), kPa + 8 * 4096);
  map(1, 8, 1 << 9);
  EXPECT_EQ(pa(1), kPa + 8 * 4096);
  EXPECT_EQ(pa(1, AccessKind::Store), 0u);
  map(1, 8);
  EXPECT_EQ(pa(1, AccessKind::Store), kPa + 8 * 4096);
  // The table's.
  memory.write32(kL1, (kTables + 1024) | 1);
  EXPECT_EQ(pa(1), kPa + 257 * 4096);
  memory.write32(kL1, 0);
  EXPECT_EQ(pa(1), 0u);
  memory.write32(kL1, 0x41500000 | 2 | 3 << 2 | 3 << 10);
  EXPECT_EQ(pa(1), 0x41501000u);
  EXPECT_EQ(pa(2), 0x41502000u);
  memory.write32(kL1, 0x41600000 | 2 | 3 << 2 | 3 << 10);
  EXPECT_EQ(pa(2), 0x41602000u);
  memory.write32(kL1, kTables | 1);
  // The attributes of the memory (TEX remap): PRRR says Device.
  cpu->cp15.sctlr |= CW_SCTLR_TRE;
  cpu->cp15.prrr = 0xaaaa;
  cpu->cp15.nmrr = 0;
  mmu->activate(*cpu);
  EXPECT_EQ(pa(1), kPa + 8 * 4096);
  EXPECT_TRUE(refills(2));
  cpu->cp15.prrr = 0x5555;
  EXPECT_EQ(pa(1), kPa + 8 * 4096);
  EXPECT_FALSE(refills(2));
}

TEST_P(MmuTest, DeviceAndStronglyOrderedRamIsNotEntered) {
  const uint32_t entry = kL2 + (kUserVa >> 12) * 4;
  for (const FlushPolicy flush : {FlushPolicy::Lazy, FlushPolicy::Eager}) {
    mmu = std::move(
        *make_mmu({.mode = GetParam(), .flush = flush, .fill_around = false}, memory.ram, listener, backend.get()));
    mmu->activate(*cpu);
    for (const uint32_t attributes : {3u << 2, 1u << 2, 0u, 3u << 2, 0u}) {
      const bool normal = attributes == 3u << 2;
      memory.write32(entry, kPa | 2 | attributes | 3 << 4 | 1 << 11);
      mmu->flush_all(*cpu);  // eagerly: what had been entered and is of another type now goes
      for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQ(store(kUserVa, 17 + i).kind, AccessResult::Done);
        EXPECT_EQ(memory.read32(kPa), 17 + i);
        EXPECT_EQ(load(kUserVa).value, 17 + i);
        EXPECT_EQ(misses(kUserVa), !normal) << attributes;
      }
    }
    // With the MMU off data is Strongly-ordered too, but the code that runs then checks by itself.
    cpu->cp15.sctlr = 0;
    mmu->activate(*cpu);
    store(kPa, 1);
    EXPECT_FALSE(misses(kPa));
    cpu->cp15.sctlr = CW_SCTLR_M;
  }
}

TEST_P(MmuTest, InstructionPagesFollowTheSameRules) {
  Translation t;
  const uint32_t slot = kUserVa >> 12;
  const uint32_t id = mmu->fetch_page(*cpu, kUserVa + 4, 1, t);
  ASSERT_NE(id, 0u);
  EXPECT_EQ(t.pa, kPa + 4);
  EXPECT_EQ(cpu->instruction_pages[slot], id);
  EXPECT_EQ(mmu->fetch_page(*cpu, kUserVa + 8, 1, t), id);
  EXPECT_EQ(t.pa, kPa + 8);
  mmu->flush_mva(*cpu, kUserVa, 2);
  EXPECT_EQ(cpu->instruction_pages[slot], id);
  mmu->flush_mva(*cpu, kUserVa, 1);
  EXPECT_EQ(cpu->instruction_pages[slot], 0u);
  EXPECT_EQ(mmu->fetch_page(*cpu, kUserVa, 1, t), id);  // the same page has the same id again
  EXPECT_NE(mmu->fetch_page(*cpu, kUserVa, 2, t), id);  // but not with other flags
  EXPECT_EQ(mmu->fetch_page(*cpu, kUserVa, 1, t), id);
  memory.write32(kL2 + (kUserVa >> 12) * 4, (kPa + 0x5000) | 2 | 3 << 2 | 3 << 4 | 1 << 11);
  mmu->flush_asid(*cpu, 1);
  EXPECT_NE(mmu->fetch_page(*cpu, kUserVa, 1, t), id);
  EXPECT_EQ(t.pa, kPa + 0x5000);
  // Another address space has its own table, and the same numbers.
  memory.write32(kL2 + (kUserVa >> 12) * 4, kPa | 2 | 3 << 2 | 3 << 4 | 1 << 11);
  switch_to(2, 0x10);
  EXPECT_EQ(cpu->instruction_pages[slot], 0u);
  EXPECT_EQ(mmu->fetch_page(*cpu, kUserVa, 1, t), id);
}

TEST_P(MmuTest, InstructionPagesCanBeForgotten) {
  Translation t;
  load(kUserVa);
  const uint32_t id = mmu->fetch_page(*cpu, kUserVa, 1, t);
  switch_to(2, 0x10);
  mmu->forget_instruction_pages();
  switch_to(1, 0x10);
  EXPECT_EQ(cpu->instruction_pages[kUserVa >> 12], 0u);
  EXPECT_FALSE(misses(kUserVa));
  EXPECT_EQ(mmu->fetch_page(*cpu, kUserVa, 1, t), id);
}

// More (page, flags) combinations than are kept: the numbers begin anew, and whoever holds some is
// told before.
TEST_P(MmuTest, PageNumbersAreReusedWhenTheyRunOut) {
  constexpr uint32_t kLimit = 1000;
  mmu = std::move(*make_mmu({.mode = GetParam(), .max_page_ids = kLimit, .fill_around = false}, memory.ram, listener,
                            backend.get()));
  switch_to(1, 0x10);
  Translation t;
  std::set<uint32_t> ids;
  uint64_t drops = 0;
  for (uint32_t flags = 0; flags < 4 * kLimit + kLimit / 2; flags++) {
    const uint32_t id = mmu->fetch_page(*cpu, kUserVa, flags, t);
    if (listener.drops != drops) {
      EXPECT_EQ(ids.size(), kLimit);
      ids.clear();
      drops = listener.drops;
    }
    ASSERT_NE(id, 0u);
    ASSERT_LE(id, kLimit);
    ASSERT_TRUE(ids.insert(id).second) << "given twice";
    ASSERT_EQ(cpu->instruction_pages[kUserVa >> 12], id);
  }
  EXPECT_EQ(drops, 4u);
  // Those of other spaces went too.
  switch_to(2, 0x10);
  mmu->fetch_page(*cpu, kGlobalVa, 0, t);
  switch_to(1, 0x10);
  for (uint32_t flags = 5 * kLimit; listener.drops == drops; flags++) mmu->fetch_page(*cpu, kUserVa, flags, t);
  switch_to(2, 0x10);
  EXPECT_EQ(cpu->instruction_pages[kGlobalVa >> 12], 0u);
}

TEST_P(MmuTest, FetchFromDevices) {
  Translation t;
  EXPECT_EQ(mmu->fetch_page(*cpu, kDevicePageVa, 0, t), 0u);  // strongly-ordered
  EXPECT_EQ(t.fsr, 0xfu);
  EXPECT_EQ(t.far, kDevicePageVa);
  cpu->cp15.sctlr = 0;
  mmu->activate(*cpu);
  EXPECT_EQ(mmu->fetch_page(*cpu, 0x09000000, 0, t), 0u);  // Normal: nothing answers
  EXPECT_EQ(t.fsr, 0x8u);
}

TEST_P(MmuTest, StoresToCodeAreAnnounced) {
  store(kUserVa, 1);
  mmu->protect_code_page(kPa);
  EXPECT_FALSE(misses(kUserVa));  // loads go on
  EXPECT_TRUE(listener.calls.empty());
  listener.answer = false;  // the page still has code: every store is announced
  store(kUserVa + 8, 2);
  store(kUserVa + 8, 3);
  EXPECT_EQ(listener.calls.size(), 2u);
  EXPECT_EQ(memory.read32(kPa + 8), 3u);
  listener.answer = true;
  store(kUserVa + 8, 4);
  EXPECT_EQ(listener.calls.size(), 3u);
  store(kUserVa + 8, 5);
  EXPECT_EQ(listener.calls.size(), 3u);
  EXPECT_EQ(memory.read32(kPa + 8), 5u);
}

TEST_P(MmuTest, SpacesThatAreNotCurrentLoseWriteAccessToo) {
  switch_to(2, 0x10);
  store(kUserVa, 1);
  switch_to(1, 0x10);
  mmu->protect_code_page(kPa);
  switch_to(2, 0x10);
  store(kUserVa, 2);
  EXPECT_EQ(listener.calls.size(), 1u);
}

TEST_P(MmuTest, ProtectUnprotectProtect) {
  switch_to(2, 0x10);
  store(kUserVa, 1);
  switch_to(1, 0x10);
  mmu->protect_code_page(kPa);
  mmu->unprotect_code_page(kPa);
  // catches up with a page that holds no code any more, and keeps its write access
  switch_to(2, 0x10);
  EXPECT_TRUE(listener.calls.empty());
  mmu->protect_code_page(kPa);
  store(kUserVa, 2);
  EXPECT_EQ(listener.calls.size(), 1u);
}

TEST_P(MmuTest, ManyPagesProtectedWhileAway) {
  switch_to(1, 0x13);
  for (uint32_t i = 0; i < 200; i++) store(kSectionVa + i * 0x1000, i);
  switch_to(2, 0x13);
  for (uint32_t i = 0; i < 200; i++) store(kSectionVa + i * 0x1000, i);
  for (uint32_t i = 0; i < 100; i++) mmu->protect_code_page(0x42000000 + i * 0x1000);
  switch_to(1, 0x13);
  for (uint32_t i = 0; i < 200; i++) store(kSectionVa + i * 0x1000, i + 1);
  EXPECT_EQ(listener.calls.size(), 100u);
}

TEST_P(MmuTest, ExternalWrites) {
  mmu->protect_code_page(kPa);
  mmu->note_external_write(kPa - 0x1000, 0x1000);
  EXPECT_TRUE(listener.calls.empty());
  mmu->note_external_write(kPa - 0x800, 0x1000);
  EXPECT_EQ(listener.calls, std::vector<uint64_t>{kPa});
  mmu->note_external_write(0x09000000, 0x1000);
}

// Neither by an access nor by a new space's beginning; its neighbours are.
TEST_P(MmuTest, WatchedPagesAreNotEntered) {
  const auto watch = [&](uint32_t va, uint32_t wcr) {
    cpu->debug.dbgdscr = 1u << 15;
    cpu->debug.dbgwvr[0] = va & ~7u;
    cpu->debug.dbgwcr[0] = wcr;
    arm::recompute_debug(*cpu);
    mmu->debug_changed(*cpu);
  };
  constexpr uint32_t kAnyAccess = 0x1fff, kTwoMegabytes = 21u << 24 | kAnyAccess;
  switch_to(2, 0x10);
  load(kUserVa);
  switch_to(1, 0x10);
  for (const uint32_t va : {kUserVa, kGlobalVa, kSectionVa, kSectionVa + 0x1000}) load(va);
  watch(kUserVa + 0x123, kAnyAccess);
  EXPECT_TRUE(misses(kUserVa));
  EXPECT_TRUE(misses(kUserVa));
  EXPECT_TRUE(mmu->fill(*cpu, kUserVa, AccessKind::Load).watched);
  EXPECT_FALSE(misses(kGlobalVa));
  switch_to(2, 0x10);
  EXPECT_TRUE(misses(kUserVa));
  EXPECT_TRUE(misses(kUserVa));
  switch_to(1, 0x10);
  watch(kSectionVa, kAnyAccess);
  load(kUserVa);
  EXPECT_FALSE(misses(kUserVa));
  EXPECT_TRUE(misses(kSectionVa));
  EXPECT_TRUE(misses(kSectionVa));
  load(kSectionVa + 0x1000);
  EXPECT_FALSE(misses(kSectionVa + 0x1000));
  // So many pages that they are not looked for one by one.
  watch(kSectionVa, kTwoMegabytes);
  EXPECT_TRUE(misses(kSectionVa + 0x1000));
  EXPECT_TRUE(misses(kSectionVa + 0x1000));
  load(kUserVa);
  EXPECT_FALSE(misses(kUserVa));
  watch(0, 0);
  load(kSectionVa + 0x1000);
  EXPECT_FALSE(misses(kSectionVa + 0x1000));
}

TEST_P(MmuTest, ABreakpointForgetsItsInstructionPage) {
  const auto breakpoint = [&](uint32_t va, uint32_t bcr) {
    cpu->debug.dbgdscr = 1u << 15;
    cpu->debug.dbgbvr[0] = va;
    cpu->debug.dbgbcr[0] = bcr;
    arm::recompute_debug(*cpu);
    mmu->debug_changed(*cpu);
  };
  Translation t;
  const auto entered = [&](uint32_t va) { return cpu->instruction_pages[va >> 12] != 0; };
  const auto enter = [&] {
    for (const uint32_t va : {kUserVa, kGlobalVa}) mmu->fetch_page(*cpu, va, 0, t);
  };
  switch_to(2, 0x10);
  enter();
  switch_to(1, 0x10);
  enter();
  breakpoint(kUserVa + 8, 0x1e7);
  EXPECT_FALSE(entered(kUserVa));
  EXPECT_TRUE(entered(kGlobalVa));
  enter();
  breakpoint(kUserVa + 8, 0x1e7);  // no change
  EXPECT_TRUE(entered(kUserVa));
  breakpoint(kGlobalVa, 0x1e7);
  EXPECT_FALSE(entered(kUserVa) || entered(kGlobalVa));
  enter();
  breakpoint(kGlobalVa, 0x4001e7);  // mismatch: all pages
  EXPECT_FALSE(entered(kUserVa) || entered(kGlobalVa));
  switch_to(2, 0x10);
  EXPECT_FALSE(entered(kUserVa) || entered(kGlobalVa));
}

TEST_P(MmuTest, RegimeSwitchesFlushNothing) {
  switch_to(1, 0x13);
  load(kUserVa);
  const uint64_t base = cpu->mem_base;
  switch_to(1, 0x10);
  EXPECT_NE(cpu->mem_base, base);
  cpu->cp15.dacr = 0;
  switch_to(1, 0x13);
  EXPECT_EQ(load(kUserVa).translation.fsr, 0xbu);
  cpu->cp15.dacr = 1;
  switch_to(1, 0x1f);
  EXPECT_EQ(cpu->mem_base, base);
  EXPECT_FALSE(misses(kUserVa));
}

TEST(Windows, EdgesSplit) {
  TestMemory memory(32 << 20);
  Listener listener;
  const auto backend = make_mmap(memory.ram);
  const auto mmu = std::move(*make_mmu({.mode = Mode::Window}, memory.ram, listener, backend.get()));
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = 0x13;
  mmu->activate(*cpu);
  Translation t;
  EXPECT_EQ(mmu->window_fault(*cpu, -4, 4, false, t), FaultOutcome::Split);
  EXPECT_EQ(mmu->window_fault(*cpu, int64_t{1} << 32, 4, true, t), FaultOutcome::Split);
  EXPECT_EQ(mmu->window_fault(*cpu, 0xfffffffe, 4, true, t), FaultOutcome::Device);
  EXPECT_EQ(t.pa, 0xfffffffeu);
}

TEST(Windows, Flat) {
  TestMemory memory(32 << 20);
  Listener listener;
  const auto backend = make_mmap(memory.ram);
  SignalAccessor accessor;
  const auto mmu = std::move(*make_mmu({.mode = Mode::Flat}, memory.ram, listener, backend.get()));
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = 0x13;
  mmu->activate(*cpu);
  memory.write32(0x41000000, 42);
  EXPECT_EQ(accessor.access(*cpu, *mmu, 0x41000000, 4, false, 0).value, 42u);
  EXPECT_EQ(mmu->statistics().walks, 0u);
  EXPECT_EQ(accessor.access(*cpu, *mmu, 0x09000000, 4, false, 0).kind, AccessResult::Device);
  mmu->protect_code_page(0x41000000);
  accessor.access(*cpu, *mmu, 0x41000004, 4, true, 43);
  EXPECT_EQ(listener.calls.size(), 1u);
  EXPECT_EQ(memory.read32(0x41000004), 43u);
  EXPECT_FALSE(mmu->flat_violation());
  cpu->cp15.sctlr = CW_SCTLR_M;
  mmu->activate(*cpu);
  EXPECT_TRUE(mmu->flat_violation());
  mmu->flush_all(*cpu);
  EXPECT_EQ(accessor.access(*cpu, *mmu, 0x41000000, 4, false, 0).value, 42u);
}

TEST(Windows, SectionsAreFilledAround) {
  TestMemory memory(32 << 20);
  for (uint32_t i = 0; i < 16; i++)
    memory.write32(kL1 + (0xc00 + i) * 4, (0x40000000 + (i << 20)) | 2 | 3 << 2 | 3 << 10);
  Listener listener;
  const auto backend = make_mmap(memory.ram);
  SignalAccessor accessor;
  const auto mmu = std::move(*make_mmu({.mode = Mode::Window}, memory.ram, listener, backend.get()));
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = 0x13;
  cpu->cp15 = {};
  cpu->cp15.sctlr = CW_SCTLR_M;
  cpu->cp15.ttbr0 = kL1;
  cpu->cp15.dacr = 1;
  mmu->activate(*cpu);
  mmu->protect_code_page(0x40801000);
  for (uint32_t va = 0xc0800000; va < 0xc0a00000; va += 0x1000) accessor.access(*cpu, *mmu, va, 4, false, 0);
  EXPECT_EQ(mmu->statistics().window_faults_installed, 1u);
  EXPECT_EQ(mmu->statistics().pages_filled_around, 511u);
  accessor.access(*cpu, *mmu, 0xc0802000, 4, true, 1);
  EXPECT_TRUE(listener.calls.empty());
  accessor.access(*cpu, *mmu, 0xc0801000, 4, true, 1);
  EXPECT_EQ(listener.calls.size(), 1u);
}

// A 64 KiB stretch of small pages that are contiguous in RAM: what a fault in page 4 installs, when
// page `odd` differs from the others by the descriptor bits `difference`.
uint64_t filled_around(uint32_t odd, uint32_t difference, bool& odd_writable) {
  TestMemory memory(32 << 20);
  memory.write32(kL1, kL2 | 1);
  for (uint32_t i = 0; i < 16; i++) memory.write32(kL2 + (16 + i) * 4, (kPa + i * 0x1000) | 2 | 3 << 2 | 3 << 4);
  memory.write32(kL2 + (16 + odd) * 4, memory.read32(kL2 + (16 + odd) * 4) ^ difference);
  Listener listener;
  const auto backend = make_mmap(memory.ram);
  SignalAccessor accessor;
  const auto mmu = std::move(*make_mmu({.mode = Mode::Window}, memory.ram, listener, backend.get()));
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = 0x10;
  cpu->cp15.sctlr = CW_SCTLR_M;
  cpu->cp15.ttbr0 = kL1;
  cpu->cp15.dacr = 1;
  mmu->activate(*cpu);
  accessor.access(*cpu, *mmu, 0x14000, 4, true, 0);
  odd_writable = accessor.access(*cpu, *mmu, 0x10000 + odd * 0x1000, 4, true, 0).kind == AccessResult::Done;
  return mmu->statistics().pages_filled_around;
}

TEST(Windows, NeighboursMustBeAlike) {
  bool writable;
  EXPECT_EQ(filled_around(6, 0, writable), 15u);
  EXPECT_TRUE(writable);
  EXPECT_EQ(filled_around(6, 1 << 9, writable), 5u);  // read-only: pages 0-5 only
  EXPECT_FALSE(writable);
  EXPECT_EQ(filled_around(6, 1 << 3, writable), 5u);  // Device
  EXPECT_TRUE(writable);
  EXPECT_EQ(filled_around(3, 1 << 9, writable), 11u);
  EXPECT_FALSE(writable);
  EXPECT_EQ(filled_around(6, 1 << 11, writable), 5u);  // non-global
  EXPECT_EQ(filled_around(6, 2, writable), 5u);        // invalid
  EXPECT_FALSE(writable);
}

TEST(Windows, TwoSectionsInstalledAtOnceAreFlushedOneByOne) {
  TestMemory memory(32 << 20);
  for (const bool ng : {false, true}) {
    memory.write32(kL1 + 0xc00 * 4, 0x40800000 | 2 | 3 << 2 | 3 << 10 | ng << 17);
    memory.write32(kL1 + 0xc01 * 4, 0x40900000 | 2 | 3 << 2 | 3 << 10 | ng << 17);
    Listener listener;
    const auto backend = make_mmap(memory.ram);
    SignalAccessor accessor;
    const auto mmu = std::move(*make_mmu({.mode = Mode::Window}, memory.ram, listener, backend.get()));
    const auto cpu = std::make_unique<CpuState>();
    cpu->mode = 0x10;
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.ttbr0 = kL1;
    cpu->cp15.dacr = 1;
    cpu->cp15.contextidr = 1;
    mmu->activate(*cpu);
    accessor.access(*cpu, *mmu, 0xc0000000, 4, false, 0);
    accessor.access(*cpu, *mmu, 0xc0100000, 4, false, 0);
    EXPECT_EQ(mmu->statistics().entries_2m, 1u);
    memory.write32(kL1 + 0xc01 * 4, 0);
    mmu->flush_mva(*cpu, 0xc0155000, ng ? 1 : 2);
    EXPECT_EQ(accessor.access(*cpu, *mmu, 0xc01ff000, 4, false, 0).kind, AccessResult::Fault);
    EXPECT_EQ(mmu->statistics().entries_removed, 256u);
    EXPECT_EQ(accessor.access(*cpu, *mmu, 0xc00ff000, 4, false, 0).kind, AccessResult::Done);
    EXPECT_EQ(mmu->statistics().window_faults_installed, 1u);
  }
}

// With FlushPolicy::Eager: what a flush does to the pages of a section that was entered whole, when
// its descriptor has changed; the section before it stays. One page of each holds translated code.
TEST(Windows, ASectionIsRevalidatedWhole) {
  constexpr uint32_t kFirst = 0xc0000000, kSecond = 0xc0100000, kSecondPa = 0x40900000, kOtherPa = 0x40a00000;
  constexpr uint32_t kSection = 2 | 3 << 2 | 3 << 10, kReadOnly = 1 << 15, kTable = kL2 + 0x400;
  TestMemory memory(32 << 20);
  for (uint32_t i = 0; i < 256; i++) {
    memory.write32(kTable + i * 4, (kSecondPa + i * 0x1000) | 2 | 3 << 2 | 3 << 4);
    memory.write32(kSecondPa + i * 0x1000, i);
    memory.write32(kOtherPa + i * 0x1000, 0x1000 + i);
  }
  struct Case {
    const char* name;
    uint32_t descriptor, kept, rewritten, removed;  // pages of the second section
    bool readable, writable;
    uint32_t contents;
  };
  const Case cases[] = {
      {"unchanged", kSecondPa | kSection, 256, 0, 0, true, true, 0},
      {"read-only", kSecondPa | kSection | kReadOnly, 1, 255, 0, true, false, 0},
      {"elsewhere", kOtherPa | kSection, 0, 256, 0, true, true, 0x1000},
      {"in pages", kTable | 1, 0, 0, 256, true, true, 0},
      {"non-global", kSecondPa | kSection | 1 << 17, 0, 0, 256, true, true, 0},
      {"Device", (kSecondPa | kSection) & ~8u, 0, 0, 256, true, true, 0},
      {"invalid", 0, 0, 0, 256, false, false, 0},
  };
  for (const Case& c : cases)
    for (const bool code_first : {false, true}) {  // before the sections are entered, or after
      SCOPED_TRACE(testing::Message() << c.name << ", code first: " << code_first);
      memory.write32(kL1 + (kFirst >> 20) * 4, 0x40800000 | kSection);
      memory.write32(kL1 + (kSecond >> 20) * 4, kSecondPa | kSection);
      Listener listener;
      const auto backend = make_mmap(memory.ram);
      SignalAccessor accessor;
      const auto mmu = std::move(
          *make_mmu({.mode = Mode::Window, .flush = FlushPolicy::Eager}, memory.ram, listener, backend.get()));
      const auto cpu = std::make_unique<CpuState>();
      cpu->mode = 0x13;
      cpu->cp15.sctlr = CW_SCTLR_M;
      cpu->cp15.ttbr0 = kL1;
      cpu->cp15.dacr = 1;
      mmu->activate(*cpu);
      const auto protect = [&] {
        mmu->protect_code_page(0x40833000);
        mmu->protect_code_page(kSecondPa + 0x44000);
      };
      if (code_first) protect();
      for (const uint32_t va : {kFirst, kSecond}) accessor.access(*cpu, *mmu, va, 4, false, 0);
      if (!code_first) {
        mmu->flush_all(*cpu);
        EXPECT_EQ(mmu->statistics().entries_kept, 512u);
        protect();
      }
      EXPECT_EQ(mmu->statistics().pages_installed, 512u);

      memory.write32(kL1 + (kSecond >> 20) * 4, c.descriptor);
      const Statistics before = mmu->statistics();
      mmu->flush_all(*cpu);
      EXPECT_EQ(mmu->statistics().entries_kept - before.entries_kept, 256 + c.kept);
      EXPECT_EQ(mmu->statistics().entries_rewritten - before.entries_rewritten, c.rewritten);
      EXPECT_EQ(mmu->statistics().entries_removed - before.entries_removed, c.removed);
      for (const uint32_t page : {0u, 1u, 0x43u, 0x44u, 0x45u, 0xffu}) {
        const uint32_t va = kSecond + page * 0x1000;
        const AccessResult r = accessor.access(*cpu, *mmu, va, 4, false, 0);
        EXPECT_EQ(r.kind == AccessResult::Done, c.readable) << page;
        if (c.readable) {
          EXPECT_EQ(r.value, c.contents + page);
        }
        const bool stored = accessor.access(*cpu, *mmu, va, 4, true, c.contents + page).kind == AccessResult::Done;
        EXPECT_EQ(stored, c.writable) << page;
      }
      const bool to_code = c.writable && c.contents == 0;
      EXPECT_EQ(listener.calls, to_code ? std::vector<uint64_t>{kSecondPa + 0x44000} : std::vector<uint64_t>{});
      // The one before is as it was.
      const uint64_t faults = mmu->statistics().window_faults_installed;
      for (uint32_t page = 0; page < 256; page++)
        if (page != 0x33) accessor.access(*cpu, *mmu, kFirst + page * 0x1000, 4, true, 0);
      EXPECT_EQ(mmu->statistics().window_faults_installed, faults);
    }
}

void spin(uint64_t ticks) {
  const uint64_t start = __builtin_ia32_rdtsc();
  while (__builtin_ia32_rdtsc() - start < ticks) {
  }
}

TEST(PageSet, AddRemoveClear) {
  PageSet set;
  EXPECT_TRUE(set.add(0x1000));
  EXPECT_FALSE(set.add(0x1fff));
  EXPECT_TRUE(set.add(0xfffff000));
  EXPECT_EQ(set.count(), 2u);
  set.remove(0x1004);
  set.remove(0x2000);
  set.remove(0x40000000);  // of a leaf that was never used
  EXPECT_EQ(set.count(), 1u);
  EXPECT_TRUE(set.add(0x1000));
  set.clear();
  EXPECT_EQ(set.count(), 0u);
  EXPECT_TRUE(set.add(0xfffff000));
  EXPECT_EQ(set.count(), 1u);
}

// Form::Hybrid with the MMU on and tables at kL1, judged often; what windows cost is up to the
// test.
struct HybridMachine {
  static MmuConfig configuration(bool prefill, double window_fault, double half_life) {
    MmuConfig config{.mode = Mode::Hybrid, .prefill = prefill};
    config.costs.window_fault = window_fault;
    config.costs.window_flush = config.costs.window_create = 0;
    config.costs.judge_after = 100'000;
    config.costs.half_life = half_life;
    // spaces begin on a software TLB, whatever windows cost
    config.costs.accesses_of_entry = -1'000;
    return config;
  }
  HybridMachine(bool prefill, double window_fault, double half_life = 20'000'000)
      : mmu(std::move(
            *make_mmu(configuration(prefill, window_fault, half_life), memory.ram, listener, backend.get()))) {
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.ttbr0 = kL1;
    cpu->cp15.dacr = 1;
  }
  void activate(uint32_t mode) {
    cpu->mode = mode;
    mmu->activate(*cpu);
  }
  // From 0x10000 on, none contiguous with its neighbour.
  void map_pages(uint32_t pages) {
    memory.write32(kL1, kL2 | 1);
    for (uint32_t i = 0; i < pages; i++)
      memory.write32(kL2 + (16 + i) * 4, (kPa + (pages - i) * 0x2000) | 2 | 3 << 2 | 3 << 4 | 1 << 11);
  }

  TestMemory memory{64 << 20};
  Listener listener;
  const std::unique_ptr<WindowBackend> backend = make_mmap(memory.ram);
  const std::unique_ptr<Mmu> mmu;
  const std::unique_ptr<CpuState> cpu = std::make_unique<CpuState>();
};

// The faults that entering a window takes do not take it away again; faults that go on do.
TEST(Hybrid, FirstFaultsAreExpectedAndOthersAreNot) {
  constexpr uint32_t kPages = 20;
  HybridMachine machine(false, 1'000'000);
  auto& mmu = machine.mmu;
  auto& cpu = machine.cpu;
  machine.map_pages(kPages);
  HybridAccessor accessor;
  const auto round = [&] {
    machine.activate(0x10);
    for (uint32_t i = 0; i < kPages; i++) accessor.access(*cpu, *mmu, 0x10000 + i * 0x1000, 4, true, i);
    spin(500'000);
    mmu->polled(*cpu);
    machine.activate(0x13);
    machine.activate(0x10);
  };
  for (int i = 0; i < 4000 && !cpu->memory_window; i++) round();
  ASSERT_TRUE(cpu->memory_window);
  for (int i = 0; i < 20; i++) round();
  EXPECT_TRUE(cpu->memory_window);
  EXPECT_EQ(mmu->statistics().window_faults_installed, kPages);
  EXPECT_EQ(mmu->statistics().promotions, 1u);
  for (int i = 0; i < 40 && cpu->memory_window; i++) {
    for (uint32_t page = 0; page < kPages; page++) mmu->flush_mva(*cpu, 0x10000 + page * 0x1000, 0);
    round();
  }
  EXPECT_FALSE(cpu->memory_window);
  EXPECT_EQ(mmu->statistics().demotions, 1u);
}

// What was in use is entered over many half-lives: the last of these faults are as expected as the
// first.
TEST(Hybrid, EnteringMayTakeLongerThanTheHistory) {
  constexpr uint32_t kPages = 40;
  HybridMachine machine(false, 1'000'000, 500'000);
  auto& mmu = machine.mmu;
  auto& cpu = machine.cpu;
  machine.map_pages(kPages);
  HybridAccessor accessor;
  const auto visit = [&](uint32_t first, uint32_t pages) {
    machine.activate(0x10);
    for (uint32_t i = first; i < first + pages; i++) accessor.access(*cpu, *mmu, 0x10000 + i * 0x1000, 4, true, i);
    spin(500'000);
    mmu->polled(*cpu);
    machine.activate(0x13);
    machine.activate(0x10);
  };
  for (int i = 0; i < 8000 && !cpu->memory_window; i++) visit(0, kPages);
  ASSERT_TRUE(cpu->memory_window);
  for (uint32_t page = 0; page < kPages; page++) visit(page, 1);
  EXPECT_TRUE(cpu->memory_window);
  EXPECT_EQ(mmu->statistics().demotions, 0u);
  EXPECT_EQ(mmu->statistics().window_faults_installed, kPages);
}

// A guest that stays in one address space polls; with the MMU off as with it on.
TEST(Hybrid, PollingJudgesASpaceThatIsNeverLeft) {
  for (const uint32_t sctlr : {uint32_t{0}, uint32_t{CW_SCTLR_M}}) {
    HybridMachine machine(true, 0);
    auto& memory = machine.memory;
    auto& mmu = machine.mmu;
    auto& cpu = machine.cpu;
    memory.write32(kL1 + (kPa >> 20) * 4, (kPa & 0xfff00000) | 2 | 3 << 2 | 3 << 10);
    cpu->cp15.sctlr = sctlr;
    machine.activate(0x13);
    HybridAccessor accessor;
    for (int i = 0; i < 10 && !cpu->memory_window; i++) {
      accessor.access(*cpu, *mmu, kPa, 4, true, i);
      spin(500'000);
      machine.activate(0x13);
      EXPECT_FALSE(cpu->memory_window);
      mmu->polled(*cpu);
    }
    EXPECT_TRUE(cpu->memory_window);
    EXPECT_EQ(mmu->statistics().space_switches, 1u);
    accessor.access(*cpu, *mmu, kPa, 4, true, 11);
    EXPECT_EQ(memory.read32(kPa), 11u);
  }
}

// Where a window would cost far more than it saves nothing is counted for a while; then the space
// is looked at again.
TEST(Hybrid, ASpaceThatRestsIsLookedAtAgain) {
  HybridMachine machine(false, 100'000);
  auto& memory = machine.memory;
  auto& mmu = machine.mmu;
  auto& cpu = machine.cpu;
  memory.write32(kL1, kL2 | 1);
  memory.write32(kL2 + 16 * 4, kPa | 2 | 3 << 2 | 3 << 4 | 1 << 11);  // Normal memory, nG
  HybridAccessor accessor;
  const auto run = [&](uint64_t ticks, bool flush) {
    machine.activate(0x10);
    accessor.access(*cpu, *mmu, 0x10000, 4, true, 1);
    spin(ticks);
    if (flush) mmu->flush_mva(*cpu, 0x10000, 0);
    machine.activate(0x10);
  };
  for (int i = 0; i < 500; i++) {
    run(1'000, true);
    EXPECT_FALSE(cpu->memory_window);
    if (i % 50 == 0) mmu->polled(*cpu);
  }
  // It has been judged, and rests. However long it runs without a flush, only a poll ends that.
  for (int i = 0; i < 50; i++) run(2'000'000, false);
  EXPECT_FALSE(cpu->memory_window);
  for (int i = 0; i < 4000 && !cpu->memory_window; i++) {
    mmu->polled(*cpu);
    run(200'000, false);
  }
  EXPECT_TRUE(cpu->memory_window);
}

// A window costs translating the code once more: a space that executes much code has to run longer
// before it gets one. Not a program that is the first to execute it: what it executes next is
// translated once, where it gets one soon.
TEST(Hybrid, CodeToTranslateDelaysAWindow) {
  enum Translator { kNobody, kAnother, kItself };
  for (const Translator translator : {kNobody, kAnother, kItself}) {
    HybridMachine machine(true, 0);
    auto& memory = machine.memory;
    auto& mmu = machine.mmu;
    auto& cpu = machine.cpu;
    memory.write32(kL1 + (kSectionVa >> 20) * 4, 0x42000000 | 2 | 3 << 2 | 3 << 10);
    const auto execute = [&] {
      machine.activate(0x10);
      Translation t;
      return mmu->fetch_page(*cpu, kSectionVa, cpu->memory_window ? kCodeFlagWindow : 0, t);
    };
    const uint32_t id = execute();
    ASSERT_NE(id, 0u);
    constexpr uint64_t kTranslation = 200'000'000;
    if (translator != kNobody) {
      if (translator == kAnother) machine.activate(0x13);
      spin(kTranslation);
      mmu->translated(id, kTranslation);
    }
    for (int i = 0; i < 6; i++) {
      execute();
      spin(500'000);
      machine.activate(0x13);
    }
    execute();
    EXPECT_EQ(cpu->memory_window, translator == kAnother ? 0 : 1) << translator;
  }
}

TEST(Mmu, CostsOfWalksAreMeasured) {
  MmuCosts costs;
  const double fetches = costs.fetch_refill / costs.soft_refill;
  costs.walk = 0;
  ASSERT_TRUE(measure_walk_costs(costs));
  EXPECT_GT(costs.walk, 0);
  EXPECT_GT(costs.soft_refill, costs.walk);
  EXPECT_NEAR(costs.fetch_refill / costs.soft_refill, fetches, 1e-9);
}

TEST(Mmu, BadConfigurationsAreRefused) {
  TestMemory memory(32 << 20);
  Listener listener;
  EXPECT_FALSE(make_mmu({.mode = Mode::Window}, memory.ram, listener, nullptr));
  EXPECT_FALSE(make_mmu({.mode = Mode::Soft, .fill_bytes = 5000}, memory.ram, listener, nullptr));
  GuestRam anonymous = memory.ram;
  anonymous.fd = -1;
  EXPECT_FALSE(make_mmap_backend(anonymous));
}

}  // namespace
}  // namespace crosswalk::mmu::test
