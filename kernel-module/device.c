// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/crosswalk: its files, calls and mappings.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "kernel-module/crosswalk.h"

static_assert(sizeof(struct cw_ram_range) == 32);
static_assert(sizeof(struct cw_set_ram) == 8 + 32 * CW_MAX_RAM_RANGES);
static_assert(sizeof(struct cw_set_window) == 56);
static_assert(sizeof(struct cw_flush_record) == 16);
static_assert(sizeof(struct cw_flush) == 56);
static_assert(sizeof(struct cw_list) == 24);
static_assert(sizeof(struct cw_set_upcall) == 32);
static_assert(sizeof(struct cw_upcall) == 64);
static_assert(sizeof(struct cw_watch) == 8 + 8 * CW_MAX_WATCHED);
static_assert(sizeof(struct cw_statistics) == 19 * 8 + (24 + 256) * CW_MAX_WINDOWS);

static const struct address_space_operations cw_no_operations;

static int cw_open(struct inode *inode, struct file *file)
{
	struct cw_machine *m;

	if (!current->mm)
		return -EINVAL;
	m = kvzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	m->statistics = vmalloc_user(PAGE_ALIGN(sizeof(*m->statistics)));
	m->upcalls = vmalloc_user(PAGE_ALIGN(sizeof(*m->upcalls) * CW_MAX_UPCALLS));
	if (!m->statistics || !m->upcalls) {
		vfree(m->statistics);
		vfree(m->upcalls);
		kvfree(m);
		return -ENOMEM;
	}
	mutex_init(&m->setup);
	mutex_init(&m->removal);
	spin_lock_init(&m->lock);
	address_space_init_once(&m->mapping);
	m->mapping.host = inode;
	m->mapping.a_ops = &cw_no_operations;
	mapping_set_gfp_mask(&m->mapping, GFP_USER);
	m->mm = current->mm;
	mmgrab(m->mm);
	file->private_data = m;
	file->f_mapping = &m->mapping;
	return 0;
}

/* No mapping is left, since each holds the file; and no other mm than m->mm had one. */
static int cw_release(struct inode *inode, struct file *file)
{
	struct cw_machine *m = file->private_data;
	u32 id;

	file->f_mapping = inode->i_mapping;
	for (id = 0; id < CW_MAX_WINDOWS; id++)
		kvfree(m->windows[id]);
	cw_release_ram(m);
	cw_release_upcalls(m);
	mmdrop(m->mm);
	vfree(m->statistics);
	vfree(m->upcalls);
	kvfree(m);
	return 0;
}

static struct cw_window *cw_window_of(struct cw_machine *m, u32 id)
{
	if (id >= CW_MAX_WINDOWS)
		return NULL;
	return smp_load_acquire(&m->windows[array_index_nospec(id, CW_MAX_WINDOWS)]);
}

static int cw_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct cw_machine *m = file->private_data;
	const pgoff_t first = vma->vm_pgoff, window_pages = 1ul << (32 - PAGE_SHIFT);
	struct cw_window *w;
	int error = 0;

	if (vma->vm_mm != m->mm)
		return -EIO;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (first >= CW_MAP_UPCALLS >> PAGE_SHIFT && first < CW_MAP_CODE >> PAGE_SHIFT) {
		cw_change_vm_flags(vma, VM_DONTCOPY, VM_MAYEXEC);
		return remap_vmalloc_range(vma, m->upcalls, first - (CW_MAP_UPCALLS >> PAGE_SHIFT));
	}
	if (first < CW_MAP_CODE >> PAGE_SHIFT) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		cw_change_vm_flags(vma, VM_DONTCOPY, VM_MAYWRITE | VM_MAYEXEC);
		return remap_vmalloc_range(vma, m->statistics, first);
	}
	if (first < window_pages) {
		if (!smp_load_acquire(&m->ram_pages))
			return -ENXIO;
		cw_change_vm_flags(vma, VM_DONTCOPY, VM_MAYEXEC);
		return remap_vmalloc_range(vma, m->code, first - (CW_MAP_CODE >> PAGE_SHIFT));
	}
	if (first / window_pages > CW_MAX_WINDOWS ||
	    first % window_pages + vma_pages(vma) > window_pages)
		return -EINVAL;
	w = cw_window_of(m, first / window_pages - 1);
	if (!w)
		return -ENXIO;
	spin_lock(&m->lock);
	if (w->mapped)
		error = -EBUSY;
	else
		w->mapped = 1;
	spin_unlock(&m->lock);
	if (error)
		return error;
	/* VM_IO: madvise() cannot take VM_DONTCOPY away. */
	cw_change_vm_flags(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
			   VM_MAYEXEC);
	vma->vm_ops = &cw_window_ops;
	vma->vm_private_data = w;
	WRITE_ONCE(w->base, vma->vm_start - (first % window_pages << PAGE_SHIFT));
	return 0;
}

