/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the module share. docs/kernel-module.md explains the locking.
 */
#ifndef CROSSWALK_KERNEL_MODULE_H
#define CROSSWALK_KERNEL_MODULE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/spinlock.h>

#include "kernel-module/compat.h"
#include "kernel-module/crosswalk-abi.h"
#include "kernel-module/entries.h"
#include "kernel-module/fill.h"

#define CW_NO_PAGE (~0u)
#define CW_GROUP   32 /* pages that are inserted together, at most */

struct cw_ram {
	struct file *memfd;
	u64 base, bytes;
	pgoff_t offset; /* of `base` in the memfd, in pages */
	u32 first;	/* number of its first RAM page */
};

/*
 * What machines of a process whose ranges of RAM are the same have together: the CPUs of a guest
 * have a machine each, and what they hold is charged once.
 */
struct cw_held {
	struct list_head all;
	struct mm_struct *mm; /* of its machines */
	u32 machines;
	u32 ram_pages, ram_count;
	struct cw_ram ram[CW_MAX_RAM_RANGES];
	struct page **pages; /* null until held, then as they are until the last machine ends */
};

struct cw_window {
	u32 id;
	/* cw_machine.lock: */
	struct cw_regime regime;
	bool privileged;
	u32 fill_pages;
	struct cw_entries entries;
	u32 mapped;    /* VMAs: those of one mapping, so that a VA has one page-table entry */
	u32 stretches; /* leaves that have had entries since it was mapped, */
	u64 touched[CW_LEAVES / 64]; /* and which */
	/* Where VA 0 was mapped last: a hint, which cw_find_vma() checks. */
	unsigned long base;
};

/* A page, the entry that it had, and the one that a walk gave; 0: none. */
struct cw_change {
	u32 va, was, entry;
};

struct cw_machine {
	struct mm_struct
		*mm; /* that opened the file; a reference to the structure, not to its users */
	/* In place of the device's, which all files share: its i_mmap are the windows of this file.
	 */
	struct address_space mapping;
	struct mutex setup; /* CW_SET_RAM, CW_SET_WINDOW */

	/* Constant once ram_pages is not 0. */
	u32 ram_pages; /* smp_store_release */
	u32 ram_count;
	struct cw_ram ram[CW_MAX_RAM_RANGES]; /* as `held` has them, and `pages` */
	struct page **pages;
	struct cw_held *held;
	unsigned long *code; /* one bit for each RAM page, which the process writes */

	/*
	 * Guards what is installed in windows, their regimes, and watched pages. Whoever takes
	 * entries or permissions away increments `generation` before; whoever walks reads it
	 * before, and installs only while it is the same.
	 */
	spinlock_t lock;
	u64 generation;
	/*
	 * Held from when a record of entries goes until they are gone from page tables: outside of
	 * it, what is not on record is not there. Taken inside mmap_lock, outside `lock`.
	 */
	struct mutex removal;
	struct cw_ranges gone; /* off record and still in page tables; `removal` */
	struct cw_change changes[CW_LEAF_PAGES]; /* of one leaf, by an eager flush; `removal` */
	struct cw_watch watch;

	struct cw_upcall *upcalls; /* shared with the process; what is in it is the process's */
	struct {
		struct pid *thread;
		u64 entry, stack, argument;
	} upcall_of[CW_MAX_UPCALLS]; /* cw_machine.lock */
	struct cw_statistics *statistics;
	struct cw_window
		*windows[CW_MAX_WINDOWS]; /* smp_store_release; as they are until the end */
};

/* What a walk in a window needs, as of `generation`. */
struct cw_view {
	struct cw_machine *machine;
	struct cw_window *window;
	u64 generation;
	struct cw_regime regime;
	bool privileged;
	u32 fill_pages;
	u32 missing; /* RAM page that a walk did not find, or CW_NO_PAGE */
};

#define cw_add(machine, field, n) atomic64_add(n, (atomic64_t *)&(machine)->statistics->field)
#define cw_count(machine, field)  atomic64_inc((atomic64_t *)&(machine)->statistics->field)

/* ram.c */
long cw_set_ram(struct cw_machine *m, const struct cw_set_ram *arg);
void cw_release_ram(struct cw_machine *m);
/* The page of a RAM page, held until the end; error pointer. Without `allocate` only what exists.
 */
struct page *cw_hold(struct cw_machine *m, u32 ram_page, bool allocate);

