// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of windows: the walk of the guest's tables, and the page-table entries that come of it.
 *
 * mmap_lock is held for reading (a handler without ->map_pages is not called under a VMA's lock),
 * so page tables stay once they are allocated. cw_machine.lock, a spinlock, is held to insert, and
 * nothing is allocated under it. Entries are special: nobody else but fork, which VM_DONTCOPY keeps
 * away, takes references to what they reach.
 */
#include <linux/pfn.h>
#include <linux/slab.h>

#include "kernel-module/crosswalk.h"

struct kmem_cache *cw_leaf_cache;

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

static bool cw_may_write(const struct cw_view *view, const struct cw_result *result)
{
	return result->permissions & cw_needed_permission(CW_STORE, view->privileged);
}

/*
 * Reads a descriptor, from the kernel's own mapping of RAM: what walks of `view`, a struct cw_view,
 * call. Does not sleep: `missing` says which page is to be held first.
 */
static inline int cw_read_ram(void *context, u64 pa, unsigned int bytes, u64 *value)
{
	struct cw_view *view = context;
	const u32 ram_page = cw_ram_page(view->machine, pa, NULL);
	const struct page *page;
	const void *at;

	if (ram_page == CW_NO_PAGE)
		return 1;
	page = READ_ONCE(view->machine->pages[ram_page]);
	if (!page) {
		view->missing = ram_page;
		return 1;
	}
	at = page_address(page) + offset_in_page(pa);
	/* Descriptors are aligned: one access each, as a walker in hardware makes it. */
	if (bytes == 8)
		*value = READ_ONCE(*(const u64 *)at);
	else
		*value = READ_ONCE(*(const u32 *)at);
	return 0;
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

/* A walk for one page. May sleep. */
static void cw_walk_page(struct cw_view *view, u32 va, unsigned int kind, struct cw_result *result)
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

/* What goes into page tables: within one of them, and one leaf. */
struct cw_insertion {
	struct cw_machine *machine;
	struct cw_window *window;
	struct vm_area_struct *vma;
	unsigned long address; /* of `va` */
	u32 va, pages, ram_page;
	bool writable, ng;
	u32 size_class;
};

/*
 * The page tables of a window that lead to `address`, or null: as KVM walks them, under mmap_lock.
 * No large entries are in them.
 */
static pmd_t *cw_find_pmd(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(READ_ONCE(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(READ_ONCE(*p4d)))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(READ_ONCE(*pud)))
		return NULL;
	pmd = pmd_offset(pud, address);
	return pmd_none(READ_ONCE(*pmd)) ? NULL : pmd;
}

/* Under cw_machine.lock, of the generation in which what is inserted was walked for. */
static u32 cw_insert_locked(const struct cw_insertion *in, pmd_t *pmd)
{
	struct cw_machine *m = in->machine;
	struct mm_struct *mm = in->vma->vm_mm;
	const pgprot_t read_only = vm_get_page_prot(in->vma->vm_flags & ~VM_WRITE);
	const pgprot_t read_write = vm_get_page_prot(in->vma->vm_flags);
	spinlock_t *table_lock = pte_lockptr(mm, pmd);
	pte_t *pte = pte_offset_kernel(pmd, in->address);
	u32 inserted = 0, i;

	spin_lock(table_lock);
	for (i = 0; i < in->pages; i++, pte++) {
		const u32 ram_page = in->ram_page + i;
		struct page *page = READ_ONCE(m->pages[ram_page]);
		bool writable;

		/* What is there stays: another thread was faster, or a flush is about to take it.
		 */
		if (!page || !pte_none(*pte))
			continue;
		writable = in->writable && !test_bit(ram_page, m->code);
		set_pte_at(mm, in->address + ((unsigned long)i << PAGE_SHIFT), pte,
			   pte_mkspecial(
				   pfn_pte(page_to_pfn(page), writable ? read_write : read_only)));
		cw_set_entry(&in->window->entries, in->va + (i << PAGE_SHIFT),
			     cw_entry(ram_page, writable, in->ng, in->size_class));
		inserted++;
	}
	spin_unlock(table_lock);
	return inserted;
}

/*
 * Inserts, if nothing was taken away since `generation`; else returns -EAGAIN. `pmd` leads to the
 * page table, or is null. Returns how many entries.
 */
static int cw_insert(const struct cw_insertion *in, u64 generation, pmd_t *pmd)
{
	struct cw_machine *m = in->machine;
	struct cw_entries *entries = &in->window->entries;
	const u32 l = in->va >> CW_LEAF_BITS;
	struct cw_leaf *leaf = NULL;
	int done;

	if (!pmd) {
		struct mm_struct *mm = in->vma->vm_mm;

		/* Makes the page tables, and changes nothing in them. */
		done = apply_to_page_range(mm, in->address, PAGE_SIZE, NULL, NULL);
		if (done)
			return done;
		pmd = cw_find_pmd(mm, in->address);
		if (!pmd)
			return -EFAULT;
	}
	if (!READ_ONCE(entries->leaves[l])) {
		leaf = kmem_cache_alloc(cw_leaf_cache, GFP_KERNEL);
		if (!leaf)
			return -ENOMEM;
		memset_startat(leaf, 0, valid);
	}
	spin_lock(&m->lock);
	if (!entries->leaves[l] && leaf && m->generation == generation) {
		cw_add_leaf(entries, in->va, leaf);
		leaf = NULL;
		if (!(in->window->touched[l / 64] >> l % 64 & 1)) {
			in->window->touched[l / 64] |= 1ull << l % 64;
			m->statistics->windows[in->window->id].stretches = ++in->window->stretches;
		}
	}
	if (m->generation != generation || !entries->leaves[l]) {
		done = -EAGAIN;
	} else {
		done = cw_insert_locked(in, pmd);
		m->statistics->windows[in->window->id].installed = entries->count;
		m->statistics->windows[in->window->id].nonglobal = entries->ng_count;
		m->statistics->windows[in->window->id].large = cw_has_far_entries(entries);
	}
	spin_unlock(&m->lock);
	if (leaf)
		kmem_cache_free(cw_leaf_cache, leaf);
	return done;
}

/* Of `s`, what is in the range of RAM of `va`'s page; that page alone, if it has a watched one. */
static void cw_trim(const struct cw_machine *m, struct cw_stretch *s, u32 va)
{
	u32 left, i;

	while (s->va != va &&
	       (cw_ram_page(m, s->pa, &left) == CW_NO_PAGE || left <= (va - s->va) >> PAGE_SHIFT)) {
		s->va += PAGE_SIZE;
		s->pa += PAGE_SIZE;
		s->pages--;
	}
	cw_ram_page(m, s->pa, &left);
	s->pages = min(s->pages, left);
	if (likely(!READ_ONCE(m->watch.count)))
		return;
	for (i = 0; i < s->pages; i++) {
		if (cw_watched(m, s->va + (i << PAGE_SHIFT))) {
			s->pa += va - s->va;
			s->va = va;
			s->pages = 1;
		}
	}
}

/*
 * Inserts the page of `va`, for which a walk of `view` gave `found` in RAM page `ram_page`, and up
 * to `fill` neighbours. Returns how many, or an error; -EAGAIN: walk again.
 */
static int cw_insert_around(struct cw_view *view, struct vm_area_struct *vma, u32 va,
			    const struct cw_result *found, u32 ram_page, u32 fill, pmd_t *pmd)
{
	struct cw_machine *m = view->machine;
	const u32 first_of_vma = (u32)vma->vm_pgoff << CW_PAGE_BITS;
	struct cw_insertion in = {
		.machine = m,
		.window = view->window,
		.vma = vma,
		.va = va & PAGE_MASK,
		.pages = 1,
		.ram_page = ram_page,
		.writable = cw_may_write(view, found) && (vma->vm_flags & VM_WRITE),
		.ng = found->ng,
		.size_class = cw_size_class(found->log2_size),
	};
	int done;

	in.address = vma->vm_start + (in.va - first_of_vma);
	if (fill > 1) {
		/* Within the VMA and the page table. */
		const unsigned long low = max(vma->vm_start, in.address & PMD_MASK);
		const unsigned long high = min(vma->vm_end, (in.address & PMD_MASK) + PMD_SIZE);
		unsigned int levels = 0;
		struct cw_stretch s =
			cw_stretch_around(&view->regime, va, view->privileged, cw_read_ram, view,
					  found, fill, in.va - (u32)(in.address - low),
					  in.va + (u32)(high - PAGE_SIZE - in.address), &levels);
		u32 i;

		if (levels)
			cw_add(m, walk_levels, levels);
		cw_trim(m, &s, in.va);
		in.address -= in.va - s.va;
		in.ram_page -= (in.va - s.va) >> PAGE_SHIFT;
		in.va = s.va;
		in.pages = s.pages;
		for (i = 0; i < in.pages; i++)
			if (!READ_ONCE(m->pages[in.ram_page + i]))
				cw_hold(m, in.ram_page + i, false);
	}
	done = cw_insert(&in, view->generation, pmd);
	if (done > 0)
		cw_add(m, entries, done);
	return done;
}

static vm_fault_t cw_refuse(struct cw_machine *m, const struct vm_fault *vmf,
			    const struct cw_result *found)
{
	const u32 va = (u32)vmf->pgoff << CW_PAGE_BITS;

	if (found->fault != CW_FAULT_NONE)
		cw_count(m, faults_guest);
	else if (cw_ram_page(m, found->pa, NULL) == CW_NO_PAGE || !cw_enterable(found))
		cw_count(m, faults_not_memory);
	else if (cw_watched(m, va))
		cw_count(m, faults_watched);
	else
		cw_count(m, faults_code);
	return cw_upcall(m, vmf) ? VM_FAULT_NOPAGE : VM_FAULT_SIGSEGV;
}

/* The RAM page that a walk found, if an access of this kind may reach it, or CW_NO_PAGE. */
static u32 cw_allowed(const struct cw_machine *m, u32 va, const struct cw_result *found, bool write)
{
	u32 ram_page;

	if (!cw_enterable(found) || cw_watched(m, va))
		return CW_NO_PAGE;
	ram_page = cw_ram_page(m, found->pa, NULL);
	if (ram_page != CW_NO_PAGE && write && test_bit(ram_page, m->code))
		return CW_NO_PAGE;
	return ram_page;
}

static vm_fault_t cw_fault_at(struct cw_machine *m, struct cw_window *w, struct vm_fault *vmf,
			      bool write)
{
	const u32 va = (u32)vmf->pgoff << CW_PAGE_BITS;
	struct cw_result found;
	struct cw_view view;
	struct page *page;
	u32 ram_page;
	int done;

	cw_count(m, faults);
	for (;;) {
		cw_look(&view, m, w);
		cw_walk_page(&view, va, write ? CW_STORE : CW_LOAD, &found);
		ram_page = cw_allowed(m, va, &found, write);
		if (ram_page == CW_NO_PAGE)
			return cw_refuse(m, vmf, &found);
		page = cw_hold(m, ram_page, true);
		if (IS_ERR(page)) {
			cw_count(m, faults_other);
			return PTR_ERR(page) == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
		}
		done = cw_insert_around(&view, vmf->vma, va, &found, ram_page, view.fill_pages,
					pmd_none(*vmf->pmd) ? NULL : vmf->pmd);
		if (done != -EAGAIN)
			break;
		cw_count(m, retries);
		if (fatal_signal_pending(current))
			return VM_FAULT_NOPAGE;
		cond_resched();
	}
	if (done < 0) {
		cw_count(m, faults_other);
		return VM_FAULT_OOM;
	}
	if (done > 1)
		cw_add(m, entries_around, done - 1);
	cw_count(m, faults_installed);
	atomic_inc((atomic_t *)&m->statistics->windows[w->id].faults);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t cw_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;

	return cw_fault_at(vma->vm_file->private_data, vma->vm_private_data, vmf,
			   vmf->flags & FAULT_FLAG_WRITE);
}

/*
 * A store to an entry that is read-only. Without this handler the kernel would make it writable.
 * Where the guest allows the store by now, and the page holds no code (any more), the entry goes,
 * and the next fault makes a new one.
 */
static vm_fault_t cw_pfn_mkwrite(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct cw_machine *m = vma->vm_file->private_data;
	struct cw_window *w = vma->vm_private_data;
	const u32 va = (u32)vmf->pgoff << CW_PAGE_BITS;
	struct cw_result found;
	struct cw_view view;

	cw_look(&view, m, w);
	cw_walk_page(&view, va, CW_STORE, &found);
	if (cw_allowed(m, va, &found, true) == CW_NO_PAGE) {
		cw_count(m, faults);
		return cw_refuse(m, vmf, &found);
	}
	cw_remove_page(m, w, va);
	return cw_fault_at(m, w, vmf, true);
}

/* A VMA was split or moved. */
static void cw_window_open(struct vm_area_struct *vma)
{
	struct cw_machine *m = vma->vm_file->private_data;
	struct cw_window *w = vma->vm_private_data;

	spin_lock(&m->lock);
	w->mapped++;
	spin_unlock(&m->lock);
}

static void cw_window_close(struct vm_area_struct *vma)
{
	struct cw_machine *m = vma->vm_file->private_data;
	struct cw_window *w = vma->vm_private_data;
	bool last;

	spin_lock(&m->lock);
	last = --w->mapped == 0;
	spin_unlock(&m->lock);
	if (last)
		cw_forget(m, w);
}

const struct vm_operations_struct cw_window_ops = {
	.open = cw_window_open,
	.close = cw_window_close,
	.fault = cw_fault,
	.pfn_mkwrite = cw_pfn_mkwrite,
};

/* Where `va` of the window was mapped last, if it still is. The caller holds mmap_lock. */
static struct vm_area_struct *cw_find_vma(struct cw_machine *m, struct cw_window *w, u32 va)
{
	const unsigned long address = READ_ONCE(w->base) + va;
	struct vm_area_struct *vma = find_vma(m->mm, address);
	pgoff_t index;

	if (!vma || vma->vm_start > address || vma->vm_ops != &cw_window_ops ||
	    vma->vm_private_data != w || !(vma->vm_flags & VM_READ))
		return NULL;
	index = vma->vm_pgoff + ((address - vma->vm_start) >> PAGE_SHIFT);
	return (u32)index << CW_PAGE_BITS == (va & PAGE_MASK) ? vma : NULL;
}

static bool cw_install_one(struct cw_view *view, struct vm_area_struct *vma, u32 va,
			   struct cw_memo *memo)
{
	struct cw_machine *m = view->machine;
	int done, tries;
	u32 entry;

	/* A page that flushes overtake again and again is left to a fault. */
	for (tries = 0; tries < 4; tries++) {
		entry = cw_translate(view, va, memo);
		if (!entry || IS_ERR(cw_hold(m, cw_entry_ram_page(entry), true)))
			return false;
		done = cw_insert_around(
			view, vma, va, &memo->result, cw_entry_ram_page(entry), 1,
			cw_find_pmd(vma->vm_mm, vma->vm_start + (va & PAGE_MASK) -
							((u32)vma->vm_pgoff << CW_PAGE_BITS)));
		if (done != -EAGAIN)
			return done > 0;
		cw_count(m, retries);
		cw_look(view, m, view->window);
		memo->known = 0;
	}
	return false;
}

u32 cw_install(struct cw_machine *m, struct cw_window *w, const u32 *vas, u32 count)
{
	struct vm_area_struct *vma = NULL;
	struct cw_view view;
	struct cw_memo memo;
	u32 done = 0, i;

	memo.known = 0;
	cw_look(&view, m, w);
	mmap_read_lock(m->mm);
	for (i = 0; i < count; i++) {
		const unsigned long address = READ_ONCE(w->base) + vas[i];

		if (fatal_signal_pending(current))
			break;
		if (!vma || address < vma->vm_start || address >= vma->vm_end)
			vma = cw_find_vma(m, w, vas[i]);
		if (vma && cw_install_one(&view, vma, vas[i], &memo))
			done++;
		cond_resched();
	}
	mmap_read_unlock(m->mm);
	return done;
}
