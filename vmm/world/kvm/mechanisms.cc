// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/mechanisms.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace crosswalk::kvm {
namespace {

using ring0::kPageBytes;

void use(const MechanismSite& site, bool direct, bool gate) {
  site.cpu.frame().deliver_faults(direct);
  site.flush.use_gate(gate);
}

// Executes a test inside the VM, with its pages as a window.
template <class Test>
Result<bool> run(const MechanismSite& site, Test& test) {
  site.memory.add_window_range(test.pages, VcpuFrame::kTestPages * kPageBytes);
  const auto failure =
      site.loop.run([](void* t) { static_cast<Test*>(t)->execute(); }, &test,
                    [](void* t, engine::FaultFrame& f) { return static_cast<Test*>(t)->fault(f); }, &test);
  site.memory.remove_window_range(test.pages);
  if (failure) return Error{failure->what};
  return true;
}

// Touches a page four times, dropping the translation in between in each way.
struct SelfTest {
  const MechanismSite& site;
  const uint64_t pages;
  int faults = 0;
  bool single_ok = false, all_ok = false;

  void execute() {
    auto* word = reinterpret_cast<volatile uint32_t*>(pages);
    *word = 1;
    *word = 2;
    drop(false);
    *word = 3;
    single_ok = faults == 2;
    drop(true);
    *word = 4;
    all_ok = faults == 3;
    drop(true);
    getpid();  // notices how SYSCALL comes out
  }
  void drop(bool all) {
    ring0::Invalidations changed;
    site.memory.tables().unmap(pages, kPageBytes, changed);
    if (all) changed.add_all();
    site.flush.carry_out(changed);
  }
  bool fault(const engine::FaultFrame& frame) {
    if (!site.cpu.inside() || frame.address != pages || !frame.write) return false;
    faults++;
    ring0::Invalidations changed;
    return site.memory.tables().map(pages, site.memory.gpa_of(pages), kPageBytes, {}, changed);
  }
};

Result<bool> self_test(const MechanismSite& site, bool direct, bool gate, uint64_t xsave_mask) {
  site.cpu.frame().install_stubs(xsave_mask);
  use(site, direct, gate);
  SelfTest test{.site = site, .pages = site.cpu.frame().test_pages()};
  if (auto done = run(site, test); !done) return done;
  if (!test.single_ok || !test.all_ok) return Error{"a dropped page-table entry stays in use"};
  return true;
}

// Finds a pair that works, the cheaper one on nested paging first.
Result<bool> find_working(const MechanismSite& site, const KvmOptions& options, Mechanisms& found) {
  using Delivery = KvmOptions::FaultDelivery;
  using Flush = KvmOptions::Flush;
  const uint64_t mask = host_xsave_mask();
  std::string reasons;
  for (const uint64_t xsave_mask : {mask, uint64_t{0}}) {
    for (const bool direct : {true, false}) {
      for (const bool gate : {true, false}) {
        if (options.fault_delivery == (direct ? Delivery::Exit : Delivery::Direct)) continue;
        if (options.flush == (gate ? Flush::Exit : Flush::Gate)) continue;
        auto tested = self_test(site, direct, gate, xsave_mask);
        if (tested) {
          found.direct_faults = direct, found.gate_flush = gate;
          return true;
        }
        reasons += std::string(reasons.empty() ? "" : "; ") + (direct ? "direct faults" : "faults by exits") +
                   (gate ? ", INT3 gate: " : ", flush by exits: ") + tested.error();
      }
    }
    if (mask == 0) break;
  }
  return Error{"the self-test fails (" + reasons + ")"};
}

// Faults on the test pages and flushes of one page, with the mechanisms as they are set.
struct CostTest {
  const MechanismSite& site;
  const uint64_t pages;
  // TSC ticks for all pages, the best of several batches: other programs may be running. Clocks are
  // of no use yet: the VM's TSC may be far from the host's.
  uint64_t fault_ticks = ~uint64_t{0}, flush_ticks = ~uint64_t{0};

