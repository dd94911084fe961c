// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU interface of the GIC (ARM IHI 0048B, 3 and 4.4): decides which of the interrupts that the
// distributor forwards its CPU is told of, and follows how the CPU handles them.
#pragma once

#include <array>
#include <cstdint>

#include "translator/base/counter.h"
#include "vmm/devices/gicv2_distributor.h"

namespace crosswalk::vmm {

// The IRQ and FIQ inputs of the CPUs.
class CpuInterruptOutputs {
 public:
  virtual ~CpuInterruptOutputs() = default;
  // `line` is kLineIrq or kLineFiq.
  virtual void set_cpu_line(unsigned cpu, uint32_t line, bool level) = 0;
};

struct GicCounters {
  uint64_t acknowledged = 0, spurious = 0;
};
inline constexpr Counter<GicCounters> kGicCounters[] = {
    {"interrupts acknowledged", &GicCounters::acknowledged},
    {"spurious acknowledges", &GicCounters::spurious},
};

class GicCpuInterface {
 public:
  // Plain data: what the guest has set.
  struct State {
    uint32_t control = 0;
    uint8_t priority_mask = 0, binary_point = 0, alias_binary_point = 1;
    // GICC_APRn and GICC_NSAPRn: a bit for each of 128 preemption levels
    std::array<uint32_t, 4> active_priorities{}, nonsecure_active_priorities{};
  };

  // All outlive this.
  GicCpuInterface(unsigned cpu, GicDistributor& distributor, CpuInterruptOutputs& outputs, GicCounters& counters)
      : cpu_(cpu), distributor_(distributor), outputs_(outputs), counters_(counters) {}
  State save() const { return state_; }
  void restore(const State& state) { state_ = state; }

  // Registers, as words. Afterwards it has to be updated, and when an SPI was taken or ended the
  // others too.
  uint32_t read(uint32_t offset);
  void write(uint32_t offset, uint32_t value);
  // What the distributor forwards, or a register, has changed: sets the CPU's inputs.
  void update();

 private:
  using Forwarded = GicDistributor::Forwarded;

  Forwarded forwarded() const { return distributor_.forward(cpu_, state_.control); }
  unsigned running_priority() const;
  uint32_t group_priority_mask(bool group1) const;
  bool preempts(const Forwarded& candidate) const;
  uint32_t highest_pending(const Forwarded& candidate, bool alias) const;
  uint32_t acknowledge(bool alias);
  void end_of_interrupt(unsigned interrupt, bool alias);
  std::array<uint32_t, 4>& active_priorities(bool group1) {
    return group1 ? state_.nonsecure_active_priorities : state_.active_priorities;
  }

  const unsigned cpu_;
  GicDistributor& distributor_;
  CpuInterruptOutputs& outputs_;
  GicCounters& counters_;
  State state_;
  uint32_t lines_ = 0;  // what was last reported to the outputs
};

}  // namespace crosswalk::vmm
