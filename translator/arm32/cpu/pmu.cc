// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/pmu.h"

#include <algorithm>
#include <iterator>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::arm {
namespace {

enum PmcrBit : uint32_t { kPmcrE = 1, kPmcrP = 2, kPmcrC = 4, kPmcrD = 8, kPmcrX = 16, kPmcrDp = 32 };
constexpr uint32_t kPmcrWritable = kPmcrE | kPmcrD | kPmcrX | kPmcrDp;
constexpr uint32_t kCycleCounterBit = 1u << 31;
constexpr uint32_t kSelectCycleCounter = 31;
constexpr uint32_t kEventSwIncr = 0x00, kEventCpuCycles = 0x11, kEventMask = 0xff;
constexpr uint32_t kEvtyperWritable = 0xf80000ff, kCcfiltrWritable = 0xf8000000;
constexpr uint64_t kNanosecondsPerTick = 16;  // of Platform::counter(); a cycle is 1 ns
constexpr uint64_t kDivider = 64;             // PMCR.D
enum FilterBit : uint32_t { kFilterP = 1u << 31, kFilterU = 1u << 30, kFilterNsk = 1u << 29, kFilterNsu = 1u << 28 };

uint32_t counters(const GuestCpu& cpu) { return std::min<uint32_t>(cpu.cp15.pmcr >> 11 & 31, 6); }
uint32_t counter_bits(const GuestCpu& cpu) { return kCycleCounterBit | ((1u << counters(cpu)) - 1); }

// Whether a counter with this filter counts at a privilege level. NSK and NSU are reserved without
// the Security Extensions; they invert P and U, as on a Cortex-A15 in Non-secure state and in QEMU.
bool counts(uint32_t filter, bool user) {
  return user ? !(filter & kFilterU) == !(filter & kFilterNsu) : !(filter & kFilterP) == !(filter & kFilterNsk);
}

// The counters of cycles that PMCR.E and PMCNTENSET let run: calls what(counter, filter, bit,
// divided).
template <class What>
void for_each_cycle_counter(GuestCpu& cpu, What what) {
  if (!(cpu.cp15.pmcr & kPmcrE)) return;
  const uint32_t enabled = cpu.cp15.pmcntenset;
  PerformanceMonitors& p = cpu.performance;
  if (enabled & kCycleCounterBit) what(cpu.cp15.pmccntr, p.ccfiltr, kCycleCounterBit, (cpu.cp15.pmcr & kPmcrD) != 0);
  for (uint32_t n = 0; n < counters(cpu); ++n) {
    if ((enabled >> n & 1) && (p.evtyper[n] & kEventMask) == kEventCpuCycles)
      what(p.evcntr[n], p.evtyper[n], 1u << n, false);
  }
}

void advance(uint32_t& counter, uint64_t by, uint32_t bit, uint32_t& overflow) {
  const uint64_t sum = counter + by;
  if (sum >> 32) overflow |= bit;
  counter = static_cast<uint32_t>(sum);
}

// Brings the counters up to now, by `at_least` so many cycles. Called before anything here reads or
// changes what they depend on, and publish() after it.
void synchronize(SystemContext& c, uint64_t at_least = 0) {
  CpuState& cpu = c.cpu;
  PerformanceMonitors& p = cpu.performance;
  const uint64_t now = std::max(c.platform.nanoseconds(), p.synchronized);
  const uint64_t cycles = std::max(now - p.synchronized, at_least);
  p.synchronized = now;
  for_each_cycle_counter(cpu, [&](uint32_t& counter, uint32_t filter, uint32_t bit, bool divided) {
    if (!counts(filter, p.user)) return;
    uint64_t by = cycles;
    if (divided) {
      by += p.cycle_residue;
      p.cycle_residue = static_cast<uint32_t>(by % kDivider);
      by /= kDivider;
    }
    advance(counter, by, bit, cpu.cp15.pmovsr);
  });
  p.user = in_user_mode(cpu);
}

// Platform::counter() at which the next counter overflows whose interrupt is enabled; 0: none does
// by the passing of time.
uint64_t next_overflow(GuestCpu& cpu) {
  const PerformanceMonitors& p = cpu.performance;
  uint64_t cycles = ~uint64_t{0};
  for_each_cycle_counter(cpu, [&](uint32_t counter, uint32_t filter, uint32_t bit, bool divided) {
    if (!(cpu.cp15.pmintenset & bit) || !counts(filter, p.user)) return;
    const uint64_t left = (uint64_t{1} << 32) - counter;
    cycles = std::min(cycles, divided ? left * kDivider - p.cycle_residue : left);
  });
  if (cycles == ~uint64_t{0}) return 0;
  return (p.synchronized + cycles + kNanosecondsPerTick - 1) / kNanosecondsPerTick;
}

// Derives what the rest of the machine looks at: whether it must report changes of privilege, and
// the overflow interrupt, now and to come.
void publish(SystemContext& c) {
  CpuState& cpu = c.cpu;
  PerformanceMonitors& p = cpu.performance;
  p.filtered = 0;
  for_each_cycle_counter(cpu, [&](uint32_t, uint32_t filter, uint32_t, bool) {
    p.filtered |= counts(filter, false) != counts(filter, true);
  });
  const bool level = (cpu.cp15.pmcr & kPmcrE) && (cpu.cp15.pmovsr & cpu.cp15.pmintenset);
  const uint64_t at = level ? 0 : next_overflow(cpu);
  if (level == (p.interrupt != 0) && at == p.interrupt_at) return;
  p.interrupt = level;
  p.interrupt_at = at;
  c.platform.timers_changed(cpu);
}

// A write: `change` sees the registers as they are by now, and what follows from it is published.
template <class Change>
uint32_t write(SystemContext& c, Change change) {
  synchronize(c);
  change(c.cpu);
  publish(c);
  return kEffectNone;
}

uint32_t give(uint64_t& value, uint64_t result) {
  value = result;
  return kEffectNone;
}

}  // namespace

