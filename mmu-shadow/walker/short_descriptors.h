/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks of tables with short descriptors (B3.5). As freestanding as walker.h.
 */
#ifndef CROSSWALK_MMU_SHADOW_SHORT_DESCRIPTORS_H
#define CROSSWALK_MMU_SHADOW_SHORT_DESCRIPTORS_H

#include "mmu-shadow/walker/walk_result.h"

/* Read and write permissions of AP[2:0] with AFE=0 (table B3-8). 0b100 is reserved: no access. */
static inline unsigned cw_ap20(unsigned ap) {
  switch (ap) {
    case 1: return CW_PL1_READ | CW_PL1_WRITE;
    case 2: return CW_PL1_READ | CW_PL1_WRITE | CW_PL0_READ;
    case 3: return CW_PL1_READ | CW_PL1_WRITE | CW_PL0_READ | CW_PL0_WRITE;
    case 5: return CW_PL1_READ;
    case 6:
    case 7: return CW_PL1_READ | CW_PL0_READ;
    default: return 0;
  }
}

/* Memory attributes of TEX, C, B, S (B3.8.2 without, B3.8.3 with TEX remap). */
static inline void cw_short_attributes(const struct cw_regime* r, unsigned tex, unsigned c, unsigned b, unsigned s,
                                       struct cw_result* out) {
  unsigned type = CW_NORMAL, inner = 0, outer = 0, shared = s;
  out->shareability = 0;
  if (r->sctlr & CW_SCTLR_TRE) {
    const unsigned n = (tex & 1) << 2 | c << 1 | b, tr = r->prrr >> (2 * n) & 3;
    if (tr == 0) {
      type = CW_STRONGLY_ORDERED;
      shared = 1;
    } else if (tr == 1) {
      type = CW_DEVICE;
      shared = r->prrr >> (s ? 17 : 16) & 1;
    } else { /* 0b11 is reserved: Normal */
      inner = r->nmrr >> (2 * n) & 3;
      outer = r->nmrr >> (2 * n + 16) & 3;
      shared = r->prrr >> (s ? 19 : 18) & 1;
    }
    if (shared) out->shareability = (type == CW_NORMAL && (r->prrr >> (24 + n) & 1)) ? 3 : 2;
  } else {
    const unsigned cb = c << 1 | b;
    if (tex & 4) {
      inner = cb;
      outer = tex & 3;
    } else if (tex == 0) {
      if (cb == 0)
        type = CW_STRONGLY_ORDERED, shared = 1;
      else if (cb == 1)
        type = CW_DEVICE, shared = 1;
      else
        inner = outer = cb;
    } else if (tex == 1) {
      if (cb == 3) inner = outer = 1; /* 01 and 10 are reserved: Normal non-cacheable */
    } else if (tex == 2 && cb == 0) {
      type = CW_DEVICE;
      shared = 0;
    }
    if (shared) out->shareability = 2;
  }
  out->memory_type = (uint8_t)type;
  out->inner = (uint8_t)inner;
  out->outer = (uint8_t)outer;
}

/* Where the descriptor of the first level for `va` is (B3.5.4); returns 1 when TTBCR disables
 * the walk. */
static inline int cw_short_table(const struct cw_regime* r, uint32_t va, uint32_t* address) {
  const unsigned n = r->ttbcr & CW_TTBCR_N;
  const int low = n == 0 || va >> (32 - n) == 0;
  if (r->ttbcr & (low ? CW_TTBCR_PD0 : CW_TTBCR_PD1)) return 1;
  if (low)
    *address = ((uint32_t)r->ttbr0 & ~((1u << (14 - n)) - 1)) | (va << n >> (n + 20)) << 2;
  else
    *address = ((uint32_t)r->ttbr1 & 0xffffc000u) | va >> 20 << 2;
  return 0;
}

/* Fields that pages and sections have in different places. */
struct cw_short_fields {
  uint32_t tex, ap, s;
};

static inline struct cw_short_fields cw_short_page(uint32_t descriptor, struct cw_result* out) {
  struct cw_short_fields f;
  out->level = 2;
  if (descriptor & 2) { /* small page */
    out->log2_size = 12;
    out->xn = descriptor & 1;
    f.tex = descriptor >> 6 & 7;
  } else { /* large page */
    out->log2_size = 16;
    out->xn = descriptor >> 15 & 1;
    f.tex = descriptor >> 12 & 7;
  }
  f.ap = (descriptor >> 4 & 3) | (descriptor >> 9 & 1) << 2;
  f.s = descriptor >> 10 & 1;
  out->ng = descriptor >> 11 & 1;
  out->pa = descriptor & ~((1u << out->log2_size) - 1);
  return f;
}

