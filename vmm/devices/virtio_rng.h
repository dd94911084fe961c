// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-rng (virtio 1.1, 5.4): the host's getrandom.
#pragma once

#include <cstdint>

#include "vmm/devices/virtio_mmio.h"

namespace crosswalk::vmm {

class VirtioRng final : public VirtioDevice {
 public:
  uint32_t device_id() const override { return 4; }
  unsigned queue_count() const override { return 1; }
  Progress process(unsigned queue, Chain& chain) override;
};

}  // namespace crosswalk::vmm
