// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/share/file_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

namespace crosswalk::vmm {

size_t raise_file_limit(unsigned folders) {
  constexpr uint64_t kMost = 1 << 18;
  constexpr uint64_t kOthers = 512;  // disks, connections, and what else the process has open
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit wanted{std::max<rlim_t>(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, kOthers + folders * kMost)),
                      limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  const uint64_t others = std::min<uint64_t>(kOthers, limit.rlim_cur / 2);
  return std::min(kMost, (limit.rlim_cur - others) / folders);
}

}  // namespace crosswalk::vmm
