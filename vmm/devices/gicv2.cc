// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/gicv2.h"

#include <algorithm>
#include <bit>

#include "translator/arm32/cpu/cpu_state.h"
#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

// GICC_CTLR, IHI 0048B 4.4.1 (the view without the Security Extensions).
enum : uint32_t {
  kEnableGrp0 = 1u << 0,
  kEnableGrp1 = 1u << 1,
  kAckCtl = 1u << 2,
  kFiqEn = 1u << 3,
  kCbpr = 1u << 4,
  kEoiMode = 1u << 9,
  kControlMask = kEnableGrp0 | kEnableGrp1 | kAckCtl | kFiqEn | kCbpr | kEoiMode,
};

constexpr unsigned kIdlePriority = 0xff;
constexpr uint32_t kGroup1Pending = 1022;

}  // namespace

GicV2::GicV2(unsigned cpus, CpuInterruptOutputs& outputs) : cpu_count_(cpus), outputs_(outputs) { reset(); }

void GicV2::reset() {
  state_.distributor_control = 0;
  state_.shared = Shared{};
  state_.priority.fill(0);
  state_.targets.fill(0);
  for (unsigned i = 0; i < cpu_count_; ++i) {
    const uint32_t lines = state_.cpus[i].lines;
    state_.cpus[i] = CpuInterface{};
    state_.cpus[i].lines = lines;
    // SGIs are always enabled (GICD_ISENABLER0, implementation defined)
    state_.cpus[i].enabled = 0xffff;
  }
  update();
}

void GicV2::restore(const State& state) {
  std::array<uint32_t, kMaxCpus> lines{};
  for (unsigned i = 0; i < cpu_count_; ++i) lines[i] = state_.cpus[i].lines;
  state_ = state;
  // what the outputs are now
  for (unsigned i = 0; i < cpu_count_; ++i) state_.cpus[i].lines = lines[i];
  update();
}

// Pending as the distributor sees it: the latch, or the input of a level-sensitive interrupt.
uint32_t GicV2::pending_word(unsigned cpu, unsigned word) const {
  if (word) return state_.shared.pending[word] | (state_.shared.level[word] & ~state_.shared.edge[word]);
  const CpuInterface& c = state_.cpus[cpu];
  return c.pending | (c.level & ~c.edge);
}

uint8_t GicV2::priority_of(unsigned cpu, unsigned interrupt) const {
  return interrupt < kPrivate ? state_.cpus[cpu].priority[interrupt] : state_.priority[interrupt];
}

void GicV2::set_active(unsigned cpu, unsigned interrupt, bool active) {
  uint32_t& word = interrupt < kPrivate ? state_.cpus[cpu].active : state_.shared.active[interrupt / 32];
  const uint32_t bit = 1u << interrupt % 32;
  word = active ? word | bit : word & ~bit;
}

void GicV2::clear_pending(unsigned cpu, unsigned interrupt) {
  uint32_t& word = interrupt < kPrivate ? state_.cpus[cpu].pending : state_.shared.pending[interrupt / 32];
  word &= ~(1u << interrupt % 32);
}

void GicV2::set_interrupt(unsigned interrupt, bool level) {
  if (interrupt < kPrivate || interrupt >= kInterrupts) return;
  const unsigned word = interrupt / 32;
  const uint32_t bit = 1u << interrupt % 32;
  if (((state_.shared.level[word] & bit) != 0) == level) return;
  state_.shared.level[word] ^= bit;
  if (level && (state_.shared.edge[word] & bit)) state_.shared.pending[word] |= bit;
  update();
}

void GicV2::set_private_interrupt(unsigned cpu, unsigned interrupt, bool level) {
  if (cpu >= cpu_count_ || interrupt < 16 || interrupt >= kPrivate) return;
  CpuInterface& c = state_.cpus[cpu];
  const uint32_t bit = 1u << interrupt;
  if (((c.level & bit) != 0) == level) return;
  c.level ^= bit;
  if (level && (c.edge & bit)) c.pending |= bit;
  update_cpu(cpu);
}

GicV2::Candidate GicV2::best(unsigned cpu) const {
  Candidate found;
  const uint32_t control = state_.distributor_control & state_.cpus[cpu].control;
  for (unsigned word = 0; word < kWords; ++word) {
    // An active interrupt is not signalled again before it is deactivated (IHI 0048B 3.2.4).
    uint32_t ready = pending_word(cpu, word) & enabled_word(cpu, word) & ~active_word(cpu, word);
    if (!(control & kEnableGrp0)) ready &= group_word(cpu, word);
    if (!(control & kEnableGrp1)) ready &= ~group_word(cpu, word);
    for (; ready; ready &= ready - 1) {
      const unsigned interrupt = word * 32 + static_cast<unsigned>(std::countr_zero(ready));
      // On a uniprocessor every SPI targets the one CPU (4.3.12).
      if (word && cpu_count_ > 1 && !(state_.targets[interrupt] >> cpu & 1)) continue;
      const unsigned priority = priority_of(cpu, interrupt);
      if (priority < found.priority) found = {interrupt, priority};
    }
  }
  return found;
}

