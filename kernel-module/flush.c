// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking entries away, or write access.
 *
 * First the generation changes and the record of the entries goes, under the lock; then, without
 * it, the page-table entries go, through the mapping's i_mmap: wherever the window was moved to.
 * So no entry that was walked for before is inserted afterwards. Both happen under one hold of
 * cw_machine.removal, which every flush takes: none returns while another one is between the two.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kernel-module/crosswalk.h"

/* Removes page-table entries, wherever the window is mapped. May sleep. */
static void cw_zap(struct cw_machine *m, struct cw_window *w, u32 first, u32 last)
{
	/* Tells KVM through its MMU notifier, and flushes TLBs. */
	unmap_mapping_range(&m->mapping, CW_MAP_WINDOW(w->id) + ((loff_t)first << PAGE_SHIFT),
			    (loff_t)(last - first + 1) << PAGE_SHIFT, 1);
}

/*
 * The caller holds m->removal, as everyone who uses m->gone. `vma` may be null; if not, it holds
 * mmap_lock.
 */
static void cw_zap_gone_in(struct cw_machine *m, struct cw_window *w, struct vm_area_struct *vma)
{
	struct cw_ranges *r = &m->gone;
	u32 i;

	/* The one that the window has needs no search. */
	if (vma && w->mapped != 1)
		vma = NULL;
	for (i = 0; i < r->count; i++) {
		const u32 first = r->range[i].first, last = r->range[i].last;

		if (vma && cw_in_vma(vma, first << PAGE_SHIFT) &&
		    cw_in_vma(vma, last << PAGE_SHIFT))
			cw_zap_in_vma(vma, cw_base_in(vma) + ((unsigned long)first << PAGE_SHIFT),
				      (unsigned long)(last - first + 1) << PAGE_SHIFT);
		else
			cw_zap(m, w, first, last);
	}
	r->count = 0;
	r->open = 0;
}

static void cw_zap_gone(struct cw_machine *m, struct cw_window *w)
{
	cw_zap_gone_in(m, w, NULL);
}

static void cw_next_generation(struct cw_machine *m)
{
	spin_lock(&m->lock);
	m->generation++;
	spin_unlock(&m->lock);
}

void cw_remove_page(struct cw_machine *m, struct cw_window *w, u32 va)
{
	const u32 page = va >> CW_PAGE_BITS;

	mutex_lock(&m->removal);
	spin_lock(&m->lock);
	m->generation++;
	if (cw_entry_at(&w->entries, va))
		cw_drop_entry(&w->entries, w->entries.leaves[va >> CW_LEAF_BITS],
			      cw_leaf_index(va));
	spin_unlock(&m->lock);
	cw_zap(m, w, page, page);
	mutex_unlock(&m->removal);
}

/* Takes everything off record; `gone`, if not null, gets the pages. Returns how many. */
static u32 cw_take_all(struct cw_machine *m, struct cw_window *w, struct cw_ranges *gone)
{
	struct cw_entries *e = &w->entries;
	struct cw_leaf *list = NULL, *leaf;
	u32 l, removed;

	spin_lock(&m->lock);
	m->generation++;
	removed = e->count;
	cw_for_each_leaf (e, l, 0, CW_LEAVES) {
		leaf = cw_take_leaf(e, l);
		if (gone && leaf->count)
			cw_add_range(gone, l * CW_LEAF_PAGES + cw_next_entry(leaf, 0),
				     l * CW_LEAF_PAGES + cw_last_entry(leaf));
		/* Its first word of `valid` links what is to be freed. */
		*(struct cw_leaf **)leaf->valid = list;
		list = leaf;
	}
	cw_forget_large(e);
	cw_publish(m, w);
	spin_unlock(&m->lock);
	while (list) {
		leaf = list;
		list = *(struct cw_leaf **)leaf->valid;
		kmem_cache_free(cw_leaf_cache, leaf);
	}
	return removed;
}

void cw_forget(struct cw_machine *m, struct cw_window *w)
{
	cw_take_all(m, w, NULL);
	spin_lock(&m->lock);
	memset(w->touched, 0, sizeof(w->touched));
	w->stretches = 0;
	m->statistics->windows[w->id].stretches = 0;
	spin_unlock(&m->lock);
}

/* Removes everything. Returns how many pages. The caller holds m->removal. */
static u32 cw_remove_all(struct cw_machine *m, struct cw_window *w)
{
	const u32 removed = cw_take_all(m, w, &m->gone);

	cw_zap_gone(m, w);
	return removed;
}

