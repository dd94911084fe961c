// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/debug/machine_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/fault_names.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kPage = 4096;

// The largest aligned unit of a device access, of 4 bytes at most.
uint32_t unit_of(uint64_t pa, size_t bytes) {
  uint32_t unit = 4;
  while (unit > bytes || (pa & (unit - 1))) unit /= 2;
  return unit;
}

}  // namespace

std::string MachineTarget::describe_cpu(unsigned cpu) {
  if (m_.vcpus[cpu].power() == CpuPower::Off) return fmt::format("CPU {}, off", cpu);
  std::string text;
  with_cpu(cpu, false, [&](CpuState& state) {
    text = fmt::format("CPU {}, mode {}", cpu, arm::name_of(static_cast<Mode>(state.mode)));
  });
  return text;
}

void MachineTarget::hold_time() {
  const std::lock_guard lock(m_.device_lock);
  m_.timers.hold(Hold::Debugger);
}

void MachineTarget::release_time() {
  const std::lock_guard lock(m_.device_lock);
  m_.timers.release(Hold::Debugger);
}

void MachineTarget::resume(const std::vector<DebugResume>& how) {
  release_time();
  stops_.resume(how);
}

void MachineTarget::release() {
  if (std::exchange(watched_, false) && engine_)
    with_cpu(0, false, [this](CpuState&) { engine_->forget_translations(); });
  release_time();
  stops_.release();
}

bool MachineTarget::with_cpu(unsigned cpu, bool writes, const std::function<void(CpuState&)>& work) {
  const std::vector<bool> done = m_.rendezvous.run_on_all(
      [&](CpuState& state) {
        if (state.cpu_index == cpu) work(state);
      },
      kPatience);
  if (writes) stops_.registers_written(cpu);
  return done[cpu];
}

bool MachineTarget::each_page(unsigned cpu, uint64_t address, bool physical, size_t bytes,
                              const std::function<bool(CpuState&, uint64_t, size_t, size_t)>& transfer) {
  bool all = true;
  const bool asked = with_cpu(cpu, false, [&](CpuState& state) {
    for (size_t done = 0, here; all && done < bytes; done += here) {
      uint64_t pa = address + done;
      here = std::min<uint64_t>(bytes - done, kPage - pa % kPage);
      if (!physical && engine_ && !engine_->translate_for_debugger(state, static_cast<uint32_t>(pa), pa))
        all = false;
      else
        all = transfer(state, pa, done, here);
    }
  });
  return asked && all;
}

bool MachineTarget::read_memory(unsigned cpu, uint64_t address, bool physical, std::span<uint8_t> to) {
  return each_page(cpu, address, physical, to.size(), [&](CpuState& state, uint64_t pa, size_t at, size_t bytes) {
    if (!m_.ram.contains(pa, bytes)) return read_device(state, pa, to.subspan(at, bytes));
    std::memcpy(&to[at], m_.ram.at(pa), bytes);
    return true;
  });
}

bool MachineTarget::write_memory(unsigned cpu, uint64_t address, bool physical, std::span<const uint8_t> from) {
  return each_page(cpu, address, physical, from.size(), [&](CpuState& state, uint64_t pa, size_t at, size_t bytes) {
    if (!m_.ram.contains(pa, bytes)) return write_device(state, pa, from.subspan(at, bytes));
    std::memcpy(m_.ram.at(pa), &from[at], bytes);
    if (engine_) engine_->external_write(state, pa, bytes);
    return true;
  });
}

bool MachineTarget::read_device(CpuState& cpu, uint64_t pa, std::span<uint8_t> to) const {
  for (size_t done = 0, unit; done < to.size(); done += unit) {
    unit = unit_of(pa + done, to.size() - done);
    uint64_t value = 0;
    if (!platform_->mmio_read(cpu, pa + done, static_cast<unsigned>(unit), value)) return false;
    std::memcpy(&to[done], &value, unit);
  }
  return true;
}

bool MachineTarget::write_device(CpuState& cpu, uint64_t pa, std::span<const uint8_t> from) const {
  for (size_t done = 0, unit; done < from.size(); done += unit) {
    unit = unit_of(pa + done, from.size() - done);
    uint64_t value = 0;
    std::memcpy(&value, &from[done], unit);
    if (!platform_->mmio_write(cpu, pa + done, static_cast<unsigned>(unit), value)) return false;
  }
  return true;
}

std::string MachineTarget::describe_state() { return m_.reporter.ask(); }

}  // namespace crosswalk::vmm
