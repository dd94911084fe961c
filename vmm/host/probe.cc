// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/host/probe.h"

#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::vmm {
namespace {

using kvm::KvmWorld;

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

struct CostProbe {
  KvmWorld* world;
  kvm::HostFunctions::Number nothing;
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
    kvm::ring0::Invalidations one;
    one.add(kPage);
    probe.world->invalidate(one);
  });
  probe.flush_all_us = time([&] {
    kvm::ring0::Invalidations all;
    all.add_all();
    probe.world->invalidate(all);
  });
}

// `kvm_world` is null in the process world.
Result<mmu::MmuCosts> costs_of(const Provider& provider, engine::World& world, KvmWorld* kvm_world,
                               const GuestRam& ram) {
  auto backend = provider.make({kvm_world, ram, 1});
  if (!backend) return backend.take_error();
  mmu::MmuCosts costs;
  if (auto measured = measure_window_costs(world, **backend, ram, costs); !measured) return measured.take_error();
  return costs;
}

// What there is no window for in this world, and why.
void none_in(WorldKind world, HostFacts& facts, const std::string& reason) {
  for (WindowFacts& windows : facts.windows) {
    if (windows.provider->provider.world == world) windows.reason = reason;
  }
}

void measure_providers(WorldKind kind, engine::World& world, KvmWorld* kvm_world, const GuestRam& ram,
                       HostFacts& facts) {
  for (WindowFacts& windows : facts.windows) {
    if (windows.provider->provider.world != kind) continue;
    auto costs = costs_of(windows.provider->provider, world, kvm_world, ram);
    if (!costs) {
      windows.reason = costs.error();
      continue;
    }
    windows.fault_us = costs->window_fault / 1000;
    windows.flush_us = costs->window_flush / 1000;
  }
}

const char* name_of(kvm::SyscallEntry entry) {
  switch (entry) {
    case kvm::SyscallEntry::Unknown: return "unknown";
    case kvm::SyscallEntry::Exception: return "raises an exception";
    case kvm::SyscallEntry::LstarCpl0: return "enters LSTAR at CPL 0";
    case kvm::SyscallEntry::LstarCpl3: return "goes to LSTAR and stays at CPL 3";
  }
  return "unknown";
}

