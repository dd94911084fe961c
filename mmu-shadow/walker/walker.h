/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-table walker: ARMv7-A stage 1, PL1&0 translation regime, short and long descriptors.
 *
 * Freestanding C that compiles as C++ and inside a kernel module: no libc, no state, static inline functions with the
 * prefix cw_. Everything is a pure function of (regime, VA, access, guest memory). Section numbers are those of
 * ARM DDI 0406C; choices that it leaves open follow Cortex-A15 (ARM DDI 0438).
 */
#ifndef CROSSWALK_MMU_SHADOW_WALKER_H
#define CROSSWALK_MMU_SHADOW_WALKER_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/* SCTLR and TTBCR bits that matter to a walk (B4.1.130, B4.1.153). */
#define CW_SCTLR_M 0x00000001u
#define CW_SCTLR_WXN 0x00080000u
#define CW_SCTLR_UWXN 0x00100000u
#define CW_SCTLR_EE 0x02000000u
#define CW_SCTLR_TRE 0x10000000u
#define CW_SCTLR_AFE 0x20000000u
#define CW_TTBCR_EAE 0x80000000u
#define CW_TTBCR_N 0x00000007u /* short descriptors */
#define CW_TTBCR_PD0 0x00000010u
#define CW_TTBCR_PD1 0x00000020u
#define CW_TTBCR_T0SZ 0x00000007u /* long descriptors */
#define CW_TTBCR_EPD0 0x00000080u
#define CW_TTBCR_T1SZ 0x00070000u
#define CW_TTBCR_A1 0x00400000u
#define CW_TTBCR_EPD1 0x00800000u

/* The translation regime: register values as the guest wrote them. With TTBCR.EAE=1, prrr and nmrr are MAIR0, MAIR1. */
struct cw_regime {
  uint64_t ttbr0, ttbr1;
  uint32_t sctlr, ttbcr, dacr, prrr, nmrr, contextidr;
};

enum cw_kind { CW_LOAD, CW_STORE, CW_FETCH };

/* Permissions, after domains, APTable, WXN and UWXN. */
#define CW_PL1_READ 1u
#define CW_PL1_WRITE 2u
#define CW_PL1_EXECUTE 4u
#define CW_PL0_READ 8u
#define CW_PL0_WRITE 16u
#define CW_PL0_EXECUTE 32u
#define CW_ALL_PERMISSIONS 63u

enum cw_memory_type { CW_NORMAL, CW_DEVICE, CW_STRONGLY_ORDERED };

enum cw_fault {
  CW_FAULT_NONE,
  CW_FAULT_TRANSLATION,
  CW_FAULT_ACCESS_FLAG,
  CW_FAULT_DOMAIN,
  CW_FAULT_PERMISSION,
  CW_FAULT_EXTERNAL_WALK, /* synchronous external abort on a translation table walk */
  CW_FAULT_EXTERNAL,      /* synchronous external abort of the access itself */
  CW_FAULT_ALIGNMENT,
  CW_FAULT_DEBUG,
};

struct cw_result {
  uint64_t pa;
  uint32_t fsr;        /* DFSR or IFSR value when fault != CW_FAULT_NONE */
  uint8_t fault;       /* enum cw_fault */
  uint8_t level;       /* level of the entry or of the fault: 1-3 */
  uint8_t levels_read; /* descriptors read */
  uint8_t entry_valid; /* an entry a TLB may hold was found (also with a domain or permission fault) */
  uint8_t log2_size;   /* of the entry: 12, 16, 20, 21, 24, 30; 32 with the MMU off */
  uint8_t permissions; /* CW_PL* */
  uint8_t xn, pxn;     /* as in the descriptors, with XNTable and PXNTable */
  uint8_t ng;          /* the entry belongs to the ASID */
  uint8_t ns;          /* NS, with NSTable */
  uint8_t domain;
  uint8_t memory_type;    /* enum cw_memory_type */
  uint8_t inner, outer;   /* Normal: 0 non-cacheable, 1 write-back write-allocate, 2 write-through, 3 write-back */
  uint8_t shareability;   /* as SH[1:0]: 0 non-shareable, 2 outer, 3 inner */
  uint8_t mair_attribute; /* long descriptors: the byte of MAIR */
};

/*
 * Reads `bytes` (4 or 8) at an aligned guest-physical address, in host byte order and single-copy atomically.
 * Returns 0, or non-zero when nothing answers there (external abort).
 */
typedef int (*cw_reader)(void* context, uint64_t pa, unsigned bytes, uint64_t* value);

static inline int cw_uses_long(uint32_t ttbcr) { return (ttbcr & CW_TTBCR_EAE) != 0; }

