// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/gicv2.h"

#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {
constexpr uint32_t kIdMask = 0x3ff;  // the interrupt in GICC_IAR, EOIR and DIR; the CPU is above it
}

GicV2::GicV2(unsigned cpus, CpuInterruptOutputs& outputs) : distributor_(cpus) {
  for (unsigned cpu = 0; cpu < cpus; ++cpu) interfaces_.emplace_back(cpu, distributor_, outputs, counters_);
}

void GicV2::update() {
  for (GicCpuInterface& interface : interfaces_) interface.update();
}

void GicV2::update_after(unsigned cpu, unsigned interrupt) {
  if (interrupt < kPrivate)
    interfaces_[cpu].update();
  else
    update();
}

GicV2::State GicV2::save() const {
  State state{.distributor = distributor_.save()};
  for (size_t cpu = 0; cpu < interfaces_.size(); ++cpu) state.interfaces[cpu] = interfaces_[cpu].save();
  return state;
}

void GicV2::restore(const State& state) {
  distributor_.restore(state.distributor);
  for (size_t cpu = 0; cpu < interfaces_.size(); ++cpu) interfaces_[cpu].restore(state.interfaces[cpu]);
  update();
}

void GicV2::set_interrupt(unsigned interrupt, bool level) {
  if (distributor_.set_input(interrupt, level)) update();
}

void GicV2::set_private_interrupt(unsigned cpu, unsigned interrupt, bool level) {
  if (distributor_.set_private_input(cpu, interrupt, level)) interfaces_[cpu].update();
}

uint32_t GicV2::DistributorRegisters::read(unsigned cpu, uint64_t offset, unsigned bytes) {
  return gic_.distributor_.read(cpu, static_cast<uint32_t>(offset), bytes);
}

void GicV2::DistributorRegisters::write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) {
  gic_.distributor_.write(cpu, static_cast<uint32_t>(offset), bytes, value);
  gic_.update();
}

uint32_t GicV2::InterfaceRegisters::read(unsigned cpu, uint64_t offset, unsigned bytes) {
  // The registers are words; a narrower read of one without side effects sees the part it names.
  const uint32_t word = static_cast<uint32_t>(offset) & ~3u;
  const bool acknowledges = word == 0x0c || word == 0x20;  // IAR, AIAR
  const bool whole = bytes == 4 || offset % 4 == 0;
  if (acknowledges && !whole) return 0;
  const uint32_t value = gic_.interfaces_[cpu].read(word);
  if (acknowledges) gic_.update_after(cpu, value & kIdMask);
  return whole ? value : value >> offset % 4 * 8;
}

void GicV2::InterfaceRegisters::write(unsigned cpu, uint64_t offset, unsigned, uint32_t value) {
  if (offset % 4 != 0) return;
  GicCpuInterface& interface = gic_.interfaces_[cpu];
  interface.write(static_cast<uint32_t>(offset), value);
  const bool ends = offset == 0x10 || offset == 0x24 || offset == 0x1000;  // EOIR, AEOIR, DIR
  if (ends)
    gic_.update_after(cpu, value & kIdMask);
  else
    interface.update();
}

void GicV2::add_statistics(StatisticsTable& table) const { table.add("gic", kGicCounters, counters_); }

}  // namespace crosswalk::vmm
