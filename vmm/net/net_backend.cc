// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/net/net_backend.h"

#include "vmm/net/slirp_backend.h"
#include "vmm/net/tap_backend.h"

namespace crosswalk::vmm {

Result<std::unique_ptr<NetBackend>> NetBackend::open(const NetConfig& config, unsigned cpus) {
  if (config.make) return config.make();
  return config.kind == NetKind::Tap ? TapBackend::open(config.interface, config.queues, cpus)
                                     : SlirpBackend::open(config);
}

}  // namespace crosswalk::vmm