void probe_kvm(HostFacts& facts, const GuestRam& ram) {
  auto made = KvmWorld::create({});
  if (!made) {
    facts.kvm_reason = made.error();
    return none_in(WorldKind::Kvm, facts, facts.kvm_reason);
  }
  const std::unique_ptr<KvmWorld> world = std::move(*made);
  facts.kvm_usable = true;
  const kvm::Mechanisms& mechanisms = world->mechanisms();
  facts.software_mmu = mechanisms.software_mmu();
  facts.cpl0_instruction_ns = mechanisms.cpl0_instruction_ns;
  facts.direct_faults = mechanisms.direct_faults;
  facts.gate_flush = mechanisms.gate_flush;
  facts.fault_direct_us = mechanisms.fault_direct_us;
  facts.fault_exit_us = mechanisms.fault_exit_us;
  facts.flush_gate_us = mechanisms.flush_gate_us;
  facts.flush_exit_us = mechanisms.flush_exit_us;
  facts.syscall_entry = name_of(world->exits().syscall_entry());
  facts.exact_tsc = world->tsc_is_exact();
  kvm::HostFunctions& functions = world->host_functions();
  CostProbe costs{
      .world = world.get(),
      .nothing = functions.add([](void*, const kvm::HostFunctions::Arguments&) { return uint64_t{0}; }, nullptr)};
  world->execute(cost_probe_entry, &costs);
  functions.remove(costs.nothing);
  facts.exit_us = costs.exit_us;
  facts.syscall_us = costs.syscall_us;
  facts.flush_page_us = costs.flush_page_us;
  facts.flush_all_us = costs.flush_all_us;
  if (ram.host == nullptr) return none_in(WorldKind::Kvm, facts, "no memfd for the measurement");
  measure_providers(WorldKind::Kvm, *world, world.get(), ram, facts);
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

Result<bool> measure_window_costs(engine::World& world, mmu::WindowBackend& backend, const GuestRam& ram,
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
  costs.soft_lookup = measure_lookup_ns();
  return true;
}

HostFacts::HostFacts() {
  for (const ModeRow* row : providers()) windows.push_back({row, 0, 0, ""});
}

WindowFacts& HostFacts::windows_of(std::string_view provider) {
  return *std::find_if(windows.begin(), windows.end(),
                       [&](const WindowFacts& one) { return one.provider->name == provider; });
}

HostFacts probe_host() {
  HostFacts facts;
  const auto start = Clock::now();
  const ProbeRam ram;
  facts.soft_lookup_ns = measure_lookup_ns();
  mmu::MmuCosts walks;
  if (mmu::measure_walk_costs(walks)) facts.walk_ns = walks.walk, facts.soft_refill_ns = walks.soft_refill;
  probe_kvm(facts, ram.ram());
  if (auto world = make_process_world(); !world)
    none_in(WorldKind::Process, facts, world.error());
  else if (ram.ram().host == nullptr)
    none_in(WorldKind::Process, facts, "no memfd for the measurement");
  else
    measure_providers(WorldKind::Process, **world, nullptr, ram.ram(), facts);
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
  const auto number = [&](const std::string& key, const std::string& title, double value, const char* unit,
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
  for (const auto& [what, value] : {std::pair{"fault", &WindowFacts::fault_us}, {"flush", &WindowFacts::flush_us}}) {
    for (const WindowFacts& windows : facts.windows) {
      const std::string name = windows.provider->name;
      number(std::string("window_") + what + "_" + name + "_us", std::string("window ") + what + ", " + name,
             windows.*value, "us", windows.reason);
    }
  }
  flag("fsgsbase", "FSGSBASE", facts.fsgsbase);
  flag("huge_pages_anonymous", "huge pages, anonymous memory", facts.huge_pages_anonymous);
  flag("huge_pages_memfd", "huge pages, memfd", facts.huge_pages_memfd);
  number("max_map_count", "vm.max_map_count", facts.max_map_count, "");
  number("probe_ms", "measured in", facts.probe_ms, "ms");
  return rows;
}

HostFacts within(WorldKind world, HostFacts facts) {
  for (WindowFacts& windows : facts.windows) {
    if (windows.provider->provider.world != world) windows.fault_us = 0;
  }
  if (world == WorldKind::Process) facts.kvm_usable = false;
  return facts;
}

Choice pick_auto(const HostFacts& facts, bool ram_is_file) {
  const ModeRow &soft = *find_mode("soft"), &hybrid = *find_mode("hybrid");
  const bool kvm = facts.kvm_usable && facts.exact_tsc;
  const auto in_kvm = [](const WindowFacts& w) { return w.provider->provider.world == WorldKind::Kvm; };
  const auto rank = [&](const WindowFacts& w) { return w.fault_us + w.flush_us + (in_kvm(w) ? facts.exit_us : 0); };
  std::vector<WindowFacts> candidates = facts.windows;
  std::erase_if(candidates, [&](const WindowFacts& w) {
    return w.fault_us == 0 || (in_kvm(w) && !kvm) || (w.provider->provider.ram_is_file && !ram_is_file);
  });
  if (candidates.empty()) return {&soft, nullptr, "no kind of window works on this host"};

  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const WindowFacts& a, const WindowFacts& b) { return rank(a) < rank(b); });
  std::string costs;
  for (const WindowFacts& w : candidates)
    costs +=
        fmt::format("{}{} {:.1f} + {:.1f} us", costs.empty() ? "" : ", ", w.provider->name, w.fault_us, w.flush_us);
  costs = "an entry costs (fault + flush) " + costs;
  if (facts.kvm_usable && !kvm) costs += " (not in KVM, which has another time-stamp counter)";
  const WindowFacts& best = candidates.front();
  mmu::MmuCosts best_costs;
  best_costs.window_fault = best.fault_us * 1000;
  best_costs.window_flush = best.flush_us * 1000;
  best_costs.soft_refill = facts.soft_refill_ns;
  best_costs.soft_lookup = facts.soft_lookup_ns;
  const bool pays = best_costs.windows_pay_at_once();
  costs += fmt::format("; the lookups that it saves, {:.1f} us: {}", best_costs.entry_saves() / 1000,
                       pays ? "it pays in every address space" : "it pays where a space runs long and faults seldom");
  return {pays ? best.provider : &hybrid, best.provider, costs};
}

}  // namespace crosswalk::vmm
