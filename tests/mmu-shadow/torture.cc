// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/mmu-shadow/torture.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

// The table area: the first 2 MiB of RAM.
constexpr uint64_t kTableArea = 2 << 20;
constexpr uint32_t kShortRoots = 4, kShortL2s = 24, kLongRoots = 3, kLongL2s = 8, kLongL3s = 20;
constexpr uint32_t kRegimes = 9, kRegions = 14, kProbesPerRegion = 7;

struct Listener final : CodeListener {
  bool code_written(uint64_t pa, uint32_t bytes) override {
    calls.push_back({pa, bytes});
    const bool gone = answer;
    if (gone) pages.erase(pa & ~uint64_t{0xfff});
    return gone;
  }
  void page_ids_dropped() override { ids_dropped = true; }
  bool ids_dropped = false;
  std::set<uint64_t> pages;  // that hold "translated code"
  std::vector<std::pair<uint64_t, uint32_t>> calls;
  bool answer = true;
};

class Torture {
 public:
  Torture(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, Accessor& accessor, uint64_t seed,
          Regimes kind)
      : ram_(ram),
        accessor_(accessor),
        processes_(kind == Regimes::Processes),
        random_(seed),
        mmu_(std::move(*make_mmu(config, ram, listener_, backend))),
        cpu_(std::make_unique<CpuState>()) {
    std::memset(ram.host, 0, kTableArea);
    // each page is recognisable; the rest stays zero
    for (uint64_t o = kTableArea; o < ram.size; o += 4096) {
      uint64_t words[4] = {o, o ^ 0x1111, o ^ 0x2222, o ^ 0x3333};
      std::memcpy(ram.host + o, words, sizeof words);
    }
    choose_probes();
    for (uint32_t i = 0; i < kRegimes; i++) regimes_.push_back(random_regime());
    for (int i = 0; i < 900; i++) change_descriptor();
    use_regime(0);
  }

  TortureResult run(uint64_t steps) {
    for (step_ = 0; step_ < steps && result_.failure.empty(); step_++) {
      const uint32_t what = below(1000);
      if (what < 600)
        access();
      else if (what < 740)
        use_regime(below(kRegimes));
      else if (what < 840)
        change_tables();
      else if (what < 880)
        random_flush();
      else if (what < 940)
        fetch();
      else if (what < 960)
        translate();
      else if (what < 985)
        change_code_page();
      else if (what < 990)
        device_write();
      else if (what < 993)
        mmu_->polled(*cpu_);
      else
        replace_regime();
    }
    result_.statistics = mmu_->statistics();
    return result_;
  }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  bool chance(uint32_t percent) { return below(100) < percent; }
  template <typename... Args>
  void fail(const char* format, Args... args) {
    char text[400];
    std::snprintf(text, sizeof text, format, args...);
    result_.failure = "step " + std::to_string(step_) + ": " + text;
  }

  // ---- addresses
  uint64_t short_root(uint32_t i) const { return ram_.base + i * 0x4000; }
  uint64_t short_l2(uint32_t i) const { return ram_.base + 0x20000 + i * 0x400; }
  uint64_t long_root(uint32_t i) const { return ram_.base + 0x40000 + i * 0x1000; }
  uint64_t long_l2(uint32_t i) const { return ram_.base + 0x50000 + i * 0x1000; }
  uint64_t long_l3(uint32_t i) const { return ram_.base + 0x80000 + i * 0x1000; }

  void choose_probes() {
    const uint32_t fixed[] = {0, 0xfff00000, 0xc0000000, 0xc0100000, 0x7ff00000, 0x80000000, 0x02000000, 0x40000000};
    for (uint32_t i = 0; i < kRegions; i++) {
      const uint32_t region = processes_             ? 0xc0000000 | (static_cast<uint32_t>(random_()) & 0x3ff00000)
                              : i < std::size(fixed) ? fixed[i]
                              : chance(40) && i > 0  ? regions_[below(i)] ^ 0x100000 << below(3)
                                                     : static_cast<uint32_t>(random_()) & 0xfff00000;
      regions_.push_back(region);
      const uint32_t close = below(256);
      for (uint32_t p = 0; p < kProbesPerRegion; p++)
        probes_.push_back(region | (p == 0 ? 0u : p == 1 ? 255u : p < 5 ? (close ^ below(16)) : below(256)) << 12);
    }
  }