/* The current ASID (B3.10.1, TTBCR.A1 with long descriptors). */
static inline uint8_t cw_asid(const struct cw_regime* r) {
  if (!cw_uses_long(r->ttbcr)) return (uint8_t)r->contextidr;
  return (uint8_t)(((r->ttbcr & CW_TTBCR_A1) ? r->ttbr1 : r->ttbr0) >> 48);
}

/*
 * DFSR or IFSR for a fault (B3.13.4 table B3-23 for short, B3-24 for long descriptors). ExT stays 0: memory that does
 * not exist is an AXI decode error on Cortex-A15.
 */
static inline uint32_t cw_fsr(int uses_long, unsigned fault, unsigned level, unsigned domain, unsigned kind) {
  uint32_t status = 0, fsr;
  if (uses_long) {
    switch (fault) {
      case CW_FAULT_TRANSLATION: status = 0x04 | level; break;
      case CW_FAULT_ACCESS_FLAG: status = 0x08 | level; break;
      case CW_FAULT_DOMAIN:
      case CW_FAULT_PERMISSION: status = 0x0c | level; break;
      case CW_FAULT_EXTERNAL_WALK: status = 0x14 | level; break;
      case CW_FAULT_EXTERNAL: status = 0x10; break;
      case CW_FAULT_ALIGNMENT: status = 0x21; break;
      case CW_FAULT_DEBUG: status = 0x22; break;
      default: break;
    }
    fsr = 1u << 9 | status;
  } else {
    const int first = level == 1;
    switch (fault) {
      case CW_FAULT_TRANSLATION: status = first ? 0x05 : 0x07; break;
      case CW_FAULT_ACCESS_FLAG: status = first ? 0x03 : 0x06; break;
      case CW_FAULT_DOMAIN: status = first ? 0x09 : 0x0b; break;
      case CW_FAULT_PERMISSION: status = first ? 0x0d : 0x0f; break;
      case CW_FAULT_EXTERNAL_WALK: status = first ? 0x0c : 0x0e; break;
      case CW_FAULT_EXTERNAL: status = 0x08; break;
      case CW_FAULT_ALIGNMENT: status = 0x01; break;
      case CW_FAULT_DEBUG: status = 0x02; break;
      default: break;
    }
    fsr = (status & 15u) | (status >> 4 & 1u) << 10;
    if (kind != CW_FETCH) fsr |= (domain & 15u) << 4; /* IFSR has no domain field */
  }
  if (kind == CW_STORE) fsr |= 1u << 11; /* WnR */
  return fsr;
}

static inline unsigned cw_needed_permission(unsigned kind, int privileged) {
  const unsigned bit = kind == CW_STORE ? CW_PL1_WRITE : kind == CW_FETCH ? CW_PL1_EXECUTE : CW_PL1_READ;
  return privileged ? bit : bit << 3;
}

/* Adds the execute permissions to read and write permissions (B3.7.2, B3.7.3). */
static inline unsigned cw_with_execute(uint32_t sctlr, unsigned rw, unsigned xn, unsigned pxn) {
  const int wxn = (sctlr & CW_SCTLR_WXN) != 0, uwxn = (sctlr & CW_SCTLR_UWXN) != 0;
  if ((rw & CW_PL1_READ) && !xn && !pxn && !(wxn && (rw & CW_PL1_WRITE)) && !(uwxn && (rw & CW_PL0_WRITE)))
    rw |= CW_PL1_EXECUTE;
  if ((rw & CW_PL0_READ) && !xn && !(wxn && (rw & CW_PL0_WRITE))) rw |= CW_PL0_EXECUTE;
  return rw;
}

/* Read and write permissions of AP[2:1] (B3.7.1, table B3-9), the model of AFE=1 and of long descriptors. */
static inline unsigned cw_ap21(unsigned ap21) {
  unsigned rw = CW_PL1_READ;
  if (!(ap21 & 2)) rw |= CW_PL1_WRITE;
  if (ap21 & 1) rw |= (rw & 3u) << 3;
  return rw;
}

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

