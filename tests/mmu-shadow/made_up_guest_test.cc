// SPDX-License-Identifier: GPL-2.0-or-later
// The whole MMU, of guests that there are not (made_up_guest.h): with 48-bit addresses in software
// TLBs, and with 32-bit ones in windows and hybrid too. Random accesses and fetches, changes of
// tables, of spaces and of what is watched, and flushes; whatever translated code would reach must
// be what the tables say, or what they said since the last flush of it.
#include "tests/mmu-shadow/made_up_guest.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include "mmu-shadow/costs.h"
#include "mmu-shadow/guest_mmu.h"
#include "tests/mmu-shadow/noting_backend.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

static_assert(GuestArchitecture<MadeUpGuest<uint32_t>> && GuestArchitecture<MadeUpGuest<uint64_t>>);

constexpr uint64_t kPage = 4096, kBlock = 2 << 20;

// Notes which RAM pages have code.
struct Code final : CodeListener {
  bool code_written(uint64_t pa, uint32_t) override {
    pages.erase(pa & ~(kPage - 1));
    return true;
  }
  void page_ids_dropped() override { ids_dropped = true; }
  std::set<uint64_t> pages;
  bool ids_dropped = false;
};

template <typename Va>
class MadeUpTorture {
  using Guest = MadeUpGuest<Va>;
  using Flush = typename Guest::Port::Flush;
  using Translation = typename Guest::Translation;

