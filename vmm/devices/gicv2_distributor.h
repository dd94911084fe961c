// SPDX-License-Identifier: GPL-2.0-or-later
// The GIC's distributor (ARM IHI 0048B, 3 and 4.3): which interrupts there are, in which state each
// is, and which of them it forwards to each CPU interface. SPIs are shared; SGIs and PPIs, and
// their registers, are banked: each CPU has its own.
#pragma once

#include <array>
#include <cstdint>

#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class GicDistributor {
 public:
  static constexpr unsigned kMaxCpus = 8;
  static constexpr unsigned kInterrupts = 288;
  static constexpr unsigned kPrivate = 32;  // SGIs and PPIs
  static constexpr uint32_t kSpurious = 1023;

  // One bit for each of 32 interrupts.
  struct Word {
    uint32_t group = 0, enabled = 0, active = 0;
    uint32_t latched = 0;          // pending, by software or an edge
    uint32_t level = 0, edge = 0;  // of the input; whether it is edge-triggered

    // The latch, or the input of a level-sensitive interrupt.
    uint32_t pending() const { return latched | (level & ~edge); }
  };
  // What each CPU has of its own.
  struct Bank {
    // SGIs are always enabled (GICD_ISENABLER0, implementation defined).
    Word word{.enabled = 0xffff, .edge = 0xffff};
    std::array<uint8_t, kPrivate> priority{};
    std::array<uint8_t, 16> sgi_sources{};  // CPUs whose SGI n is pending here
  };
  // Plain data: what the guest has set, and the levels of the inputs.
  struct State {
    uint32_t control = 0;                                    // GICD_CTLR
    std::array<Word, kInterrupts / 32> shared{};             // the first is unused
    std::array<uint8_t, kInterrupts> priority{}, targets{};  // of SPIs
    std::array<Bank, kMaxCpus> banks{};
  };

  // What it forwards to a CPU interface.
  struct Forwarded {
    unsigned interrupt = kSpurious;
    unsigned priority = 0x100;
    bool group1 = false;
  };

  // `cpus` is 1 to kMaxCpus.
  explicit GicDistributor(unsigned cpus) : cpus_(cpus) {}
  State save() const { return state_; }
  void restore(const State& state) { state_ = state; }

  // ---- inputs: false when nothing changes ----
  // SPIs.
  bool set_input(unsigned interrupt, bool level);
  // PPIs and the legacy lines, INTID 16-31.
  bool set_private_input(unsigned cpu, unsigned interrupt, bool level);
  bool private_level(unsigned cpu, unsigned interrupt) const { return state_.banks[cpu].word.level >> interrupt & 1; }

  // ---- for the CPU interfaces ----
  // The highest-priority pending interrupt whose group is enabled here and, by bit 0 and 1 of
  // `groups`, there.
  Forwarded forward(unsigned cpu, uint32_t groups) const;
  bool is_group1(unsigned cpu, unsigned interrupt) const {
    return word(cpu, interrupt / 32).group >> interrupt % 32 & 1;
  }
  // GICC_IAR's value for a pending interrupt: for an SGI with one of the CPUs that it is from.
  uint32_t id_of(unsigned cpu, unsigned interrupt) const;
  // The interrupt of id_of() is acknowledged: active, and no longer pending.
  void activate(unsigned cpu, uint32_t id);
  void deactivate(unsigned cpu, unsigned interrupt);

  // ---- registers ----
  uint32_t read(unsigned cpu, uint32_t offset, unsigned bytes) const;
  void write(unsigned cpu, uint32_t offset, unsigned bytes, uint32_t value);

 private:
  static constexpr unsigned kWords = kInterrupts / 32;

  Word& word(unsigned cpu, unsigned index) { return index ? state_.shared[index] : state_.banks[cpu].word; }
  const Word& word(unsigned cpu, unsigned index) const { return const_cast<GicDistributor*>(this)->word(cpu, index); }
  uint8_t& priority(unsigned cpu, unsigned interrupt) {
    return interrupt < kPrivate ? state_.banks[cpu].priority[interrupt] : state_.priority[interrupt];
  }
  uint8_t priority(unsigned cpu, unsigned interrupt) const {
    return const_cast<GicDistributor*>(this)->priority(cpu, interrupt);
  }
  uint32_t every_cpu() const { return (1u << cpus_) - 1; }

  uint8_t read_byte(unsigned cpu, uint32_t offset) const;
  void write_byte(unsigned cpu, uint32_t offset, uint8_t value);
  void write_bits(unsigned cpu, uint32_t offset, uint8_t value);
  void write_configuration(unsigned cpu, uint32_t offset, uint8_t value);
  void generate_sgi(unsigned cpu, uint32_t value);

  const unsigned cpus_;
  State state_;
};

}  // namespace crosswalk::vmm
