// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest RAM: which files it is, its pages, and reading the guest's tables in it.
 *
 * A page that a walk or a window needs is taken from the memfd's page cache and held, by a
 * reference, until the file is closed, and the process's others that have the same RAM. So a window
 * never reaches memory that became someone else's, whatever happens to the memfd: sealed against
 * shrinking, it can lose pages only by holes, and then windows keep the page that was there.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kernel-module/crosswalk.h"

#define CW_PA_END (1ull << 40)

struct page *cw_hold(struct cw_machine *m, u32 ram_page, bool allocate)
{
	struct page *page = READ_ONCE(m->pages[ram_page]);
	const struct cw_ram *ram;
	pgoff_t index;

	if (page)
		return page;
	for (ram = m->ram; ram_page - ram->first >= ram->bytes >> PAGE_SHIFT; ram++)
		;
	index = ram->offset + (ram_page - ram->first);
	if (allocate) {
		page = shmem_read_mapping_page(ram->memfd->f_mapping, index);
		if (IS_ERR(page))
			return page;
	} else {
		page = find_get_page(ram->memfd->f_mapping, index);
		if (!page)
			return ERR_PTR(-ENOENT);
		if (!PageUptodate(page) || PageHWPoison(page)) {
			put_page(page);
			return ERR_PTR(-ENOENT);
		}
	}
	if (PageHWPoison(page)) {
		put_page(page);
		return ERR_PTR(-EHWPOISON);
	}
	/* Windows write it without telling. Reclaim leaves a page alone that is held. */
	set_page_dirty(page);
	if (cmpxchg(&m->pages[ram_page], NULL, page)) {
		put_page(page);
		return READ_ONCE(m->pages[ram_page]);
	}
	cw_add_resident(m->mm, 1);
	cw_count(m, ram_pages);
	return page;
}

static long cw_check_range(const struct cw_set_ram *arg, u32 n)
{
	const struct cw_ram_range *r = &arg->ranges[n];
	u32 i;

	if (r->zero || !r->bytes || !PAGE_ALIGNED(r->base | r->bytes | r->offset))
		return -EINVAL;
	if (r->base >= CW_PA_END || r->bytes > CW_PA_END - r->base)
		return -EINVAL;
	if (r->offset > MAX_LFS_FILESIZE - r->bytes)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		const struct cw_ram_range *o = &arg->ranges[i];

		if (r->base < o->base + o->bytes && o->base < r->base + r->bytes)
			return -EINVAL;
	}
	return 0;
}

/*
 * Sealed against shrinking: a page below its size stays below it. Not sealed against writing, and,
 * while windows may write it, not to become so (i_mmap_writable): who gets a sealed file may rely
 * on its contents.
 */
static long cw_take_memfd(struct cw_ram *ram, const struct cw_ram_range *r)
{
	struct file *file = fget(r->memfd);
	unsigned int seals;
	long error = -EINVAL;

	if (!file)
		return -EBADF;
	if (!cw_is_shmem(file->f_mapping))
		goto out;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE)) {
		error = -EACCES;
		goto out;
	}
	seals = READ_ONCE(SHMEM_I(file_inode(file))->seals);
	if (!(seals & F_SEAL_SHRINK) || i_size_read(file_inode(file)) < r->offset + r->bytes)
		goto out;
	error = -EPERM;
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		goto out;
	error = mapping_map_writable(file->f_mapping);
	if (error)
		goto out;
	ram->memfd = file;
	ram->base = r->base;
	ram->bytes = r->bytes;
	ram->offset = r->offset >> PAGE_SHIFT;
	return 0;
out:
	fput(file);
	return error;
}

/* All struct cw_held, and how many machines each has. Nothing is waited for under it. */
static LIST_HEAD(cw_all_held);
static DEFINE_MUTEX(cw_held_lock);

static bool cw_same_ram(const struct cw_held *a, const struct cw_held *b)
{
	u32 i;

	if (a->mm != b->mm || a->ram_count != b->ram_count)
		return false;
	for (i = 0; i < a->ram_count; i++)
		if (a->ram[i].memfd->f_mapping != b->ram[i].memfd->f_mapping ||
		    a->ram[i].base != b->ram[i].base || a->ram[i].bytes != b->ram[i].bytes ||
		    a->ram[i].offset != b->ram[i].offset)
			return false;
	return true;
}

/*
 * One more machine has what another one has of the same RAM, or else `mine`, if `add`. Returns
 * which; null: none.
 */