 public:
  MadeUpTorture(const MmuConfig& config, uint64_t seed)
      : random_(seed), mmu_(std::move(*GuestMmu<Guest>::create(config, memory_.ram, code_, &backend_))) {
    const uint64_t kernel = new_table();
    for (uint32_t p = 0; p < kProcesses; p++) {
      roots_.push_back(new_table());
      // Most have the same kernel, by the descriptor of its GiB.
      if (sizeof(Va) == 4 && p < kAlike) memory_.write64(roots_[p] + 24, kernel | kValid | kPointer);
      for (const Va area : kAreas) last_table(p, area);
    }
    go_to(0, false);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); i++) step();
    EXPECT_GT(hits_, 500u);
    EXPECT_GT(fetch_hits_, 100u);
  }
  const Statistics& statistics() const { return mmu_->statistics(); }

 private:
  static constexpr uint32_t kProcesses = 7, kAlike = 5, kPagesOfArea = 12;
  static constexpr Va kAreas[] = {
      // With 48 bits, two that differ above bit 32 alone; the last two are neighbours.
      Va{0x40000000},
      sizeof(Va) == 8 ? static_cast<Va>(0x010040000000) : Va{0x50000000},
      sizeof(Va) == 8 ? static_cast<Va>(0x7fff40000000) : Va{0xc0000000},
      sizeof(Va) == 8 ? static_cast<Va>(0x7fff40200000) : Va{0xc0200000},
  };
  // By (process, page): what the tables said since the last flush that covered it. Descriptors with
  // a PA of 4 KiB; 0: a fault.
  using Allowed = std::map<std::pair<uint32_t, Va>, std::set<uint64_t>>;
  struct Id {
    Va va;
    uint64_t pa;
    uint32_t flags;
    bool operator==(const Id&) const = default;
  };

  uint64_t new_table() { return memory_.ram.base + (tables_++ * kPage); }
  uint64_t read(uint64_t pa) const {
    uint64_t v;
    std::memcpy(&v, memory_.ram.at(pa), 8);
    return v;
  }
  // The descriptor of 2 MiB of `va`, whose upper levels are made if need be.
  uint64_t block_descriptor(uint32_t process, Va va) {
    uint64_t table = roots_[process];
    for (int shift = sizeof(Va) == 8 ? 39 : 30; shift > 21; shift -= 9) {
      const uint64_t at = table + (va >> shift & 511) * 8;
      if (read(at) == 0) memory_.write64(at, new_table() | kValid | kPointer);
      table = read(at) & kAddress;
    }
    return table + (va >> 21 & 511) * 8;
  }
  uint64_t last_table(uint32_t process, Va va) {
    const uint64_t at = block_descriptor(process, va);
    uint64_t& table = last_[at];
    if (table == 0) {
      table = new_table();
      memory_.write64(at, table | kValid | kPointer);
    }
    return table;
  }
  static uint16_t asid_of(uint32_t p) { return static_cast<uint16_t>(p + 0x100); }
  Va pick() { return kAreas[random_() % 4] + static_cast<Va>(random_() % kPagesOfArea * kPage); }
  uint64_t now(uint32_t p, Va page) const {
    typename Guest::Result r;
    Guest::walk({roots_[p], true}, page, AccessKind::Load, false, TestMemory::read, const_cast<GuestRam*>(&memory_.ram),
                r);
    return r.entry_valid ? r.pa | kValid | (r.writable ? kWrite : 0) | (r.ng ? kNotGlobal : 0) : 0;
  }
  void note_area(Va area) {
    for (uint32_t p = 0; p < kProcesses; p++)
      for (uint32_t i = 0; i < kPagesOfArea; i++) {
        const Va page = area + static_cast<Va>(i * kPage);
        allowed_[{p, page}].insert(now(p, page));
      }
  }

  void go_to(uint32_t process, bool privileged) {
    process_ = process;
    cpu_.root = roots_[process];
    cpu_.asid = asid_of(process);
    cpu_.privileged = privileged;
    mmu_->activate(cpu_);
  }
  uint32_t code_flags(Va page) const {
    return (cpu_.memory_window ? kCodeFlagWindow : 0) | (cpu_.broken == page ? 8 : 0);
  }

  // What a walk for `page` may give now.
  std::set<uint64_t> expected(Va page) const {
    std::set<uint64_t> all{now(process_, page)};
    if (const auto it = allowed_.find({process_, page}); it != allowed_.end())
      all.insert(it->second.begin(), it->second.end());
    return all;
  }
  // `pa`: what an access gets, or 0 for a fault.
  void check(const char* what, Va page, uint64_t pa, bool store) {
    bool right = false;
    for (const uint64_t a : expected(page)) {
      const bool fault = a == 0 || (store && !(a & kWrite));
      right |= fault ? pa == 0 : (a & kAddress) == pa;
    }
    EXPECT_TRUE(right) << what << std::hex << " of process " << process_ << " at " << page << " gets " << pa
                       << ", tables say " << now(process_, page);
  }

  // The PA that translated code reaches without asking the MMU, or 0.
  uint64_t hit(Va page, bool store) const {
    if (cpu_.memory_window) {
      const auto at = window_offset(page);
      return store && !backend_.writable(cpu_.mem_base, at) ? 0 : backend_.reaches(cpu_.mem_base, at);
    }
    const auto& e = SoftTlbOf<Va>::entry_at(cpu_.mem_base, page);
    if ((store ? e.tag_store : e.tag_load) != page) return 0;
    return memory_.ram.base + (e.addend + page - reinterpret_cast<uint64_t>(memory_.ram.host));
  }
  uint64_t access(Va page, bool store) {
    if (const uint64_t pa = hit(page, store)) {
      hits_++;
      EXPECT_NE(page, cpu_.watched);
      EXPECT_FALSE(store && code_.pages.count(pa)) << "a store to code that nobody sees";
      return pa;
    }
    Translation t;
    if (!cpu_.memory_window) {
      t = mmu_->fill(cpu_, page, store ? AccessKind::Store : AccessKind::Load);
    } else {
      switch (mmu_->window_fault(cpu_, static_cast<int64_t>(page), 8, store, t)) {
        case FaultOutcome::GuestFault: EXPECT_FALSE(t.ok); break;
        case FaultOutcome::Installed:
        case FaultOutcome::CodeWrite: EXPECT_NE(hit(page, store), 0u); break;
        default: break;
      }
    }
    EXPECT_EQ(t.watched, page == cpu_.watched);
    if (!t.ok) return 0;
    EXPECT_FALSE(store && code_.pages.count(t.pa)) << "a store to code that nobody was told of";
    return t.pa;
  }
  uint64_t fetch(Va page) {
    const uint32_t flags = code_flags(page), id = cpu_.instruction_pages[page >> 12 & (kInstructionPageEntries - 1)];
    // A prefilled page may have a number that nobody has been told yet.
    if (const auto it = ids_.find(id); it != ids_.end() && it->second.va == page) {
      EXPECT_EQ(it->second.flags, flags);
      fetch_hits_++;
      return it->second.pa;
    }
    Translation t;
    const uint32_t fetched = mmu_->fetch_page(cpu_, page, flags, t);
    if (code_.ids_dropped) ids_.clear();
    code_.ids_dropped = false;
    if (fetched == 0) return 0;
    mmu_->translated(fetched, 100);
    const Id is{page, t.pa, flags};
    EXPECT_EQ(ids_.try_emplace(fetched, is).first->second, is) << "one number for two pages";
    return t.pa;
  }

  void change_tables(Va va) {
    const Va area = va & ~Va{kBlock - 1};
    const uint32_t p = static_cast<uint32_t>(random_() % kProcesses);
    const uint64_t pa = memory_.ram.base + (4 << 20) + random_() % 64 * kPage,
                   flags = random_() % 4 * kWrite | (random_() % 8 == 0 ? kDevice : 0);
    note_area(area);
    const uint64_t table = last_[block_descriptor(p, va)];
    if (random_() % 4 != 0) {
      memory_.write64(table + (va >> 12 & 511) * 8, random_() % 5 ? pa | kValid | flags : 0);
    } else {  // a block for a table, or the other way round
      const uint64_t block = memory_.ram.base + (4 << 20) + random_() % 4 * kBlock;
      memory_.write64(block_descriptor(p, va), random_() % 2 ? block | kValid | flags : table | kValid | kPointer);
    }
    note_area(area);
  }
  void flush(Flush f) {
    mmu_->flush(cpu_, f);
    for (auto& [where, values] : allowed_) {
      const bool page = f.kind == Flush::Page || f.kind == Flush::PageOfAllAsids;
      const bool of_asid = f.kind == Flush::OfAsid || f.kind == Flush::Page;
      if (page && where.second != f.va) continue;
      if (!of_asid || (f.kind == Flush::Page && asid_of(where.first) == f.asid))
        values.clear();
      else if (f.kind == Flush::Page)
        std::erase_if(values, [](uint64_t v) { return !(v & kNotGlobal); });
      else if (asid_of(where.first) == f.asid)
        std::erase_if(values, [](uint64_t v) { return v & kNotGlobal; });
    }
  }

  void step() {
    const Va va = pick();
    const uint16_t asid = asid_of(random_() % 2 ? process_ : static_cast<uint32_t>(random_() % kProcesses));
    const uint64_t what = random_() % 48;
    switch (what) {
      case 0:
      case 1: return go_to(static_cast<uint32_t>(random_() % kProcesses), random_() % 2);
      case 2: return change_tables(va);
      case 3: return random_() % 4 ? void() : flush({Flush::All});
      case 4: return flush({Flush::OfAsid, asid});
      case 5: return flush({Flush::Page, asid, va});
      case 6: return flush({Flush::PageOfAllAsids, 0, va});
      case 7: {  // code is translated, or forgotten
        const uint64_t pa = memory_.ram.base + (4 << 20) + random_() % 64 * kPage;
        if (random_() % 4) {
          code_.pages.insert(pa);
          mmu_->protect_code_page(pa);
        } else if (code_.pages.erase(pa)) {
          mmu_->unprotect_code_page(pa);
        }
        return;
      }
      case 8:
        if (random_() % 8) return;
        (random_() % 2 ? cpu_.watched : cpu_.broken) = random_() % 2 ? va : 0;
        return mmu_->debug_changed(cpu_);
      case 9: return mmu_->polled(cpu_);
      case 10: {
        const Translation t = mmu_->translate(cpu_, va, AccessKind::Store, cpu_.privileged);
        EXPECT_EQ(t.answer, now(process_, va) & kWrite ? now(process_, va) & kAddress : 1);
        if (!t.ok) {
          EXPECT_EQ(t.fault_va, va);
        }
        return;
      }
      default: {
        if (what < 24) return check("fetch", va, fetch(va), false);
        const bool store = random_() % 2;
        return check(store ? "store" : "load", va, access(va, store), store);
      }
    }
  }

  TestMemory memory_{64 << 20};
  std::mt19937_64 random_;
  NotingBackend backend_;
  Code code_;
  typename Guest::Cpu cpu_{};
  std::unique_ptr<MmuOf<Guest>> mmu_;
  uint64_t tables_ = 0;
  std::vector<uint64_t> roots_;
  std::map<uint64_t, uint64_t> last_;  // by the block's descriptor
  Allowed allowed_;
  std::map<uint32_t, Id> ids_;
  uint32_t process_ = 0;
  uint64_t hits_ = 0, fetch_hits_ = 0;
};

