// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks of the guest's tables, as one thread sees them: struct cw_view.
 */
#include "kernel-module/crosswalk.h"

void cw_look(struct cw_view *view, struct cw_machine *m, struct cw_window *w)
{
	view->machine = m;
	view->window = w;
	view->missing = CW_NO_PAGE;
	spin_lock(&m->lock);
	view->generation = m->generation;
	view->regime = w->regime;
	view->privileged = w->privileged;
	view->fill_pages = w->fill_pages;
	spin_unlock(&m->lock);
}

bool cw_watched(const struct cw_machine *m, u32 va)
{
	const u32 page = va >> CW_PAGE_BITS;
	u32 i;

	/* Without the lock: who changes it increments the generation, and what is read here is
	 * void. */
	for (i = 0; i < min_t(u32, READ_ONCE(m->watch.count), CW_MAX_WATCHED); i++)
		if (page >= READ_ONCE(m->watch.ranges[i].first_page) &&
		    page <= READ_ONCE(m->watch.ranges[i].last_page))
			return true;
	return false;
}

bool cw_may_write(const struct cw_view *view, const struct cw_result *result)
{
	return result->permissions & cw_needed_permission(CW_STORE, view->privileged);
}

/* Whether a walk is to be made again: a page that holds a table is held now. May sleep. */
static bool cw_found_missing(struct cw_view *view)
{
	const u32 ram_page = view->missing;

	if (likely(ram_page == CW_NO_PAGE))
		return false;
	view->missing = CW_NO_PAGE;
	return !IS_ERR(cw_hold(view->machine, ram_page, true));
}

/* A walk reads three levels at most; tables that change meanwhile get a few tries more. */
#define CW_WALK_TRIES 8

void cw_walk_page(struct cw_view *view, u32 va, unsigned int kind, struct cw_result *result)
{
	unsigned int tries = 0;

	do
		cw_walk(&view->regime, va, kind, view->privileged, cw_read_ram, view, result);
	while (cw_found_missing(view) && ++tries < CW_WALK_TRIES);
	cw_count(view->machine, walks);
	cw_add(view->machine, walk_levels, result->levels_read);
}

/* The same for many, in the order of their VAs. */
static void cw_walk_next(struct cw_view *view, u32 va, struct cw_memo *memo)
{
	unsigned int tries = 0, levels = 0;

	do {
		if (tries)
			memo->known = 0;
		levels += cw_walk_memo(&view->regime, va, CW_LOAD, view->privileged, cw_read_ram,
				       view, memo);
	} while (cw_found_missing(view) && ++tries < CW_WALK_TRIES);
	cw_count(view->machine, walks);
	cw_add(view->machine, walk_levels, levels);
}

u32 cw_translate(struct cw_view *view, u32 va, struct cw_memo *memo)
{
	const struct cw_result *found = &memo->result;
	u32 ram_page;

	cw_walk_next(view, va, memo);
	if (!cw_enterable(found) || cw_watched(view->machine, va))
		return 0;
	ram_page = cw_ram_page(view->machine, found->pa, NULL);
	if (ram_page == CW_NO_PAGE)
		return 0;
	return cw_entry(ram_page,
			cw_may_write(view, found) && !test_bit(ram_page, view->machine->code),
			found->ng, cw_size_class(found->log2_size));
}
