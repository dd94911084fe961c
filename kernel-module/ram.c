// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest RAM: which files it is, its pages, and reading the guest's tables in it.
 *
 * A page that a walk or a window needs is taken from the memfd's page cache and held, by a
 * reference, until the file is closed. So a window never reaches memory that became someone else's,
 * whatever happens to the memfd: sealed against shrinking, it can lose pages only by holes, and
 * then windows keep the page that was there.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
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

static void cw_put_memfds(struct cw_machine *m)
{
	while (m->ram_count) {
		struct cw_ram *ram = &m->ram[--m->ram_count];

		mapping_unmap_writable(ram->memfd->f_mapping);
		fput(ram->memfd);
	}
}

/* The caller holds m->setup. */
long cw_set_ram(struct cw_machine *m, const struct cw_set_ram *arg)
{
	u64 pages = 0;
	u32 i, first = 0;
	long error;

	if (m->ram_pages)
		return -EBUSY;
	if (arg->zero || !arg->count || arg->count > CW_MAX_RAM_RANGES)
		return -EINVAL;
	for (i = 0; i < arg->count; i++) {
		error = cw_check_range(arg, i);
		if (error)
			return error;
		pages += arg->ranges[i].bytes >> PAGE_SHIFT;
	}
	if (pages > CW_MAX_RAM_PAGES)
		return -EFBIG;
	error = account_locked_vm(m->mm, pages, true);
	if (error)
		return error;
	for (i = 0; i < arg->count; i++) {
		error = cw_take_memfd(&m->ram[i], &arg->ranges[i]);
		if (error)
			goto failed;
		m->ram_count++;
		m->ram[i].first = first;
		first += arg->ranges[i].bytes >> PAGE_SHIFT;
	}
	error = -ENOMEM;
	m->pages = kvcalloc(pages, sizeof(*m->pages), GFP_KERNEL_ACCOUNT);
	m->code = vmalloc_user(PAGE_ALIGN(BITS_TO_LONGS(pages) * sizeof(long)));
	if (!m->pages || !m->code)
		goto failed;
	smp_store_release(&m->ram_pages, pages);
	return 0;
failed:
	kvfree(m->pages);
	vfree(m->code);
	m->pages = NULL;
	m->code = NULL;
	cw_put_memfds(m);
	account_locked_vm(m->mm, pages, false);
	return error;
}

void cw_release_ram(struct cw_machine *m)
{
	u32 i;
	long held = 0;

	if (!m->ram_pages)
		return;
	for (i = 0; i < m->ram_pages; i++) {
		if (m->pages[i]) {
			put_page(m->pages[i]);
			held++;
		}
		if (!(i & 1023))
			cond_resched();
	}
	cw_add_resident(m->mm, -held);
	account_locked_vm(m->mm, m->ram_pages, false);
	cw_put_memfds(m);
	kvfree(m->pages);
	vfree(m->code);
}
