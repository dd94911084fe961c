// SPDX-License-Identifier: GPL-2.0-or-later
// What walking costs on this host, measured on an MMU of its own.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "mmu-shadow/mmu.h"
#include "mmu-shadow/walker/walker.h"

namespace crosswalk::mmu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kRamBytes = 2 << 20;
constexpr uint32_t kEntries = 256, kStride = 3;  // pages of a small working set, not all neighbours
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
    constexpr uint32_t kFirst = 4096, kSecond = 256, kTables = 4;
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

}  // namespace

bool measure_walk_costs(MmuCosts& costs) {
  constexpr double kRefillOverFill = 1.6;  // leaving translated code and returning to it included (docs/findings.md)
  const Tables tables;
  if (tables.ram().host == nullptr) return false;
  NoCode listener;
  const auto cpu = std::make_unique<CpuState>();
  cpu->mode = 0x13;
  cpu->cp15.sctlr = CW_SCTLR_M;
  cpu->cp15.ttbr0 = tables.ram().base;
  cpu->cp15.dacr = 1;
  double fill = 1e9, walk = 1e9;
  for (int batch = 0; batch < kBatches; batch++) {
    MmuConfig config{.mode = Mode::Soft, .flush = FlushPolicy::Eager, .max_spaces = 1, .max_page_ids = 1};
    const auto mmu = make_mmu(config, tables.ram(), listener, nullptr);
    mmu->activate(*cpu);
    auto start = Clock::now();
    for (uint32_t i = 0; i < kEntries; i++)
      if (mmu->fill(*cpu, i * kStride << 12, AccessKind::Load).host == nullptr) return false;
    fill = std::min(fill, nanoseconds_since(start) / kEntries);
    start = Clock::now();
    mmu->flush_all(*cpu);
    walk = std::min(walk, nanoseconds_since(start) / kEntries);
    if (mmu->statistics().entries_kept != kEntries) return false;
  }
  costs.walk = walk;
  const double refill = fill * kRefillOverFill;
  costs.fetch_refill *= refill / costs.soft_refill;
  costs.soft_refill = refill;
  return true;
}

}  // namespace crosswalk::mmu
