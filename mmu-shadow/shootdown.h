// SPDX-License-Identifier: GPL-2.0-or-later
// Which CPUs a DSB has to wait for: those that may have entries, in the address space in which they
// are now, that this CPU's broadcast operations since its last DSB cover. The others apply these
// when they enter such a space.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/running_cpus.h"
#include "mmu-shadow/spaces/address_space.h"
#include "translator/base/tlb_flush.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class Shootdown {
 public:
  using Va = typename Guest::Va;
  using Flush = TlbFlush<Va, typename Guest::Asid>;
  using Space = AddressSpace<Guest>;

  Shootdown(RunningCpus& cpus, RunningCpus::Index self) : cpus_(cpus), self_(self) {}

  // ---- where this CPU is
  // It enters the space, and has not looked at the logs since.
  void enter(const Space& space) { cpus_.enter(self_, place_of(space)); }
  // A global entry for `va` is to be made in the space. True: other CPUs did not reckon with it so
  // far, so that the walk has to be made once more.
  bool surprises(const Space& space, Va va) {
    return !space.key.privileged && cpus_.several() && cpus_.add_places(self_, part_of(va));
  }

  // ---- what it has broadcast since the last DSB
  void add(const Flush& operation) {
    switch (operation.kind) {
      case Flush::All:
      case Flush::PageOfAllAsids: everywhere_ = true; break;
      case Flush::OfAsid: add_asid(operation.asid); break;
      case Flush::Page:
        add_asid(operation.asid);
        parts_ |= part_of(operation.va);
        break;
    }
  }
  bool covers(RunningCpus::Index other) const {
    const uint32_t place = cpus_.place(other);
    return everywhere_ || place == kEverywhere || place == place_ || (cpus_.places(other) & parts_) != 0;
  }
  // They are complete.
  void done() {
    everywhere_ = false;
    place_ = kNowhere;
    parts_ = 0;
  }

 private:
  // A place is the ASID of an unprivileged space, plus 2. Privileged spaces have global entries for
  // most VAs, and a window's provider may make any.
  static constexpr uint32_t kNowhere = 0, kEverywhere = 1, kAsids = 2;

  static uint32_t place_of(const Space& space) {
    return space.key.privileged || space.filling() ? kEverywhere : kAsids + space.key.asid;
  }
  // Unprivileged spaces have few global entries, such as the vectors' page: in which of the 64
  // equal parts of the 4 GiB, modulo 4 GiB.
  static uint64_t part_of(Va va) { return uint64_t{1} << (va >> 26 & 63); }
  void add_asid(uint32_t asid) {
    if (place_ != kNowhere && place_ != kAsids + asid) everywhere_ = true;
    place_ = kAsids + asid;
  }

  RunningCpus& cpus_;
  const RunningCpus::Index self_;
  bool everywhere_ = false;
  uint32_t place_ = kNowhere;
  uint64_t parts_ = 0;
};

}  // namespace crosswalk::mmu
