/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fault installs: the page, and its neighbours that are valid, alike and contiguous with it.
 * As freestanding as walker.h.
 */
#ifndef CROSSWALK_KERNEL_MODULE_FILL_H
#define CROSSWALK_KERNEL_MODULE_FILL_H

#include "mmu-shadow/walker/walk_memo.h"

/* Neighbours that are looked at around a 4 KiB entry: one naturally aligned 64 KiB. */
#define CW_AROUND_PAGES 16u

/*
 * Whether translated code may access what a walk found without asking again: not Device and
 * Strongly-ordered memory, where alignment is checked (ARM DDI 0406C, A3.2.1), but with the MMU off
 * code that checks everything runs. Whether it is RAM is asked elsewhere.
 */
static inline int cw_enterable(const struct cw_result *r)
{
	return r->fault == CW_FAULT_NONE && (r->memory_type == CW_NORMAL || r->log2_size == 32);
}

/* `pages` pages from `va` on, which reach consecutive PAs from `pa` on. */
struct cw_stretch {
	uint64_t pa;
	uint32_t va, pages;
};

static inline int cw_continues(const struct cw_regime *r, uint32_t va, int privileged,
			       cw_reader read, void *context, struct cw_memo *memo,
			       const struct cw_result *like, uint64_t pa, unsigned int *levels)
{
	const struct cw_result *found = &memo->result;

	*levels += cw_walk_memo(r, va, CW_LOAD, privileged, read, context, memo);
	return cw_enterable(found) && found->log2_size == like->log2_size &&
	       found->permissions == like->permissions && found->ng == like->ng && found->pa == pa;
}

/*
 * The stretch around `va`, for which a walk gave `found`, within [lowest, highest] (VAs of pages):
 * at most `fill` pages, a power of two, naturally aligned. `levels` counts the descriptors read.
 */
static inline struct cw_stretch cw_stretch_around(const struct cw_regime *r, uint32_t va,
						  int privileged, cw_reader read, void *context,
						  const struct cw_result *found, uint32_t fill,
						  uint32_t lowest, uint32_t highest,
						  unsigned int *levels)
{
	const uint32_t page = va & ~0xfffu;
	const uint64_t pa = found->pa & ~(uint64_t)0xfff;
	uint32_t first = page, last = page, low, high;
	struct cw_stretch stretch;

	if (found->log2_size == 12) {
		if (fill > CW_AROUND_PAGES)
			fill = CW_AROUND_PAGES;
	} else if (found->log2_size < 21 && fill > 1u << (found->log2_size - 12)) {
		fill = 1u << (found->log2_size - 12);
	}
	low = page & ~(fill * 4096 - 1);
	high = low + (fill - 1) * 4096;
	if (low < lowest)
		low = lowest;
	if (high > highest)
		high = highest;
	if (found->log2_size == 12) {
		struct cw_memo memo;

		memo.known = 0;
		while (first != low && pa >= page - first + 4096 &&
		       cw_continues(r, first - 4096, privileged, read, context, &memo, found,
				    pa - (page - first) - 4096, levels))
			first -= 4096;
		while (last != high &&
		       cw_continues(r, last + 4096, privileged, read, context, &memo, found,
				    pa + (last - page) + 4096, levels))
			last += 4096;
	} else {
		first = low;
		last = high;
	}
	stretch.va = first;
	stretch.pages = (last - first) / 4096 + 1;
	stretch.pa = pa - (page - first);
	return stretch;
}

#endif
