// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm/pmu.h"

#include <algorithm>
#include <iterator>

#include "translator/arm/cpu_model.h"

namespace crosswalk::arm {
namespace {

enum PmcrBit : uint32_t { kPmcrE = 1, kPmcrP = 2, kPmcrC = 4, kPmcrD = 8, kPmcrX = 16, kPmcrDp = 32 };
constexpr uint32_t kPmcrWritable = kPmcrE | kPmcrD | kPmcrX | kPmcrDp;
constexpr uint32_t kCycleCounterBit = 1u << 31;
constexpr uint32_t kSelectCycleCounter = 31;
constexpr uint32_t kEventSwIncr = 0x00, kEventCpuCycles = 0x11, kEventMask = 0xff;
constexpr uint32_t kEvtyperWritable = 0xf80000ff, kCcfiltrWritable = 0xf8000000;
constexpr uint64_t kCyclesPerTick = 16;  // 1 GHz over CNTFRQ
constexpr uint64_t kDivider = 64;        // PMCR.D

uint32_t counters(const CpuState& cpu) { return std::min<uint32_t>(cpu.cp15.pmcr >> 11 & 31, 6); }
uint32_t counter_bits(const CpuState& cpu) { return kCycleCounterBit | ((1u << counters(cpu)) - 1); }

void advance(uint32_t& counter, uint64_t by, uint32_t bit, uint32_t& overflow) {
  const uint64_t sum = counter + by;
  if (sum >> 32) overflow |= bit;
  counter = static_cast<uint32_t>(sum);
}

// Brings the counters up to now. Called before anything here reads or changes what they depend on.
void synchronize(SystemContext& c) {
  CpuState& cpu = c.cpu;
  const uint64_t now = c.platform.counter();
  const uint64_t cycles = (now - cpu.performance.synchronized) * kCyclesPerTick;
  cpu.performance.synchronized = now;
  if (!(cpu.cp15.pmcr & kPmcrE)) return;
  const uint32_t enabled = cpu.cp15.pmcntenset;
  if (enabled & kCycleCounterBit) {
    uint64_t by = cycles;
    if (cpu.cp15.pmcr & kPmcrD) {
      by += cpu.performance.cycle_residue;
      cpu.performance.cycle_residue = static_cast<uint32_t>(by % kDivider);
      by /= kDivider;
    }
    advance(cpu.cp15.pmccntr, by, kCycleCounterBit, cpu.cp15.pmovsr);
  }
  for (uint32_t n = 0; n < counters(cpu); ++n) {
    if ((enabled >> n & 1) && (cpu.performance.evtyper[n] & kEventMask) == kEventCpuCycles) {
      advance(cpu.performance.evcntr[n], cycles, 1u << n, cpu.cp15.pmovsr);
    }
  }
}

uint32_t give(uint64_t& value, uint64_t result) {
  value = result;
  return kEffectNone;
}

}  // namespace

uint32_t read_pmcr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, c.cpu.cp15.pmcr); }

uint32_t write_pmcr(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  CpuState& cpu = c.cpu;
  if (value & kPmcrC) cpu.cp15.pmccntr = cpu.performance.cycle_residue = 0;
  if (value & kPmcrP) std::fill(std::begin(cpu.performance.evcntr), std::end(cpu.performance.evcntr), 0);
  cpu.cp15.pmcr = (cpu.cp15.pmcr & ~kPmcrWritable) | (static_cast<uint32_t>(value) & kPmcrWritable);
  return kEffectNone;
}

uint32_t read_pmcnten(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.cp15.pmcntenset);
}
uint32_t write_pmcntenset(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  c.cpu.cp15.pmcntenset |= static_cast<uint32_t>(value) & counter_bits(c.cpu);
  return kEffectNone;
}
uint32_t write_pmcntenclr(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  c.cpu.cp15.pmcntenset &= ~static_cast<uint32_t>(value);
  return kEffectNone;
}

uint32_t read_pmovsr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c);
  return give(value, c.cpu.cp15.pmovsr);
}
uint32_t write_pmovsr(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  c.cpu.cp15.pmovsr &= ~static_cast<uint32_t>(value);
  return kEffectNone;
}
uint32_t write_pmovsset(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  c.cpu.cp15.pmovsr |= static_cast<uint32_t>(value) & counter_bits(c.cpu);
  return kEffectNone;
}

uint32_t write_pmswinc(SystemContext& c, const SystemRegister&, uint64_t value) {
  CpuState& cpu = c.cpu;
  if (!(cpu.cp15.pmcr & kPmcrE)) return kEffectNone;
  for (uint32_t n = 0; n < counters(cpu); ++n) {
    if ((value >> n & 1) && (cpu.cp15.pmcntenset >> n & 1) &&
        (cpu.performance.evtyper[n] & kEventMask) == kEventSwIncr) {
      advance(cpu.performance.evcntr[n], 1, 1u << n, cpu.cp15.pmovsr);
    }
  }
  return kEffectNone;
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

uint32_t read_pmccntr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c);
  return give(value, c.cpu.cp15.pmccntr);
}
uint32_t write_pmccntr(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  c.cpu.cp15.pmccntr = static_cast<uint32_t>(value);
  return kEffectNone;
}

// PMSELR.SEL beyond the implemented counters is UNPREDICTABLE for the two below: RAZ/WI.
uint32_t read_pmxevtyper(SystemContext& c, const SystemRegister&, uint64_t& value) {
  const uint32_t n = c.cpu.cp15.pmselr;
  if (n == kSelectCycleCounter) return give(value, c.cpu.performance.ccfiltr);
  return give(value, n < counters(c.cpu) ? c.cpu.performance.evtyper[n] : 0);
}
uint32_t write_pmxevtyper(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  const uint32_t n = c.cpu.cp15.pmselr, v = static_cast<uint32_t>(value);
  if (n == kSelectCycleCounter) {
    c.cpu.performance.ccfiltr = v & kCcfiltrWritable;
  } else if (n < counters(c.cpu)) {
    c.cpu.performance.evtyper[n] = v & kEvtyperWritable;
  }
  return kEffectNone;
}
uint32_t read_pmxevcntr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  synchronize(c);
  const uint32_t n = c.cpu.cp15.pmselr;
  return give(value, n < counters(c.cpu) ? c.cpu.performance.evcntr[n] : 0);
}
uint32_t write_pmxevcntr(SystemContext& c, const SystemRegister&, uint64_t value) {
  synchronize(c);
  const uint32_t n = c.cpu.cp15.pmselr;
  if (n < counters(c.cpu)) c.cpu.performance.evcntr[n] = static_cast<uint32_t>(value);
  return kEffectNone;
}

uint32_t read_pminten(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.cpu.cp15.pmintenset);
}
uint32_t write_pmintenset(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.cp15.pmintenset |= static_cast<uint32_t>(value) & counter_bits(c.cpu);
  return kEffectNone;
}
uint32_t write_pmintenclr(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.cp15.pmintenset &= ~static_cast<uint32_t>(value);
  return kEffectNone;
}

}  // namespace crosswalk::arm
