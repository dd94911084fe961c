// SPDX-License-Identifier: GPL-2.0-or-later
// The board's memory map and interrupts: those of QEMU's virt machine with highmem=off.
#pragma once

#include <cstdint>

namespace crosswalk::vmm {

inline constexpr uint64_t kGicDistributorBase = 0x08000000;
inline constexpr uint64_t kGicCpuInterfaceBase = 0x08010000;
inline constexpr uint64_t kFlashBase = 0;
inline constexpr uint64_t kUartBase = 0x09000000;
inline constexpr uint64_t kRtcBase = 0x09010000;
inline constexpr uint64_t kFwCfgBase = 0x09020000;
inline constexpr uint64_t kGpioBase = 0x09030000;
inline constexpr uint64_t kSecondUartBase = 0x09040000;
inline constexpr uint64_t kVirtioBase = 0x0a000000;
inline constexpr unsigned kVirtioSlots = 32;
inline constexpr uint64_t kVirtioStride = 0x200;

// SPI numbers; the GIC's INTID is 32 more.
inline constexpr unsigned kFirstSpi = 32;
inline constexpr unsigned kUartSpi = 1;
inline constexpr unsigned kRtcSpi = 2;
inline constexpr unsigned kGpioSpi = 7;
inline constexpr unsigned kSecondUartSpi = 8;
inline constexpr unsigned kVirtioFirstSpi = 16;

// INTIDs of the PPIs: the performance monitors' and the generic timer's.
inline constexpr unsigned kPerformanceInterrupt = 23;
inline constexpr unsigned kHypTimerInterrupt = 26;
inline constexpr unsigned kVirtualTimerInterrupt = 27;
inline constexpr unsigned kSecurePhysicalTimerInterrupt = 29;
inline constexpr unsigned kPhysicalTimerInterrupt = 30;

}  // namespace crosswalk::vmm