static struct cw_held *cw_join(struct cw_held *mine, bool add)
{
	struct cw_held *found = NULL, *h;

	mutex_lock(&cw_held_lock);
	list_for_each_entry (h, &cw_all_held, all) {
		if (cw_same_ram(h, mine)) {
			found = h;
			break;
		}
	}
	if (!found && add) {
		list_add(&mine->all, &cw_all_held);
		found = mine;
	}
	if (found)
		found->machines++;
	mutex_unlock(&cw_held_lock);
	return found;
}

/* Without a machine that has it. */
static void cw_free_held(struct cw_held *h)
{
	u32 i;
	long held = 0;

	if (h->pages) {
		for (i = 0; i < h->ram_pages; i++) {
			if (h->pages[i]) {
				put_page(h->pages[i]);
				held++;
			}
			if (!(i & 1023))
				cond_resched();
		}
		cw_add_resident(h->mm, -held);
		account_locked_vm(h->mm, h->ram_pages, false);
		kvfree(h->pages);
	}
	while (h->ram_count) {
		struct cw_ram *ram = &h->ram[--h->ram_count];

		mapping_unmap_writable(ram->memfd->f_mapping);
		fput(ram->memfd);
	}
	kfree(h);
}

/* Charges it to the process. */
static long cw_charge(struct cw_held *h)
{
	const long error = account_locked_vm(h->mm, h->ram_pages, true);

	if (error)
		return error;
	h->pages = kvcalloc(h->ram_pages, sizeof(*h->pages), GFP_KERNEL_ACCOUNT);
	if (h->pages)
		return 0;
	account_locked_vm(h->mm, h->ram_pages, false);
	return -ENOMEM;
}

static void cw_leave(struct cw_held *h)
{
	bool last;

	mutex_lock(&cw_held_lock);
	last = --h->machines == 0;
	if (last)
		list_del(&h->all);
	mutex_unlock(&cw_held_lock);
	if (last)
		cw_free_held(h);
}

/* Checked ranges. */
static struct cw_held *cw_take_ram(struct cw_machine *m, const struct cw_set_ram *arg)
{
	struct cw_held *mine = kzalloc(sizeof(*mine), GFP_KERNEL_ACCOUNT), *h = NULL;
	long error = 0;

	if (!mine)
		return ERR_PTR(-ENOMEM);
	mine->mm = m->mm;
	while (mine->ram_count < arg->count) {
		struct cw_ram *ram = &mine->ram[mine->ram_count];

		error = cw_take_memfd(ram, &arg->ranges[mine->ram_count]);
		if (error)
			goto out;
		mine->ram_count++;
		ram->first = mine->ram_pages;
		mine->ram_pages += ram->bytes >> PAGE_SHIFT;
	}
	h = cw_join(mine, false);
	if (!h) {
		error = cw_charge(mine);
		if (!error)
			h = cw_join(mine, true);
	}
out:
	if (h != mine)
		cw_free_held(mine);
	return error ? ERR_PTR(error) : h;
}

/* The caller holds m->setup. */
long cw_set_ram(struct cw_machine *m, const struct cw_set_ram *arg)
{
	struct cw_held *h;
	u64 pages = 0;
	u32 i;

	if (m->ram_pages)
		return -EBUSY;
	if (arg->zero || !arg->count || arg->count > CW_MAX_RAM_RANGES)
		return -EINVAL;
	for (i = 0; i < arg->count; i++) {
		const long error = cw_check_range(arg, i);

		if (error)
			return error;
		pages += arg->ranges[i].bytes >> PAGE_SHIFT;
	}
	if (pages > CW_MAX_RAM_PAGES)
		return -EFBIG;
	h = cw_take_ram(m, arg);
	if (IS_ERR(h))
		return PTR_ERR(h);
	m->code = vmalloc_user(PAGE_ALIGN(BITS_TO_LONGS(pages) * sizeof(long)));
	if (!m->code) {
		cw_leave(h);
		return -ENOMEM;
	}
	memcpy(m->ram, h->ram, sizeof(m->ram));
	m->ram_count = h->ram_count;
	m->pages = h->pages;
	m->held = h;
	smp_store_release(&m->ram_pages, pages);
	return 0;
}

void cw_release_ram(struct cw_machine *m)
{
	if (!m->ram_pages)
		return;
	cw_leave(m->held);
	vfree(m->code);
}