  uint64_t random_pa(unsigned log2_size) {
    const uint64_t mask = (uint64_t{1} << log2_size) - 1;
    const uint32_t kind = below(100);
    uint64_t pa;
    if (kind < 80)
      pa = ram_.base + kTableArea + random_() % (ram_.size - kTableArea);
    else if (kind < 84)
      pa = ram_.base + random_() % kTableArea;
    else if (kind < 96)
      pa = random_() & 0xffffffff;
    else
      pa = random_() & 0xffffffffff;
    return pa & ~mask;
  }

  // ---- regimes
  cw_regime random_regime() {
    if (!regimes_.empty() && (processes_ || chance(35)))
      return sibling(regimes_[below(static_cast<uint32_t>(regimes_.size()))]);
    cw_regime r{};
    if (processes_) {
      r.sctlr = CW_SCTLR_M;
      r.dacr = 0x55555555;
      r.ttbcr = chance(30) ? CW_TTBCR_EAE : 0;
      // MAIR0 and MAIR1: but for the first one, which is Strongly-ordered, Normal memory. Other is
      // never entered.
      r.prrr = 0xff44ff00;
      r.nmrr = 0xffffffff;
      return sibling(r);
    }
    if (chance(94)) r.sctlr |= CW_SCTLR_M;
    if (chance(20)) r.sctlr |= CW_SCTLR_AFE;
    if (chance(30)) r.sctlr |= CW_SCTLR_TRE;
    if (chance(10)) r.sctlr |= CW_SCTLR_WXN;
    if (chance(10)) r.sctlr |= CW_SCTLR_UWXN;
    r.prrr = static_cast<uint32_t>(random_());
    r.nmrr = static_cast<uint32_t>(random_());
    const uint32_t dacrs[] = {0x55555555, 0x55555551, 0x5555555d,
                              0xffffffff, 0x55555554, static_cast<uint32_t>(random_())};
    r.dacr = dacrs[below(6)];
    const uint32_t asid = below(3);
    r.contextidr = asid | 0x1200;
    if (chance(45)) {
      r.ttbcr = CW_TTBCR_EAE;
      if (chance(50)) r.ttbcr |= below(8) << 16;
      if (chance(40)) r.ttbcr |= below(8);
      if (chance(10)) r.ttbcr |= CW_TTBCR_EPD0;
      if (chance(10)) r.ttbcr |= CW_TTBCR_EPD1;
      if (chance(50)) r.ttbcr |= CW_TTBCR_A1;
      const auto root = [&](uint32_t size) {
        return size > 1 ? long_l2(below(kLongL2s)) : long_root(below(kLongRoots));
      };
      r.ttbr0 = root(r.ttbcr & 7) | uint64_t{asid} << 48;
      r.ttbr1 = root(r.ttbcr >> 16 & 7) | uint64_t{r.ttbcr & CW_TTBCR_A1 ? asid : asid ^ 1} << 48;
    } else {
      if (chance(50)) r.ttbcr |= below(8);
      if (chance(10)) r.ttbcr |= CW_TTBCR_PD0;
      if (chance(10)) r.ttbcr |= CW_TTBCR_PD1;
      r.ttbr0 = short_root(below(kShortRoots)) | 0x4a;
      r.ttbr1 = short_root(below(kShortRoots)) | 0x4a;
    }
    return r;
  }

  // Another process of the same kernel: TTBR0 and the ASID differ.
  cw_regime sibling(cw_regime r) {
    const uint32_t asid = below(3);
    r.contextidr = asid | 0x1200;
    if (!(r.ttbcr & CW_TTBCR_EAE)) {
      r.ttbr0 = short_root(below(kShortRoots)) | 0x4a;
      return r;
    }
    constexpr uint64_t kBase = 0xffffffffff;
    r.ttbr0 = ((r.ttbcr & 7) > 1 ? long_l2(below(kLongL2s)) : long_root(below(kLongRoots))) | uint64_t{asid} << 48;
    r.ttbr1 = (r.ttbr1 & kBase) | uint64_t{r.ttbcr & CW_TTBCR_A1 ? asid : asid ^ 1} << 48;
    return r;
  }

