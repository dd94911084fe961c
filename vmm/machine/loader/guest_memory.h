// SPDX-License-Identifier: GPL-2.0-or-later
// Owns the mapping behind a GuestRam.
#pragma once

#include <memory>

#include "translator/arm32/cpu/platform.h"
#include "translator/base/guest_ram.h"
#include "translator/base/result.h"

namespace crosswalk::vmm {

inline constexpr uint64_t kRamBase = 0x40000000;
inline constexpr uint64_t kMinMemory = uint64_t{16} << 20;
inline constexpr uint64_t kMaxMemory = uint64_t{3} << 30;  // the rest of the 32-bit map
inline constexpr uint64_t kMemoryGranule = uint64_t{2} << 20;

class GuestMemory {
 public:
  // `bytes` is a multiple of kMemoryGranule. `shared` makes a memfd, which the mmap and ept windows
  // need; otherwise the memory is anonymous and gets transparent huge pages everywhere (memfd
  // memory only where the host's shmem_enabled allows it). The mapping is 2 MiB aligned so that
  // huge pages fit. `flash`: there are banks of flash too (GuestRam::flash), which are zero.
  static Result<GuestMemory> allocate(uint64_t bytes, bool shared, bool flash = false);

  GuestMemory(GuestMemory&& other) noexcept;
  GuestMemory& operator=(GuestMemory&&) = delete;
  ~GuestMemory();

  const GuestRam& ram() const { return ram_; }

 private:
  GuestMemory() = default;
  GuestRam ram_;
  std::unique_ptr<FlashBanks> flash_;
};

}  // namespace crosswalk::vmm
