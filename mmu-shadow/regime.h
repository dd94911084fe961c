// SPDX-License-Identifier: GPL-2.0-or-later
// The translation regime as a key: the registers that decide what a walk returns, with the bits that do not matter
// cleared, so that equal keys mean equal translations (for unchanged tables).
//
// TTBR0 and TTBR1 are part of the key although a TLB need only be tagged by ASID: guests change TTBR0 under a reserved
// ASID, and a key that tells them apart needs no flush. PRRR, NMRR and MAIR are not: they change memory attributes,
// and RAM is installed whatever its attributes are.
#pragma once

#include <cstdint>

#include "mmu-shadow/walker.h"
#include "translator/arm/cpu_state.h"

namespace crosswalk::mmu {

struct RegimeKey {
  uint64_t ttbr0 = 0, ttbr1 = 0;
  uint32_t ttbcr = 0, dacr = 0, sctlr = 0;
  uint8_t asid = 0;
  bool privileged = false;

  bool operator==(const RegimeKey&) const = default;

  bool mmu_enabled() const { return sctlr & CW_SCTLR_M; }
  uint32_t hash() const {
    uint64_t h = (ttbr0 ^ ttbr1 << 21) * 0x9e3779b97f4a7c15u;
    h ^= (uint64_t{dacr} << 32 | (ttbcr ^ sctlr)) * 0xc2b2ae3d27d4eb4fu;
    h ^= (uint64_t{asid} << 1 | privileged) * 0xff51afd7ed558ccdu;
    return static_cast<uint32_t>((h ^ h >> 29) * 0x94d049bb133111ebu >> 32);
  }
};

inline cw_regime regime_of(const Cp15& c) {
  return cw_regime{c.ttbr0, c.ttbr1, c.sctlr, c.ttbcr, c.dacr, c.prrr, c.nmrr, c.contextidr};
}

inline RegimeKey key_of(const cw_regime& r, bool privileged) {
  RegimeKey key;
  if (!(r.sctlr & CW_SCTLR_M)) return key;  // flat for both privileges
  key.privileged = privileged;
  key.asid = cw_asid(&r);
  constexpr uint32_t kAlways = CW_SCTLR_M | CW_SCTLR_WXN | CW_SCTLR_UWXN | CW_SCTLR_EE;
  if (cw_uses_long(r.ttbcr)) {
    constexpr uint64_t kBase = 0xffffffffffu;
    key.sctlr = r.sctlr & kAlways;
    key.ttbcr = r.ttbcr & (CW_TTBCR_EAE | CW_TTBCR_T0SZ | CW_TTBCR_EPD0 | CW_TTBCR_T1SZ | CW_TTBCR_EPD1);
    if (!(r.ttbcr & CW_TTBCR_EPD0)) key.ttbr0 = r.ttbr0 & kBase;
    const bool ttbr1_unused = !(r.ttbcr & (CW_TTBCR_T0SZ | CW_TTBCR_T1SZ));
    if (!(r.ttbcr & CW_TTBCR_EPD1) && !ttbr1_unused) key.ttbr1 = r.ttbr1 & kBase;
  } else {
    key.sctlr = r.sctlr & (kAlways | CW_SCTLR_AFE);
    key.dacr = r.dacr;
    const uint32_t n = r.ttbcr & CW_TTBCR_N;
    key.ttbcr = r.ttbcr & (CW_TTBCR_N | CW_TTBCR_PD0 | CW_TTBCR_PD1);
    if (!(r.ttbcr & CW_TTBCR_PD0)) key.ttbr0 = static_cast<uint32_t>(r.ttbr0) & ~((1u << (14 - n)) - 1);
    if (n == 0)
      key.ttbcr &= ~CW_TTBCR_PD1;
    else if (!(r.ttbcr & CW_TTBCR_PD1))
      key.ttbr1 = static_cast<uint32_t>(r.ttbr1) & 0xffffc000u;
  }
  return key;
}

// The first VA, in whole GiB, from which on only TTBR1 translates: what a walk gives there does not depend on TTBR0 or
// the ASID (ARM DDI 0406C, B3.5.4 and B3.6.4). 4 GiB when there is none.
inline uint64_t ttbr1_from(const RegimeKey& key) {
  constexpr uint64_t kEnd = uint64_t{1} << 32, kGigabyte = 1 << 30;
  uint64_t start = kEnd;
  if (!key.mmu_enabled()) return kEnd;
  if (cw_uses_long(key.ttbcr)) {
    const uint32_t t0 = key.ttbcr & 7, t1 = key.ttbcr >> 16 & 7;
    if (key.ttbcr & CW_TTBCR_EPD1) return kEnd;
    if (t1 != 0)
      start = kEnd - (kEnd >> t1);
    else if (t0 != 0)
      start = kEnd >> t0;
  } else {
    const uint32_t n = key.ttbcr & CW_TTBCR_N;
    if (key.ttbcr & CW_TTBCR_PD1) return kEnd;
    if (n != 0) start = kEnd >> n;
  }
  return (start + kGigabyte - 1) & ~(kGigabyte - 1);
}

}  // namespace crosswalk::mmu