  void use_regime(uint32_t i) {
    const cw_regime& r = regimes_[i];
    Cp15& c = cpu_->cp15;
    c.sctlr = r.sctlr;
    c.ttbcr = r.ttbcr;
    c.ttbr0 = r.ttbr0;
    c.ttbr1 = r.ttbr1;
    c.dacr = r.dacr;
    c.prrr = r.prrr;
    c.nmrr = r.nmrr;
    c.contextidr = r.contextidr;
    const uint8_t modes[] = {0x10, 0x13, 0x1f, 0x17};
    cpu_->mode = modes[below(4)];
    mmu_->activate(*cpu_);
    current_ = i;
  }
  bool privileged() const { return cpu_->mode != 0x10; }
  cw_result walk(uint32_t va, unsigned kind) const {
    return TestMemory::walk(ram_, regimes_[current_], va, kind, privileged());
  }

  void replace_regime() {
    const uint32_t i = below(kRegimes);
    regimes_[i] = random_regime();
    // A regime that returns after table changes nobody flushed for it would be the test's fault.
    mmu_->flush_all(*cpu_);
    use_regime(i);
  }

  // ---- tables
  void put32(uint64_t pa, uint32_t v) { std::memcpy(ram_.at(pa), &v, 4); }
  uint32_t get32(uint64_t pa) const {
    uint32_t v;
    std::memcpy(&v, ram_.at(pa), 4);
    return v;
  }
  void put64(uint64_t pa, uint64_t v) { std::memcpy(ram_.at(pa), &v, 8); }

  // Access permissions that mostly allow something.
  uint32_t random_ap() { return chance(70) ? 3 : below(8); }

  void change_short_l1() {
    const uint32_t changed = below(kShortRoots), region = regions_[below(kRegions)];
    change_short_l1(short_root(changed), region);
    if (!processes_ || chance(20)) return;
    constexpr uint32_t kKernel = 0x3000, kBytes = 0x1000;  // the last GiB
    for (uint32_t i = 0; i < kShortRoots; i++)
      if (i != changed) std::memcpy(ram_.at(short_root(i) + kKernel), ram_.at(short_root(changed) + kKernel), kBytes);
  }

  void change_short_l1(uint64_t root, uint32_t region) {
    const uint32_t index = region >> 20, group = index & ~15u;
    const auto is_super = [](uint32_t d) { return (d & 2) && (d & 1u << 18); };
    if (is_super(get32(root + index * 4)))
      for (uint32_t i = 0; i < 16; i++) put32(root + (group + i) * 4, 0);
    const uint32_t ap = random_ap(), kind = processes_ && chance(50) ? 0 : below(100);
    const uint32_t domain = chance(50) ? 0 : below(16);
    const uint32_t attributes = (below(8) << 12) | below(4) << 2 | chance(20) << 4 | (ap & 3) << 10 | ap >> 2 << 15 |
                                chance(50) << 17 | chance(50) << 16;
    if (kind < 8) {  // what becomes valid again needs no flush
      put32(root + index * 4, static_cast<uint32_t>(random_()) & ~3u);
    } else if (kind < 60) {
      const uint64_t l2 = chance(97) ? short_l2(below(kShortL2s)) : random_pa(10);
      put32(root + index * 4, static_cast<uint32_t>(l2) | domain << 5 | chance(10) << 2 | 1);
    } else if (kind < 90) {
      const uint64_t pa = random_pa(20);
      put32(root + index * 4, static_cast<uint32_t>(pa) | domain << 5 | attributes | 2 | chance(10));
      if (chance(50)) {  // its neighbour continues it
        const uint32_t other = index ^ 1;
        const uint32_t next = static_cast<uint32_t>(pa) + (other - index) * 0x100000;
        if (is_super(get32(root + other * 4)))
          for (uint32_t i = 0; i < 16; i++) put32(root + (group + i) * 4, 0);
        // alike but for AP or nG
        const uint32_t odd = chance(30) ? 1u << (10 + below(8)) & 0x2fc00 : 0;
        put32(root + index * 4, static_cast<uint32_t>(pa) | domain << 5 | attributes | 2);
        put32(root + other * 4, next | domain << 5 | (attributes ^ odd) | 2);
      }
    } else {
      const uint64_t pa = random_pa(24);
      for (uint32_t i = 0; i < 16; i++)
        put32(root + (group + i) * 4, static_cast<uint32_t>(pa) | static_cast<uint32_t>(pa >> 32 & 15) << 20 |
                                          static_cast<uint32_t>(pa >> 36 & 15) << 5 | 1u << 18 | attributes | 2);
    }
  }