constexpr FlushPolicy kPolicies[] = {FlushPolicy::Lazy, FlushPolicy::Eager, FlushPolicy::Auto};

template <typename Va, typename Expect>
void torture(MmuConfig config, int steps, Expect expect) {
  const uint64_t seed = test_seed();
  for (uint64_t i = 0; i < 3 && !::testing::Test::HasFailure(); i++) {
    config.flush = kPolicies[i];
    MadeUpTorture<Va> torture(config, seed + i);
    torture.run(steps);
    expect(torture.statistics());
    if (config.flush == FlushPolicy::Eager) {
      EXPECT_GT(torture.statistics().entries_kept, 100u);
    }
  }
}

TEST(MadeUpGuest, WideAddressesInSoftwareTlbs) {
  torture<uint64_t>({.mode = Mode::Soft, .max_spaces = 5, .max_page_ids = 200}, 60'000, [](const Statistics& s) {
    EXPECT_GT(s.spaces_evicted, 10u);
    EXPECT_GT(s.page_id_drops, 0u);
    EXPECT_GT(s.pages_prefilled, 10u);
  });
}

TEST(MadeUpGuest, SoftwareTlbs) {
  torture<uint32_t>({.mode = Mode::Soft}, 60'000, [](const Statistics& s) { EXPECT_GT(s.soft_misses, 100u); });
}

TEST(MadeUpGuest, Windows) {
  torture<uint32_t>({.mode = Mode::Window, .max_spaces = 8}, 60'000, [](const Statistics& s) {
    EXPECT_GT(s.window_faults_installed, 100u);
    EXPECT_GT(s.pages_filled_around, 100u);
    EXPECT_GT(s.spaces_sharing, 2u);
    EXPECT_GT(s.spaces_evicted, 10u);
  });
}

TEST(MadeUpGuest, Hybrid) {
  MmuConfig config{.mode = Mode::Hybrid};
  config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
  config.costs.judge_after = 50;
  config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
  config.costs.accesses_of_entry = -1'000;
  torture<uint32_t>(config, 60'000, [](const Statistics& s) {
    EXPECT_GT(s.promotions, 20u);
    EXPECT_GT(s.demotions, 0u);
  });
}

TEST(MadeUpGuest, CostsOfWalksAreMeasured) {
  MmuCosts costs;
  EXPECT_TRUE(WalkCosts<MadeUpGuest<uint64_t>>::measure(costs));
  EXPECT_TRUE(WalkCosts<MadeUpGuest<uint32_t>>::measure(costs));
}

TEST(MadeUpGuest, WideAddressesHaveNoWindows) {
  TestMemory memory(4 << 20);
  Code code;
  NotingBackend backend;
  for (const Mode mode : {Mode::Window, Mode::Hybrid, Mode::Flat})
    EXPECT_FALSE(GuestMmu<MadeUpGuest<uint64_t>>::create({.mode = mode}, memory.ram, code, &backend));
}

}  // namespace
}  // namespace crosswalk::mmu::test
