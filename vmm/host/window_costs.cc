// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/host/window_costs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "mmu-shadow/walker/arm32.h"

namespace crosswalk::vmm {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

constexpr uint64_t kPage = 4096;
constexpr uint64_t kProbeFaults = 300, kBatch = 20;
constexpr uint64_t kProbeRam = ProbeRam::kMeasured;

// Loads from pages of a window that are not installed. The load's address is in rdi, for worlds
// that cannot tell it.
struct FaultProbe {
  mmu::Window* window;
  const GuestRam* ram;
  uint64_t faults = 0;
  double us = 1e9;
};

void fault_probe_entry(void* argument) {
  auto& probe = *static_cast<FaultProbe*>(argument);
  // What the host takes when a page of RAM is used for the first time is not the window's.
  for (uint64_t pa = 0; pa < kProbeRam; pa += kPage)
    asm volatile("movq (%0), %%rax" : : "r"(probe.ram->host + pa) : "rax", "memory");
  // The best of several batches: other programs may be running. The first also makes page-table
  // pages and runs code that has never run.
  for (uint64_t i = 0; i < kProbeFaults; i += kBatch) {
    const auto start = Clock::now();
    for (uint64_t j = i; j < i + kBatch; j++) {
      const uint64_t address = probe.window->base() + j * 3 * kPage;
      asm volatile("movq (%%rdi), %%rax" : : "D"(address) : "rax", "memory");
    }
    probe.us = std::min(probe.us, microseconds_since(start) / kBatch);
  }
}

bool fault_probe_handler(void* context, engine::FaultFrame& frame) {
  auto& probe = *static_cast<FaultProbe*>(context);
  const uint64_t offset = (frame.address_valid ? frame.address : frame.gpr[7]) - probe.window->base();
  if (offset >= mmu::kWindowSize) return false;
  probe.faults++;
  const uint64_t va = offset & ~(kPage - 1);
  return probe.window->install(static_cast<uint32_t>(va), probe.ram->base + va % kProbeRam, kPage, true);
}

Result<double> measure_fault_us(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram) {
  const auto window = backend.create_window();
  if (!window) return Error{"no window can be made"};
  FaultProbe probe{.window = window.get(), .ram = &ram};
  world.run(fault_probe_entry, &probe, fault_probe_handler, &probe);
  if (probe.faults != kProbeFaults)
    return Error{"expected " + std::to_string(kProbeFaults) + " faults, saw " + std::to_string(probe.faults)};
  return probe.us;
}

// Entries written and made invalid again, without faults.
struct EntryProbe {
  mmu::Window* window;
  const GuestRam* ram;
  double install_us = 1e9, flush_us = 1e9;
};

void entry_probe_entry(void* argument) {
  auto& probe = *static_cast<EntryProbe*>(argument);
  for (uint64_t i = 0; i < 100; i += kBatch) {
    const auto va = [&](uint64_t j) { return static_cast<uint32_t>(j * 3 * kPage); };
    auto start = Clock::now();
    for (uint64_t j = i; j < i + kBatch; j++)
      probe.window->install(va(j), probe.ram->base + va(j) % kProbeRam, kPage, true);
    probe.install_us = std::min(probe.install_us, microseconds_since(start) / kBatch);
    start = Clock::now();
    for (uint64_t j = i; j < i + kBatch; j++) {
      probe.window->remove(va(j), kPage);
      probe.window->commit();
    }
    probe.flush_us = std::min(probe.flush_us, microseconds_since(start) / kBatch);
  }
}

Result<bool> measure_installed_costs(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram,
                                     mmu::MmuCosts& costs) {
  auto fault_us = measure_fault_us(world, backend, ram);
  if (!fault_us) return fault_us.take_error();
  const auto before = Clock::now();
  const auto window = backend.create_window();
  costs.window_create = microseconds_since(before) * 1000;
  if (!window) return Error{"no window can be made"};
  EntryProbe probe{.window = window.get(), .ram = &ram};
  world.run(
      entry_probe_entry, &probe, [](void*, engine::FaultFrame&) { return false; }, nullptr);
  costs.window_fault = *fault_us * 1000;
  costs.window_install = probe.install_us * 1000;
  costs.window_flush = probe.flush_us * 1000;
  return true;
}

// Loads from pages of a window that its provider fills, by tables in which each VA below 40 MiB is
// mapped by a small page; then the same entries by its calls. One fault may install neighbours: no
// other page of theirs is touched.
struct FillProbe {
  mmu::FillingWindow* window;
  double fault_us = 1e9, install_us = 1e9, flush_us = 1e9, walk_us = 1e9;
};
constexpr uint64_t kFillStride = 64 << 10;

void fill_probe_entry(void* argument) {
  auto& probe = *static_cast<FillProbe*>(argument);
  mmu::FillingWindow& window = *probe.window;
  const auto va = [](uint64_t i) { return static_cast<uint32_t>(i * kFillStride); };
  for (uint64_t i = 0; i < kProbeFaults; i += kBatch) {
    const auto start = Clock::now();
    for (uint64_t j = i; j < i + kBatch; j++)
      asm volatile("movq (%%rdi), %%rax" : : "D"(window.base() + va(j)) : "rax", "memory");
    probe.fault_us = std::min(probe.fault_us, microseconds_since(start) / kBatch);
  }
  const mmu::WindowFlush everything{mmu::WindowFlush::All, 0};
  for (int batch = 0; batch < 4; batch++) {
    const uint32_t entries = window.installed(false);
    const auto start = Clock::now();
    window.flush({&everything, 1}, /*eager=*/true);
    probe.walk_us = std::min(probe.walk_us, microseconds_since(start) / entries);
  }
  window.flush({&everything, 1}, /*eager=*/false);
  for (uint64_t i = 0; i < 100; i += kBatch) {
    uint32_t vas[kBatch];
    for (uint64_t j = 0; j < kBatch; j++) vas[j] = va(i + j);
    auto start = Clock::now();
    window.fill(vas);
    probe.install_us = std::min(probe.install_us, microseconds_since(start) / kBatch);
    start = Clock::now();
    for (const uint32_t at : vas) {
      const mmu::WindowFlush page{mmu::WindowFlush::Page, at};
      window.flush({&page, 1}, /*eager=*/false);
    }
    probe.flush_us = std::min(probe.flush_us, microseconds_since(start) / kBatch);
  }
}

Result<bool> measure_filling_costs(engine::World& world, const Provider& provider, const WindowSite& site,
                                   mmu::MmuCosts& costs) {
  const ProbeRam own;
  const GuestRam& ram = own.ram();
  if (ram.host == nullptr) return Error{"no memfd for the measurement"};
  auto backend = provider.make({site.kvm_world, ram, 1});
  if (!backend) return backend.take_error();
  mmu::WindowFiller& filler = *(*backend)->filler();
  const auto cpu = std::make_unique<mmu::Arm32::Cpu>();
  mmu::Arm32::map_small_pages(*cpu, ram.host, ram.base, ram.size);
  const mmu::Arm32::Regime regime = mmu::Arm32::regime_of(*cpu);
  const auto before = Clock::now();
  const auto window = filler.create_filling_window();
  costs.window_create = microseconds_since(before) * 1000;
  if (!window) return Error{"no window can be made"};
  window->set_regime(std::as_bytes(std::span(&regime, 1)), mmu::Arm32::privileged(*cpu));
  FillProbe probe{.window = window.get()};
  world.run(
      fill_probe_entry, &probe, [](void*, engine::FaultFrame&) { return false; }, nullptr);
  if (const uint64_t faults = filler.counts().faults; faults != kProbeFaults)
    return Error{fmt::format("expected {} faults, saw {}", kProbeFaults, faults)};
  costs.window_fault = probe.fault_us * 1000;
  costs.window_install = probe.install_us * 1000;
  costs.window_flush = probe.flush_us * 1000;
  costs.walk = probe.walk_us * 1000;
  return true;
}

}  // namespace

