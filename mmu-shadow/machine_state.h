// SPDX-License-Identifier: GPL-2.0-or-later
// What the MMUs of a machine's CPUs have in common. Address spaces are not: each CPU has its own,
// as hardware has a TLB of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/running_cpus.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "translator/base/guest_ram.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class GuestMmu;

template <GuestArchitecture Guest>
struct MachineState {
  // `config` is that of each MMU.
  MachineState(const MmuConfig& config, const GuestRam& ram, CodeListener& listener)
      : ids(std::max(config.max_page_ids, kMinPageIds)), code(ram, listener, cpus) {}

  RunningCpus cpus;
  FlushRecords<typename Guest::Va, typename Guest::Asid> flushes;
  PageIdsOf<typename Guest::Va> ids;
  CodePages code;
  // By RunningCpus::Index; null: it is gone. Only while no other CPU runs may one touch another's.
  std::vector<GuestMmu<Guest>*> mmus;

 private:
  static constexpr uint32_t kMinPageIds = 64;  // a block's two pages, and room to get ahead
};

}  // namespace crosswalk::mmu
