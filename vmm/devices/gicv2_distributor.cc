// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/gicv2_distributor.h"

#include <bit>

namespace crosswalk::vmm {
namespace {

// GICD_PIDR4-7, PIDR0-3, CIDR0-3 of an Arm GICv2 (4.3.18).
constexpr uint8_t kIdentification[12] = {0x04, 0x00, 0x00, 0x00, 0x90, 0xb4, 0x2b, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
constexpr uint32_t kSgir = 0xf00;

constexpr bool within(uint32_t offset, uint32_t first, uint32_t bytes) {
  return offset >= first && offset - first < bytes;
}

constexpr uint32_t with(uint32_t word, uint32_t bits, bool set) { return set ? word | bits : word & ~bits; }

}  // namespace

// ---- the state of an interrupt ------------------------------------------------------------------

bool GicDistributor::set_input(unsigned interrupt, bool level) {
  if (interrupt < kPrivate || interrupt >= kInterrupts) return false;
  Word& w = state_.shared[interrupt / 32];
  const uint32_t bit = 1u << interrupt % 32;
  if (((w.level & bit) != 0) == level) return false;
  w.level ^= bit;
  if (level) w.latched |= w.edge & bit;
  return true;
}

bool GicDistributor::set_private_input(unsigned cpu, unsigned interrupt, bool level) {
  if (cpu >= cpus_ || interrupt < 16 || interrupt >= kPrivate) return false;
  Word& w = state_.banks[cpu].word;
  const uint32_t bit = 1u << interrupt;
  if (((w.level & bit) != 0) == level) return false;
  w.level ^= bit;
  if (level) w.latched |= w.edge & bit;
  return true;
}

GicDistributor::Forwarded GicDistributor::forward(unsigned cpu, uint32_t groups) const {
  Forwarded found;
  groups &= state_.control;
  for (unsigned index = 0; index < kWords; ++index) {
    const Word& w = word(cpu, index);
    // An active interrupt is not signalled again before it is deactivated (3.2.4).
    uint32_t ready = w.pending() & w.enabled & ~w.active;
    if (!(groups & 1)) ready &= w.group;
    if (!(groups & 2)) ready &= ~w.group;
    for (; ready; ready &= ready - 1) {
      const unsigned interrupt = index * 32 + static_cast<unsigned>(std::countr_zero(ready));
      // On a uniprocessor every SPI targets the one CPU (4.3.12).
      if (index && cpus_ > 1 && !(state_.targets[interrupt] >> cpu & 1)) continue;
      const unsigned its = priority(cpu, interrupt);
      if (its < found.priority) found = {interrupt, its, is_group1(cpu, interrupt)};
    }
  }
  return found;
}

uint32_t GicDistributor::id_of(unsigned cpu, unsigned interrupt) const {
  if (interrupt >= 16) return interrupt;
  return interrupt | static_cast<uint32_t>(std::countr_zero(state_.banks[cpu].sgi_sources[interrupt])) << 10;
}

void GicDistributor::activate(unsigned cpu, uint32_t id) {
  const unsigned interrupt = id & 0x3ff;
  const uint32_t bit = 1u << interrupt % 32;
  Word& w = word(cpu, interrupt / 32);
  w.active |= bit;
  if (interrupt < 16) {
    uint8_t& sources = state_.banks[cpu].sgi_sources[interrupt];
    sources = static_cast<uint8_t>(sources & ~(1u << (id >> 10 & 7)));
    if (sources) return;  // pending of another CPU
  }
  w.latched &= ~bit;
}

void GicDistributor::deactivate(unsigned cpu, unsigned interrupt) {
  if (interrupt < kInterrupts) word(cpu, interrupt / 32).active &= ~(1u << interrupt % 32);
}

// GICD_SGIR (4.3.15).
void GicDistributor::generate_sgi(unsigned cpu, uint32_t value) {
  const unsigned interrupt = value & 15;
  uint32_t targets = 0;
  switch (value >> 24 & 3) {
    case 0: targets = value >> 16 & 0xff & every_cpu(); break;
    case 1: targets = every_cpu() & ~(1u << cpu); break;
    case 2: targets = 1u << cpu; break;
    case 3: return;  // reserved
  }
  for (; targets; targets &= targets - 1) {
    Bank& target = state_.banks[static_cast<unsigned>(std::countr_zero(targets))];
    target.sgi_sources[interrupt] |= static_cast<uint8_t>(1u << cpu);
    target.word.latched |= 1u << interrupt;
  }
}

// ---- registers (4.3) ----------------------------------------------------------------------------

uint8_t GicDistributor::read_byte(unsigned cpu, uint32_t offset) const {
  const Bank& bank = state_.banks[cpu];
  const unsigned shift = offset % 4 * 8;
  // index within a register bank of one bit per interrupt
  const unsigned index = (offset & 0x7f) / 4;
  const auto byte = [shift](uint32_t value) { return static_cast<uint8_t>(value >> shift); };
  if (offset < 0x04) return byte(state_.control);
  if (offset < 0x08) return byte((cpus_ - 1) << 5 | (kWords - 1));  // GICD_TYPER
  if (offset < 0x0c) return byte(0x0000043b);                       // GICD_IIDR
  if (within(offset, 0x080, 0x380)) {
    if (index >= kWords) return 0;
    const Word& w = word(cpu, index);
    switch (offset & 0xf80) {
      case 0x080: return byte(w.group);
      case 0x100:
      case 0x180: return byte(w.enabled);
      case 0x200:
      case 0x280: return byte(w.pending());
      default: return byte(w.active);
    }
  }
  if (within(offset, 0x400, kInterrupts)) return priority(cpu, offset - 0x400);
  if (within(offset, 0x800, kInterrupts)) {
    const unsigned interrupt = offset - 0x800;
    if (cpus_ == 1) return 0;  // RAZ/WI on a uniprocessor (4.3.12)
    return interrupt < kPrivate ? static_cast<uint8_t>(1u << cpu) : state_.targets[interrupt];
  }
  if (within(offset, 0xc00, kInterrupts / 4)) {
    // Two bits per interrupt; the upper one says edge-triggered.
    uint8_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned interrupt = (offset - 0xc00) * 4 + i;
      if (word(cpu, interrupt / 32).edge >> interrupt % 32 & 1) value |= static_cast<uint8_t>(2u << i * 2);
    }
    return value;
  }
  if (within(offset, 0xf10, 0x20)) return bank.sgi_sources[offset & 15];
  if (within(offset, 0xfd0, 0x30)) return shift == 0 ? kIdentification[(offset - 0xfd0) / 4] : 0;
  return 0;
}

void GicDistributor::write_byte(unsigned cpu, uint32_t offset, uint8_t value) {
  if (offset == 0) {
    state_.control = value & 3;
  } else if (within(offset, 0x080, 0x380)) {
    write_bits(cpu, offset, value);
  } else if (within(offset, 0x400, kInterrupts)) {
    priority(cpu, offset - 0x400) = value;
  } else if (within(offset, 0x800, kInterrupts)) {
    const unsigned interrupt = offset - 0x800;
    if (interrupt >= kPrivate && cpus_ > 1) state_.targets[interrupt] = static_cast<uint8_t>(value & every_cpu());
  } else if (within(offset, 0xc00, kInterrupts / 4)) {
    write_configuration(cpu, offset, value);
  } else if (within(offset, 0xf10, 0x20)) {
    const bool set = offset >= 0xf20;
    Bank& bank = state_.banks[cpu];
    uint8_t& sources = bank.sgi_sources[offset & 15];
    sources = static_cast<uint8_t>(set ? sources | (value & every_cpu()) : sources & ~value);
    bank.word.latched = with(bank.word.latched, 1u << (offset & 15), sources != 0);
  }
}

// The registers of one bit per interrupt.
void GicDistributor::write_bits(unsigned cpu, uint32_t offset, uint8_t value) {
  const unsigned shift = offset % 4 * 8, index = (offset & 0x7f) / 4;
  if (index >= kWords) return;
  Word& w = word(cpu, index);
  const uint32_t bits = uint32_t{value} << shift, lane = 0xffu << shift;
  // enabled always, made pending only through GICD_SGIR and GICD_SPENDSGIR
  const uint32_t sgis = index == 0 ? 0xffff : 0;
  switch (offset & 0xf80) {
    case 0x080: w.group = (w.group & ~lane) | bits; break;
    case 0x100: w.enabled |= bits; break;
    case 0x180: w.enabled &= ~(bits & ~sgis); break;
    case 0x200: w.latched |= bits & ~sgis; break;
    case 0x280: w.latched &= ~(bits & ~sgis); break;
    case 0x300: w.active |= bits; break;
    case 0x380: w.active &= ~bits; break;
    default: break;
  }
}

// GICD_ICFGR.
void GicDistributor::write_configuration(unsigned cpu, uint32_t offset, uint8_t value) {
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned interrupt = (offset - 0xc00) * 4 + i;
    if (interrupt < 16) continue;  // SGIs are edge-triggered for ever
    uint32_t& edge = word(cpu, interrupt / 32).edge;
    edge = with(edge, 1u << interrupt % 32, value >> (i * 2 + 1) & 1);
  }
}

uint32_t GicDistributor::read(unsigned cpu, uint32_t offset, unsigned bytes) const {
  uint32_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value |= uint32_t{read_byte(cpu, offset + i)} << i * 8;
  return value;
}

void GicDistributor::write(unsigned cpu, uint32_t offset, unsigned bytes, uint32_t value) {
  if (offset == kSgir) return generate_sgi(cpu, value);
  for (unsigned i = 0; i < bytes; ++i) write_byte(cpu, offset + i, static_cast<uint8_t>(value >> i * 8));
}

}  // namespace crosswalk::vmm