/* The caller holds m->setup. */
static long cw_set_window(struct cw_machine *m, const struct cw_set_window *arg)
{
	struct cw_window *w;

	if (!m->ram_pages)
		return -ENXIO;
	if (arg->window >= CW_MAX_WINDOWS || arg->zero || arg->flags & ~CW_WINDOW_PRIVILEGED ||
	    !is_power_of_2(arg->fill_pages) || arg->fill_pages > CW_MAX_FILL_PAGES)
		return -EINVAL;
	w = cw_window_of(m, arg->window);
	if (!w) {
		w = kvzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
		if (!w)
			return -ENOMEM;
		w->id = arg->window;
		w->entries.shown = m->statistics->used[w->id];
	}
	spin_lock(&m->lock);
	m->generation++;
	w->regime = (struct cw_regime){
		.ttbr0 = arg->ttbr0,
		.ttbr1 = arg->ttbr1,
		.sctlr = arg->sctlr,
		.ttbcr = arg->ttbcr,
		.dacr = arg->dacr,
		.prrr = arg->prrr,
		.nmrr = arg->nmrr,
		.contextidr = arg->contextidr,
	};
	w->privileged = arg->flags & CW_WINDOW_PRIVILEGED;
	w->fill_pages = arg->fill_pages;
	spin_unlock(&m->lock);
	smp_store_release(&m->windows[arg->window], w);
	return 0;
}

