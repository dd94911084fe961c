// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>

namespace crosswalk {

// Flash that is mapped below guest RAM, from PA 0 on, in banks. A bank is memory to the CPUs while
// it is readable: then loads and fetches find its bytes where GuestRam::at() says. Stores go to the
// device, and loads too while it is not readable.
struct FlashBanks {
  static constexpr uint64_t kBankBytes = 64 << 20;
  static constexpr unsigned kBanks = 2;

  std::atomic<uint8_t> readable{(1 << kBanks) - 1};  // a bit for each bank

  // Of a range within one bank.
  bool is_readable(uint64_t pa, uint64_t bytes) const {
    const uint64_t bank = pa / kBankBytes;
    return bank < kBanks && bytes <= kBankBytes - pa % kBankBytes &&
           (readable.load(std::memory_order_relaxed) >> bank & 1);
  }
};

// Guest RAM: one contiguous block, as on QEMU's virt machine; and the flash below it, if there is
// some.
struct GuestRam {
  uint64_t base = 0x40000000;  // PA
  uint64_t size = 0;           // bytes, a multiple of 2 MiB
  uint8_t* host = nullptr;     // always-mapped, read-write view of all of it
  // the memfd behind it, at offset 0, with flash behind RAM; -1 when anonymous (no mmap/ept
  // windows)
  int fd = -1;
  FlashBanks* flash = nullptr;  // null: there is none

  bool contains(uint64_t pa, uint64_t bytes = 1) const {
    return pa >= base && pa - base < size && size - (pa - base) >= bytes;
  }
  // Whether these are bytes of flash that a load or a fetch gets as they are now.
  bool flash_holds(uint64_t pa, uint64_t bytes = 1) const { return flash && flash->is_readable(pa, bytes); }
  // Whether these are bytes of one bank of flash, readable or not.
  bool is_flash(uint64_t pa, uint64_t bytes = 1) const {
    return flash && pa / FlashBanks::kBankBytes < FlashBanks::kBanks &&
           bytes <= FlashBanks::kBankBytes - pa % FlashBanks::kBankBytes;
  }
  // Where they are in the file. Precondition, here and below: `pa` is in RAM or in flash.
  uint64_t file_offset(uint64_t pa) const { return contains(pa) ? pa - base : size + pa; }
  uint8_t* at(uint64_t pa) const { return host + static_cast<int64_t>(pa - base); }
};

}  // namespace crosswalk
