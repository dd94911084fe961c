// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/gicv2_cpu_interface.h"

#include <algorithm>
#include <bit>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

// GICC_CTLR, 4.4.1 (the view without the Security Extensions).
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
constexpr uint32_t kSpurious = GicDistributor::kSpurious;

}  // namespace

unsigned GicCpuInterface::running_priority() const {
  for (unsigned i = 0; i < state_.active_priorities.size(); ++i) {
    const uint32_t word = state_.active_priorities[i] | state_.nonsecure_active_priorities[i];
    if (word) return (i * 32 + static_cast<unsigned>(std::countr_zero(word))) << 1;
  }
  return kIdlePriority;
}

// 3.3.3: the binary point selects which priority bits decide preemption. Group 1 uses GICC_ABPR
// unless CBPR.
uint32_t GicCpuInterface::group_priority_mask(bool group1) const {
  const bool alias = group1 && !(state_.control & kCbpr);
  const unsigned point = alias ? state_.alias_binary_point - 1u : state_.binary_point;
  return ~0u << (point + 1);
}

bool GicCpuInterface::preempts(const Forwarded& candidate) const {
  if (candidate.interrupt == kSpurious || candidate.priority >= state_.priority_mask) return false;
  const unsigned running = running_priority();
  return running == kIdlePriority || (candidate.priority & group_priority_mask(candidate.group1)) < running;
}

void GicCpuInterface::update() {
  uint32_t lines = 0;
  const Forwarded candidate = forwarded();
  if (preempts(candidate)) lines = !candidate.group1 && (state_.control & kFiqEn) ? kLineFiq : kLineIrq;
  const uint32_t changed = lines ^ lines_;
  lines_ = lines;
  if (changed & kLineIrq) outputs_.set_cpu_line(cpu_, kLineIrq, lines & kLineIrq);
  if (changed & kLineFiq) outputs_.set_cpu_line(cpu_, kLineFiq, lines & kLineFiq);
}

// GICC_HPPIR and GICC_AHPPIR (4.4.5, 4.4.11). `alias` selects the Group 1 view.
uint32_t GicCpuInterface::highest_pending(const Forwarded& candidate, bool alias) const {
  if (candidate.interrupt == kSpurious) return kSpurious;
  if (alias && !candidate.group1) return kSpurious;
  if (!alias && candidate.group1 && !(state_.control & kAckCtl)) return kGroup1Pending;
  return distributor_.id_of(cpu_, candidate.interrupt);
}

uint32_t GicCpuInterface::acknowledge(bool alias) {
  const Forwarded candidate = forwarded();
  const uint32_t id = preempts(candidate) ? highest_pending(candidate, alias) : kSpurious;
  if (id == kSpurious || id == kGroup1Pending) {
    ++counters_.spurious;
    return id;
  }
  ++counters_.acknowledged;
  const unsigned level = (candidate.priority & group_priority_mask(candidate.group1) & 0xff) >> 1;
  active_priorities(candidate.group1)[level / 32] |= 1u << level % 32;
  distributor_.activate(cpu_, id);
  return id;
}

// GICC_EOIR and GICC_AEOIR (4.4.5): drops the running priority, and deactivates unless EOImode
// separates the two.
void GicCpuInterface::end_of_interrupt(unsigned interrupt, bool alias) {
  if (interrupt >= GicDistributor::kInterrupts || running_priority() == kIdlePriority) return;
  const bool group1 = distributor_.is_group1(cpu_, interrupt);
  // A Group 1 interrupt ends through EOIR only with AckCtl, a Group 0 one never through the alias:
  // both unpredictable otherwise, and ignored here.
  if (alias != group1 && !(group1 && (state_.control & kAckCtl))) return;
  for (uint32_t& word : active_priorities(group1)) {
    if (word) {
      word &= word - 1;
      break;
    }
  }
  if (!(state_.control & kEoiMode)) distributor_.deactivate(cpu_, interrupt);
}

uint32_t GicCpuInterface::read(uint32_t offset) {
  switch (offset) {
    case 0x00: return state_.control;
    case 0x04: return state_.priority_mask;
    case 0x08: return state_.binary_point;
    case 0x0c: return acknowledge(false);
    case 0x14: return running_priority();
    case 0x18: return highest_pending(forwarded(), false);
    case 0x1c: return state_.alias_binary_point;
    case 0x20: return acknowledge(true);
    case 0x28: return highest_pending(forwarded(), true);
    case 0xd0:
    case 0xd4:
    case 0xd8:
    case 0xdc: return state_.active_priorities[(offset - 0xd0) / 4];
    case 0xe0:
    case 0xe4:
    case 0xe8:
    case 0xec: return state_.nonsecure_active_priorities[(offset - 0xe0) / 4];
    case 0xfc: return 0x0002043b;  // GICC_IIDR: architecture version 2, implementer Arm
    default: return 0;
  }
}

void GicCpuInterface::write(uint32_t offset, uint32_t value) {
  switch (offset) {
    case 0x00: state_.control = value & kControlMask; break;
    case 0x04: state_.priority_mask = static_cast<uint8_t>(value); break;
    case 0x08: state_.binary_point = value & 7; break;
    case 0x10: end_of_interrupt(value & 0x3ff, false); break;
    case 0x1c: state_.alias_binary_point = static_cast<uint8_t>(std::max(value & 7, 1u)); break;
    case 0x24: end_of_interrupt(value & 0x3ff, true); break;
    case 0xd0:
    case 0xd4:
    case 0xd8:
    case 0xdc: state_.active_priorities[(offset - 0xd0) / 4] = value; break;
    case 0xe0:
    case 0xe4:
    case 0xe8:
    case 0xec: state_.nonsecure_active_priorities[(offset - 0xe0) / 4] = value; break;
    case 0x1000:  // GICC_DIR: only meaningful with EOImode (4.4.15)
      if (state_.control & kEoiMode) distributor_.deactivate(cpu_, value & 0x3ff);
      break;
    default: break;
  }
}

}  // namespace crosswalk::vmm
