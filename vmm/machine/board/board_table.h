// SPDX-License-Identifier: GPL-2.0-or-later
// The board's devices, one row a kind: the bus, the device tree and the devices themselves are made
// of this table. It is that of QEMU's virt machine with highmem=off (memory_map.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "translator/base/result.h"
#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class Board;

enum class Trigger : uint8_t { LevelHigh, EdgeRising };

struct BoardRow {
  const char* name;     // of the device tree's nodes, without the address
  uint64_t base, size;  // of the first device's registers; the others follow without a gap
  unsigned count;
  // SPI of the first device; the others have the next ones. Negative: none, or no node of its own
  // in the device tree, where the interrupt controller, flash, fw_cfg and GPIO are written by hand.
  int spi;
  Trigger trigger;
  std::string_view compatible;   // strings, separated by NULs
  std::string_view clock_names;  // likewise; all are the board's one fixed clock
  bool dma_coherent;
  // Makes the device, which the board owns. `index` is below count. Null: this board has none.
  Result<MmioDevice*> (*make)(Board& board, const BoardRow& row, unsigned index);

  uint64_t base_of(unsigned index) const { return base + index * size; }
};

std::span<const BoardRow> board_table();

}  // namespace crosswalk::vmm