  void change_short_l2() {
    const uint64_t table = short_l2(below(kShortL2s));
    const uint32_t index = probes_[below(static_cast<uint32_t>(probes_.size()))] >> 12 & 255, group = index & ~15u;
    if ((get32(table + index * 4) & 3) == 1)
      for (uint32_t i = 0; i < 16; i++) put32(table + (group + i) * 4, 0);
    const uint32_t ap = random_ap(), kind = below(100);
    const uint32_t attributes = below(4) << 2 | (ap & 3) << 4 | ap >> 2 << 9 | chance(50) << 10 | chance(50) << 11;
    if (kind < 10) {
      put32(table + index * 4, 0);
    } else if (kind < 50) {
      put32(table + index * 4, static_cast<uint32_t>(random_pa(12)) | attributes | below(8) << 6 | 2 | chance(20));
    } else if (kind < 75) {  // a run of contiguous pages
      const uint32_t pa = static_cast<uint32_t>(random_pa(12)), tex = below(8);
      const uint32_t first = index - std::min(below(12), index), last = std::min(255u, index + below(12));
      for (uint32_t i = first; i <= last; i++) {
        if ((get32(table + i * 4) & 3) == 1) continue;
        // another nG, AP[2] and AP[1]
        const uint32_t odd = chance(20) ? chance(50) ? 1u << 11 : 1u << 9 | 1u << 5 : 0;
        put32(table + i * 4, (pa + (i - first) * 0x1000) | (attributes ^ odd) | tex << 6 | 2);
      }
    } else {
      const uint32_t d = static_cast<uint32_t>(random_pa(16)) | attributes | below(8) << 12 | chance(20) << 15 | 1;
      for (uint32_t i = 0; i < 16; i++) put32(table + (group + i) * 4, d);
    }
  }

  uint64_t long_attributes() {
    return uint64_t{chance(15)} << 54 | uint64_t{chance(10)} << 53 | uint64_t{chance(20)} << 52 |
           uint64_t{chance(50)} << 11 | uint64_t{chance(95)} << 10 | below(4) << 8 | (chance(70) ? 1 : below(4)) << 6 |
           below(8) << 2;
  }
  uint64_t table_attributes() { return chance(70) ? 0 : uint64_t{below(32)} << 59; }

  void change_long() {
    const uint32_t probe = probes_[below(static_cast<uint32_t>(probes_.size()))], level = below(10), kind = below(100);
    if (level == 0) {
      const uint64_t entry = long_root(below(kLongRoots)) + (chance(80) ? probe >> 30 : below(2)) * 8;
      if (kind < 5)
        put64(entry, random_() & ~uint64_t{1});
      else if (kind < 12)
        put64(entry, random_pa(30) | long_attributes() | 1);
      else if (kind < 15)
        put64(entry, ram_.base | long_attributes() | 1);
      else
        put64(entry, (chance(98) ? long_l2(below(kLongL2s)) : random_pa(12)) | table_attributes() | 3);
    } else if (level < 5) {
      const uint64_t entry = long_l2(below(kLongL2s)) + (probe >> 21 & 511 & (chance(25) ? 127 : 511)) * 8;
      if (kind < 8)
        put64(entry, 0);
      else if (kind < 45)
        put64(entry, random_pa(21) | long_attributes() | 1);
      else
        put64(entry, (chance(98) ? long_l3(below(kLongL3s)) : random_pa(12)) | table_attributes() | 3);
    } else {
      const uint64_t table = long_l3(below(kLongL3s));
      const uint32_t index = probe >> 12 & 511;
      if (kind < 10) {
        put64(table + index * 8, chance(50) ? 0 : random_pa(12) | long_attributes() | 1);
      } else if (kind < 60) {
        put64(table + index * 8, random_pa(12) | long_attributes() | 3);
      } else {
        const uint64_t pa = random_pa(12), attributes = long_attributes();
        const uint32_t first = index - std::min(below(12), index), last = std::min(511u, index + below(12));
        for (uint32_t i = first; i <= last; i++) {
          // another nG, AP[1] or AP[2]
          const uint64_t odd = chance(20) ? 1u << (chance(50) ? 11 : 6 + below(2)) : 0;
          put64(table + i * 8, (pa + (i - first) * 0x1000) | (attributes ^ odd) | 3);
        }
      }
    }
  }