ProbeRam::ProbeRam(uint64_t bytes) {
  ram_.fd = memfd_create("crosswalk-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (ram_.fd < 0 || ftruncate(ram_.fd, static_cast<off_t>(bytes)) != 0) return;
  fcntl(ram_.fd, F_ADD_SEALS, F_SEAL_SHRINK);
  void* host = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram_.fd, 0);
  if (host == MAP_FAILED) return;
  std::memset(host, 0, kMeasured);
  ram_.host = static_cast<uint8_t*>(host);
  ram_.size = bytes;
}

ProbeRam::~ProbeRam() {
  if (ram_.host != nullptr) munmap(ram_.host, ram_.size);
  if (ram_.fd >= 0) close(ram_.fd);
}

double measure_lookup_ns() {
  constexpr uint32_t kEntries = 64, kAccesses = 2000;
  mmu::SoftTlbEntry tlb[kEntries];
  static const uint64_t memory[8] = {};
  for (uint32_t i = 0; i < kEntries; i++)
    tlb[i] = {i * 4096, i * 4096, reinterpret_cast<uint64_t>(memory) - i * uint64_t{4096}};
  double best = 1e9;
  for (int batch = 0; batch < 12; batch++) {
    uint32_t misses = 0;
    const auto start = Clock::now();
    for (uint32_t i = 0; i < kAccesses; i++) {
      uint32_t va = (i % kEntries) << 12 | (i & 7) << 3;
      asm volatile("" : "+r"(va) : : "memory");
      const mmu::SoftTlbEntry& entry = tlb[va >> 12 & (kEntries - 1)];
      if (entry.tag_load != (va & ~0xfffu)) {
        misses++;
        continue;
      }
      asm volatile("" : : "r"(*reinterpret_cast<const uint64_t*>(entry.addend + va)));
    }
    const double us = microseconds_since(start);
    if (misses == 0) best = std::min(best, us * 1000 / kAccesses);
  }
  return best;
}

Result<std::unique_ptr<mmu::WindowBackend>> make_measured(engine::World& world, const Provider& provider,
                                                          const WindowSite& site, mmu::MmuCosts& costs) {
  costs.soft_lookup = measure_lookup_ns();
  auto backend = provider.make(site);
  if (!backend) return backend;
  if (!(*backend)->filler()) {
    if (auto measured = measure_installed_costs(world, **backend, site.ram, costs); !measured)
      return measured.take_error();
    return backend;
  }
  // Its RAM counts as locked memory: not at the same time.
  backend->reset();
  if (auto measured = measure_filling_costs(world, provider, site, costs); !measured) return measured.take_error();
  return provider.make(site);
}

}  // namespace crosswalk::vmm
