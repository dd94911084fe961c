/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is installed in one window: a word for each 4 KiB page, in leaves of 2 MiB, with counts and
 * filters by which a flush costs in proportion to what it covers.
 *
 * As freestanding as walker.h: no allocation, no locks. The module's caller holds cw_machine.lock;
 * tests/kernel-module runs it in a process.
 */
#ifndef CROSSWALK_KERNEL_MODULE_ENTRIES_H
#define CROSSWALK_KERNEL_MODULE_ENTRIES_H

#include "mmu-shadow/walker/walker.h"

#define CW_PAGE_BITS  12
#define CW_LEAF_BITS  21
#define CW_LEAF_PAGES 512u
#define CW_LEAVES     2048u

/* An entry: RAM page << 6 | size class << 3 | nG << 2 | writable << 1 | valid. 0: none. */
#define CW_ENTRY_VALID	   1u
#define CW_ENTRY_WRITABLE  2u
#define CW_ENTRY_NONGLOBAL 4u
#define CW_ENTRY_OTHER	   (7u << 3 | CW_ENTRY_NONGLOBAL) /* size class and nG */

/* Of the ARM entry that a page comes from: 4 KiB, 64 KiB, 1, 2, 16 MiB, 1 GiB. */
static inline uint32_t cw_size_class(unsigned int log2_size)
{
	switch (log2_size) {
	case 16:
		return 1;
	case 20:
		return 2;
	case 21:
		return 3;
	case 24:
		return 4;
	case 30:
		return 5;
	default:
		return 0; /* 4 KiB; MMU off, which no flush changes */
	}
}

static inline unsigned int cw_class_bits(uint32_t size_class)
{
	return size_class == 0	 ? 12
	       : size_class == 1 ? 16
	       : size_class == 2 ? 20
	       : size_class == 3 ? 21
	       : size_class == 4 ? 24
				 : 30;
}

static inline uint32_t cw_entry(uint32_t ram_page, int writable, int ng, uint32_t size_class)
{
	return ram_page << 6 | size_class << 3 | (ng ? CW_ENTRY_NONGLOBAL : 0) |
	       (writable ? CW_ENTRY_WRITABLE : 0) | CW_ENTRY_VALID;
}

static inline uint32_t cw_entry_ram_page(uint32_t entry)
{
	return entry >> 6;
}

static inline uint32_t cw_entry_class(uint32_t entry)
{
	return entry >> 3 & 7;
}

struct cw_leaf {
	uint32_t entries[CW_LEAF_PAGES];    /* undefined where the bit in `valid` is not set */
	uint64_t valid[CW_LEAF_PAGES / 64]; /* this and what follows is zero in a new leaf */
	uint16_t count, ng_count, large_count;
	uint16_t number;
	uint32_t ram_first, ram_last; /* bounds of the RAM pages since the leaf was empty */
};

struct cw_entries {
	struct cw_leaf *leaves[CW_LEAVES];
	uint64_t used[CW_LEAVES / 64]; /* leaves that exist */
	uint64_t *shown;	       /* to the process: leaves with entries. Null: nothing is */
	uint32_t count, ng_count;
	/* Where entries larger than 4 KiB may be. */
	uint64_t megabytes[64];
	uint64_t sixteen[4];
	uint32_t gigabytes;
	uint32_t any_large;
};

static inline unsigned int cw_first_bit(uint64_t bits)
{
	return (unsigned int)__builtin_ctzll(bits);
}

/* The first leaf that exists from `l` on, or CW_LEAVES. */
static inline uint32_t cw_next_leaf(const struct cw_entries *e, uint32_t l)
{
	uint32_t w;

	for (w = l / 64; w < CW_LEAVES / 64; w++) {
		uint64_t bits = e->used[w];

		if (w == l / 64)
			bits &= ~(uint64_t)0 << l % 64;
		if (bits)
			return w * 64 + cw_first_bit(bits);
	}
	return CW_LEAVES;
}

