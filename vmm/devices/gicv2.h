// SPDX-License-Identifier: GPL-2.0-or-later
// The Generic Interrupt Controller, version 2 (ARM IHI 0048B), without the Security Extensions, as
// QEMU's virt machine has it: 288 interrupts, 8 priority bits, both groups, every access with the
// rights of a Secure one. A distributor for all CPUs, and an interface for each.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "vmm/devices/device.h"
#include "vmm/devices/gicv2_cpu_interface.h"
#include "vmm/devices/gicv2_distributor.h"

namespace crosswalk::vmm {

class StatisticsTable;

class GicV2 final : public InterruptSink {
 public:
  static constexpr unsigned kMaxCpus = GicDistributor::kMaxCpus;
  static constexpr unsigned kInterrupts = GicDistributor::kInterrupts;
  static constexpr unsigned kPrivate = GicDistributor::kPrivate;
  static constexpr uint32_t kSpurious = GicDistributor::kSpurious;
  static constexpr uint64_t kRegionBytes = 0x10000;

  // What the guest has set, and the levels of the inputs. Plain data.
  struct State {
    GicDistributor::State distributor;
    std::array<GicCpuInterface::State, kMaxCpus> interfaces{};
  };

  // `cpus` is 1 to kMaxCpus. `outputs` outlive this.
  GicV2(unsigned cpus, CpuInterruptOutputs& outputs);
  // Its parts refer to each other.
  GicV2(const GicV2&) = delete;
  GicV2& operator=(const GicV2&) = delete;

  // The registers.
  MmioDevice& distributor() { return distributor_registers_; }
  MmioDevice& cpu_interface() { return interface_registers_; }

  // SPIs. For a level-sensitive interrupt the level is the input's; for an edge-triggered one a
  // rise makes it pending.
  void set_interrupt(unsigned interrupt, bool level) override;
  // PPIs and the legacy lines, INTID 16-31, of one CPU.
  void set_private_interrupt(unsigned cpu, unsigned interrupt, bool level);
  bool private_level(unsigned cpu, unsigned interrupt) const { return distributor_.private_level(cpu, interrupt); }

  State save() const;
  // Of a controller with as many CPUs. The outputs follow. With the device lock held.
  void restore(const State& state);
  void add_statistics(StatisticsTable& table) const;

 private:
  class DistributorRegisters final : public MmioDevice {
   public:
    explicit DistributorRegisters(GicV2& gic) : gic_(gic) {}
    uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
    void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

   private:
    GicV2& gic_;
  };
  class InterfaceRegisters final : public MmioDevice {
   public:
    explicit InterfaceRegisters(GicV2& gic) : gic_(gic) {}
    uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
    void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

   private:
    GicV2& gic_;
  };

  void update();
  // `cpu` has taken or ended `interrupt`: one of its own, or one that concerns the others too.
  void update_after(unsigned cpu, unsigned interrupt);

  GicDistributor distributor_;
  GicCounters counters_;
  std::vector<GicCpuInterface> interfaces_;  // by CPU
  DistributorRegisters distributor_registers_{*this};
  InterfaceRegisters interface_registers_{*this};
};

}  // namespace crosswalk::vmm