  void change_descriptor() {
    const uint32_t kind = below(100);
    if (kind < (processes_ ? 40 : 12))
      change_short_l1();
    else if (kind < 50)
      change_short_l2();
    else
      change_long();
  }

  // Everything of an entry that a TLB holds.
  struct Cached {
    bool valid;
    uint64_t pa;
    uint32_t size, permissions, ng, fault;
    bool operator==(const Cached&) const = default;
  };
  std::vector<Cached> snapshot() const {
    std::vector<Cached> all;
    for (const cw_regime& r : regimes_)
      for (const uint32_t va : probes_) {
        const cw_result w = TestMemory::walk(ram_, r, va, CW_LOAD, true);
        all.push_back({w.entry_valid != 0, w.pa, w.log2_size, w.permissions, w.ng, w.fault});
      }
    return all;
  }

  // Changes descriptors, then issues the maintenance that the architecture requires for the old
  // entries (B3.10.1), by a random VA inside each, and nothing more.
  void change_tables() {
    const std::vector<Cached> before = snapshot();
    const uint32_t changes = 1 + below(3);
    for (uint32_t i = 0; i < changes; i++) change_descriptor();
    const std::vector<Cached> after = snapshot();
    result_.table_changes++;
    if (chance(5)) {
      mmu_->flush_all(*cpu_);
      result_.required_flushes++;
      return;
    }
    std::set<std::tuple<uint32_t, uint32_t, int>> done;  // entry VA, size, ASID (-1: global)
    size_t i = 0;
    for (const cw_regime& r : regimes_)
      for (const uint32_t va : probes_) {
        const Cached& old = before[i];
        const bool same = old == after[i];
        i++;
        if (same || !old.valid || old.size == 32) continue;
        const uint32_t size = old.size, mask = (1u << size) - 1;
        const uint8_t asid = cw_asid(&r);
        if (!done.insert({va & ~mask, size, old.ng ? asid : -1}).second) continue;
        const uint32_t inside = (va & ~mask) | (static_cast<uint32_t>(random_()) & mask);
        result_.required_flushes++;
        if (old.ng && chance(25))
          mmu_->flush_asid(*cpu_, asid);
        else if (chance(30))
          mmu_->flush_mva_all_asids(*cpu_, inside);
        else
          mmu_->flush_mva(*cpu_, inside, old.ng ? asid : static_cast<uint8_t>(below(256)));
      }
  }

  void random_flush() {
    const uint32_t va =
        chance(80) ? probes_[below(static_cast<uint32_t>(probes_.size()))] : static_cast<uint32_t>(random_());
    const uint8_t asid = static_cast<uint8_t>(below(4));
    switch (below(8)) {
      case 0: mmu_->flush_all(*cpu_); break;
      case 1:
      case 2: mmu_->flush_asid(*cpu_, asid); break;
      case 3:
      case 4: mmu_->flush_mva_all_asids(*cpu_, va); break;
      default: mmu_->flush_mva(*cpu_, va, asid); break;
    }
  }

  // ---- uses
  uint32_t random_probe() { return probes_[below(static_cast<uint32_t>(probes_.size()))]; }
  bool in_tables(uint64_t pa) const { return pa >= ram_.base && pa < ram_.base + kTableArea; }

