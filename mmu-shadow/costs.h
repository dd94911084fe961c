// SPDX-License-Identifier: GPL-2.0-or-later
// What walking costs on this host, measured on an MMU of its own.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class WalkCosts {
 public:
  // Sets `walk` and the refills (measure_walk_costs).
  static bool measure(MmuCosts& costs);

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr uint64_t kRamBytes = 2 << 20;
  static constexpr uint32_t kEntries = 256;
  // Pages from one entry to the next. No two entries have one slot of a software TLB: these are
  // odd.
  static constexpr uint32_t kNear = 3, kApart = 37;
  static constexpr int kBatches = 6;

  class NoCode final : public CodeListener {
   public:
    bool code_written(uint64_t, uint32_t) override { return true; }
  };
  class Ram;
  // Nanoseconds that filling in an entry and walking again for it take, with so many pages from one
  // to the next.
  struct EntryCosts {
    double fill = 1e9, walk = 1e9;
  };
  static double nanoseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }
  static std::optional<EntryCosts> measure(const Ram& ram, uint32_t stride);
};

template <GuestArchitecture Guest>
class WalkCosts<Guest>::Ram {
 public:
  Ram() {
    void* host = mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (host == MAP_FAILED) return;
    ram_.size = kRamBytes;
    ram_.host = static_cast<uint8_t*>(host);
  }
  ~Ram() {
    if (ram_.host != nullptr) munmap(ram_.host, ram_.size);
  }
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;
  const GuestRam& get() const { return ram_; }

 private:
  GuestRam ram_;
};

template <GuestArchitecture Guest>
std::optional<typename WalkCosts<Guest>::EntryCosts> WalkCosts<Guest>::measure(const Ram& ram, uint32_t stride) {
  NoCode listener;
  const auto cpu = std::make_unique<typename Guest::Cpu>();
  Guest::map_small_pages(*cpu, ram.get().host, ram.get().base, ram.get().size);
  EntryCosts costs;
  for (int batch = 0; batch < kBatches; batch++) {
    const MmuConfig config{.mode = Mode::Soft, .flush = FlushPolicy::Eager, .max_spaces = 1, .max_page_ids = 1};
    const auto mmu = std::move(*GuestMmu<Guest>::create(config, ram.get(), listener, nullptr));
    mmu->activate(*cpu);
    auto start = Clock::now();
    for (uint32_t i = 0; i < kEntries; i++)
      if (mmu->fill(*cpu, typename Guest::Va{i} * stride << 12, AccessKind::Load).host == nullptr) return {};
    costs.fill = std::min(costs.fill, nanoseconds_since(start) / kEntries);
    start = Clock::now();
    mmu->flush(*cpu, {});
    costs.walk = std::min(costs.walk, nanoseconds_since(start) / kEntries);
    if (mmu->statistics().entries_kept != kEntries) return {};
  }
  return costs;
}

template <GuestArchitecture Guest>
bool WalkCosts<Guest>::measure(MmuCosts& costs) {
  constexpr double kRefillOverFill = 1.6;  // leaving translated code and returning to it included
  const Ram ram;
  if (ram.get().host == nullptr) return false;
  const auto near = measure(ram, kNear), apart = measure(ram, kApart);
  if (!near || !apart) return false;
  costs.walk = near->walk;
  costs.walk_apart = std::max(near->walk, apart->walk);
  const double refill = near->fill * kRefillOverFill;
  costs.fetch_refill *= refill / costs.soft_refill;
  costs.soft_refill = refill;
  return true;
}

}  // namespace crosswalk::mmu
