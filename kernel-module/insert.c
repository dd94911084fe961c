// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page-table entries of windows, and the record of them, which are made together.
 *
 * mmap_lock is held for reading, so page tables stay once they are allocated. cw_machine.lock, a
 * spinlock, is held to insert, and nothing is allocated under it. Entries are special: nobody else
 * but fork, which VM_DONTCOPY keeps away, takes references to what they reach.
 */
#include <linux/pfn.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "kernel-module/crosswalk.h"

struct kmem_cache *cw_leaf_cache;
pgprot_t cw_read_only, cw_read_write;

/* Where entries go: one page table, and the leaf of its pages. */
struct cw_insertion {
	struct cw_machine *machine;
	struct cw_window *window;
	struct vm_area_struct *vma;
	unsigned long base; /* of VA 0, where this VMA has it */
	pmd_t *pmd;	    /* null: page tables are still to be made */
};

/*
 * The page tables of a window that lead to `address`, or null: as KVM walks them, under mmap_lock.
 * No large entries are in them.
 */
static __always_inline pmd_t *cw_find_pmd(struct mm_struct *mm, unsigned long address)
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

/*
 * Makes what is missing, and takes cw_machine.lock and that of the page table, for pages in the
 * leaf of `va`. 0, or an error; -EAGAIN if something was taken away since `generation`. May sleep
 * before.
 */
static __always_inline int cw_begin(struct cw_insertion *in, u32 va, u64 generation)
{
	struct cw_machine *m = in->machine;
	struct cw_window *w = in->window;
	struct mm_struct *mm = in->vma->vm_mm;
	const u32 l = va >> CW_LEAF_BITS;
	struct cw_leaf *leaf = NULL;

	if (!in->pmd) {
		const unsigned long address = in->base + (va & PAGE_MASK);
		/* Makes the page tables, and changes nothing in them. */
		const int error = apply_to_page_range(mm, address, PAGE_SIZE, NULL, NULL);

		if (error)
			return error;
		in->pmd = cw_find_pmd(mm, address);
		if (!in->pmd)
			return -EFAULT;
	}
	if (!READ_ONCE(w->entries.leaves[l])) {
		leaf = kmem_cache_alloc(cw_leaf_cache, GFP_KERNEL);
		if (!leaf)
			return -ENOMEM;
		memset_startat(leaf, 0, valid);
	}
	spin_lock(&m->lock);
	if (!w->entries.leaves[l] && leaf && m->generation == generation) {
		cw_add_leaf(&w->entries, va, leaf);
		leaf = NULL;
		if (!(w->touched[l / 64] >> l % 64 & 1)) {
			w->touched[l / 64] |= 1ull << l % 64;
			m->statistics->windows[w->id].stretches = ++w->stretches;
		}
	}
	if (leaf)
		kmem_cache_free(cw_leaf_cache, leaf);
	if (m->generation != generation || !w->entries.leaves[l]) {
		spin_unlock(&m->lock);
		return -EAGAIN;
	}
	spin_lock(pte_lockptr(mm, in->pmd));
	return 0;
}

static __always_inline void cw_end(struct cw_insertion *in)
{
	spin_unlock(pte_lockptr(in->vma->vm_mm, in->pmd));
	cw_publish(in->machine, in->window);
	spin_unlock(&in->machine->lock);
}

/*
 * Makes the entry of `va`, between cw_begin() and cw_end(). One that is there gets write access, if
 * that is all that it lacks; the processor needs no flush for that. Otherwise it stays: another
 * thread was faster, or a flush is about to take it. Returns whether something was done.
 */
static __always_inline bool cw_put(struct cw_insertion *in, u32 va, u32 entry)
{
	struct cw_machine *m = in->machine;
	struct cw_entries *entries = &in->window->entries;
	const unsigned long address = in->base + va;
	const u32 ram_page = cw_entry_ram_page(entry);
	struct page *page = READ_ONCE(m->pages[ram_page]);
	pte_t *pte = pte_offset_kernel(in->pmd, address);
	pte_t value;

	if (!page)
		return false;
	if (test_bit(ram_page, m->code) || !(in->vma->vm_flags & VM_WRITE))
		entry &= ~CW_ENTRY_WRITABLE;
	if (!pte_none(*pte) && (!(entry & CW_ENTRY_WRITABLE) ||
				cw_entry_at(entries, va) != (entry & ~CW_ENTRY_WRITABLE)))
		return false;
	value = pte_mkspecial(pfn_pte(page_to_pfn(page),
				      entry & CW_ENTRY_WRITABLE ? cw_read_write : cw_read_only));
	set_pte_at(in->vma->vm_mm, address, pte, value);
	cw_set_entry(entries, va, entry);
	return true;
}