  void access() {
    const uint32_t bytes = 1u << below(4);
    const uint32_t va = random_probe() | ((chance(60) ? below(32) : below(4096)) & ~(bytes - 1));
    bool write = chance(40);
    // a table changed behind the test's back
    if (write && in_tables(walk(va, CW_STORE).pa)) write = false;
    const cw_result expected = walk(va, write ? CW_STORE : CW_LOAD);
    const uint64_t value = random_() & (bytes == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1);
    uint64_t old = 0;
    const bool is_ram = expected.fault == CW_FAULT_NONE && ram_.contains(expected.pa, bytes);
    if (is_ram) std::memcpy(&old, ram_.at(expected.pa), bytes);
    const bool was_code = is_ram && listener_.pages.count(expected.pa & ~uint64_t{0xfff});
    listener_.calls.clear();
    listener_.answer = chance(60);
    const AccessResult got = accessor_.access(*cpu_, *mmu_, va, bytes, write, value);
    result_.accesses++;

    const char* const what = write ? "store" : "load";
    if (expected.fault != CW_FAULT_NONE) {
      result_.guest_faults++;
      if (got.kind != AccessResult::Fault || got.translation.fsr != expected.fsr || got.translation.far != va)
        fail("%s of %08x, regime %u privileged %d: fault %03x expected, got kind %d fsr %03x far %08x", what, va,
             current_, privileged(), expected.fsr, got.kind, got.translation.fsr, got.translation.far);
      return;
    }
    if (!is_ram) {
      result_.devices++;
      if (got.kind != AccessResult::Device || got.translation.pa != expected.pa)
        fail("%s of %08x, regime %u: device at %" PRIx64 " expected, got kind %d pa %" PRIx64, what, va, current_,
             expected.pa, got.kind, got.translation.pa);
      return;
    }
    uint64_t now = 0;
    std::memcpy(&now, ram_.at(expected.pa), bytes);
    if (got.kind != AccessResult::Done)
      fail("%s of %08x, regime %u privileged %d: expected RAM at %" PRIx64 ", got kind %d fsr %03x", what, va, current_,
           privileged(), expected.pa, got.kind, got.translation.fsr);
    else if (write && now != value)
      fail("store of %08x, regime %u: %" PRIx64 " holds %" PRIx64 ", stored %" PRIx64, va, current_, expected.pa, now,
           value);
    else if (!write && (got.value != old || now != old))
      fail("load of %08x, regime %u: got %" PRIx64 ", %" PRIx64 " holds %" PRIx64, va, current_, got.value, expected.pa,
           old);
    else if (write && was_code &&
             (listener_.calls.empty() || listener_.calls[0].first > expected.pa ||
              listener_.calls[0].first + listener_.calls[0].second < expected.pa + bytes))
      fail("store of %08x to code at %" PRIx64 " was not announced", va, expected.pa);
    else if (!(write && was_code) && !listener_.calls.empty())
      fail("%s of %08x at %" PRIx64 ": code_written called for nothing", what, va, expected.pa);
    if (write && was_code) result_.code_writes++;
  }

