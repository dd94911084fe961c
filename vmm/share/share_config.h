// SPDX-License-Identifier: GPL-2.0-or-later
// Which folder of the host a guest gets, and as what.
#pragma once

#include <cstddef>
#include <string>

namespace crosswalk::vmm {

struct ShareConfig {
  std::string path, tag;  // the guest mounts it by its tag
  bool read_only = false;
};

inline constexpr size_t kMaxShareTagBytes = 32;  // QEMU's limit
inline constexpr unsigned kMaxShares = 8;

}  // namespace crosswalk::vmm