/*
 * Drops what is covered in leaves [from, end). Returns how many pages. The caller holds m->removal,
 * and calls cw_zap_gone() then.
 */
static u32 cw_remove_covered(struct cw_machine *m, struct cw_window *w, const struct cw_cover *c,
			     u32 from, u32 end)
{
	struct cw_entries *e = &w->entries;
	struct cw_ranges *gone = &m->gone;
	u32 l = from, removed = 0;

	cw_keep(gone);
	while (l < end) {
		if (gone->count > CW_RANGES / 2) {
			cw_zap_gone(m, w);
			cond_resched();
		}
		spin_lock(&m->lock);
		l = cw_next_leaf(e, l);
		if (l < end) {
			struct cw_leaf *leaf = e->leaves[l];

			if (c->nonglobal_only && !leaf->ng_count)
				cw_keep(gone);
			else
				removed += cw_drop_covered(e, l, c, gone);
		}
		cw_publish(m, w);
		spin_unlock(&m->lock);
		l++;
	}
	cw_keep(gone);
	return removed;
}

/* What is covered in leaf `l`, in m->changes. Returns how many. */
static u32 cw_collect_covered(struct cw_machine *m, struct cw_window *w, const struct cw_cover *c,
			      u32 l)
{
	struct cw_change *changes = m->changes;
	const struct cw_leaf *leaf;
	u32 count = 0, i;

	spin_lock(&m->lock);
	leaf = w->entries.leaves[l];
	if (leaf && (leaf->ng_count || !c->nonglobal_only)) {
		cw_for_each_entry (leaf, i, cw_first_covered(c, l), cw_end_covered(c, l)) {
			const u32 va = l << CW_LEAF_BITS | i << CW_PAGE_BITS;

			if (cw_covers(c, va, leaf->entries[i])) {
				changes[count].va = va;
				changes[count++].was = leaf->entries[i];
			}
		}
	}
	spin_unlock(&m->lock);
	return count;
}

/* Of m->changes, those that are on record still. Drops them. Returns how many: they are first. */
static u32 cw_drop_changed(struct cw_machine *m, struct cw_window *w, struct vm_area_struct *vma,
			   u32 count)
{
	struct cw_change *changes = m->changes;
	struct cw_entries *e = &w->entries;
	u32 dropped = 0, i;

	spin_lock(&m->lock);
	for (i = 0; i < count; i++) {
		const u32 va = changes[i].va, page = va >> CW_PAGE_BITS;

		/* Another entry by now was walked for in this generation. */
		if (cw_entry_at(e, va) != changes[i].was)
			continue;
		cw_drop_entry(e, e->leaves[va >> CW_LEAF_BITS], cw_leaf_index(va));
		cw_keep(&m->gone);
		cw_add_range(&m->gone, page, page);
		changes[dropped++] = changes[i];
	}
	cw_publish(m, w);
	spin_unlock(&m->lock);
	cw_zap_gone_in(m, w, vma);
	return dropped;
}

/* Inserts m->changes as far as `vma` has them. Returns how many; which have `entry` then. */
static u32 cw_insert_changed(struct cw_machine *m, struct vm_area_struct *vma, struct cw_view *view,
			     u32 count)
{
	struct cw_change *changes = m->changes;
	u32 i;

	if (vma && count && cw_together(vma, changes[0].va, changes[count - 1].va)) {
		const int done = cw_insert_pages(view, vma, changes, count);

		if (done >= 0)
			return done;
	}
	for (i = 0; i < count; i++)
		changes[i].entry = 0;
	return 0;
}

/*
 * Walks again for what is covered in leaf `l`: what is as it was stays; what lacked write access
 * gets it; the rest goes, and is installed anew where the tables say so.
 */