/* A section or supersection; bit 0 is PXN. */
static inline struct cw_short_fields cw_short_section(uint32_t descriptor, struct cw_result* out) {
  struct cw_short_fields f;
  out->level = 1;
  out->pxn = descriptor & 1;
  out->xn = descriptor >> 4 & 1;
  out->ns = descriptor >> 19 & 1;
  f.tex = descriptor >> 12 & 7;
  f.ap = (descriptor >> 10 & 3) | (descriptor >> 15 & 1) << 2;
  f.s = descriptor >> 16 & 1;
  out->ng = descriptor >> 17 & 1;
  if (descriptor & 1u << 18) { /* supersection: always domain 0 */
    out->log2_size = 24;
    out->pa =
        (descriptor & 0xff000000u) | (uint64_t)(descriptor >> 20 & 15) << 32 | (uint64_t)(descriptor >> 5 & 15) << 36;
  } else {
    out->log2_size = 20;
    out->domain = descriptor >> 5 & 15;
    out->pa = descriptor & 0xfff00000u;
  }
  return f;
}

/* Access flag, domain and permissions of an entry that was found. */
static inline void cw_short_check(const struct cw_regime* r, uint32_t ap, unsigned kind, int privileged,
                                  struct cw_result* out) {
  unsigned access_flag, domain_access, rw;
  if (r->sctlr & CW_SCTLR_AFE) {
    access_flag = ap & 1;
    rw = cw_ap21(ap >> 1);
  } else {
    access_flag = 1;
    rw = cw_ap20(ap);
  }
  if (!access_flag) { /* SCTLR.HA is RAZ on Cortex-A15: software manages the flag */
    cw_set_fault(r, out, CW_FAULT_ACCESS_FLAG, out->level, kind);
    return;
  }
  out->entry_valid = 1;
  domain_access = r->dacr >> (2 * out->domain) & 3;
  if (domain_access == 3) { /* manager: neither AP nor XN is checked */
    out->permissions = CW_ALL_PERMISSIONS;
  } else if (domain_access == 1) {
    out->permissions = (uint8_t)cw_with_execute(r->sctlr, rw, out->xn, out->pxn);
  } else { /* no access; 0b10 is reserved and acts the same */
    cw_set_fault(r, out, CW_FAULT_DOMAIN, out->level, kind);
    return;
  }
  if (!(out->permissions & cw_needed_permission(kind, privileged)))
    cw_set_fault(r, out, CW_FAULT_PERMISSION, out->level, kind);
}

/* Short descriptors (B3.5). */
static inline void cw_walk_short(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                                 void* context, struct cw_result* out) {
  struct cw_short_fields fields;
  uint64_t word;
  uint32_t descriptor, table;

  if (cw_short_table(r, va, &table)) {
    cw_set_fault(r, out, CW_FAULT_TRANSLATION, 1, kind);
    return;
  }
  if (cw_read_descriptor(r, table, 4, read, context, out, &word)) {
    cw_set_fault(r, out, CW_FAULT_EXTERNAL_WALK, 1, kind);
    return;
  }
  descriptor = (uint32_t)word;

  switch (descriptor & 3) {
    case 0: cw_set_fault(r, out, CW_FAULT_TRANSLATION, 1, kind); return;
    case 1: /* page table */
      out->domain = descriptor >> 5 & 15;
      out->pxn = descriptor >> 2 & 1;
      out->ns = descriptor >> 3 & 1;
      table = (descriptor & 0xfffffc00u) | (va >> 12 & 0xff) << 2;
      if (cw_read_descriptor(r, table, 4, read, context, out, &word)) {
        cw_set_fault(r, out, CW_FAULT_EXTERNAL_WALK, 2, kind);
        return;
      }
      descriptor = (uint32_t)word;
      if (!(descriptor & 3)) {
        cw_set_fault(r, out, CW_FAULT_TRANSLATION, 2, kind);
        return;
      }
      fields = cw_short_page(descriptor, out);
      break;
    default: fields = cw_short_section(descriptor, out); break;
  }
  out->pa |= va & ((1u << out->log2_size) - 1);
  cw_short_attributes(r, fields.tex, descriptor >> 3 & 1, descriptor >> 2 & 1, fields.s, out);
  cw_short_check(r, fields.ap, kind, privileged, out);
}

#endif