  void execute() {
    const auto time = [](auto operation) {
      const uint64_t start = __builtin_ia32_rdtsc();
      for (uint64_t i = 0; i < VcpuFrame::kTestPages; i++) operation(i * kPageBytes);
      return __builtin_ia32_rdtsc() - start;
    };
    constexpr int kBatches = 4;
    for (int batch = 0; batch < kBatches; batch++) {
      const uint64_t faults = time([&](uint64_t offset) { *reinterpret_cast<volatile uint32_t*>(pages + offset) = 1; });
      const uint64_t flushes = time([&](uint64_t offset) {
        ring0::Invalidations changed;
        site.memory.tables().unmap(pages + offset, kPageBytes, changed);
        site.flush.carry_out(changed);
      });
      // The first makes page-table pages and touches what has never been touched.
      if (batch == 0) continue;
      fault_ticks = std::min(fault_ticks, faults);
      flush_ticks = std::min(flush_ticks, flushes);
    }
  }
  bool fault(const engine::FaultFrame& frame) {
    const uint64_t page = frame.address & ~(kPageBytes - 1);
    if (page - pages >= VcpuFrame::kTestPages * kPageBytes) return false;
    ring0::Invalidations changed;
    return site.memory.tables().map(page, site.memory.gpa_of(page), kPageBytes, {}, changed);
  }
};

Result<bool> measure(const MechanismSite& site, bool direct, bool gate, Mechanisms& costs) {
  use(site, direct, gate);
  CostTest test{.site = site, .pages = site.cpu.frame().test_pages()};
  const auto start = std::chrono::steady_clock::now();
  const uint64_t start_ticks = __builtin_ia32_rdtsc();
  if (auto done = run(site, test); !done) return done;
  const uint64_t ticks = __builtin_ia32_rdtsc() - start_ticks;
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
  const auto each_us = [&](uint64_t t) {
    return static_cast<double>(t) * elapsed.count() / static_cast<double>(ticks * VcpuFrame::kTestPages);
  };
  (direct ? costs.fault_direct_us : costs.fault_exit_us) = each_us(test.fault_ticks);
  (gate ? costs.flush_gate_us : costs.flush_exit_us) = each_us(test.flush_ticks);
  return true;
}

// Precondition: find_working() found a pair. An exit works wherever that does, so that what remains
// is to compare it: a gate or an upcall may cost more than an exit where code at CPL 0 is emulated.
Result<bool> take_cheaper(const MechanismSite& site, const KvmOptions& options, Mechanisms& found) {
  const bool direct = found.direct_faults, gate = found.gate_flush;
  const bool compare_faults = direct && options.fault_delivery == KvmOptions::FaultDelivery::Auto;
  const bool compare_flushes = gate && options.flush == KvmOptions::Flush::Auto;
  if (compare_faults || compare_flushes) {
    if (auto done = measure(site, direct && !compare_faults, gate && !compare_flushes, found); !done) return done;
  }
  if (auto done = measure(site, direct, gate, found); !done) return done;
  found.direct_faults = direct && (!compare_faults || found.fault_direct_us < found.fault_exit_us);
  found.gate_flush = gate && (!compare_flushes || found.flush_gate_us < found.flush_exit_us);
  use(site, found.direct_faults, found.gate_flush);
  return true;
}

// The best of several runs, in nanoseconds: a native loop is so short that one preemption makes it
// look emulated.
Result<double> time_loop(EngineVcpu& cpu, uint64_t iterations) {
  double best = 1e9;
  for (int repeat = 0; repeat < 5; repeat++) {
    if (auto prepared = cpu.prepare_timing_loop(iterations); !prepared) return prepared.take_error();
    const auto start = std::chrono::steady_clock::now();
    Exit exit;
    do {
      exit = cpu.run();
    } while (exit.kind == ExitKind::Interrupted);
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    if (exit.kind != ExitKind::Port || exit.port != ring0::kPortLoopDone)
      return Error{"timing loop at CPL 0: " + describe(exit)};
    best = std::min(best, time.count());
  }
  return best;
}

Result<double> measure_cpl0_instruction(EngineVcpu& cpu) {
  constexpr uint64_t kShort = 20, kLong = 520;
  auto of_long = time_loop(cpu, kLong);
  if (!of_long) return of_long;
  auto of_short = time_loop(cpu, kShort);
  if (!of_short) return of_short;
  return std::max(0.0, *of_long - *of_short) / (2.0 * (kLong - kShort));
}

}  // namespace

Result<Mechanisms> choose_mechanisms(const MechanismSite& site, const KvmOptions& options) {
  Mechanisms found;
  if (auto works = find_working(site, options, found); !works) return works.take_error();
  if (auto taken = take_cheaper(site, options, found); !taken) return taken.take_error();
  auto instruction = measure_cpl0_instruction(site.cpu);
  if (!instruction) return instruction.take_error();
  found.cpl0_instruction_ns = *instruction;
  return found;
}

}  // namespace crosswalk::kvm