int cw_insert_pages(struct cw_view *view, struct vm_area_struct *vma, struct cw_change *pages,
		    u32 count)
{
	struct cw_insertion in = {
		.machine = view->machine,
		.window = view->window,
		.vma = vma,
		.base = cw_base_in(vma),
	};
	u32 i, done = 0;
	int error;

	in.pmd = cw_find_pmd(vma->vm_mm, in.base + pages[0].va);
	error = cw_begin(&in, pages[0].va, view->generation);
	if (error)
		return error;
	for (i = 0; i < count; i++) {
		if (pages[i].entry && cw_put(&in, pages[i].va, pages[i].entry))
			done++;
		else
			pages[i].entry = 0;
	}
	cw_end(&in);
	cw_add(view->machine, entries, done);
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

int cw_insert_around(struct cw_view *view, struct vm_fault *vmf, const struct cw_result *found,
		     u32 ram_page)
{
	struct cw_machine *m = view->machine;
	struct vm_area_struct *vma = vmf->vma;
	struct cw_insertion in = {
		.machine = m,
		.window = view->window,
		.vma = vma,
		.base = cw_base_in(vma),
		.pmd = pmd_none(*vmf->pmd) ? NULL : vmf->pmd,
	};
	struct cw_stretch s = {.va = (u32)vmf->pgoff << CW_PAGE_BITS, .pages = 1};
	const u32 entry =
		cw_entry(0, cw_may_write(view, found), found->ng, cw_size_class(found->log2_size));
	u32 i, done = 0;
	int error;

	if (view->fill_pages > 1) {
		/* Within the VMA and the page table. */
		const u32 va = s.va;
		const unsigned long address = in.base + va;
		const unsigned long low = max(vma->vm_start, address & PMD_MASK);
		const unsigned long high = min(vma->vm_end, (address & PMD_MASK) + PMD_SIZE);
		unsigned int levels = 0;

		s = cw_stretch_around(&view->regime, va, view->privileged, cw_read_ram, view, found,
				      view->fill_pages, va - (u32)(address - low),
				      va + (u32)(high - PAGE_SIZE - address), &levels);
		if (levels)
			cw_add(m, walk_levels, levels);
		cw_trim(m, &s, va);
		ram_page -= (va - s.va) >> PAGE_SHIFT;
		for (i = 0; i < s.pages; i++)
			if (!READ_ONCE(m->pages[ram_page + i]))
				cw_hold(m, ram_page + i, false);
	}
	error = cw_begin(&in, s.va, view->generation);
	if (error)
		return error;
	for (i = 0; i < s.pages; i++)
		done += cw_put(&in, s.va + (i << PAGE_SHIFT), entry | (ram_page + i) << 6);
	cw_end(&in);
	cw_add(m, entries, done);
	return done;
}

struct vm_area_struct *cw_find_vma(struct cw_machine *m, struct cw_window *w, u32 va)
{
	const unsigned long address = READ_ONCE(w->base) + va;
	struct vm_area_struct *vma = find_vma(m->mm, address);

	if (!vma || vma->vm_start > address || vma->vm_ops != &cw_window_ops ||
	    vma->vm_private_data != w || !(vma->vm_flags & VM_READ))
		return NULL;
	return cw_base_in(vma) == READ_ONCE(w->base) ? vma : NULL;
}

bool cw_together(const struct vm_area_struct *vma, u32 va, u32 other)
{
	const unsigned long base = cw_base_in(vma);

	return va >> CW_LEAF_BITS == other >> CW_LEAF_BITS &&
	       ((base + va) ^ (base + other)) >> PMD_SHIFT == 0 && cw_in_vma(vma, va) &&
	       cw_in_vma(vma, other);
}

/* Walks for `pages`, which are together, and inserts them. Returns how many. */
static u32 cw_install_group(struct cw_view *view, struct vm_area_struct *vma,
			    struct cw_change *pages, u32 count, struct cw_memo *memo)
{
	struct cw_machine *m = view->machine;
	int done, tries;
	u32 i;

	/* Pages that flushes overtake again and again are left to faults. */
	for (tries = 0; tries < 4; tries++) {
		for (i = 0; i < count; i++) {
			const u32 entry = cw_translate(view, pages[i].va, memo);

			pages[i].entry =
				entry && !IS_ERR(cw_hold(m, cw_entry_ram_page(entry), true)) ? entry
											     : 0;
		}
		done = cw_insert_pages(view, vma, pages, count);
		if (done != -EAGAIN)
			return max(done, 0);
		cw_count(m, retries);
		cw_look(view, m, view->window);
		memo->known = 0;
	}
	return 0;
}

u32 cw_install(struct cw_machine *m, struct cw_window *w, const u32 *vas, u32 count)
{
	struct vm_area_struct *vma = NULL;
	struct cw_change group[CW_GROUP];
	struct cw_view view;
	struct cw_memo memo;
	u32 done = 0, i = 0, n;

	memo.known = 0;
	cw_look(&view, m, w);
	mmap_read_lock(m->mm);
	while (i < count && !fatal_signal_pending(current)) {
		if (!vma || !cw_in_vma(vma, vas[i]))
			vma = cw_find_vma(m, w, vas[i]);
		if (!vma) {
			i++;
			continue;
		}
		n = 0;
		do
			group[n++].va = vas[i++] & PAGE_MASK;
		while (n < CW_GROUP && i < count && cw_together(vma, group[0].va, vas[i]));
		done += cw_install_group(&view, vma, group, n, &memo);
		cond_resched();
	}
	mmap_read_unlock(m->mm);
	return done;
}