/* The first valid entry from `i` on, or CW_LEAF_PAGES. */
static inline uint32_t cw_next_entry(const struct cw_leaf *leaf, uint32_t i)
{
	uint32_t w;

	for (w = i / 64; w < CW_LEAF_PAGES / 64; w++) {
		uint64_t bits = leaf->valid[w];

		if (w == i / 64)
			bits &= ~(uint64_t)0 << i % 64;
		if (bits)
			return w * 64 + cw_first_bit(bits);
	}
	return CW_LEAF_PAGES;
}

/* The last valid entry of a leaf that has one. */
static inline uint32_t cw_last_entry(const struct cw_leaf *leaf)
{
	uint32_t w = CW_LEAF_PAGES / 64 - 1;

	while (w && !leaf->valid[w])
		w--;
	return w * 64 + 63 - (uint32_t)__builtin_clzll(leaf->valid[w] | 1);
}

#define cw_for_each_leaf(e, l, from, end)                                                          \
	for ((l) = cw_next_leaf(e, from); (l) < (end); (l) = cw_next_leaf(e, (l) + 1))
#define cw_for_each_entry(leaf, i, from, end)                                                      \
	for ((i) = cw_next_entry(leaf, from); (i) < (end); (i) = cw_next_entry(leaf, (i) + 1))

static inline uint32_t cw_leaf_index(uint32_t va)
{
	return va >> CW_PAGE_BITS & (CW_LEAF_PAGES - 1);
}

static inline uint32_t cw_entry_in(const struct cw_leaf *leaf, uint32_t i)
{
	return leaf->valid[i / 64] >> i % 64 & 1 ? leaf->entries[i] : 0;
}

static inline uint32_t cw_entry_at(const struct cw_entries *e, uint32_t va)
{
	const struct cw_leaf *leaf = e->leaves[va >> CW_LEAF_BITS];

	return leaf ? cw_entry_in(leaf, cw_leaf_index(va)) : 0;
}

/* `leaf` is new, and becomes that of `va`, which has none. */
static inline void cw_add_leaf(struct cw_entries *e, uint32_t va, struct cw_leaf *leaf)
{
	const uint32_t l = va >> CW_LEAF_BITS;

	leaf->ram_first = ~0u;
	leaf->number = (uint16_t)l;
	e->leaves[l] = leaf;
	e->used[l / 64] |= (uint64_t)1 << l % 64;
}

static inline void cw_show_leaf(struct cw_entries *e, uint32_t l, int in_use)
{
	if (!e->shown)
		return;
	if (in_use)
		e->shown[l / 64] |= (uint64_t)1 << l % 64;
	else
		e->shown[l / 64] &= ~((uint64_t)1 << l % 64);
}

/* Takes leaf `l` out, with all that is in it: the caller frees it. */
static inline struct cw_leaf *cw_take_leaf(struct cw_entries *e, uint32_t l)
{
	struct cw_leaf *leaf = e->leaves[l];

	e->leaves[l] = (void *)0;
	cw_show_leaf(e, l, 0);
	e->used[l / 64] &= ~((uint64_t)1 << l % 64);
	e->count -= leaf->count;
	e->ng_count -= leaf->ng_count;
	return leaf;
}

static inline void cw_drop_entry(struct cw_entries *e, struct cw_leaf *leaf, uint32_t i)
{
	const uint32_t entry = leaf->entries[i];

	leaf->valid[i / 64] &= ~((uint64_t)1 << i % 64);
	if (!--leaf->count)
		cw_show_leaf(e, leaf->number, 0);
	e->count--;
	if (entry & CW_ENTRY_NONGLOBAL) {
		leaf->ng_count--;
		e->ng_count--;
	}
	if (cw_entry_class(entry))
		leaf->large_count--;
}

static inline void cw_note_large(struct cw_entries *e, uint32_t va, uint32_t size_class)
{
	e->any_large = 1;
	if (size_class <= 2)
		e->megabytes[va >> 26] |= (uint64_t)1 << (va >> 20 & 63);
	else if (size_class == 3)
		e->megabytes[va >> 26] |= (uint64_t)3 << (va >> 20 & 62);
	else if (size_class == 4)
		e->sixteen[va >> 30] |= (uint64_t)1 << (va >> 24 & 63);
	else
		e->gigabytes |= 1u << (va >> 30);
}