static void cw_rewalk_leaf(struct cw_machine *m, struct cw_window *w, const struct cw_cover *c,
			   u32 l, struct cw_view *view, struct cw_memo *memo, struct cw_flush *out)
{
	struct cw_change *changes = m->changes, same = {0, 0, 0};
	const u32 count = cw_collect_covered(m, w, c, l);
	struct vm_area_struct *vma;
	u32 changed = 0, gain = 0, rewritten = 0, dropped, i;

	for (i = 0; i < count; i++) {
		struct cw_change now = changes[i];

		/* Of a large entry that is as it was, the other pages are. */
		if (cw_continues_entry(same.va, same.was, now.va, now.was)) {
			same = now;
			continue;
		}
		now.entry = cw_translate(view, now.va, memo);
		if (now.entry == now.was) {
			same = now;
			continue;
		}
		if (now.entry == (now.was | CW_ENTRY_WRITABLE))
			gain++;
		else if (now.entry && IS_ERR(cw_hold(m, cw_entry_ram_page(now.entry), false)))
			now.entry = 0;
		changes[changed++] = now;
	}
	out->kept += count - changed;
	if (!changed)
		return;
	vma = cw_find_vma(m, w, changes[0].va);
	if (gain == changed) {
		rewritten = cw_insert_changed(m, vma, view, changed);
		for (i = 0, gain = 0; i < changed; i++)
			if (!changes[i].entry)
				changes[gain++] = changes[i];
		changed = gain;
	}
	if (changed) {
		dropped = cw_drop_changed(m, w, vma, changed);
		changed = cw_insert_changed(m, vma, view, dropped);
		out->removed += dropped - changed;
		rewritten += changed;
	}
	out->rewritten += rewritten;
}

static void cw_rewalk(struct cw_machine *m, struct cw_window *w, const struct cw_cover *c, u32 from,
		      u32 end, struct cw_flush *out)
{
	struct cw_view view;
	struct cw_memo memo;
	u32 l = from;

	cw_look(&view, m, w);
	memo.known = 0;
	while (l < end && !fatal_signal_pending(current)) {
		if (from + 1 != end) {
			spin_lock(&m->lock);
			l = cw_next_leaf(&w->entries, l);
			spin_unlock(&m->lock);
		}
		if (l < end)
			cw_rewalk_leaf(m, w, c, l, &view, &memo, out);
		l++;
		cond_resched();
	}
}

/* Whether the entry of `va` may be rewritten: it is there, and no larger one covers it. */
static bool cw_is_small(const struct cw_entries *e, u32 va)
{
	return cw_entry_at(e, va) && !cw_in_large(e, va);
}

/*
 * The caller holds m->removal, and mmap_lock if `eager` is set, and calls cw_zap_gone() then.
 */
static long cw_flush_one(struct cw_machine *m, struct cw_window *w,
			 const struct cw_flush_record *record, bool eager, struct cw_flush *out)
{
	struct cw_cover c = {.va = record->va, .last = CW_LEAVES * CW_LEAF_PAGES - 1};
	u32 from = 0, end = CW_LEAVES, leaves;

	if (record->bytes && record->kind != CW_FLUSH_RANGE)
		return -EINVAL;
	switch (record->kind) {
	case CW_FLUSH_ALL:
	case CW_FLUSH_NONGLOBAL:
		if (record->va)
			return -EINVAL;
		c.nonglobal_only = record->kind == CW_FLUSH_NONGLOBAL;
		if (!eager && !c.nonglobal_only) {
			out->removed += cw_remove_all(m, w);
			return 0;
		}
		break;
	case CW_FLUSH_VA:
	case CW_FLUSH_VA_GLOBAL:
		c.by_va = 1;
		c.global_only = record->kind == CW_FLUSH_VA_GLOBAL;
		spin_lock(&m->lock);
		from = cw_leaves_for(&w->entries, record->va, &leaves);
		if (eager && cw_is_small(&w->entries, record->va)) {
			c.by_va = 0;
			c.first = c.last = record->va >> CW_PAGE_BITS;
		} else {
			eager = false;
		}
		spin_unlock(&m->lock);
		end = from + leaves;
		break;
	case CW_FLUSH_RANGE:
		if (!record->bytes || !PAGE_ALIGNED(record->va) || !PAGE_ALIGNED(record->bytes) ||
		    record->bytes > (1ull << 32) - record->va)
			return -EINVAL;
		c.first = record->va >> CW_PAGE_BITS;
		c.last = c.first + (record->bytes >> CW_PAGE_BITS) - 1;
		from = c.first / CW_LEAF_PAGES;
		end = c.last / CW_LEAF_PAGES + 1;
		break;
	default:
		return -EINVAL;
	}
	if (eager)
		cw_rewalk(m, w, &c, from, end, out);
	else
		out->removed += cw_remove_covered(m, w, &c, from, end);
	return 0;
}

