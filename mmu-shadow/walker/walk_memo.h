/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks for many pages at once. Neighbours come from one table, and most of their descriptors
 * differ in the address alone: then one read is all there is to do. As freestanding as walker.h.
 *
 * The descriptors that lead to a table are read once and held, as a walker in hardware may hold
 * them (ARM DDI 0406C, B3.10.1); the last one is read for each page.
 */
#ifndef CROSSWALK_MMU_SHADOW_WALK_MEMO_H
#define CROSSWALK_MMU_SHADOW_WALK_MEMO_H

#include "mmu-shadow/walker/walker.h"

/*
 * The last walk. All zeroes at first; then good for walks of one regime, kind and privilege, until
 * the guest runs again.
 */
struct cw_memo {
  struct cw_result result;
  uint64_t address;    /* of the last descriptor read, */
  uint64_t descriptor; /* and what it is */
  uint32_t va;
  uint8_t known; /* a descriptor was read */
};

struct cw_memo_reader {
  cw_reader read;
  void* context;
  struct cw_memo* memo;
};

static inline int cw_memo_read(void* context, uint64_t pa, unsigned bytes, uint64_t* value) {
  const struct cw_memo_reader* reader = (const struct cw_memo_reader*)context;
  if (reader->read(reader->context, pa, bytes, value)) {
    reader->memo->known = 0;
    return 1;
  }
  reader->memo->known = 1;
  reader->memo->address = pa;
  reader->memo->descriptor = *value;
  return 0;
}

/*
 * Whether memo->result becomes that of `va` without a whole walk. `levels` counts the descriptors
 * read.
 */
static inline int cw_walk_again(const struct cw_regime* r, uint32_t va, cw_reader read, void* context,
                                struct cw_memo* memo, unsigned* levels) {
  const int uses_long = cw_uses_long(r->ttbcr);
  const unsigned last_level = uses_long ? 3 : 2;
  struct cw_result* const out = &memo->result;
  /* Of what is less than a GiB (T0SZ or T1SZ of 3 and more), the other TTBR may have the rest. */
  const unsigned gib = (r->ttbcr & CW_TTBCR_T0SZ) < 3 && (r->ttbcr & CW_TTBCR_T1SZ) >> 16 < 3 ? 30 : 25;
  const unsigned span = !uses_long ? 20 : out->level == 1 ? gib : 21; /* of the descriptor, or of its table */
  uint64_t address, word, changed, offset_mask;

  if (!memo->known || (va ^ memo->va) >> span) return 0;
  if (out->level == last_level) {
    const unsigned bytes = uses_long ? 8 : 4;
    int same, page;
    /* Both within one table: the difference cannot leave it. */
    address = memo->address + ((uint64_t)(va >> 12) - (memo->va >> 12)) * bytes;
    if (read(context, address, bytes, &word)) return 0;
    ++*levels;
    changed = word ^ memo->descriptor;
    if (changed) {
      if (r->sctlr & CW_SCTLR_EE) return 0;
      if (uses_long) {
        page = (word & 3) == 3;
        same = page ? !(changed & ~0xfffffff000ull) : (memo->descriptor & 3) != 3;
      } else {
        page = (word & 2) != 0;
        same = page ? !(changed & 0xfff) : !((word | memo->descriptor) & 3);
      }
      if (!same) return 0;
      if (page) out->pa = uses_long ? word & 0xfffffff000ull : word & 0xfffff000;
      memo->descriptor = word;
    }
    memo->address = address;
  }
  /* Nothing was found: pa and log2_size are 0. */
  offset_mask = ((uint64_t)1 << out->log2_size) - 1;
  out->pa = (out->pa & ~offset_mask) | (va & offset_mask);
  memo->va = va;
  return 1;
}

/* Makes memo->result what cw_walk() would give. Returns how many descriptors were read. */
static inline unsigned cw_walk_memo(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged,
                                    cw_reader read, void* context, struct cw_memo* memo) {
  struct cw_memo_reader reader;
  unsigned levels = 0;
  if (cw_walk_again(r, va, read, context, memo, &levels)) return levels;
  reader.read = read;
  reader.context = context;
  reader.memo = memo;
  memo->known = 0;
  memo->va = va;
  cw_walk(r, va, kind, privileged, cw_memo_read, &reader, &memo->result);
  return levels + memo->result.levels_read;
}

#endif
