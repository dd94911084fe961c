// SPDX-License-Identifier: GPL-2.0-or-later
// The guest MMUs that there are, one for each architecture of guests, and what they are made of.
#pragma once

#include <cstdint>
#include <memory>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/machine_state.h"
#include "mmu-shadow/mmu_of.h"
#include "mmu-shadow/walker/arm32.h"
#include "mmu-shadow/windows/window.h"
#include "translator/base/guest_ram.h"
#include "translator/base/result.h"

namespace crosswalk::mmu {

using crosswalk::Translation;
using Mmu = MmuOf<Arm32>;

// What the MMUs of a machine have in common: make_mmu() for each CPU with the same.
using MmuMachine = MachineState<Arm32>;

// `machine` outlives it; without one, the CPU is the machine's only one, and `listener` is told of
// its code. `backend` is null for soft modes; for Flat it creates one window and RAM is installed
// once. The others make windows later, and need room for one at least. An error: the configuration
// cannot be, or there is no room for Flat's window.
Result<std::unique_ptr<Mmu>> make_mmu(const MmuConfig& config, const GuestRam& ram, MmuMachine& machine,
                                      WindowBackend* backend);
Result<std::unique_ptr<Mmu>> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                                      WindowBackend* backend);

// Measures costs.walk and the refills on this host, in less than a millisecond; false, without
// changes, if there is no memory for it.
bool measure_walk_costs(MmuCosts& costs);

// The mmap(2) backend: windows are reservations in this process, entries are MAP_FIXED mappings of
// ram.fd. An error: the RAM is not in a memfd. `max_maps` limits the host mappings (VMAs) it makes;
// 0: three quarters of vm.max_map_count. With several backends in one process, divide. `map` is
// mmap(2), or what a test has in its place.
using HostMap = void* (*)(void*, size_t, int, int, int, long);
Result<std::unique_ptr<WindowBackend>> make_mmap_backend(const GuestRam& ram, uint32_t max_maps = 0,
                                                         HostMap map = nullptr);

}  // namespace crosswalk::mmu