/* Installs `entry`, which is valid, in place of what is there. The leaf exists. */
static inline __attribute__((always_inline)) void cw_set_entry(struct cw_entries *e, uint32_t va,
							       uint32_t entry)
{
	struct cw_leaf *leaf = e->leaves[va >> CW_LEAF_BITS];
	const uint32_t i = cw_leaf_index(va), ram_page = cw_entry_ram_page(entry);

	if (cw_entry_in(leaf, i))
		cw_drop_entry(e, leaf, i);
	leaf->entries[i] = entry;
	leaf->valid[i / 64] |= (uint64_t)1 << i % 64;
	if (!leaf->count++)
		cw_show_leaf(e, leaf->number, 1);
	e->count++;
	if (entry & CW_ENTRY_NONGLOBAL) {
		leaf->ng_count++;
		e->ng_count++;
	}
	if (cw_entry_class(entry)) {
		leaf->large_count++;
		cw_note_large(e, va, cw_entry_class(entry));
	}
	if (ram_page < leaf->ram_first)
		leaf->ram_first = ram_page;
	if (ram_page > leaf->ram_last)
		leaf->ram_last = ram_page;
}

static inline void cw_forget_large(struct cw_entries *e)
{
	unsigned int i;

	if (!e->any_large)
		return;
	for (i = 0; i < 64; i++)
		e->megabytes[i] = 0;
	for (i = 0; i < 4; i++)
		e->sixteen[i] = 0;
	e->gigabytes = 0;
	e->any_large = 0;
}

/* Whether an entry that covers a VA may have pages in another leaf than the VA's. */
static inline int cw_has_far_entries(const struct cw_entries *e)
{
	return e->any_large &&
	       (e->gigabytes || (e->sixteen[0] | e->sixteen[1] | e->sixteen[2] | e->sixteen[3]));
}

/*
 * The leaves in which an entry that covers `va` can have pages: *count from the result on. Entries
 * of up to 2 MiB lie in the leaf of `va`; supersections have 8 leaves, blocks of 1 GiB 512.
 */
static inline uint32_t cw_leaves_for(const struct cw_entries *e, uint32_t va, uint32_t *count)
{
	*count = 1;
	if (e->any_large) {
		if (e->gigabytes >> (va >> 30) & 1)
			*count = 512;
		else if (e->sixteen[va >> 30] >> (va >> 24 & 63) & 1)
			*count = 8;
	}
	return va >> CW_LEAF_BITS & ~(*count - 1);
}

/* Whether an entry larger than a page may cover `va`. */
static inline int cw_in_large(const struct cw_entries *e, uint32_t va)
{
	return e->any_large &&
	       ((e->megabytes[va >> 26] >> (va >> 20 & 63) & 1) ||
		(e->sixteen[va >> 30] >> (va >> 24 & 63) & 1) || (e->gigabytes >> (va >> 30) & 1));
}

/* Whether the ARM entry that the page `page` comes from, as `entry` says, covers `va`. */
static inline int cw_entry_covers(uint32_t page, uint32_t entry, uint32_t va)
{
	return (page ^ va) >> cw_class_bits(cw_entry_class(entry)) == 0;
}

/* Whether page `next` comes from the same large ARM entry as `page`, as far on in RAM. */
static inline int cw_continues_entry(uint32_t page, uint32_t entry, uint32_t next,
				     uint32_t next_entry)
{
	return cw_entry_class(entry) && cw_entry_covers(page, entry, next) &&
	       next_entry == entry + ((next - page) >> CW_PAGE_BITS << 6);
}

/*
 * Pages of VA that have gone from a window and are still to go from page tables. Neighbours are one
 * range, and so are those with nothing installed in between, if they are not far: each page of a
 * range costs some ten instructions, and each range some 1,200. cw_keep() says that something is.
 * When there are too many, the last one is widened over what stays: that faults back.
 */
#define CW_RANGES 48
#define CW_FAR	  128
struct cw_ranges {
	uint32_t count, open;
	struct {
		uint32_t first, last; /* pages */
	} range[CW_RANGES];
};

static inline void cw_keep(struct cw_ranges *r)
{
	r->open = 0;
}