/* Memory attributes of AttrIndx and SH through MAIR0 and MAIR1 (B4.1.104). */
static inline void cw_long_attributes(const struct cw_regime* r, unsigned index, unsigned sh, struct cw_result* out) {
  const unsigned attribute = (index & 4 ? r->nmrr : r->prrr) >> (8 * (index & 3)) & 0xff;
  /* MAIR nibbles: 00RW write-through transient, 0100 non-cacheable, 01RW write-back transient, 10RW write-through,
   * 11RW write-back; W is bit 0. */
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

static inline void cw_set_fault(const struct cw_regime* r, struct cw_result* out, unsigned fault, unsigned level,
                                unsigned kind) {
  out->fault = (uint8_t)fault;
  out->level = (uint8_t)level;
  out->fsr = cw_fsr(cw_uses_long(r->ttbcr), fault, level, out->domain, kind);
}

static inline uint32_t cw_swap32(uint32_t x) { return x << 24 | (x & 0xff00u) << 8 | (x >> 8 & 0xff00u) | x >> 24; }

/* Descriptors have the byte order of SCTLR.EE (B3.5.1). The reader returns little-endian words. */
static inline int cw_read_descriptor(const struct cw_regime* r, uint64_t pa, unsigned bytes, cw_reader read,
                                     void* context, struct cw_result* out, uint64_t* value) {
  out->levels_read++;
  if (read(context, pa, bytes, value)) return 1;
  if (r->sctlr & CW_SCTLR_EE) {
    if (bytes == 4)
      *value = cw_swap32((uint32_t)*value);
    else
      *value = (uint64_t)cw_swap32((uint32_t)*value) << 32 | cw_swap32((uint32_t)(*value >> 32));
  }
  return 0;
}

/* Short descriptors (B3.5). */
static inline void cw_walk_short(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                                 void* context, struct cw_result* out) {
  const unsigned n = r->ttbcr & CW_TTBCR_N;
  const int low = n == 0 || va >> (32 - n) == 0;
  uint64_t word;
  uint32_t descriptor, table, ap, tex, c, b, s;
  unsigned access_flag, domain_access, rw;

  if (r->ttbcr & (low ? CW_TTBCR_PD0 : CW_TTBCR_PD1)) {
    cw_set_fault(r, out, CW_FAULT_TRANSLATION, 1, kind);
    return;
  }
  if (low) {
    table = (uint32_t)r->ttbr0 & ~((1u << (14 - n)) - 1);
    table |= (va << n >> (n + 20)) << 2;
  } else {
    table = ((uint32_t)r->ttbr1 & 0xffffc000u) | va >> 20 << 2;
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
      out->level = 2;
      if (descriptor & 2) { /* small page */
        out->log2_size = 12;
        out->xn = descriptor & 1;
        tex = descriptor >> 6 & 7;
      } else { /* large page */
        out->log2_size = 16;
        out->xn = descriptor >> 15 & 1;
        tex = descriptor >> 12 & 7;
      }
      ap = (descriptor >> 4 & 3) | (descriptor >> 9 & 1) << 2;
      s = descriptor >> 10 & 1;
      out->ng = descriptor >> 11 & 1;
      out->pa = descriptor & ~((1u << out->log2_size) - 1);
      break;
    default: /* section or supersection; bit 0 is PXN */
      out->level = 1;
      out->pxn = descriptor & 1;
      out->xn = descriptor >> 4 & 1;
      out->ns = descriptor >> 19 & 1;
      tex = descriptor >> 12 & 7;
      ap = (descriptor >> 10 & 3) | (descriptor >> 15 & 1) << 2;
      s = descriptor >> 16 & 1;
      out->ng = descriptor >> 17 & 1;
      if (descriptor & 1u << 18) { /* supersection: always domain 0 */
        out->log2_size = 24;
        out->pa = (descriptor & 0xff000000u) | (uint64_t)(descriptor >> 20 & 15) << 32 |
                  (uint64_t)(descriptor >> 5 & 15) << 36;
      } else {
        out->log2_size = 20;
        out->domain = descriptor >> 5 & 15;
        out->pa = descriptor & 0xfff00000u;
      }
      break;
  }
  b = descriptor >> 2 & 1;
  c = descriptor >> 3 & 1;
  out->pa |= va & ((1u << out->log2_size) - 1);
  cw_short_attributes(r, tex, c, b, s, out);

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

/* Long descriptors (B3.6). */
static inline void cw_walk_long(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                                void* context, struct cw_result* out) {
  const unsigned t0 = r->ttbcr & CW_TTBCR_T0SZ, t1 = (r->ttbcr & CW_TTBCR_T1SZ) >> 16;
  unsigned size = 0, level, shift, ap, no_pl0 = 0, read_only = 0, xn_table = 0, pxn_table = 0, ns_table = 0;
  int found = 0, disabled = 0;
  uint64_t base = 0, descriptor = 0, address;

  if (t0 == 0 || va >> (32 - t0) == 0) {
    found = 1;
    size = t0;
    base = r->ttbr0;
    disabled = (r->ttbcr & CW_TTBCR_EPD0) != 0;
  }
  if ((t1 == 0 && !found) || (t1 != 0 && va >> (32 - t1) == (1u << t1) - 1)) {
    found = 1;
    size = t1;
    base = r->ttbr1;
    disabled = (r->ttbcr & CW_TTBCR_EPD1) != 0;
  }
  if (!found || disabled) {
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
