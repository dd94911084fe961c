// SPDX-License-Identifier: GPL-2.0-or-later
// What walking costs on this host, measured on an MMU of its own.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "mmu-shadow/mmu.h"
#include "mmu-shadow/walker/walker.h"

namespace crosswalk::mmu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kRamBytes = 2 << 20;
constexpr uint32_t kEntries = 256;
// Pages from one entry to the next. No two entries have one slot of a software TLB: these are odd.
constexpr uint32_t kNear = 3, kApart = 37;
constexpr int kBatches = 6;

class NoCode final : public CodeListener {
 public:
  bool code_written(uint64_t, uint32_t) override { return true; }
};

// RAM of a guest whose small pages lead to itself (ARM DDI 0406C, B3.5.1).
class Tables {
 public:
  Tables() {
    void* host = mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (host == MAP_FAILED) return;
    ram_.size = kRamBytes;
    ram_.host = static_cast<uint8_t*>(host);
    constexpr uint32_t kFirst = 4096, kSecond = 256, kTables = 40;
    const auto words = reinterpret_cast<uint32_t*>(host);
    const auto base = static_cast<uint32_t>(ram_.base);
    for (uint32_t i = 0; i < kTables; i++) words[i] = (base + (kFirst + i * kSecond) * 4) | 1;
    for (uint32_t i = 0; i < kTables * kSecond; i++)
      words[kFirst + i] = (base + i * 4096 % static_cast<uint32_t>(kRamBytes)) | 0x83e;
  }
  ~Tables() {
    if (ram_.host != nullptr) munmap(ram_.host, ram_.size);
  }
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;
  const GuestRam& ram() const { return ram_; }

 private:
  GuestRam ram_;
};

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// Nanoseconds that filling in an entry and walking again for it take, with so many pages from one
// to the next.
struct EntryCosts {
  double fill = 1e9, walk = 1e9;
};

std::optional<EntryCosts> measure(const Tables& tables, uint32_t stride) {
  NoCode listener;
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = static_cast<uint32_t>(crosswalk::Mode::Supervisor);
  cpu->cp15.sctlr = CW_SCTLR_M;
  cpu->cp15.ttbr0 = tables.ram().base;
  cpu->cp15.dacr = 1;
  EntryCosts costs;
  for (int batch = 0; batch < kBatches; batch++) {
    const MmuConfig config{.mode = Mode::Soft, .flush = FlushPolicy::Eager, .max_spaces = 1, .max_page_ids = 1};
    const auto mmu = make_mmu(config, tables.ram(), listener, nullptr);
    mmu->activate(*cpu);
    auto start = Clock::now();
    for (uint32_t i = 0; i < kEntries; i++)
      if (mmu->fill(*cpu, i * stride << 12, AccessKind::Load).host == nullptr) return {};
    costs.fill = std::min(costs.fill, nanoseconds_since(start) / kEntries);
    start = Clock::now();
    mmu->flush_all(*cpu);
    costs.walk = std::min(costs.walk, nanoseconds_since(start) / kEntries);
    if (mmu->statistics().entries_kept != kEntries) return {};
  }
  return costs;
}

}  // namespace

bool measure_walk_costs(MmuCosts& costs) {
  constexpr double kRefillOverFill = 1.6;  // leaving translated code and returning to it included
  const Tables tables;
  if (tables.ram().host == nullptr) return false;
  const auto near = measure(tables, kNear), apart = measure(tables, kApart);
  if (!near || !apart) return false;
  costs.walk = near->walk;
  costs.walk_apart = std::max(near->walk, apart->walk);
  const double refill = near->fill * kRefillOverFill;
  costs.fetch_refill *= refill / costs.soft_refill;
  costs.soft_refill = refill;
  return true;
}

}  // namespace crosswalk::mmu
