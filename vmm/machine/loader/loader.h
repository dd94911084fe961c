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
//     device tree       at RAM base, if it fits below the image
#pragma once

#include <cstdint>
#include <string>

#include "translator/arm32/cpu/platform.h"
#include "translator/base/result.h"

namespace crosswalk::vmm {

struct BootConfig {
  // files (initrd and dtb may be empty) and the kernel command line
  std::string kernel, initrd, append, dtb;
  std::string cpu_compatible = "arm,cortex-a15";
  unsigned cpus = 1;  // of the device tree that is made when none is given
};

struct BootState {
  uint32_t pc = 0;
  bool thumb = false;
  uint32_t r0 = 0, r1 = 0, r2 = 0;
  // What was put where, as [start, end); for semihosting's heap and for tests.
  uint64_t image_start = 0, image_end = 0, initrd_start = 0, initrd_end = 0, dtb_start = 0, dtb_end = 0;
};

Result<BootState> load_guest(const GuestRam& ram, const BootConfig& config);

}  // namespace crosswalk::vmm
