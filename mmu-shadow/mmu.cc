// SPDX-License-Identifier: GPL-2.0-or-later
// The one place where the MMU of each architecture is made.
#include "mmu-shadow/mmu.h"

#include "mmu-shadow/costs.h"
#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {

template class GuestMmu<Arm32>;

Result<std::unique_ptr<Mmu>> make_mmu(const MmuConfig& config, const GuestRam& ram, MmuMachine& machine,
                                      WindowBackend* backend) {
  return GuestMmu<Arm32>::create(config, ram, machine, backend);
}

Result<std::unique_ptr<Mmu>> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                                      WindowBackend* backend) {
  return GuestMmu<Arm32>::create(config, ram, listener, backend);
}

bool measure_walk_costs(MmuCosts& costs) { return WalkCosts<Arm32>::measure(costs); }

}  // namespace crosswalk::mmu
