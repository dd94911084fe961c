// SPDX-License-Identifier: GPL-2.0-or-later
// The translation regime as a key: the registers that decide what a walk returns, with the bits
// that do not matter cleared, so that equal keys mean equal translations (for unchanged tables).
//
// TTBR0 and TTBR1 are part of the key although a TLB need only be tagged by ASID: guests change
// TTBR0 under a reserved ASID, and a key that tells them apart needs no flush. PRRR, NMRR, MAIR and
// SCTLR.TRE are not: they change memory attributes, which a TLB holds until it is told (B3.10.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "mmu-shadow/walker/guest.h"
#include "mmu-shadow/walker/walker.h"
#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::mmu {

struct RegimeKey {
  uint64_t ttbr0 = 0, ttbr1 = 0;
  uint32_t ttbcr = 0, dacr = 0, sctlr = 0;
  uint8_t asid = 0;
  bool privileged = false;

  bool operator==(const RegimeKey&) const = default;

  bool mmu_enabled() const { return sctlr & CW_SCTLR_M; }
  // Of all the regimes that differ from it in TTBR0 and the ASID alone.
  RegimeKey of_all_processes() const {
    RegimeKey key = *this;
    key.ttbr0 = 0;
    key.asid = 0;
    return key;
  }
  // Whether the other one interprets tables alike: with the same domains, as long or short ones.
  bool is_like(const RegimeKey& other) const { return dacr == other.dacr && ttbcr == other.ttbcr; }
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

// Where TTBR1 translates VAs, regimes that differ in TTBR0 and the ASID alone always give the same
// translations (ARM DDI 0406C, B3.5.4 and B3.6.4). Where TTBR0 translates everything, the last GiB
// is the kernel's in most systems, and each process has a copy of the kernel's descriptors of the
// first level: the translations are the same if these are.
inline CommonPart common_part(const RegimeKey& key) {
  constexpr uint64_t kEnd = uint64_t{1} << 32, kGigabyte = 1 << 30;
  const auto in_gigabytes = [](uint64_t start) {
    const uint64_t from = (start + kGigabyte - 1) & ~(kGigabyte - 1);
    return from == kEnd ? CommonPart{} : CommonPart{.from = from};
  };
  if (!key.mmu_enabled()) return {};
  if (cw_uses_long(key.ttbcr)) {
    const uint32_t t0 = key.ttbcr & CW_TTBCR_T0SZ, t1 = (key.ttbcr & CW_TTBCR_T1SZ) >> 16;
    if (t0 == 0 && t1 == 0) {
      if (key.ttbcr & CW_TTBCR_EPD0) return {};
      return {kEnd - kGigabyte, (key.ttbr0 & ~uint64_t{31}) + 24, 8};
    }
    if (key.ttbcr & CW_TTBCR_EPD1) return {};
    return in_gigabytes(t1 != 0 ? kEnd - (kEnd >> t1) : kEnd >> t0);
  }
  const uint32_t n = key.ttbcr & CW_TTBCR_N;
  if (n == 0) {
    if (key.ttbcr & CW_TTBCR_PD0) return {};
    return {kEnd - kGigabyte, key.ttbr0 + 0x3000, 0x1000};
  }
  if (key.ttbcr & CW_TTBCR_PD1) return {};
  return in_gigabytes(kEnd >> n);
}

// The descriptors of the first level that translate 2 MiB of VA: one long one, or two short ones.
inline constexpr size_t kRootBytes = 8;
// Where those of `va` are among `roots_bytes` (CommonPart).
inline size_t root_offset(uint32_t va, size_t roots_bytes) { return size_t{va >> 21} * kRootBytes % roots_bytes; }
// Of two copies of descriptors of the first level, `roots` and `now`: whether those at byte `at`,
// of the same 2 MiB, differ at most in that an invalid one became valid.
inline bool only_became_valid(const RegimeKey& key, const uint8_t* roots, const uint8_t* now, size_t at) {
  const auto invalid_or_same = [&](size_t i, size_t bytes, uint8_t valid_bits) {
    const size_t low = key.sctlr & CW_SCTLR_EE ? i + bytes - 1 : i;
    return (roots[low] & valid_bits) == 0 || std::memcmp(roots + i, now + i, bytes) == 0;
  };
  return cw_uses_long(key.ttbcr) ? invalid_or_same(at, 8, 1)
                                 : invalid_or_same(at, 4, 3) && invalid_or_same(at + 4, 4, 3);
}

}  // namespace crosswalk::mmu
