// SPDX-License-Identifier: GPL-2.0-or-later
// The Generic Interrupt Controller, version 2 (ARM IHI 0048B), without the Security Extensions, as
// QEMU's virt machine has it: 288 interrupts, 8 priority bits, both groups, every access with the
// rights of a Secure one.
#pragma once

#include <array>
#include <cstdint>

#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class StatisticsTable;

// The IRQ and FIQ inputs of the CPUs.
class CpuInterruptOutputs {
 public:
  virtual ~CpuInterruptOutputs() = default;
  // `line` is kLineIrq or kLineFiq.
  virtual void set_cpu_line(unsigned cpu, uint32_t line, bool level) = 0;
};

class GicV2 final : public InterruptSink {
 public:
  static constexpr unsigned kMaxCpus = 8;
  static constexpr unsigned kInterrupts = 288;
  static constexpr unsigned kPrivate = 32;  // SGIs and PPIs, banked per CPU
  static constexpr uint64_t kRegionBytes = 0x10000;
  static constexpr uint32_t kSpurious = 1023;

  static constexpr unsigned kWords = kInterrupts / 32;
  static constexpr unsigned kApr = 4;  // 128 preemption levels

  // One bit per interrupt; word 0 of each is unused because SGIs and PPIs are in CpuInterface.
  struct Shared {
    std::array<uint32_t, kWords> group{}, enabled{}, pending{}, active{}, level{}, edge{};
  };
  struct CpuInterface {
    // Word 0 of the distributor's registers, banked.
    uint32_t group = 0, enabled = 0, pending = 0, active = 0, level = 0, edge = 0xffff;
    std::array<uint8_t, kPrivate> priority{};
    std::array<uint8_t, 16> sgi_sources{};        // CPUs whose SGI n is pending here
    std::array<uint8_t, 16> sgi_active_source{};  // the CPU whose SGI n is active here
    uint32_t control = 0;
    uint8_t priority_mask = 0, binary_point = 0, alias_binary_point = 1;
    std::array<uint32_t, kApr> active_priorities{}, nonsecure_active_priorities{};
    uint32_t lines = 0;  // what was last reported to the outputs
  };

  // What the guest has set, and the levels of the inputs. Plain data.
  struct State {
    uint32_t distributor_control = 0;
    Shared shared;
    std::array<uint8_t, kInterrupts> priority{}, targets{};
    std::array<CpuInterface, kMaxCpus> cpus{};
  };

  // `cpus` is 1 to kMaxCpus.
  GicV2(unsigned cpus, CpuInterruptOutputs& outputs);

  MmioDevice& distributor() { return distributor_; }
  MmioDevice& cpu_interface() { return cpu_interface_; }

  // SPIs. For a level-sensitive interrupt the level is the input's; for an edge-triggered one a
  // rise makes it pending.
  void set_interrupt(unsigned interrupt, bool level) override;
  // PPIs and the legacy lines, INTID 16-31, of one CPU.
  void set_private_interrupt(unsigned cpu, unsigned interrupt, bool level);
  bool private_level(unsigned cpu, unsigned interrupt) const { return state_.cpus[cpu].level >> interrupt & 1; }

  void reset();
  State save() const { return state_; }
  // Of a controller with as many CPUs. The outputs follow. With the device lock held.
  void restore(const State& state);
  void add_statistics(StatisticsTable& table) const;

 private:
  class Distributor final : public MmioDevice {
   public:
    explicit Distributor(GicV2& gic) : gic_(gic) {}
    uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
    void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

   private:
    GicV2& gic_;
  };
  class Interface final : public MmioDevice {
   public:
    explicit Interface(GicV2& gic) : gic_(gic) {}
    uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
    void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

   private:
    GicV2& gic_;
  };

  uint8_t distributor_read_byte(unsigned cpu, uint32_t offset) const;
  void distributor_write_byte(unsigned cpu, uint32_t offset, uint8_t value);
  void write_sgir(unsigned cpu, uint32_t value);
  uint32_t interface_read(unsigned cpu, uint32_t offset);
  void interface_write(unsigned cpu, uint32_t offset, uint32_t value);

  uint32_t group_word(unsigned cpu, unsigned word) const {
    return word ? state_.shared.group[word] : state_.cpus[cpu].group;
  }
  uint32_t enabled_word(unsigned cpu, unsigned word) const {
    return word ? state_.shared.enabled[word] : state_.cpus[cpu].enabled;
  }
  uint32_t active_word(unsigned cpu, unsigned word) const {
    return word ? state_.shared.active[word] : state_.cpus[cpu].active;
  }
  uint32_t pending_word(unsigned cpu, unsigned word) const;
  uint8_t priority_of(unsigned cpu, unsigned interrupt) const;
  void set_active(unsigned cpu, unsigned interrupt, bool active);
  void clear_pending(unsigned cpu, unsigned interrupt);
  bool is_group1(unsigned cpu, unsigned interrupt) const {
    return group_word(cpu, interrupt / 32) >> interrupt % 32 & 1;
  }

  struct Candidate {
    unsigned interrupt = kSpurious;
    unsigned priority = 0x100;
  };
  // The highest-priority pending interrupt that its group's enable lets through, before the
  // priority mask.
  Candidate best(unsigned cpu) const;
  unsigned running_priority(unsigned cpu) const;
  uint32_t group_priority_mask(unsigned cpu, bool group1) const;
  bool preempts(unsigned cpu, const Candidate& candidate) const;
  uint32_t highest_pending(unsigned cpu, bool alias) const;
  uint32_t acknowledge(unsigned cpu, bool alias);
  void end_of_interrupt(unsigned cpu, uint32_t value, bool alias);
  void deactivate(unsigned cpu, uint32_t value);
  void update();
  void update_cpu(unsigned cpu);

  unsigned cpu_count_;
  CpuInterruptOutputs& outputs_;
  Distributor distributor_{*this};
  Interface cpu_interface_{*this};
  State state_;
  uint64_t acknowledged_ = 0, spurious_ = 0;
};

}  // namespace crosswalk::vmm