unsigned GicV2::running_priority(unsigned cpu) const {
  const CpuInterface& c = state_.cpus[cpu];
  for (unsigned i = 0; i < kApr; ++i) {
    const uint32_t word = c.active_priorities[i] | c.nonsecure_active_priorities[i];
    if (word) return (i * 32 + static_cast<unsigned>(std::countr_zero(word))) << 1;
  }
  return kIdlePriority;
}

// IHI 0048B 3.3.3: the binary point selects which priority bits decide preemption. Group 1 uses
// GICC_ABPR unless CBPR.
uint32_t GicV2::group_priority_mask(unsigned cpu, bool group1) const {
  const CpuInterface& c = state_.cpus[cpu];
  const bool alias = group1 && !(c.control & kCbpr);
  const unsigned point = alias ? c.alias_binary_point - 1u : c.binary_point;
  return ~0u << (point + 1);
}

bool GicV2::preempts(unsigned cpu, const Candidate& candidate) const {
  if (candidate.interrupt == kSpurious || candidate.priority >= state_.cpus[cpu].priority_mask) return false;
  const unsigned running = running_priority(cpu);
  if (running == kIdlePriority) return true;
  return (candidate.priority & group_priority_mask(cpu, is_group1(cpu, candidate.interrupt))) < running;
}

void GicV2::update_cpu(unsigned cpu) {
  CpuInterface& c = state_.cpus[cpu];
  uint32_t lines = 0;
  const Candidate candidate = best(cpu);
  if (preempts(cpu, candidate)) {
    lines = !is_group1(cpu, candidate.interrupt) && (c.control & kFiqEn) ? kLineFiq : kLineIrq;
  }
  const uint32_t changed = lines ^ c.lines;
  c.lines = lines;
  if (changed & kLineIrq) outputs_.set_cpu_line(cpu, kLineIrq, lines & kLineIrq);
  if (changed & kLineFiq) outputs_.set_cpu_line(cpu, kLineFiq, lines & kLineFiq);
}

void GicV2::update() {
  for (unsigned cpu = 0; cpu < cpu_count_; ++cpu) update_cpu(cpu);
}

// GICC_HPPIR and GICC_AHPPIR (4.4.5, 4.4.11). `alias` selects the Group 1 view.
uint32_t GicV2::highest_pending(unsigned cpu, bool alias) const {
  const Candidate candidate = best(cpu);
  if (candidate.interrupt == kSpurious) return kSpurious;
  const bool group1 = is_group1(cpu, candidate.interrupt);
  if (alias && !group1) return kSpurious;
  if (!alias && group1 && !(state_.cpus[cpu].control & kAckCtl)) return kGroup1Pending;
  uint32_t value = candidate.interrupt;
  if (candidate.interrupt < 16) {
    value |= static_cast<uint32_t>(std::countr_zero(state_.cpus[cpu].sgi_sources[candidate.interrupt])) << 10;
  }
  return value;
}

uint32_t GicV2::acknowledge(unsigned cpu, bool alias) {
  CpuInterface& c = state_.cpus[cpu];
  const Candidate candidate = best(cpu);
  const uint32_t value = preempts(cpu, candidate) ? highest_pending(cpu, alias) : kSpurious;
  if (value == kSpurious || value == kGroup1Pending) {
    ++spurious_;
    return value;
  }
  ++acknowledged_;
  const unsigned interrupt = candidate.interrupt;
  const bool group1 = is_group1(cpu, interrupt);
  const unsigned level = (candidate.priority & group_priority_mask(cpu, group1) & 0xff) >> 1;
  auto& active = group1 ? c.nonsecure_active_priorities : c.active_priorities;
  active[level / 32] |= 1u << level % 32;
  if (interrupt < 16) {
    const uint8_t source = value >> 10 & 7;
    c.sgi_sources[interrupt] &= static_cast<uint8_t>(~(1u << source));
    c.sgi_active_source[interrupt] = source;
    if (!c.sgi_sources[interrupt]) clear_pending(cpu, interrupt);
  } else {
    clear_pending(cpu, interrupt);
  }
  set_active(cpu, interrupt, true);
  update();
  return value;
}

void GicV2::deactivate(unsigned cpu, uint32_t value) {
  const unsigned interrupt = value & 0x3ff;
  if (interrupt < kInterrupts) set_active(cpu, interrupt, false);
}

