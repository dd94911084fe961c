/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between the kernels that this module is built for: from 6.1 on. */
#ifndef CROSSWALK_KERNEL_MODULE_COMPAT_H
#define CROSSWALK_KERNEL_MODULE_COMPAT_H

#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "crosswalk.ko needs Linux 6.1 or later"
#endif

static inline void cw_change_vm_flags(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

static inline bool cw_is_shmem(struct address_space *mapping)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return shmem_mapping(mapping);
#else
	return mapping->a_ops == &shmem_aops; /* shmem_mapping() is not exported */
#endif
}

/* Removes page-table entries of a part of the mapping. The caller holds mmap_lock. */
static inline void cw_zap_in_vma(struct vm_area_struct *vma, unsigned long address,
				 unsigned long size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	zap_special_vma_range(vma, address, size);
#else
	zap_vma_ptes(vma, address, size);
#endif
}

/* Counts pages of shared memory in RSS, and so in oom_score. mm_trace_rss_stat() is not exported.
 */
static inline void cw_add_resident(struct mm_struct *mm, long pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	percpu_counter_add(&mm->rss_stat[MM_SHMEMPAGES], pages);
#else
	atomic_long_add(pages, &mm->rss_stat.count[MM_SHMEMPAGES]);
#endif
}

#endif
