// SPDX-License-Identifier: GPL-2.0-or-later Spaces and software TLBs of a guest that there is not,
// with 48-bit addresses and 16-bit ASIDs: four levels of 512 descriptors of 8 bytes, and blocks of
// 2 MiB. Random accesses, changes of tables, of spaces and flushes; whatever a software TLB lets
// through must be what the tables say, or what they said since the last flush of it.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "mmu-shadow/spaces/flush_log.h"
#include "mmu-shadow/spaces/soft_tlb.h"
#include "mmu-shadow/spaces/space_table.h"
#include "mmu-shadow/spaces/walks.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

using Va = uint64_t;
constexpr uint64_t kValid = 1, kPointer = 2, kWrite = 4, kNotGlobal = 8, kAddress = 0xfffffffff000;

struct WideGuest {
  using Va = test::Va;
  struct Regime {
    uint64_t root;
    uint16_t asid;
  };
  struct Key {
    uint64_t root = 0;
    uint16_t asid = 0;
    bool operator==(const Key&) const = default;
    uint32_t hash() const { return static_cast<uint32_t>((root ^ asid) * 0x9e3779b97f4a7c15u >> 32); }
  };
  using Selectors = Key;
  struct Result {
    uint64_t pa = 0;
    bool ok = false, writable = false, ng = false;
    uint8_t log2_size = 12, levels_read = 0;
  };
  struct Memo {
    Result result;
  };
  static void walk(const Regime& regime, Va va, AccessKind, bool, cw_reader read, void* context, Result& r) {
    r = {};
    uint64_t table = regime.root;
    for (int shift = 39; shift >= 12; shift -= 9) {
      uint64_t d;
      if (read(context, table + (va >> shift & 511) * 8, 8, &d)) return;
      r.levels_read++;
      if (!(d & kValid)) return;
      table = d & kAddress;
      if (shift > 12 && (d & kPointer)) continue;
      r.log2_size = static_cast<uint8_t>(shift);
      r.pa = table | (va & ((Va{1} << shift) - 1));
      r.ok = true, r.writable = d & kWrite, r.ng = d & kNotGlobal;
      return;
    }
  }
  static unsigned walk(const Regime& regime, Va va, AccessKind kind, bool privileged, cw_reader read, void* context,
                       Memo& memo) {
    walk(regime, va, kind, privileged, read, context, memo.result);
    return memo.result.levels_read;
  }
  static bool mapped(const Result& r) { return r.ok; }
  static bool normal_memory(const Result&) { return true; }
  static bool mmu_was_off(const Result&) { return false; }
};

using Log = FlushLog<Va, uint16_t>;

struct Space {
  WideGuest::Key key;
  uint64_t last_used = 0, flush_position = 0;
  SoftTlbOf<Va> soft;
  InstructionPagesOf<Va> pages;
};

class WideMmu {
 public:
  WideMmu(const GuestRam& ram, uint32_t max_spaces) : walks(ram, statistics), spaces(max_spaces) {}

  void activate(const WideGuest::Key& key) {
    current = spaces.recent(key);
    if (!current) current = spaces.find(key);
    if (!current && !spaces.full()) {
      auto space = std::make_unique<Space>();
      space->key = key;
      space->flush_position = log.end();
      current = spaces.add(std::move(space));
    } else if (!current) {
      current = spaces.least_recently_used([](const Space&) { return true; });
      current->soft.remove_all();
      current->pages.remove_all();
      current->key = key;
      current->flush_position = log.end();
      spaces.rebuild();
      evicted++;
    }
    spaces.set_recent(key, current);
    spaces.used(*current);
    apply();
  }
  void flush(Log::Record record) {
    log.add(record);
    apply();
  }
  // The PA of a load or store, or 0; by the software TLB if it has the page.
  uint64_t access(Va va, bool store) {
    const auto& e = current->soft.entries()[va >> 12 & (kSoftTlbEntries - 1)];
    if ((store ? e.tag_store : e.tag_load) == (va & ~Va{4095})) {
      hits++;
      return walks.ram().base + (e.addend + va - reinterpret_cast<uint64_t>(walks.ram().host));
    }
    WideGuest::Result r;
    walks.walk(regime(), va, AccessKind::Load, false, r);
    if (!walks.enterable(r) || (store && !r.writable)) return 0;
    current->soft.install(va, walks.ram().at(r.pa), r.writable, r.ng, class_of(r.log2_size));
    current->pages.install(va, 1, r.ng, class_of(r.log2_size));
    return r.pa;
  }
  WideGuest::Regime regime() const { return {current->key.root, current->key.asid}; }

