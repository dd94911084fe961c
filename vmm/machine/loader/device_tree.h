// SPDX-License-Identifier: GPL-2.0-or-later
// The flattened device tree that the guest gets: the board's own, or the user's, with what QEMU's
// virt machine patches into either.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

using DeviceTree = std::vector<uint8_t>;

struct BoardDescription {
  std::string cpu_compatible;  // for instance "arm,cortex-a15"
  unsigned cpus = 1;           // 1 to 8
  bool flash = false;
  bool second_uart = false;
};

// The board, with the devices of its table (board_table.h).
Result<DeviceTree> build_device_tree(const BoardDescription& board);

// Reads and checks --dtb FILE.
Result<DeviceTree> load_device_tree(const std::string& path);

struct DeviceTreePatch {
  uint64_t ram_base = 0, ram_bytes = 0;
  std::string bootargs;                       // left alone when empty
  uint64_t initrd_start = 0, initrd_end = 0;  // left alone when equal
  uint32_t room = 0;
};

// Replaces the memory nodes, and sets /chosen and (when missing) /psci. The result has `patch.room`
// bytes of free space for whoever adds to it.
Result<DeviceTree> patch_device_tree(const DeviceTree& tree, const DeviceTreePatch& patch);

}  // namespace crosswalk::vmm
