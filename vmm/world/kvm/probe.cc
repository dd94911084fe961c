// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/probe.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>

#include "vmm/world/kvm/ept_backend.h"
#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/kvm/shadow_backend.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::kvm {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

constexpr uint64_t kPage = 4096;
constexpr uint64_t kProbeFaults = 300, kBatch = 20;
constexpr uint64_t kProbeRam = 4 << 20;

// An access as translated code makes it through a software TLB that has the page.
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

// A small guest RAM.
class ProbeRam {
 public:
  ProbeRam() {
    ram_.fd = memfd_create("crosswalk-probe", MFD_CLOEXEC);
    if (ram_.fd < 0 || ftruncate(ram_.fd, kProbeRam) != 0) return;
    void* host = mmap(nullptr, kProbeRam, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ram_.fd, 0);
    if (host == MAP_FAILED) return;
    ram_.host = static_cast<uint8_t*>(host);
    ram_.size = kProbeRam;
  }
  ~ProbeRam() {
    if (ram_.host != nullptr) munmap(ram_.host, kProbeRam);
    if (ram_.fd >= 0) close(ram_.fd);
  }
  ProbeRam(const ProbeRam&) = delete;
  ProbeRam& operator=(const ProbeRam&) = delete;
  const GuestRam& ram() const { return ram_; }

 private:
  GuestRam ram_;
};

// Loads from pages of a window that are not installed. The load's address is in rdi, for worlds that cannot tell it.
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
  // The best of several batches: other programs may be running. The first also makes page-table pages and runs code
  // that has never run.
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

