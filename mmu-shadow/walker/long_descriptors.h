/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks of tables with long descriptors (B3.6). As freestanding as walker.h.
 */
#ifndef CROSSWALK_MMU_SHADOW_LONG_DESCRIPTORS_H
#define CROSSWALK_MMU_SHADOW_LONG_DESCRIPTORS_H

#include "mmu-shadow/walker/walk_result.h"

/* Memory attributes of AttrIndx and SH through MAIR0 and MAIR1 (B4.1.104). */
static inline void cw_long_attributes(const struct cw_regime* r, unsigned index, unsigned sh, struct cw_result* out) {
  const unsigned attribute = (index & 4 ? r->nmrr : r->prrr) >> (8 * (index & 3)) & 0xff;
  /* MAIR nibbles: 00RW write-through transient, 0100 non-cacheable, 01RW write-back transient,
   * 10RW write-through, 11RW write-back; W is bit 0. */
  unsigned i, cache[2];
  out->mair_attribute = (uint8_t)attribute;
  out->inner = out->outer = 0;
  if ((attribute >> 4) == 0) {
    out->memory_type = attribute == 0 ? CW_STRONGLY_ORDERED : CW_DEVICE; /* other values are unpredictable */
    out->shareability = 2;
    return;
  }
  for (i = 0; i < 2; i++) {
    const unsigned nibble = attribute >> (4 * i) & 15;
    if (nibble == 4)
      cache[i] = 0;
    else if (nibble & 4)
      cache[i] = nibble & 1 ? 1 : 3;
    else
      cache[i] = 2;
  }
  out->memory_type = CW_NORMAL;
  out->inner = (uint8_t)cache[0];
  out->outer = (uint8_t)cache[1];
  out->shareability = (uint8_t)sh;
}

/* The table for `va`, and TTBCR.T0SZ or T1SZ of its half (B3.6.4); returns 1 when there is none or
 * TTBCR disables the walk. */
static inline int cw_long_table(const struct cw_regime* r, uint32_t va, uint64_t* base, unsigned* size) {
  const unsigned t0 = r->ttbcr & CW_TTBCR_T0SZ, t1 = (r->ttbcr & CW_TTBCR_T1SZ) >> 16;
  const int low = t0 == 0 || va >> (32 - t0) == 0;
  if ((t1 == 0 && !low) || (t1 != 0 && va >> (32 - t1) == (1u << t1) - 1)) {
    *size = t1;
    *base = r->ttbr1;
    return (r->ttbcr & CW_TTBCR_EPD1) != 0;
  }
  *size = t0;
  *base = r->ttbr0;
  return !low || (r->ttbcr & CW_TTBCR_EPD0) != 0;
}

/* Long descriptors (B3.6). */
static inline void cw_walk_long(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                                void* context, struct cw_result* out) {
  unsigned size, level, shift, ap, no_pl0 = 0, read_only = 0, xn_table = 0, pxn_table = 0, ns_table = 0;
  uint64_t base, descriptor = 0, address;

  if (cw_long_table(r, va, &base, &size)) {
    cw_set_fault(r, out, CW_FAULT_TRANSLATION, 1, kind);
    return;
  }
  level = size > 1 ? 2 : 1;
  base &= ((uint64_t)1 << 40) - ((uint64_t)1 << (9 * level - size - 4));
  shift = 39 - 9 * level; /* 30, 21, 12 */
  address = base | (uint64_t)(((uint32_t)(va << size) >> size) >> shift) << 3;
  for (;;) {
    if (cw_read_descriptor(r, address, 8, read, context, out, &descriptor)) {
      cw_set_fault(r, out, CW_FAULT_EXTERNAL_WALK, level, kind);
      return;
    }
    if (!(descriptor & 1) || (level == 3 && !(descriptor & 2))) {
      cw_set_fault(r, out, CW_FAULT_TRANSLATION, level, kind);
      return;
    }
    if (level == 3 || !(descriptor & 2)) break;
    ns_table |= descriptor >> 63 & 1;
    read_only |= descriptor >> 62 & 1; /* APTable[1] */
    no_pl0 |= descriptor >> 61 & 1;    /* APTable[0] */
    xn_table |= descriptor >> 60 & 1;
    pxn_table |= descriptor >> 59 & 1;
    level++;
    shift -= 9;
    address = (descriptor & 0xfffffff000ull) | (va >> shift & 0x1ff) << 3;
  }
  out->level = (uint8_t)level;
  out->log2_size = (uint8_t)shift;
  out->pa = (descriptor & 0xffffffffffull & ~(((uint64_t)1 << shift) - 1)) | (va & ((1u << shift) - 1));
  out->ng = descriptor >> 11 & 1;
  out->ns = (descriptor >> 5 & 1) | ns_table;
  out->xn = (descriptor >> 54 & 1) | xn_table;
  out->pxn = (descriptor >> 53 & 1) | pxn_table;
  cw_long_attributes(r, descriptor >> 2 & 7, descriptor >> 8 & 3, out);
  if (!(descriptor >> 10 & 1)) {
    cw_set_fault(r, out, CW_FAULT_ACCESS_FLAG, level, kind);
    return;
  }
  ap = descriptor >> 6 & 3;
  if (read_only) ap |= 2;
  if (no_pl0) ap &= 2;
  out->entry_valid = 1;
  out->permissions = (uint8_t)cw_with_execute(r->sctlr, cw_ap21(ap), out->xn, out->pxn);
  if (!(out->permissions & cw_needed_permission(kind, privileged)))
    cw_set_fault(r, out, CW_FAULT_PERMISSION, level, kind);
}

#endif
