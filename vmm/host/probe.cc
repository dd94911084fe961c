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
#include <utility>

#include "vmm/host/window_costs.h"
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
  const WindowSite site{kvm_world, ram, 1};
  mmu::MmuCosts costs;
  if (auto backend = make_measured(world, provider, site, costs); !backend) return backend.take_error();
  return costs;
}

// What there is no window for in this world, and why.
void none_in(WorldKind world, HostFacts& facts, const std::string& reason) {
  for (WindowFacts& windows : facts.windows) {
    if (windows.world == world) windows.reason = reason;
  }
}

void measure_providers(WorldKind kind, engine::World& world, KvmWorld* kvm_world, const GuestRam& ram,
                       HostFacts& facts) {
  for (WindowFacts& windows : facts.windows) {
    if (windows.world != kind) continue;
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

HostFacts::HostFacts() {
  for (const ModeRow* row : providers()) {
    windows.push_back({row, row->provider.world, 0, 0, ""});
    if (row->provider.in_both_worlds) windows.push_back({row, WorldKind::Kvm, 0, 0, ""});
  }
}

const WindowFacts& HostFacts::windows_of(std::string_view provider) const {
  return *std::find_if(windows.begin(), windows.end(),
                       [&](const WindowFacts& one) { return one.provider->name == provider; });
}

WindowFacts& HostFacts::windows_of(std::string_view provider) {
  return const_cast<WindowFacts&>(std::as_const(*this).windows_of(provider));
}

HostFacts probe_host(uint64_t ram_bytes) {
  HostFacts facts;
  const auto start = Clock::now();
  const ProbeRam ram(ram_bytes);
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
      const bool second = windows.world != windows.provider->provider.world;
      number(std::string("window_") + what + "_" + name + (second ? "_kvm_us" : "_us"),
             std::string("window ") + what + ", " + name + (second ? " in KVM" : ""), windows.*value, "us",
             windows.reason);
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
    if (windows.world != world) windows.fault_us = 0;
  }
  if (world == WorldKind::Process) facts.kvm_usable = false;
  return facts;
}

Choice pick_auto(const HostFacts& facts, bool ram_is_file) {
  const ModeRow &soft = *find_mode("soft"), &hybrid = *find_mode("hybrid");
  const bool kvm = facts.kvm_usable && facts.exact_tsc;
  const auto in_kvm = [](const WindowFacts& w) { return w.world == WorldKind::Kvm; };
  const auto rank = [&](const WindowFacts& w) { return w.fault_us + w.flush_us + (in_kvm(w) ? facts.exit_us : 0); };
  std::vector<WindowFacts> candidates = facts.windows;
  std::erase_if(candidates, [&](const WindowFacts& w) {
    // A VM around it only adds to what it costs in a process.
    const bool second = w.world != w.provider->provider.world;
    return w.fault_us == 0 || (second && facts.windows_of(w.provider->name).fault_us != 0) || (in_kvm(w) && !kvm) ||
           (w.provider->provider.ram_is_file && !ram_is_file);
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
