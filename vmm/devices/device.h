// SPDX-License-Identifier: GPL-2.0-or-later
// What a memory-mapped device is, and what it may ask of the machine.
#pragma once

#include <cstdint>

namespace crosswalk::vmm {

// All calls are made with the machine's device lock held, on any thread.
class MmioDevice {
 public:
  virtual ~MmioDevice() = default;
  // `offset` is within the device's range and a multiple of `bytes`, which is 1, 2 or 4. `cpu` is
  // the index of the accessing CPU. Registers that do not exist read as zero and ignore writes.
  virtual uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) = 0;
  virtual void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) = 0;
};

// What devices have done to memory during an access, beside answering it. Whoever makes the access
// sees to it before the CPU goes on.
struct MemoryChanges {
  struct Range {
    uint64_t pa = 0, bytes = 0;
  };
  bool any = false;
  bool flash_hidden = false;  // a bank of flash is readable no more (FlashBanks)
  Range written[2];           // RAM
};

// One interrupt input of the interrupt controller.
class InterruptSink {
 public:
  virtual ~InterruptSink() = default;
  // `interrupt` is the GIC's INTID (SPI n is 32 + n). Call with the device lock held.
  virtual void set_interrupt(unsigned interrupt, bool level) = 0;
};

}  // namespace crosswalk::vmm
