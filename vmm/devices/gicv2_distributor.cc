// SPDX-License-Identifier: GPL-2.0-or-later
// The distributor's register file (ARM IHI 0048B, 4.3).
#include "vmm/devices/gicv2.h"

namespace crosswalk::vmm {
namespace {

// GICD_PIDR4-7, PIDR0-3, CIDR0-3 of an Arm GICv2 (4.3.18).
constexpr uint8_t kIdentification[12] = {0x04, 0x00, 0x00, 0x00, 0x90, 0xb4, 0x2b, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

constexpr bool within(uint32_t offset, uint32_t first, uint32_t bytes) {
  return offset >= first && offset - first < bytes;
}

}  // namespace

uint8_t GicV2::distributor_read_byte(unsigned cpu, uint32_t offset) const {
  const CpuInterface& c = state_.cpus[cpu];
  const unsigned shift = offset % 4 * 8;
  // index within a register bank of one bit per interrupt
  const unsigned word = (offset & 0x7f) / 4;
  const auto byte = [shift](uint32_t value) { return static_cast<uint8_t>(value >> shift); };
  if (offset < 0x04) return byte(state_.distributor_control);
  if (offset < 0x08) return byte((cpu_count_ - 1) << 5 | (kWords - 1));  // GICD_TYPER
  if (offset < 0x0c) return byte(0x0000043b);                            // GICD_IIDR
  if (within(offset, 0x080, 0x280)) {
    if (word >= kWords) return 0;
    switch (offset & 0xf80) {
      case 0x080: return byte(group_word(cpu, word));
      case 0x100:
      case 0x180: return byte(enabled_word(cpu, word));
      case 0x200:
      case 0x280: return byte(pending_word(cpu, word));
      default: break;
    }
  }
  if (within(offset, 0x300, 0x100)) return word < kWords ? byte(active_word(cpu, word)) : 0;
  if (within(offset, 0x400, kInterrupts)) return priority_of(cpu, offset - 0x400);
  if (within(offset, 0x800, kInterrupts)) {
    const unsigned interrupt = offset - 0x800;
    if (cpu_count_ == 1) return 0;  // RAZ/WI on a uniprocessor (4.3.12)
    return interrupt < kPrivate ? static_cast<uint8_t>(1u << cpu) : state_.targets[interrupt];
  }
  if (within(offset, 0xc00, kInterrupts / 4)) {
    // Two bits per interrupt; the upper one says edge-triggered.
    uint8_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned interrupt = (offset - 0xc00) * 4 + i;
      const uint32_t edge = interrupt < kPrivate ? c.edge : state_.shared.edge[interrupt / 32];
      if (edge >> interrupt % 32 & 1) value |= static_cast<uint8_t>(2u << i * 2);
    }
    return value;
  }
  if (within(offset, 0xf10, 0x10)) return c.sgi_sources[offset - 0xf10];
  if (within(offset, 0xf20, 0x10)) return c.sgi_sources[offset - 0xf20];
  if (within(offset, 0xfd0, 0x30)) return shift == 0 ? kIdentification[(offset - 0xfd0) / 4] : 0;
  return 0;
}

void GicV2::distributor_write_byte(unsigned cpu, uint32_t offset, uint8_t value) {
  CpuInterface& c = state_.cpus[cpu];
  const unsigned shift = offset % 4 * 8;
  const unsigned word = (offset & 0x7f) / 4;
  const uint32_t bits = uint32_t{value} << shift;
  const uint32_t lane = 0xffu << shift;
  if (offset == 0) {
    state_.distributor_control = value & 3;
    return;
  }
  if (within(offset, 0x080, 0x380)) {
    if (word >= kWords) return;
    const bool banked = word == 0;
    uint32_t& group = banked ? c.group : state_.shared.group[word];
    uint32_t& enabled = banked ? c.enabled : state_.shared.enabled[word];
    uint32_t& pending = banked ? c.pending : state_.shared.pending[word];
    uint32_t& active = banked ? c.active : state_.shared.active[word];
    const uint32_t sgis =
        banked ? 0xffff : 0;  // enabled always, made pending only through GICD_SGIR and GICD_SPENDSGIR
    switch (offset & 0xf80) {
      case 0x080: group = (group & ~lane) | bits; break;
      case 0x100: enabled |= bits; break;
      case 0x180: enabled &= ~(bits & ~sgis); break;
      case 0x200: pending |= bits & ~sgis; break;
      case 0x280: pending &= ~(bits & ~sgis); break;
      case 0x300: active |= bits; break;
      case 0x380: active &= ~bits; break;
      default: break;
    }
    return;
  }
  if (within(offset, 0x400, kInterrupts)) {
    const unsigned interrupt = offset - 0x400;
    (interrupt < kPrivate ? c.priority[interrupt] : state_.priority[interrupt]) = value;
    return;
  }
  if (within(offset, 0x800, kInterrupts)) {
    const unsigned interrupt = offset - 0x800;
    if (interrupt >= kPrivate && cpu_count_ > 1)
      state_.targets[interrupt] = static_cast<uint8_t>(value & ((1u << cpu_count_) - 1));
    return;
  }
  if (within(offset, 0xc00, kInterrupts / 4)) {
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned interrupt = (offset - 0xc00) * 4 + i;
      if (interrupt < 16) continue;  // SGIs are edge-triggered for ever
      uint32_t& edge = interrupt < kPrivate ? c.edge : state_.shared.edge[interrupt / 32];
      const uint32_t bit = 1u << interrupt % 32;
      edge = value >> (i * 2 + 1) & 1 ? edge | bit : edge & ~bit;
    }
    return;
  }
  if (within(offset, 0xf10, 0x20)) {
    const bool set = offset >= 0xf20;
    const unsigned interrupt = offset & 15;
    uint8_t& sources = c.sgi_sources[interrupt];
    sources = static_cast<uint8_t>(set ? sources | (value & ((1u << cpu_count_) - 1)) : sources & ~value);
    const uint32_t bit = 1u << interrupt;
    c.pending = sources ? c.pending | bit : c.pending & ~bit;
  }
}

uint32_t GicV2::Distributor::read(unsigned cpu, uint64_t offset, unsigned bytes) {
  uint32_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    value |= uint32_t{gic_.distributor_read_byte(cpu, static_cast<uint32_t>(offset) + i)} << i * 8;
  }
  return value;
}

void GicV2::Distributor::write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) {
  if (offset == 0xf00) {
    gic_.write_sgir(cpu, value);
    return;
  }
  for (unsigned i = 0; i < bytes; ++i) {
    gic_.distributor_write_byte(cpu, static_cast<uint32_t>(offset) + i, static_cast<uint8_t>(value >> i * 8));
  }
  gic_.update();
}

}  // namespace crosswalk::vmm
