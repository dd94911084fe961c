// SPDX-License-Identifier: GPL-2.0-or-later
// What entries of windows cost on this host, measured before a guest runs.
#pragma once

#include <memory>

#include "mmu-shadow/mmu.h"
#include "translator/base/guest_ram.h"
#include "translator/base/result.h"
#include "translator/engine/world.h"
#include "vmm/host/modes.h"

namespace crosswalk::vmm {

// A guest RAM, a memfd, whose first 4 MiB are there. host is null when there is no memory for it.
class ProbeRam {
 public:
  static constexpr uint64_t kMeasured = 4 << 20;
  explicit ProbeRam(uint64_t bytes = kMeasured);  // kMeasured or more
  ~ProbeRam();
  ProbeRam(const ProbeRam&) = delete;
  ProbeRam& operator=(const ProbeRam&) = delete;
  const GuestRam& ram() const { return ram_; }

 private:
  GuestRam ram_;
};

// Of an access as translated code makes it through a software TLB that has the page.
double measure_lookup_ns();

// What provider.make gives for `site`, whose world `world` is, after its windows were measured:
// sets costs.window_fault, window_install, window_flush and window_create, and soft_lookup to
// compare them with; of a provider that fills windows by itself, walk too. Uses the first 4 MiB of
// site.ram without changing them, or a RAM of its own, which is gone when this returns. An error,
// the reason, when no window works.
Result<std::unique_ptr<mmu::WindowBackend>> make_measured(engine::World& world, const Provider& provider,
                                                          const WindowSite& site, mmu::MmuCosts& costs);

}  // namespace crosswalk::vmm