/* The number of the RAM page at `pa`, or CW_NO_PAGE; *left: pages from it to its range's end. */
static inline u32 cw_ram_page(const struct cw_machine *m, u64 pa, u32 *left)
{
	u32 i;

	for (i = 0; i < m->ram_count; i++) {
		const struct cw_ram *ram = &m->ram[i];

		if (pa - ram->base < ram->bytes) {
			const u64 pages = ram->bytes >> PAGE_SHIFT;
			const u64 page = array_index_nospec((pa - ram->base) >> PAGE_SHIFT, pages);

			if (left)
				*left = pages - page;
			return ram->first + page;
		}
	}
	return CW_NO_PAGE;
}

/* Of what is on record. The caller holds cw_machine.lock. */
static inline void cw_publish(struct cw_machine *m, struct cw_window *w)
{
	m->statistics->windows[w->id].installed = w->entries.count;
	m->statistics->windows[w->id].nonglobal = w->entries.ng_count;
	m->statistics->windows[w->id].large = cw_has_far_entries(&w->entries);
}

/* Where VA 0 is, as a VMA of the window has it. */
static inline unsigned long cw_base_in(const struct vm_area_struct *vma)
{
	return vma->vm_start - ((u32)vma->vm_pgoff << CW_PAGE_BITS);
}

static inline bool cw_in_vma(const struct vm_area_struct *vma, u32 va)
{
	const unsigned long address = cw_base_in(vma) + va;

	return address >= vma->vm_start && address < vma->vm_end;
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

/* walk.c */
void cw_look(struct cw_view *view, struct cw_machine *m, struct cw_window *w);
bool cw_watched(const struct cw_machine *m, u32 va);
bool cw_may_write(const struct cw_view *view, const struct cw_result *result);
/* A walk for one page. May sleep, as the next one. */
void cw_walk_page(struct cw_view *view, u32 va, unsigned int kind, struct cw_result *result);
/* What a walk gives for the page of `va` as an entry, or 0. */
u32 cw_translate(struct cw_view *view, u32 va, struct cw_memo *memo);

/* insert.c */
extern struct kmem_cache *cw_leaf_cache;
extern pgprot_t cw_read_only, cw_read_write; /* of entries */
/* Where `va` of the window was mapped last, if it still is. The caller holds mmap_lock. */
struct vm_area_struct *cw_find_vma(struct cw_machine *m, struct cw_window *w, u32 va);
/* Whether two pages of a window that is mapped in `vma` are in one leaf and one page table. */
bool cw_together(const struct vm_area_struct *vma, u32 va, u32 other);
/*
 * Inserts the page of a fault, for which a walk of `view` gave `found` in RAM page `ram_page`, and
 * its neighbours. Returns how many, or an error; -EAGAIN: walk again.
 */
int cw_insert_around(struct cw_view *view, struct vm_fault *vmf, const struct cw_result *found,
		     u32 ram_page);
/*
 * Inserts pages that are together, for which walks of `view` gave `entry`. Returns the same;
 * `entry` of those that were not inserted is 0 then. The caller holds mmap_lock.
 */
int cw_insert_pages(struct cw_view *view, struct vm_area_struct *vma, struct cw_change *pages,
		    u32 count);
/* Installs pages as loads from them would be. The caller does not hold mmap_lock. */
u32 cw_install(struct cw_machine *m, struct cw_window *w, const u32 *vas, u32 count);

/* window.c */
extern const struct vm_operations_struct cw_window_ops;

/* upcall.c */
long cw_set_upcall(struct cw_machine *m, const struct cw_set_upcall *arg);
void cw_release_upcalls(struct cw_machine *m);
/* Whether the fault goes to the thread's upcall. */
bool cw_upcall(struct cw_machine *m, const struct vm_fault *vmf);

/* flush.c */
long cw_flush(struct cw_machine *m, struct cw_window *w, struct cw_flush *arg);
/* Removes write access to RAM pages whose bit in the bitmap is set and that are in [first, last].
 */
u32 cw_protect(struct cw_machine *m, struct cw_window *w, u32 first, u32 last);
void cw_set_watch(struct cw_machine *m, const struct cw_watch *watch);
/* Removes one page. */
void cw_remove_page(struct cw_machine *m, struct cw_window *w, u32 va);
/* Gives back the records of a window that is not mapped. */
void cw_forget(struct cw_machine *m, struct cw_window *w);

#endif