/* While a range is open, pages come in ascending order. */
static inline void cw_add_range(struct cw_ranges *r, uint32_t first, uint32_t last)
{
	if (!r->count || (!r->open && first != r->range[r->count - 1].last + 1) ||
	    first > r->range[r->count - 1].last + CW_FAR) {
		if (r->count < CW_RANGES) {
			r->range[r->count].first = first;
			r->range[r->count++].last = last;
			r->open = 1;
			return;
		}
		if (first < r->range[r->count - 1].first)
			r->range[r->count - 1].first = first;
	}
	if (last > r->range[r->count - 1].last)
		r->range[r->count - 1].last = last;
	r->open = 1;
}

/*
 * The first entry from `i` on that is writable and reaches a RAM page in [first, last], or
 * CW_LEAF_PAGES.
 */
static inline uint32_t cw_next_writable(const struct cw_leaf *leaf, uint32_t i, uint32_t first,
					uint32_t last)
{
	if (first == last) {
		const uint32_t wanted = cw_entry(first, 1, 0, 0);

		while (i < CW_LEAF_PAGES &&
		       (((leaf->entries[i] ^ wanted) & ~CW_ENTRY_OTHER) || !cw_entry_in(leaf, i)))
			i++;
		return i;
	}
	for (; i < CW_LEAF_PAGES; i++) {
		const uint32_t entry = leaf->entries[i];

		if (cw_entry_ram_page(entry) - first <= last - first &&
		    (entry & CW_ENTRY_WRITABLE) && cw_entry_in(leaf, i))
			break;
	}
	return i;
}

/* What a flush of one address or of a range of pages covers. */
struct cw_cover {
	uint32_t va;		    /* the entry that covers it, */
	uint32_t first, last;	    /* or these pages, */
	uint8_t by_va, global_only; /* and of these only global ones */
	uint8_t nonglobal_only;	    /* or only others */
};

static inline int cw_covers(const struct cw_cover *c, uint32_t page, uint32_t entry)
{
	if (c->global_only && (entry & CW_ENTRY_NONGLOBAL))
		return 0;
	if (c->nonglobal_only && !(entry & CW_ENTRY_NONGLOBAL))
		return 0;
	if (c->by_va)
		return cw_entry_covers(page, entry, c->va);
	return page >> CW_PAGE_BITS >= c->first && page >> CW_PAGE_BITS <= c->last;
}

/* The entries of leaf `l` that `c` can cover. */
static inline uint32_t cw_first_covered(const struct cw_cover *c, uint32_t l)
{
	return !c->by_va && c->first > l * CW_LEAF_PAGES ? c->first - l * CW_LEAF_PAGES : 0;
}

static inline uint32_t cw_end_covered(const struct cw_cover *c, uint32_t l)
{
	return !c->by_va && c->last < l * CW_LEAF_PAGES + CW_LEAF_PAGES - 1
		       ? c->last + 1 - l * CW_LEAF_PAGES
		       : CW_LEAF_PAGES;
}

/* Drops what `c` covers in leaf `l`, which exists; `gone` gets the pages. Returns how many. */
static inline uint32_t cw_drop_covered(struct cw_entries *e, uint32_t l, const struct cw_cover *c,
				       struct cw_ranges *gone)
{
	struct cw_leaf *leaf = e->leaves[l];
	uint32_t dropped = 0, i;

	if (c->by_va && l == c->va >> CW_LEAF_BITS && !leaf->large_count) {
		/* The common case: one page. */
		i = cw_leaf_index(c->va);
		if (!cw_entry_in(leaf, i) || !cw_covers(c, c->va, leaf->entries[i]))
			return 0;
		cw_drop_entry(e, leaf, i);
		cw_add_range(gone, c->va >> CW_PAGE_BITS, c->va >> CW_PAGE_BITS);
		cw_keep(gone);
		return 1;
	}
	cw_for_each_entry (leaf, i, cw_first_covered(c, l), cw_end_covered(c, l)) {
		const uint32_t page = l * CW_LEAF_PAGES + i;

		if (cw_covers(c, page << CW_PAGE_BITS, leaf->entries[i])) {
			cw_drop_entry(e, leaf, i);
			cw_add_range(gone, page, page);
			dropped++;
		} else {
			cw_keep(gone);
		}
	}
	return dropped;
}

#endif
