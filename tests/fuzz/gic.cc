// SPDX-License-Identifier: GPL-2.0-or-later
// The interrupt controller: any accesses and any interrupt inputs, on four CPUs.
#include <array>

#include "tests/fuzz/input.h"
#include "vmm/devices/gicv2.h"

using namespace crosswalk;

namespace {

constexpr unsigned kCpus = 4;

struct Lines final : vmm::CpuInterruptOutputs {
  std::array<uint32_t, kCpus> raised{};
  void set_cpu_line(unsigned cpu, uint32_t line, bool level) override {
    if (cpu >= kCpus) std::abort();
    raised[cpu] = level ? raised[cpu] | line : raised[cpu] & ~line;
  }
};

// What IAR and HPPIR may return: an interrupt that exists, or 1022 or 1023 (ARM IHI 0048B, 4.4.4).
void check_interrupt(uint32_t value) {
  const uint32_t interrupt = value & 0x3ff;
  if (interrupt >= vmm::GicV2::kInterrupts && interrupt < 1022) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Lines lines, other_lines;
  vmm::GicV2 gic(kCpus, lines), other(kCpus, other_lines);
  fuzz::Input in(data, size);
  while (!in.empty()) {
    const uint8_t what = in.u8();
    const unsigned cpu = (what & 1) | (what >> 5 & 2), bytes = 1u << (what >> 1) % 3;
    vmm::MmioDevice& device = what & 8 ? gic.cpu_interface() : gic.distributor();
    switch (what >> 4 & 3) {
      case 0:
      case 1: {
        const uint32_t offset = (what & 0x80 ? in.u16() : in.u8() * 4u) & ~(bytes - 1);
        if (what >> 4 & 1)
          device.write(cpu, offset, bytes, in.u32());
        else
          device.read(cpu, offset, bytes);
        break;
      }
      case 2: {
        const unsigned interrupt = in.u16() % vmm::GicV2::kInterrupts;
        if (interrupt >= vmm::GicV2::kPrivate)
          gic.set_interrupt(interrupt, what & 0x80);
        else if (interrupt >= 16)
          gic.set_private_interrupt(cpu, interrupt, what & 0x80);
        break;
      }
      case 3:
        check_interrupt(gic.cpu_interface().read(cpu, 0x0c, 4));
        check_interrupt(gic.cpu_interface().read(cpu, 0x18, 4));
        break;
    }
    // The lines are what the state asks for, whichever CPU changed it.
    other.restore(gic.save());
    if (other_lines.raised != lines.raised) std::abort();
  }
  return 0;
}