/* CW_INSTALL. */
static long cw_install_list(struct cw_machine *m, struct cw_list *arg)
{
	const u32 __user *from = u64_to_user_ptr(arg->items);
	struct cw_window *w = cw_window_of(m, arg->window);
	u32 vas[64];
	u32 done;

	arg->done = 0;
	if (!w)
		return -ENXIO;
	for (done = 0; done < arg->count;) {
		const u32 now = min_t(u32, arg->count - done, ARRAY_SIZE(vas));

		if (copy_from_user(vas, from + done, now * sizeof(*vas)))
			return -EFAULT;
		arg->done += cw_install(m, w, vas, now);
		done += now;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	cw_add(m, entries_listed, arg->done);
	return 0;
}

/* CW_PROTECT. One pass over the windows does for all pages. */
static long cw_protect_list(struct cw_machine *m, struct cw_list *arg)
{
	const u32 __user *from = u64_to_user_ptr(arg->items);
	u32 first = ~0u, last = 0, id, done, i;
	u32 pages[64];

	arg->done = 0;
	if (arg->window != CW_ALL_WINDOWS && !cw_window_of(m, arg->window))
		return -ENXIO;
	for (done = 0; done < arg->count;) {
		const u32 now = min_t(u32, arg->count - done, ARRAY_SIZE(pages));

		if (copy_from_user(pages, from + done, now * sizeof(*pages)))
			return -EFAULT;
		for (i = 0; i < now; i++) {
			if (pages[i] >= m->ram_pages)
				return -EINVAL;
			first = min(first, pages[i]);
			last = max(last, pages[i]);
		}
		done += now;
		cond_resched();
	}
	if (first > last)
		return 0;
	for (id = 0; id < CW_MAX_WINDOWS; id++) {
		struct cw_window *w = cw_window_of(m, id);

		if (w && (arg->window == CW_ALL_WINDOWS || arg->window == id))
			arg->done += cw_protect(m, w, first, last);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	cw_add(m, made_read_only, arg->done);
	return 0;
}

static long cw_list(struct cw_machine *m, unsigned int command, struct cw_list *arg)
{
	if (arg->zero || arg->count > CW_MAX_BATCH)
		return -EINVAL;
	if (!smp_load_acquire(&m->ram_pages))
		return -ENXIO;
	return command == CW_INSTALL ? cw_install_list(m, arg) : cw_protect_list(m, arg);
}

static long cw_check_watch(const struct cw_watch *watch)
{
	u32 i;

	if (watch->zero || watch->count > CW_MAX_WATCHED)
		return -EINVAL;
	for (i = 0; i < watch->count; i++)
		if (watch->ranges[i].first_page > watch->ranges[i].last_page ||
		    watch->ranges[i].last_page >= 1u << 20)
			return -EINVAL;
	return 0;
}

static long cw_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct cw_machine *m = file->private_data;
	void __user *user = (void __user *)argument;
	union {
		struct cw_set_ram ram;
		struct cw_set_window window;
		struct cw_flush flush;
		struct cw_list list;
		struct cw_watch watch;
		struct cw_set_upcall upcall;
	} arg;
	struct cw_window *w;
	long error;

	if (command == CW_VERSION)
		return CW_ABI_VERSION;
	if (current->mm != m->mm)
		return -EIO;
	switch (command) {
	case CW_SET_RAM:
	case CW_SET_WINDOW:
	case CW_FLUSH:
	case CW_INSTALL:
	case CW_PROTECT:
	case CW_WATCH:
	case CW_SET_UPCALL:
		break;
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&arg, user, _IOC_SIZE(command)))
		return -EFAULT;
	switch (command) {
	case CW_SET_RAM:
	case CW_SET_WINDOW:
		if (mutex_lock_killable(&m->setup))
			return -EINTR;
		error = command == CW_SET_RAM ? cw_set_ram(m, &arg.ram)
					      : cw_set_window(m, &arg.window);
		mutex_unlock(&m->setup);
		return error;
	case CW_SET_UPCALL:
		return cw_set_upcall(m, &arg.upcall);
	case CW_FLUSH:
		w = cw_window_of(m, arg.flush.window);
		if (!w)
			return -ENXIO;
		error = cw_flush(m, w, &arg.flush);
		break;
	case CW_INSTALL:
	case CW_PROTECT:
		error = cw_list(m, command, &arg.list);
		break;
	default:
		error = cw_check_watch(&arg.watch);
		if (!error)
			cw_set_watch(m, &arg.watch);
		return error;
	}
	/* What was done is told also where the rest failed. */
	if (error != -EINVAL && copy_to_user(user, &arg, _IOC_SIZE(command)))
		return -EFAULT;
	return error;
}

static const struct file_operations cw_operations = {
	.owner = THIS_MODULE,
	.open = cw_open,
	.release = cw_release,
	.mmap = cw_mmap,
	.unlocked_ioctl = cw_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice cw_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "crosswalk",
	.fops = &cw_operations,
	.mode = 0600,
};

static void cw_new_leaf(void *leaf)
{
	memset(leaf, 0, sizeof(struct cw_leaf));
}

static int __init cw_init(void)
{
	int error;

	/* With a constructor, so that no kernel clears a leaf when it is allocated. */
	cw_leaf_cache = kmem_cache_create("crosswalk_leaf", sizeof(struct cw_leaf), 0, SLAB_ACCOUNT,
					  cw_new_leaf);
	if (!cw_leaf_cache)
		return -ENOMEM;
	cw_read_only = vm_get_page_prot(VM_READ | VM_SHARED);
	cw_read_write = vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED);
	error = misc_register(&cw_device);
	if (error)
		kmem_cache_destroy(cw_leaf_cache);
	return error;
}

static void __exit cw_exit(void)
{
	misc_deregister(&cw_device);
	kmem_cache_destroy(cw_leaf_cache);
}

module_init(cw_init);
module_exit(cw_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Windows of Crosswalk: page-table entries from an ARM guest's tables");
MODULE_VERSION(__stringify(CW_ABI_VERSION));