  void fetch() {
    const uint32_t va = random_probe() | (below(4096) & ~3u);
    const cw_result expected = walk(va, CW_FETCH);
    const uint32_t slot = va >> 12 & (kInstructionPageEntries - 1);
    const bool is_ram = expected.fault == CW_FAULT_NONE && ram_.contains(expected.pa);
    // What translated code would find without asking.
    if (const auto known = pages_by_id_.find(cpu_->instruction_pages[slot]); known != pages_by_id_.end()) {
      const auto [va_page, pa_page, flags] = known->second;
      if (va_page == va >> 12 && (!is_ram || pa_page != expected.pa >> 12)) {
        fail("instruction page of %08x, regime %u: stale, %" PRIx64 " instead of %" PRIx64 " fsr %03x", va, current_,
             pa_page << 12, expected.pa, expected.fsr);
        return;
      }
    }
    Translation t;
    const uint32_t flags = below(3);
    const uint32_t id = mmu_->fetch_page(*cpu_, va, flags, t);
    if (listener_.ids_dropped) {
      listener_.ids_dropped = false;
      pages_by_id_.clear();
      ids_by_page_.clear();
    }
    if (!is_ram) {
      uint32_t fsr = expected.fsr;
      if (expected.fault == CW_FAULT_NONE) {
        const bool eae = regimes_[current_].ttbcr & CW_TTBCR_EAE;
        if (expected.memory_type == CW_NORMAL)
          fsr = eae ? 0x210 : 0x8;
        else
          fsr = eae ? 0x20c + expected.level : expected.level == 1 ? 0xd : 0xf;
      }
      if (id != 0 || t.ok || t.fsr != fsr || t.far != va)
        fail("fetch of %08x, regime %u: fault %03x expected, got id %u fsr %03x far %08x", va, current_, fsr, id, t.fsr,
             t.far);
      return;
    }
    if (id == 0 || !t.ok || t.pa != expected.pa || t.host != ram_.at(expected.pa) ||
        cpu_->instruction_pages[slot] != id) {
      fail("fetch of %08x, regime %u privileged %d: %" PRIx64 " expected, got id %u pa %" PRIx64 " fsr %03x", va,
           current_, privileged(), expected.pa, id, t.pa, t.fsr);
      return;
    }
    const PageKey key{va >> 12, expected.pa >> 12, flags};
    if (pages_by_id_.emplace(id, key).first->second != key || ids_by_page_.emplace(key, id).first->second != id)
      fail("fetch of %08x: page id %u is not one to one with (VA page, PA page, flags)", va, id);
  }

  void translate() {
    const uint32_t va = static_cast<uint32_t>(chance(80) ? random_probe() : random_());
    const auto kind = static_cast<AccessKind>(below(3));
    const bool p = chance(50);
    const cw_result expected = TestMemory::walk(ram_, regimes_[current_], va, static_cast<unsigned>(kind), p);
    const Translation t = mmu_->translate(*cpu_, va, kind, p);
    if (t.ok != (expected.fault == CW_FAULT_NONE) || (t.ok ? t.pa != expected.pa : t.fsr != expected.fsr))
      fail("translate %08x", va);
  }

  void change_code_page() {
    if (!listener_.pages.empty() && chance(30)) {
      auto it = listener_.pages.begin();
      std::advance(it, below(static_cast<uint32_t>(listener_.pages.size())));
      mmu_->unprotect_code_page(*it);
      listener_.pages.erase(it);
      return;
    }
    const cw_result w = walk(random_probe(), CW_LOAD);
    if (w.fault != CW_FAULT_NONE || !ram_.contains(w.pa) || in_tables(w.pa)) return;
    const uint64_t page = w.pa & ~uint64_t{0xfff};
    if (listener_.pages.count(page) && chance(50)) {
      listener_.pages.erase(page);
      mmu_->unprotect_code_page(page);
    } else {
      listener_.pages.insert(page);
      mmu_->protect_code_page(page + below(4096));
    }
  }

  void device_write() {
    if (listener_.pages.empty()) return;
    auto it = listener_.pages.begin();
    std::advance(it, below(static_cast<uint32_t>(listener_.pages.size())));
    const uint64_t page = *it;
    listener_.calls.clear();
    listener_.answer = true;
    mmu_->note_external_write(page - 100, 4096);
    if (listener_.pages.count(page)) fail("device write to %" PRIx64 " was not announced", page);
  }

  using PageKey = std::tuple<uint32_t, uint64_t, uint32_t>;

  const GuestRam ram_;
  Accessor& accessor_;
  const bool processes_;
  std::mt19937_64 random_;
  Listener listener_;
  std::unique_ptr<Mmu> mmu_;
  std::unique_ptr<CpuState> cpu_;
  std::vector<uint32_t> regions_, probes_;
  std::vector<cw_regime> regimes_;
  uint32_t current_ = 0;
  uint64_t step_ = 0;
  std::map<uint32_t, PageKey> pages_by_id_;
  std::map<PageKey, uint32_t> ids_by_page_;
  TortureResult result_;
};

}  // namespace

TortureResult run_torture(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, Accessor& accessor,
                          uint64_t seed, uint64_t steps, Regimes regimes) {
  return Torture(config, ram, backend, accessor, seed, regimes).run(steps);
}

}  // namespace crosswalk::mmu::test