double measure_fault_us(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram, std::string& reason) {
  const auto window = backend.create_window();
  if (!window) {
    reason = "no window can be made";
    return 0;
  }
  FaultProbe probe{.window = window.get(), .ram = &ram};
  world.run(fault_probe_entry, &probe, fault_probe_handler, &probe);
  if (probe.faults != kProbeFaults) {
    reason = "expected " + std::to_string(kProbeFaults) + " faults, saw " + std::to_string(probe.faults);
    return 0;
  }
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

struct CostProbe {
  KvmWorld* world;
  KvmWorld::HostFunctionNumber nothing;
  double exit_us = 0, syscall_us = 0, flush_page_us = 0, flush_all_us = 0;
};

void cost_probe_entry(void* argument) {
  auto& probe = *static_cast<CostProbe*>(argument);
  const auto time = [](auto operation) {
    double best = 1e9;
    for (int batch = 0; batch < 12; batch++) {
      const auto start = Clock::now();
      for (int i = 0; i < 10; i++) operation();
      best = std::min(best, microseconds_since(start) / 10);
    }
    return best;
  };
  probe.exit_us = time([&] { probe.world->host_call(probe.nothing); });
  probe.syscall_us = time([] { getppid(); });
  probe.flush_page_us = time([&] {
    ring0::Invalidations one;
    one.add(kPage);
    probe.world->invalidate(one);
  });
  probe.flush_all_us = time([&] {
    ring0::Invalidations all;
    all.add_all();
    probe.world->invalidate(all);
  });
}

void measure_entry(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram, double& fault_us,
                   double& flush_us, std::string& reason) {
  mmu::MmuCosts costs;
  if (!measure_window_costs(world, backend, ram, costs, reason)) return;
  fault_us = costs.window_fault / 1000;
  flush_us = costs.window_flush / 1000;
}

const char* name_of(KvmWorld::SyscallEntry entry) {
  switch (entry) {
    case KvmWorld::SyscallEntry::Unknown: return "unknown";
    case KvmWorld::SyscallEntry::Exception: return "raises an exception";
    case KvmWorld::SyscallEntry::LstarCpl0: return "enters LSTAR at CPL 0";
    case KvmWorld::SyscallEntry::LstarCpl3: return "goes to LSTAR and stays at CPL 3";
  }
  return "unknown";
}

void probe_kvm(HostFacts& facts, const GuestRam& ram) {
  facts.kvm_reason = why_kvm_is_unusable();
  std::string error;
  std::unique_ptr<KvmWorld> world;
  if (facts.kvm_reason.empty()) world = KvmWorld::create({}, facts.kvm_reason);
  if (world == nullptr) {
    facts.shadow_reason = facts.ept_reason = facts.kvm_reason;
    return;
  }
  facts.kvm_usable = true;
  facts.software_mmu = world->software_mmu();
  facts.cpl0_instruction_ns = world->cpl0_instruction_ns();
  facts.direct_faults = world->direct_faults();
  facts.gate_flush = world->gate_flush();
  const MechanismCosts& mechanisms = world->mechanism_costs();
  facts.fault_direct_us = mechanisms.fault_direct_us;
  facts.fault_exit_us = mechanisms.fault_exit_us;
  facts.flush_gate_us = mechanisms.flush_gate_us;
  facts.flush_exit_us = mechanisms.flush_exit_us;
  facts.syscall_entry = name_of(world->syscall_entry());
  facts.exact_tsc = world->tsc_is_exact();
  CostProbe costs{
      .world = world.get(),
      .nothing = world->add_host_function([](void*, const KvmWorld::HostArguments&) { return uint64_t{0}; }, nullptr)};
  world->execute(cost_probe_entry, &costs);
  world->remove_host_function(costs.nothing);
  facts.exit_us = costs.exit_us;
  facts.syscall_us = costs.syscall_us;
  facts.flush_page_us = costs.flush_page_us;
  facts.flush_all_us = costs.flush_all_us;
  if (ram.host == nullptr) {
    facts.shadow_reason = facts.ept_reason = "no memfd for the measurement";
    return;
  }
  if (const auto shadow = make_shadow_backend(*world, ram, 1, facts.shadow_reason))
    measure_entry(*world, *shadow, ram, facts.window_fault_shadow_us, facts.window_flush_shadow_us,
                  facts.shadow_reason);
  const auto ept = make_ept_backend(*world, mmu::make_mmap_backend(ram));
  measure_entry(*world, *ept, ram, facts.window_fault_ept_us, facts.window_flush_ept_us, facts.ept_reason);
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "always [madvise] never" -> madvise
std::string chosen(const std::string& line) {
  const size_t begin = line.find('['), end = line.find(']');
  return begin == std::string::npos || end == std::string::npos ? "" : line.substr(begin + 1, end - begin - 1);
}

}  // namespace

bool measure_window_costs(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram, mmu::MmuCosts& costs,
                          std::string& reason) {
  const double fault_us = measure_fault_us(world, backend, ram, reason);
  if (fault_us == 0) return false;
  const auto before = Clock::now();
  const auto window = backend.create_window();
  costs.window_create = microseconds_since(before) * 1000;
  if (!window) {
    reason = "no window can be made";
    return false;
  }
  EntryProbe probe{.window = window.get(), .ram = &ram};
  world.run(
      entry_probe_entry, &probe, [](void*, engine::FaultFrame&) { return false; }, nullptr);
  costs.window_fault = fault_us * 1000;
  costs.window_install = probe.install_us * 1000;
  costs.window_flush = probe.flush_us * 1000;
  costs.soft_lookup = measure_lookup_ns();
  return true;
}

HostFacts probe_host() {
  HostFacts facts;
  const auto start = Clock::now();
  const ProbeRam ram;
  facts.soft_lookup_ns = measure_lookup_ns();
  mmu::MmuCosts walks;
  if (mmu::measure_walk_costs(walks)) facts.walk_ns = walks.walk, facts.soft_refill_ns = walks.soft_refill;
  try {
    probe_kvm(facts, ram.ram());
  } catch (const std::exception& error) {
    facts.kvm_usable = false;
    facts.kvm_reason = facts.shadow_reason = facts.ept_reason = error.what();
  }
  try {
    if (ram.ram().host == nullptr) {
      facts.mmap_reason = std::string("memfd_create: ") + std::strerror(errno);
    } else {
      const auto world = vmm::make_process_world();
      const auto backend = mmu::make_mmap_backend(ram.ram());
      measure_entry(*world, *backend, ram.ram(), facts.window_fault_mmap_us, facts.window_flush_mmap_us,
                    facts.mmap_reason);
    }
  } catch (const std::exception& error) {
    facts.mmap_reason = error.what();
  }
  constexpr unsigned long kHwcap2Fsgsbase = 1 << 1;
  facts.fsgsbase = (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
  const std::string anonymous = chosen(first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
  const std::string shmem = chosen(first_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
  facts.huge_pages_anonymous = anonymous == "always" || anonymous == "madvise";
  facts.huge_pages_memfd = shmem == "always" || shmem == "advise" || shmem == "within_size" || shmem == "force";
  facts.max_map_count =
      static_cast<uint32_t>(std::strtoul(first_line("/proc/sys/vm/max_map_count").c_str(), nullptr, 10));
  facts.probe_ms = microseconds_since(start) / 1000;
  return facts;
}

std::vector<Fact> list_facts(const HostFacts& facts) {
  std::vector<Fact> rows;
  const auto flag = [&](const char* key, const char* title, bool value) {
    rows.push_back({key, title, value ? "yes" : "no", value});
  };
  const auto text = [&](const char* key, const char* title, const std::string& value) {
    rows.push_back({key, title, value, value});
  };
  const auto number = [&](const char* key, const char* title, double value, const char* unit,
                          const std::string& otherwise = "") {
    char formatted[64];
    std::snprintf(formatted, sizeof formatted, value < 10 ? "%.2f%s%s" : "%.0f%s%s", value, *unit ? " " : "", unit);
    rows.push_back({key, title, otherwise.empty() ? formatted : "no: " + otherwise, value});
  };
  rows.push_back(
      {"kvm_usable", "KVM", facts.kvm_usable ? "usable" : "not usable: " + facts.kvm_reason, facts.kvm_usable});
  if (facts.kvm_usable) {
    text("kvm_mmu", "KVM's MMU",
         facts.software_mmu ? "software (no nested paging: CPL 0 is emulated)" : "nested paging (EPT/NPT)");
    number("cpl0_instruction_ns", "instruction at CPL 0", facts.cpl0_instruction_ns, "ns");
    number("exit_us", "exit and resume", facts.exit_us, "us");
    number("syscall_us", "system call inside the VM", facts.syscall_us, "us");
    number("flush_page_us", "flush of one page", facts.flush_page_us, "us");
    number("flush_all_us", "flush of everything", facts.flush_all_us, "us");
    flag("direct_faults", "faults without an exit", facts.direct_faults);
    number("fault_direct_us", "  fault without an exit", facts.fault_direct_us, "us",
           facts.direct_faults ? "" : "it does not work on this host");
    number("fault_exit_us", "  fault by an exit", facts.fault_exit_us, "us");
    flag("gate_flush", "flushes without an exit", facts.gate_flush);
    number("flush_gate_us", "  flush of one page, INVLPG by a gate", facts.flush_gate_us, "us",
           facts.gate_flush ? "" : "it does not work on this host");
    number("flush_exit_us", "  flush of one page by an exit", facts.flush_exit_us, "us");
    text("syscall_entry", "SYSCALL inside the VM", facts.syscall_entry);
    flag("exact_tsc", "RDTSC the same inside", facts.exact_tsc);
  }
  number("soft_lookup_ns", "lookup in a software TLB", facts.soft_lookup_ns, "ns");
  number("soft_refill_ns", "refill of a software TLB", facts.soft_refill_ns, "ns");
  number("walk_ns", "walk for one entry of many", facts.walk_ns, "ns");
  number("window_fault_mmap_us", "window fault, mmap", facts.window_fault_mmap_us, "us", facts.mmap_reason);
  number("window_fault_shadow_us", "window fault, shadow", facts.window_fault_shadow_us, "us", facts.shadow_reason);
  number("window_fault_ept_us", "window fault, ept", facts.window_fault_ept_us, "us", facts.ept_reason);
  number("window_flush_mmap_us", "window flush, mmap", facts.window_flush_mmap_us, "us", facts.mmap_reason);
  number("window_flush_shadow_us", "window flush, shadow", facts.window_flush_shadow_us, "us", facts.shadow_reason);
  number("window_flush_ept_us", "window flush, ept", facts.window_flush_ept_us, "us", facts.ept_reason);
  flag("fsgsbase", "FSGSBASE", facts.fsgsbase);
  flag("huge_pages_anonymous", "huge pages, anonymous memory", facts.huge_pages_anonymous);
  flag("huge_pages_memfd", "huge pages, memfd", facts.huge_pages_memfd);
  number("max_map_count", "vm.max_map_count", facts.max_map_count, "");
  number("probe_ms", "measured in", facts.probe_ms, "ms");
  return rows;
}

HostFacts within_kvm(HostFacts facts) {
  facts.window_fault_mmap_us = 0;
  return facts;
}

HostFacts within_process(HostFacts facts) {
  facts.kvm_usable = false;
  return facts;
}

Choice pick_auto(const HostFacts& facts, bool ram_has_fd) {
  struct Candidate {
    mmu::Mode mode;
    const char* name;
    double fault_us, flush_us, outside_us;
    double rank() const { return fault_us + flush_us + outside_us; }
  };
  const bool kvm = facts.kvm_usable && facts.exact_tsc;
  std::vector<Candidate> candidates;
  if (kvm && facts.window_fault_shadow_us > 0)
    candidates.push_back(
        {mmu::Mode::Shadow, "shadow", facts.window_fault_shadow_us, facts.window_flush_shadow_us, facts.exit_us});
  if (ram_has_fd && facts.window_fault_mmap_us > 0)
    candidates.push_back({mmu::Mode::Mmap, "mmap", facts.window_fault_mmap_us, facts.window_flush_mmap_us, 0});
  if (ram_has_fd && kvm && facts.window_fault_ept_us > 0)
    candidates.push_back({mmu::Mode::Ept, "ept", facts.window_fault_ept_us, facts.window_flush_ept_us, facts.exit_us});
  if (candidates.empty()) return {mmu::Mode::Soft, false, "no kind of window works on this host"};

  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.rank() < b.rank(); });
  std::string costs;
  for (const Candidate& c : candidates) {
    char text[96];
    std::snprintf(text, sizeof text, "%s%s %.1f + %.1f us", costs.empty() ? "" : ", ", c.name, c.fault_us, c.flush_us);
    costs += text;
  }
  costs = "an entry costs (fault + flush) " + costs;
  if (facts.kvm_usable && !kvm) costs += " (not in KVM, which has another time-stamp counter)";
  const auto hybrid =
      std::find_if(candidates.begin(), candidates.end(), [](const Candidate& c) { return c.mode != mmu::Mode::Ept; });
  const bool in_kvm = hybrid != candidates.end() && hybrid->mode == mmu::Mode::Shadow;
  const Candidate& best = candidates.front();
  mmu::MmuCosts best_costs;
  best_costs.window_fault = best.fault_us * 1000;
  best_costs.window_flush = best.flush_us * 1000;
  best_costs.soft_refill = facts.soft_refill_ns;
  best_costs.soft_lookup = facts.soft_lookup_ns;
  const bool pays = best_costs.windows_pay_at_once();
  char text[128];
  std::snprintf(text, sizeof text, "; the lookups that it saves, %.1f us: %s", best_costs.entry_saves() / 1000,
                pays ? "it pays in every address space" : "it pays where a space runs long and faults seldom");
  costs += text;
  if (pays) return {best.mode, in_kvm, costs};
  if (hybrid == candidates.end()) return {mmu::Mode::Soft, false, costs};
  return {mmu::Mode::Hybrid, in_kvm, costs};
}

}  // namespace crosswalk::kvm
