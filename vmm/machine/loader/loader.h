// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the kernel, initrd and device tree into guest RAM, by the rules of QEMU's `-M virt -kernel`
// for 32-bit Arm:
//
//   zImage, raw binary  at RAM base + 0x10000, entered there with r0 = 0, r1 = 0xffffffff,
//                       r2 = the device tree
//     initrd            at RAM base + min(RAM/2, 128 MiB), or after the kernel if that is higher
//     device tree       after the initrd, at the next 4 KiB boundary
//   ELF                 at its segments' physical addresses, entered at e_entry (bit 0: Thumb),
//                       registers 0
//     device tree       at RAM base, if it fits below what is in RAM of the image
//
// Segments may lie in flash, if there is some. Firmware in flash starts at address 0, with the
// device tree at RAM base and registers 0; what it shall boot it asks fw_cfg for.
#pragma once

#include <cstdint>
#include <string>

#include "translator/arm32/cpu/platform.h"
#include "translator/base/result.h"
#include "vmm/devices/fw_cfg.h"

namespace crosswalk::vmm {

struct BootConfig {
  // files (initrd and dtb may be empty) and the kernel command line
  std::string kernel, initrd, append, dtb;
  std::string cpu_compatible = "arm,cortex-a15";
  unsigned cpus = 1;         // of the device tree that is made when none is given
  bool second_uart = false;  // the same
  // The first bank of flash has firmware, which is to be started; kernel may be empty then.
  bool firmware = false;
};

struct BootState {
  uint32_t pc = 0;
  bool thumb = false;
  uint32_t r0 = 0, r1 = 0, r2 = 0;
  // What was put where in RAM, as [start, end); for semihosting's heap, resets and tests.
  uint64_t image_start = 0, image_end = 0, initrd_start = 0, initrd_end = 0, dtb_start = 0, dtb_end = 0;
};

// Whether the --kernel file is an ELF file with a segment below RAM, which needs flash. False for
// files that load_guest() has an error for.
bool needs_flash(const std::string& kernel);

// What firmware is told of config.kernel, initrd and append. `room` limits the files, in bytes.
Result<FirmwareItems> read_firmware_items(const BootConfig& config, uint64_t room);

Result<BootState> load_guest(const GuestRam& ram, const BootConfig& config);

}  // namespace crosswalk::vmm