// GICC_EOIR and GICC_AEOIR (4.4.5): drops the running priority, and deactivates unless EOImode
// separates the two.
void GicV2::end_of_interrupt(unsigned cpu, uint32_t value, bool alias) {
  CpuInterface& c = state_.cpus[cpu];
  const unsigned interrupt = value & 0x3ff;
  if (interrupt >= kInterrupts || running_priority(cpu) == kIdlePriority) return;
  const bool group1 = is_group1(cpu, interrupt);
  // A Group 1 interrupt ends through EOIR only with AckCtl, a Group 0 one never through the alias:
  // both unpredictable otherwise, and ignored here.
  if (alias != group1 && !(group1 && (c.control & kAckCtl))) return;
  auto& active = group1 ? c.nonsecure_active_priorities : c.active_priorities;
  for (uint32_t& word : active) {
    if (word) {
      word &= word - 1;
      break;
    }
  }
  if (!(c.control & kEoiMode)) deactivate(cpu, value);
  update();
}

void GicV2::write_sgir(unsigned cpu, uint32_t value) {
  const unsigned interrupt = value & 15;
  const uint32_t everyone = (1u << cpu_count_) - 1;
  uint32_t targets = 0;
  switch (value >> 24 & 3) {
    case 0: targets = value >> 16 & 0xff & everyone; break;
    case 1: targets = everyone & ~(1u << cpu); break;
    case 2: targets = 1u << cpu; break;
    case 3: return;  // reserved
  }
  for (; targets; targets &= targets - 1) {
    const unsigned target = static_cast<unsigned>(std::countr_zero(targets));
    state_.cpus[target].sgi_sources[interrupt] |= static_cast<uint8_t>(1u << cpu);
    state_.cpus[target].pending |= 1u << interrupt;
  }
  update();
}

uint32_t GicV2::interface_read(unsigned cpu, uint32_t offset) {
  const CpuInterface& c = state_.cpus[cpu];
  switch (offset) {
    case 0x00: return c.control;
    case 0x04: return c.priority_mask;
    case 0x08: return c.binary_point;
    case 0x0c: return acknowledge(cpu, false);
    case 0x14: return running_priority(cpu);
    case 0x18: return highest_pending(cpu, false);
    case 0x1c: return c.alias_binary_point;
    case 0x20: return acknowledge(cpu, true);
    case 0x28: return highest_pending(cpu, true);
    case 0xd0:
    case 0xd4:
    case 0xd8:
    case 0xdc: return c.active_priorities[(offset - 0xd0) / 4];
    case 0xe0:
    case 0xe4:
    case 0xe8:
    case 0xec: return c.nonsecure_active_priorities[(offset - 0xe0) / 4];
    case 0xfc: return 0x0002043b;  // GICC_IIDR: architecture version 2, implementer Arm
    default: return 0;
  }
}

void GicV2::interface_write(unsigned cpu, uint32_t offset, uint32_t value) {
  CpuInterface& c = state_.cpus[cpu];
  switch (offset) {
    case 0x00: c.control = value & kControlMask; break;
    case 0x04: c.priority_mask = static_cast<uint8_t>(value); break;
    case 0x08: c.binary_point = value & 7; break;
    case 0x10: end_of_interrupt(cpu, value, false); return;
    case 0x1c: c.alias_binary_point = static_cast<uint8_t>(std::max(value & 7, 1u)); break;
    case 0x24: end_of_interrupt(cpu, value, true); return;
    case 0xd0:
    case 0xd4:
    case 0xd8:
    case 0xdc: c.active_priorities[(offset - 0xd0) / 4] = value; break;
    case 0xe0:
    case 0xe4:
    case 0xe8:
    case 0xec: c.nonsecure_active_priorities[(offset - 0xe0) / 4] = value; break;
    case 0x1000:  // GICC_DIR: only meaningful with EOImode (4.4.15)
      if (c.control & kEoiMode) deactivate(cpu, value);
      break;
    default: return;
  }
  update_cpu(cpu);
}

uint32_t GicV2::Interface::read(unsigned cpu, uint64_t offset, unsigned bytes) {
  // The registers are words; a narrower read of one without side effects sees the part it names.
  const uint32_t word = static_cast<uint32_t>(offset) & ~3u;
  if (bytes == 4 || offset % 4 == 0) return gic_.interface_read(cpu, word);
  if (word == 0x0c || word == 0x20) return 0;
  return gic_.interface_read(cpu, word) >> offset % 4 * 8;
}

void GicV2::Interface::write(unsigned cpu, uint64_t offset, unsigned, uint32_t value) {
  if (offset % 4 == 0) gic_.interface_write(cpu, static_cast<uint32_t>(offset), value);
}

void GicV2::add_statistics(StatisticsTable& table) const {
  table.add("gic", "interrupts acknowledged", acknowledged_);
  table.add("gic", "spurious acknowledges", spurious_);
}

}  // namespace crosswalk::vmm
