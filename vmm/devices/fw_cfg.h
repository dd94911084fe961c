// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's firmware configuration device with its DMA interface (docs/specs/fw_cfg.rst of QEMU): what
// firmware is told beside the device tree. It has items by number and a directory of named files,
// which is empty: there are no ACPI and SMBIOS tables, and no order of boot devices.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "translator/base/guest_ram.h"
#include "vmm/devices/device.h"

namespace crosswalk::vmm {

// What --kernel, --initrd and --append say when firmware boots them.
struct FirmwareItems {
  std::vector<uint8_t> kernel, initrd;
  std::string command_line;
};

class FwCfg final : public MmioDevice {
 public:
  static constexpr uint64_t kRegionBytes = 0x18;

  // Plain data. What items hold does not change.
  struct State {
    uint16_t selected = 0;
    uint32_t position = 0;     // in the item's bytes
    uint64_t dma_address = 0;  // its high half, until the low one is written
  };

  // `changes` is told what DMA has written.
  FwCfg(const GuestRam& ram, unsigned cpus, MemoryChanges& changes);
  // Before the guest runs.
  void set_items(FirmwareItems items);
  bool has_items() const;
  // What was set; of memory that stays as it is.
  std::span<const uint8_t> kernel() const, initrd() const;
  std::string command_line() const;

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  State save() const { return state_; }
  // Whether restore() may get it: its position is one in the item.
  bool may_be(const State& state) const { return state.position <= item(state.selected).size(); }
  void restore(const State& state) { state_ = state; }

 private:
  const std::vector<uint8_t>& item(uint16_t number) const;
  uint8_t next_byte();
  void transfer(uint64_t pa);
  bool perform(uint32_t control, uint32_t bytes, uint64_t to);

  const GuestRam& ram_;
  MemoryChanges& changes_;
  std::map<uint16_t, std::vector<uint8_t>> items_;
  State state_;
};

}  // namespace crosswalk::vmm