  Statistics statistics;
  const Walks<WideGuest> walks;
  SpaceTable<Space, WideGuest::Selectors> spaces;
  Log log;
  Space* current = nullptr;
  uint64_t hits = 0, evicted = 0, kept_eagerly = 0;
  bool eager = false;

 private:
  void apply() {
    Space& s = *current;
    log.apply(
        s.flush_position, [&](uint16_t asid) { return asid == s.key.asid; },
        [&](bool nonglobal_only) {
          if (eager) {
            uint32_t kept = 0;
            const WideGuest::Regime now = regime();
            SlotWalker<WideGuest> walk(walks, now, AccessKind::Load, false);
            s.soft.revalidate(nonglobal_only, kept, [&](Va va, auto& e, bool ng, uint32_t size_class) {
              const WideGuest::Result& r = walk(va);
              if (!r.ok || reinterpret_cast<uint64_t>(walks.ram().at(r.pa)) != e.addend + va || r.ng != ng ||
                  class_of(r.log2_size) != size_class)
                return false;
              if (!r.writable) e.tag_store = ~Va{0};
              return true;
            });
            kept_eagerly += kept;
          } else {
            nonglobal_only ? s.soft.remove_nonglobal() : s.soft.remove_all();
          }
          nonglobal_only ? s.pages.remove_nonglobal() : s.pages.remove_all();
        },
        [&](Va va, bool global_only) {
          s.soft.remove_va(va, global_only);
          s.pages.remove_va(va, global_only);
        });
  }
};