void performance_privilege_changed(SystemContext& c) {
  synchronize(c);
  publish(c);
}

uint32_t read_pmcr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, c.cpu.cp15.pmcr); }

uint32_t write_pmcr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) {
    if (value & kPmcrC) cpu.cp15.pmccntr = cpu.performance.cycle_residue = 0;
    if (value & kPmcrP) std::fill(std::begin(cpu.performance.evcntr), std::end(cpu.performance.evcntr), 0);
    cpu.cp15.pmcr = (cpu.cp15.pmcr & ~kPmcrWritable) | (static_cast<uint32_t>(value) & kPmcrWritable);
  });
}

uint32_t read_pmcnten(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.cp15.pmcntenset);
}
uint32_t write_pmcntenset(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmcntenset |= static_cast<uint32_t>(value) & counter_bits(cpu); });
}
uint32_t write_pmcntenclr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmcntenset &= ~static_cast<uint32_t>(value); });
}

uint32_t read_pmovsr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c);
  publish(c);
  return give(value, c.cpu.cp15.pmovsr);
}
uint32_t write_pmovsr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmovsr &= ~static_cast<uint32_t>(value); });
}
uint32_t write_pmovsset(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmovsr |= static_cast<uint32_t>(value) & counter_bits(cpu); });
}

uint32_t write_pmswinc(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) {
    if (!(cpu.cp15.pmcr & kPmcrE)) return;
    PerformanceMonitors& p = cpu.performance;
    for (uint32_t n = 0; n < counters(cpu); ++n) {
      if ((value >> n & 1) && (cpu.cp15.pmcntenset >> n & 1) && (p.evtyper[n] & kEventMask) == kEventSwIncr &&
          counts(p.evtyper[n], in_user_mode(cpu))) {
        advance(p.evcntr[n], 1, 1u << n, cpu.cp15.pmovsr);
      }
    }
  });
}

uint32_t read_pmselr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.cp15.pmselr);
}
uint32_t write_pmselr(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.cp15.pmselr = static_cast<uint32_t>(value) & 31;
  return kEffectNone;
}

uint32_t read_pmceid(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, id_registers(c.cpu).pmceid[row.opc2 & 1]);
}

// A read takes a cycle, however coarse the host's clock is: two in a row differ.
uint32_t read_pmccntr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c, 1);
  publish(c);
  return give(value, c.cpu.cp15.pmccntr);
}
uint32_t write_pmccntr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmccntr = static_cast<uint32_t>(value); });
}

// PMSELR.SEL beyond the implemented counters is UNPREDICTABLE for the two below: RAZ/WI.
uint32_t read_pmxevtyper(SystemContext& c, const SystemRegister&, uint64_t& value) {
  const uint32_t n = c.cpu.cp15.pmselr;
  if (n == kSelectCycleCounter) return give(value, c.cpu.performance.ccfiltr);
  return give(value, n < counters(c.cpu) ? c.cpu.performance.evtyper[n] : 0);
}
uint32_t write_pmxevtyper(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) {
    const uint32_t n = cpu.cp15.pmselr, v = static_cast<uint32_t>(value);
    if (n == kSelectCycleCounter) {
      cpu.performance.ccfiltr = v & kCcfiltrWritable;
    } else if (n < counters(cpu)) {
      cpu.performance.evtyper[n] = v & kEvtyperWritable;
    }
  });
}
uint32_t read_pmxevcntr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c, 1);
  publish(c);
  const uint32_t n = c.cpu.cp15.pmselr;
  return give(value, n < counters(c.cpu) ? c.cpu.performance.evcntr[n] : 0);
}
uint32_t write_pmxevcntr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) {
    const uint32_t n = cpu.cp15.pmselr;
    if (n < counters(cpu)) cpu.performance.evcntr[n] = static_cast<uint32_t>(value);
  });
}

uint32_t read_pminten(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.cp15.pmintenset);
}
uint32_t write_pmintenset(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmintenset |= static_cast<uint32_t>(value) & counter_bits(cpu); });
}
uint32_t write_pmintenclr(SystemContext& c, const SystemRegister&, uint64_t value) {
  return write(c, [value](CpuState& cpu) { cpu.cp15.pmintenset &= ~static_cast<uint32_t>(value); });
}

}  // namespace crosswalk::arm
