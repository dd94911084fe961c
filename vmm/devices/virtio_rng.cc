// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_rng.h"

#include <sys/random.h>

#include <algorithm>

namespace crosswalk::vmm {

Progress VirtioRng::process(unsigned, Chain& chain) {
  // The device chooses how much it gives; a bound keeps a huge buffer from occupying the I/O
  // thread.
  constexpr uint32_t kMaxBytes = 64 << 10;
  uint32_t written = 0;
  for (const Segment& segment : chain.writable) {
    const uint32_t wanted = std::min(segment.bytes, kMaxBytes - written);
    uint32_t done = 0;
    while (done < wanted) {
      const ssize_t count = getrandom(segment.host + done, wanted - done, 0);
      if (count <= 0) return Progress::filled(written + done);
      done += static_cast<uint32_t>(count);
    }
    written += wanted;
  }
  return Progress::filled(written);
}

}  // namespace crosswalk::vmm
