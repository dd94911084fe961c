/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a walk starts from and what it finds, and what both formats of descriptors have in common.
 * As freestanding as walker.h.
 */
#ifndef CROSSWALK_MMU_SHADOW_WALK_RESULT_H
#define CROSSWALK_MMU_SHADOW_WALK_RESULT_H

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

/* The translation regime: register values as the guest wrote them. With TTBCR.EAE=1, prrr and
 * nmrr are MAIR0, MAIR1. */
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
  uint8_t entry_valid; /* a TLB may hold what was found (also with a domain or permission fault) */
  uint8_t log2_size;   /* of the entry: 12, 16, 20, 21, 24, 30; 32 with the MMU off */
  uint8_t permissions; /* CW_PL* */
  uint8_t xn, pxn;     /* as in the descriptors, with XNTable and PXNTable */
  uint8_t ng;          /* the entry belongs to the ASID */
  uint8_t ns;          /* NS, with NSTable */
  uint8_t domain;
  uint8_t memory_type; /* enum cw_memory_type */
  /* Normal: 0 non-cacheable, 1 write-back write-allocate, 2 write-through, 3 write-back */
  uint8_t inner, outer;
  uint8_t shareability;   /* as SH[1:0]: 0 non-shareable, 2 outer, 3 inner */
  uint8_t mair_attribute; /* long descriptors: the byte of MAIR */
};

/*
 * Reads `bytes` (4 or 8) at an aligned guest-physical address, in host byte order and single-copy
 * atomically. Returns 0, or non-zero when nothing answers there (external abort).
 */
typedef int (*cw_reader)(void* context, uint64_t pa, unsigned bytes, uint64_t* value);

static inline int cw_uses_long(uint32_t ttbcr) { return (ttbcr & CW_TTBCR_EAE) != 0; }

/* The current ASID (B3.10.1, TTBCR.A1 with long descriptors). */
static inline uint8_t cw_asid(const struct cw_regime* r) {
  if (!cw_uses_long(r->ttbcr)) return (uint8_t)r->contextidr;
  return (uint8_t)(((r->ttbcr & CW_TTBCR_A1) ? r->ttbr1 : r->ttbr0) >> 48);
}

/*
 * DFSR or IFSR for a fault (B3.13.4 table B3-23 for short, B3-24 for long descriptors). ExT stays
 * 0: memory that does not exist is an AXI decode error on Cortex-A15.
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

/* Read and write permissions of AP[2:1] (B3.7.1, table B3-9), the model of AFE=1 and of long
 * descriptors. */
static inline unsigned cw_ap21(unsigned ap21) {
  unsigned rw = CW_PL1_READ;
  if (!(ap21 & 2)) rw |= CW_PL1_WRITE;
  if (ap21 & 1) rw |= (rw & 3u) << 3;
  return rw;
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

#endif
