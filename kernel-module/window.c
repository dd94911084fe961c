// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of windows, and their VMAs.
 *
 * mmap_lock is held for reading: a handler without ->map_pages is not called under a VMA's lock.
 */
#include <linux/sched/signal.h>

#include "kernel-module/crosswalk.h"

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

/* `read_only`: an entry is there, and a store has found it so. */
static vm_fault_t cw_fault_at(struct vm_fault *vmf, bool read_only)
{
	struct cw_machine *m = vmf->vma->vm_file->private_data;
	struct cw_window *w = vmf->vma->vm_private_data;
	const bool write = vmf->flags & FAULT_FLAG_WRITE;
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
		done = cw_insert_around(&view, vmf, &found, ram_page);
		if (done == 0 && read_only)
			/* Another page is there than the tables say by now. */
			cw_remove_page(m, w, va);
		else if (done != -EAGAIN)
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
	return cw_fault_at(vmf, false);
}

/*
 * A store to an entry that is read-only. Without this handler the kernel would make it writable.
 * Where the guest allows the store by now, and the page holds no code (any more), so does this.
 */
static vm_fault_t cw_pfn_mkwrite(struct vm_fault *vmf)
{
	return cw_fault_at(vmf, true);
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