// The tables, with what may still be cached of what they said.
class Torture48 {
 public:
  Torture48(uint64_t seed, bool eager) : random_(seed), mmu_(memory_.ram, 4) {
    mmu_.eager = eager;
    // Processes, each with an ASID. Of each address, the tables above the last are there from the
    // start.
    for (uint16_t p = 0; p < kProcesses; p++) {
      roots_.push_back(new_table());
      for (const Va area : kAreas) last_table(p, area);
    }
    mmu_.activate(key(0));
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); i++) step();
    EXPECT_GT(mmu_.hits, 1000u);
    EXPECT_GT(mmu_.evicted, 10u);
    if (mmu_.eager) {
      EXPECT_GT(mmu_.kept_eagerly, 100u);
    }
  }

 private:
  static constexpr uint16_t kProcesses = 7;
  // They differ above bit 32 alone, but for the last.
  static constexpr Va kAreas[] = {0x000040000000, 0x010040000000, 0x7fff40000000, 0x7fff40200000};
  // By (process, page): what the tables said since the last flush that covered it. PA, with bit 0
  // for write access and bit 1 for nG; 0: a fault.
  using Allowed = std::map<std::pair<uint16_t, Va>, std::set<uint64_t>>;

  uint64_t new_table() { return memory_.ram.base + (tables_++ << 12); }
  uint64_t read(uint64_t pa) const {
    uint64_t v;
    std::memcpy(&v, memory_.ram.at(pa), 8);
    return v;
  }
  // The descriptor of 2 MiB of `va`, whose upper levels are made if need be.
  uint64_t block_descriptor(uint16_t process, Va va) {
    uint64_t table = roots_[process];
    for (int shift = 39; shift > 21; shift -= 9) {
      const uint64_t at = table + (va >> shift & 511) * 8;
      if (read(at) == 0) memory_.write64(at, new_table() | kValid | kPointer);
      table = read(at) & kAddress;
    }
    return table + (va >> 21 & 511) * 8;
  }
  uint64_t last_table(uint16_t process, Va va) {
    uint64_t& table = last_[{process, va >> 21}];
    if (table == 0) {
      table = new_table();
      memory_.write64(block_descriptor(process, va), table | kValid | kPointer);
    }
    return table;
  }
  WideGuest::Key key(uint16_t p) const { return {roots_[p], static_cast<uint16_t>(p + 0x100)}; }
  Va pick() { return kAreas[random_() % 4] + random_() % 12 * 4096; }
  uint64_t now(uint16_t p, Va page) const {
    WideGuest::Result r;
    const WideGuest::Regime regime{roots_[p], 0};
    mmu_.walks.walk(regime, page, AccessKind::Load, false, r);
    return r.ok ? r.pa | r.writable | uint64_t{r.ng} << 1 : 0;
  }
  void step() {
    const Va va = pick();
    switch (random_() % 16) {
      case 0:
        process_ = static_cast<uint16_t>(random_() % kProcesses);
        mmu_.activate(key(process_));
        break;
      case 1: {  // a page changes; or a block, for a page or the other way round
        const Va area = va & ~Va{0x1fffff};
        const uint16_t p = static_cast<uint16_t>(random_() % kProcesses);
        const uint64_t pa = memory_.ram.base + (4 << 20) + random_() % 64 * 4096, flags = random_() % 4 * kWrite;
        for (int i = 0; i < 12; i++) note(p, area + static_cast<Va>(i) * 4096);
        if (random_() % 4 == 0) {
          const uint64_t block = memory_.ram.base + (4 << 20) + random_() % 4 * (2 << 20);
          memory_.write64(block_descriptor(p, va),
                          random_() % 2 ? block | kValid | flags : last_table(p, va) | kValid | kPointer);
        } else {
          memory_.write64(last_table(p, va) + (va >> 12 & 511) * 8, random_() % 5 ? pa | kValid | flags : 0);
        }
        for (int i = 0; i < 12; i++) note(p, area + static_cast<Va>(i) * 4096);
        break;
      }
      case 2:
        if (random_() % 4) break;
        mmu_.flush({Log::All, 0, 0});
        allowed_.clear();
        break;
      case 3:  // its entries that are not global
        mmu_.flush({Log::OfAsid, key(process_).asid, 0});
        for (auto& [where, values] : allowed_)
          if (where.first == process_) std::erase_if(values, [](uint64_t v) { return v >> 1 & 1; });
        break;
      case 4:
      case 5:
        mmu_.flush({Log::PageOfAllAsids, 0, va});
        for (uint16_t p = 0; p < kProcesses; p++) allowed_.erase({p, va});
        break;
      default: {
        const bool store = random_() % 2;
        const uint64_t pa = mmu_.access(va, store), expected = now(process_, va);
        std::set<uint64_t> all{expected};
        if (const auto it = allowed_.find({process_, va}); it != allowed_.end())
          all.insert(it->second.begin(), it->second.end());
        bool right = false;
        for (const uint64_t a : all)
          right |= pa == 0 ? a == 0 || (store && !(a & 1)) : (a & kAddress) == pa && (!store || (a & 1));
        EXPECT_TRUE(right) << std::hex << "process " << process_ << (store ? " stores to " : " loads ") << va << " at "
                           << pa << ", tables say " << expected;
      }
    }
  }
  void note(uint16_t p, Va page) { allowed_[{p, page}].insert(now(p, page)); }

  TestMemory memory_{64 << 20};
  std::mt19937_64 random_;
  WideMmu mmu_;
  uint64_t tables_ = 0;
  std::vector<uint64_t> roots_;
  std::map<std::pair<uint16_t, Va>, uint64_t> last_;
  Allowed allowed_;
  uint16_t process_ = 0;
};

TEST(WideGuest, TortureOfSpacesAndSoftwareTlbs) {
  const uint64_t seed = test_seed();
  for (uint64_t i = 0; i < 4 && !HasFailure(); i++) Torture48(seed + i, i % 2).run(60'000);
}

// Addresses that differ above bit 32 alone have one slot.
TEST(WideGuest, UpperBitsAreCompared) {
  auto tlb = std::make_unique<SoftTlbOf<Va>>();
  uint8_t byte = 0;
  tlb->install(0x7fff40000000, &byte, true, false, 0);
  EXPECT_TRUE(tlb->holds(0x7fff40000123));
  EXPECT_FALSE(tlb->holds(0x40000000));
  EXPECT_EQ(tlb->remove_va(0x40000000, false), 0u);
  EXPECT_EQ(tlb->remove_va(0x7fff40000000, false), 1u);
  // A block is found by any of its pages, however far up.
  tlb->install(0x7fff40201000, &byte, true, false, class_of(21));
  EXPECT_EQ(tlb->remove_va(0x40200000, false), 0u);
  EXPECT_EQ(tlb->remove_va(0x7fff403ff000, false), 1u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