/* Carries out records that lie in the kernel. */
static long cw_flush_records(struct cw_machine *m, struct cw_window *w,
			     const struct cw_flush_record *records, u32 count, bool eager,
			     struct cw_flush *arg)
{
	long error = 0;
	u32 i;

	if (eager)
		mmap_read_lock(m->mm);
	mutex_lock(&m->removal);
	for (i = 0; i < count && !error; i++)
		error = cw_flush_one(m, w, &records[i], eager, arg);
	cw_zap_gone(m, w);
	mutex_unlock(&m->removal);
	if (eager)
		mmap_read_unlock(m->mm);
	cw_add(m, flush_records, i);
	return error;
}

long cw_flush(struct cw_machine *m, struct cw_window *w, struct cw_flush *arg)
{
	const struct cw_flush_record __user *from = u64_to_user_ptr(arg->records);
	struct cw_flush_record records[8];
	const bool eager = arg->flags & CW_FLUSH_EAGER;
	long error = 0;
	u32 done, now;

	if (arg->flags & ~CW_FLUSH_EAGER || arg->zero || arg->zero2 || arg->count > CW_MAX_BATCH)
		return -EINVAL;
	if (!arg->records && arg->count != 1)
		return -EINVAL;
	arg->removed = arg->kept = arg->rewritten = 0;
	cw_next_generation(m);
	if (!arg->records) {
		error = cw_flush_records(m, w, &arg->record, 1, eager, arg);
		goto out;
	}
	for (done = 0; done < arg->count && !error; done += now) {
		now = min_t(u32, arg->count - done, ARRAY_SIZE(records));
		if (copy_from_user(records, from + done, now * sizeof(*records)))
			error = -EFAULT;
		else
			error = cw_flush_records(m, w, records, now, eager, arg);
		if (fatal_signal_pending(current))
			error = -EINTR;
		cond_resched();
	}
out:
	cw_add(m, removed, arg->removed);
	cw_add(m, kept, arg->kept);
	cw_add(m, rewritten, arg->rewritten);
	return error;
}

u32 cw_protect(struct cw_machine *m, struct cw_window *w, u32 first, u32 last)
{
	struct cw_entries *e = &w->entries;
	struct cw_ranges *gone = &m->gone;
	u32 vas[32];
	u32 l = 0, i, done = 0, again;

	cw_next_generation(m);
	while (l < CW_LEAVES) {
		struct cw_leaf *leaf;

		again = 0;
		mutex_lock(&m->removal);
		spin_lock(&m->lock);
		cw_for_each_leaf (e, l, l, CW_LEAVES) {
			leaf = e->leaves[l];
			if (leaf->count && leaf->ram_first <= last && leaf->ram_last >= first)
				break;
		}
		if (l < CW_LEAVES) {
			for (i = 0; (i = cw_next_writable(leaf, i, first, last)) < CW_LEAF_PAGES;
			     i++) {
				const u32 page = l * CW_LEAF_PAGES + i;

				if (!test_bit(cw_entry_ram_page(leaf->entries[i]), m->code))
					continue;
				cw_drop_entry(e, leaf, i);
				cw_add_range(gone, page, page);
				cw_keep(gone);
				done++;
				/* The others fault back. */
				if (again < ARRAY_SIZE(vas))
					vas[again++] = page << CW_PAGE_BITS;
			}
			cw_publish(m, w);
		}
		spin_unlock(&m->lock);
		cw_zap_gone(m, w);
		mutex_unlock(&m->removal);
		if (again)
			cw_install(m, w, vas, again);
		l++;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

void cw_set_watch(struct cw_machine *m, const struct cw_watch *watch)
{
	u32 id, i;

	spin_lock(&m->lock);
	m->watch = *watch;
	m->generation++;
	spin_unlock(&m->lock);
	for (id = 0; id < CW_MAX_WINDOWS; id++) {
		struct cw_window *w = smp_load_acquire(&m->windows[id]);

		if (!w || !READ_ONCE(w->entries.count))
			continue;
		mutex_lock(&m->removal);
		for (i = 0; i < watch->count; i++) {
			const struct cw_cover c = {
				.first = watch->ranges[i].first_page,
				.last = watch->ranges[i].last_page,
			};

			cw_remove_covered(m, w, &c, c.first / CW_LEAF_PAGES,
					  c.last / CW_LEAF_PAGES + 1);
		}
		cw_zap_gone(m, w);
		mutex_unlock(&m->removal);
	}
}
