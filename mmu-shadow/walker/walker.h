/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-table walker: ARMv7-A stage 1, PL1&0 translation regime, short and long descriptors.
 *
 * Freestanding C that compiles as C++ and inside a kernel module: no libc, no state, static inline
 * functions with the prefix cw_. Everything is a pure function of (regime, VA, access, guest
 * memory). Section numbers are those of ARM DDI 0406C; choices that it leaves open follow
 * Cortex-A15 (ARM DDI 0438).
 */
#ifndef CROSSWALK_MMU_SHADOW_WALKER_H
#define CROSSWALK_MMU_SHADOW_WALKER_H

#include "mmu-shadow/walker/long_descriptors.h"
#include "mmu-shadow/walker/short_descriptors.h"
#include "mmu-shadow/walker/walk_result.h"

/* The walk. `out` is complete on return; out->fault says whether the access may proceed. */
static inline void cw_walk(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                           void* context, struct cw_result* out) {
  const struct cw_result empty = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  *out = empty;
  if (!(r->sctlr & CW_SCTLR_M)) { /* B3.2.1: flat; data Strongly-ordered, instructions Normal */
    out->pa = va;
    out->log2_size = 32;
    out->permissions = CW_ALL_PERMISSIONS;
    out->memory_type = kind == CW_FETCH ? CW_NORMAL : CW_STRONGLY_ORDERED;
    out->shareability = 2;
    out->entry_valid = 1;
    return;
  }
  if (cw_uses_long(r->ttbcr))
    cw_walk_long(r, va, kind, privileged, read, context, out);
  else
    cw_walk_short(r, va, kind, privileged, read, context, out);
}

/* PAR after a VA to PA translation (B4.1.112): 64 bits with long descriptors, else 32. */
static inline uint64_t cw_par(const struct cw_regime* r, const struct cw_result* out) {
  const int uses_long = cw_uses_long(r->ttbcr);
  uint32_t par, sh = out->shareability;
  if (out->fault != CW_FAULT_NONE) {
    if (uses_long) return 1u | (out->fsr & 0x3f) << 1 | 1u << 11;
    return 1u | (out->fsr & 15) << 1 | (out->fsr >> 10 & 1) << 5 | (out->fsr >> 12 & 1) << 6;
  }
  if (uses_long) {
    /* What is cached nowhere is outer shareable, whatever the descriptor has in SH. */
    if (out->memory_type != CW_NORMAL || (out->inner == 0 && out->outer == 0)) sh = 2;
    return (out->pa & 0xfffffff000ull) | (uint64_t)out->mair_attribute << 56 | 1u << 11 | (uint32_t)out->ns << 9 |
           sh << 7;
  }
  if (out->log2_size == 24)
    par = ((uint32_t)out->pa & 0xff000000u) | ((uint32_t)(out->pa >> 32) & 0xff) << 16 | 2u;
  else
    par = (uint32_t)out->pa & 0xfffff000u;
  par |= (uint32_t)out->ns << 9;
  if (sh) par |= 1u << 7;
  if (sh == 3) par |= 1u << 10; /* NOS */
  if (out->memory_type == CW_STRONGLY_ORDERED)
    par |= 1u << 4;
  else if (out->memory_type == CW_DEVICE)
    par |= 3u << 4;
  else
    par |= (uint32_t)out->outer << 2 | (out->inner ? (uint32_t)(out->inner | 4) << 4 : 0);
  return par;
}

#endif
