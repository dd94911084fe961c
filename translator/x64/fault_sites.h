// SPDX-License-Identifier: GPL-2.0-or-later
// Notes which host instructions may fault on behalf of the guest, and where guest state is then.
#pragma once

#include <xbyak/xbyak.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "translator/x64/arena.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/position.h"

namespace crosswalk::x64 {

class FaultSites {
 public:
  FaultSites(Xbyak::CodeGenerator& code, const Position& position, Arena& arena)
      : code_(code), position_(position), start_(code.getCurr()), sites_(arena, 0, 16) {}

  // The host instruction at `at` accesses `bytes` at [r14 + va + displacement].
  void access(const uint8_t* at, uint32_t bytes, bool write, Xbyak::Reg64 va, int32_t displacement) {
    add({static_cast<uint32_t>(at - start_), position_.inst->guest, static_cast<uint8_t>(bytes),
         static_cast<uint8_t>(write ? kSiteWrite : 0), displacement, static_cast<uint8_t>(va.getIdx())});
  }
  // The call that was just emitted may not return here.
  void call() { add({static_cast<uint32_t>(code_.getCurr() - start_), position_.inst->guest, 0, kSiteCall, 0, 0}); }
  // By offset.
  std::span<const FaultSite> all() {
    std::sort(sites_.begin(), sites_.end(), [](auto& a, auto& b) { return a.offset < b.offset; });
    return {sites_.begin(), sites_.size()};
  }

 private:
  void add(FaultSite site) {
    if (position_.rounding == Rounding::Standard) site.flags |= kSiteStandardMxcsr;
    sites_.push_back(site);
  }

  Xbyak::CodeGenerator& code_;
  const Position& position_;
  const uint8_t* const start_;
  ArenaVector<FaultSite> sites_;
};

}  // namespace crosswalk::x64
