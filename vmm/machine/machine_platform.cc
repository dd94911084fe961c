// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/machine_platform.h"

#include <algorithm>
#include <utility>

#include "translator/base/trace.h"
#include "vmm/machine/board/memory_map.h"

namespace crosswalk::vmm {
namespace {
constexpr uint64_t kGicBytes = 2 * GicV2::kRegionBytes;
}

bool MachinePlatform::mmio_read(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t& value) {
  const uint64_t start = trace::begin(cpu.trace);
  VcpuCounters& counters = m_.vcpus.of(cpu).counters();
  const std::lock_guard lock(m_.device_lock);
  ++counters.mmio_reads;
  // What the CPU reads of the GIC must not depend on how soon the timer thread runs.
  if (pa - kGicDistributorBase < kGicBytes && m_.counter.read() >= m_.timers.deadline(cpu.cpu_index)) {
    m_.timers.update(cpu.cpu_index);
  }
  const bool answered = m_.board.bus().read(cpu.cpu_index, pa, bytes, value);
  counters.mmio_unassigned += !answered;
  trace::end(cpu.trace, trace::Kind::DeviceRead, start, pa, value, bytes, !answered);
  return answered;
}

bool MachinePlatform::mmio_write(CpuState& cpu, uint64_t pa, unsigned bytes, uint64_t value) {
  const uint64_t start = trace::begin(cpu.trace);
  VcpuCounters& counters = m_.vcpus.of(cpu).counters();
  bool answered;
  MemoryChanges changes;
  {
    const std::lock_guard lock(m_.device_lock);
    ++counters.mmio_writes;
    answered = m_.board.bus().write(cpu.cpu_index, pa, bytes, value);
    counters.mmio_unassigned += !answered;
    if (m_.board.memory_changes().any) changes = std::exchange(m_.board.memory_changes(), {});
  }
  if (changes.any) report(cpu, changes);
  for (const ConsoleOutput* console : m_.consoles)
    if (console && !console->has_room()) m_.vcpus.of(cpu).raise(kLineWork);
  trace::end(cpu.trace, trace::Kind::DeviceWrite, start, pa, value, bytes, !answered);
  return answered;
}

void MachinePlatform::report(CpuState& cpu, const MemoryChanges& changes) {
  if (!engine_) return;
  if (changes.flash_hidden) engine_->flash_hidden(cpu);
  for (const MemoryChanges::Range& range : changes.written)
    if (range.bytes != 0) engine_->external_write(cpu, range.pa, range.bytes);
}

// Other CPUs do not wait for one that waits for output: it is parked meanwhile.
void MachinePlatform::run_queued_work(CpuState& cpu) {
  m_.rendezvous.serve(cpu);
  if (m_.stops)
    m_.stops->serve(cpu);
  else
    m_.holds.serve(cpu);
  for (const ConsoleOutput* console : m_.consoles)
    if (console) console->wait_for_room();
}

bool MachinePlatform::firmware_call(CpuState& cpu) {
  ++m_.vcpus.of(cpu).counters().firmware_calls;
  return psci_call(*this, cpu);
}

bool MachinePlatform::semihosting(CpuState& cpu) {
  if (!m_.semihosting.enabled()) return false;
  m_.semihosting.call(cpu);
  return true;
}

void MachinePlatform::wait_for_interrupt(CpuState& cpu) {
  Vcpu& vcpu = m_.vcpus.of(cpu);
  if (vcpu.lines() != 0) return;
  const uint64_t traced = trace::begin(cpu.trace);
  const uint64_t start = m_.counter.read();
  uint64_t deadline;
  {
    const std::lock_guard lock(m_.device_lock);
    m_.timers.update(cpu.cpu_index);
    deadline = m_.timers.deadline(cpu.cpu_index);
  }
  const uint64_t polls_until = std::min(deadline, start + vcpu.polling().nanoseconds() / kNanosecondsPerTick);
  uint64_t end = start;
  while (vcpu.lines() == 0 && end < polls_until) {
    __builtin_ia32_pause();
    end = m_.counter.read();
  }
  if (vcpu.lines() == 0 && end < deadline) {
    const bool forever = deadline - start > kCounterFrequency * 3600;
    vcpu.sleep_while(0, Sleep::WaitForInterrupt,
                     forever ? -1 : static_cast<int64_t>((deadline - end) * kNanosecondsPerTick));
    end = m_.counter.read();
  }
  vcpu.polling().waited((end - start) * kNanosecondsPerTick);
  ++vcpu.counters().waits;
  vcpu.counters().wait_ticks += end - start;
  if (end >= deadline) {
    const std::lock_guard lock(m_.device_lock);
    m_.timers.update(cpu.cpu_index);
  }
  trace::end(cpu.trace, trace::Kind::Wait, traced, cpu.r[15]);
}

}  // namespace crosswalk::vmm
