/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface of /dev/crosswalk. The kernel module and the process both include this.
 *
 * An open file is a machine: guest RAM, a bitmap of the RAM pages that hold translated code, and
 * windows. It belongs to the address space (mm) that opened it: calls of another one fail with EIO.
 * A window is 4 GiB of the file that stand for one guest address space: what is mapped at
 * CW_MAP_WINDOW(id) + VA reaches what the guest's tables say of VA. docs/kernel-module.md has more.
 *
 * Structures have a fixed width and no padding. Fields called zero are 0, else EINVAL.
 */
#ifndef CROSSWALK_KERNEL_MODULE_ABI_H
#define CROSSWALK_KERNEL_MODULE_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CW_ABI_VERSION 4

/* Limits. */
#define CW_MAX_RAM_RANGES 4
#define CW_MAX_RAM_PAGES  (1u << 26) /* 256 GiB in all */
#define CW_MAX_WINDOWS	  1024
#define CW_MAX_WATCHED	  16
#define CW_MAX_BATCH	  65536 /* records or items of one call */
#define CW_MAX_FILL_PAGES 512

#define CW_MAX_UPCALLS 16

/* File offsets for mmap(2), which takes MAP_SHARED only, and no PROT_EXEC. */
#define CW_MAP_STATISTICS 0ull			/* struct cw_statistics; PROT_READ */
#define CW_MAP_UPCALLS	  (1ull << 30)		/* CW_MAX_UPCALLS of struct cw_upcall */
#define CW_MAP_CODE	  (1ull << 31)		/* the bitmap of code pages, after CW_SET_RAM */
#define CW_MAP_WINDOW(id) (((id) + 1ull) << 32) /* 4 GiB, or a part, after CW_SET_WINDOW */

/*
 * Guest RAM: each range is `bytes` of a memfd from `offset` on, at guest-physical address `base`;
 * all are multiples of 4 KiB, below 2^40, and do not overlap. RAM pages are numbered through all
 * ranges from 0. Each memfd must be open for reading and writing, be sealed with F_SEAL_SHRINK and
 * not against writing. All of RAM counts against RLIMIT_MEMLOCK until the file is closed; of
 * machines of a process whose ranges are the same, once, until the last of them is.
 */
struct cw_ram_range {
	__u64 base, bytes, offset;
	__s32 memfd;
	__u32 zero;
};
struct cw_set_ram {
	__u32 count, zero;
	struct cw_ram_range ranges[CW_MAX_RAM_RANGES];
};

/*
 * What a window's faults walk by from now on: the registers as the guest wrote them, and whether
 * its accesses are privileged. Creates the window; one that exists keeps its entries.
 *
 * A fault also installs neighbours that are valid, alike and contiguous with it: of a large entry
 * up to `fill_pages` naturally aligned ones, of 4 KiB entries up to 16. fill_pages is a power of
 * two up to CW_MAX_FILL_PAGES; 1 means the page alone.
 */
#define CW_WINDOW_PRIVILEGED 1u
struct cw_set_window {
	__u32 window, flags, fill_pages, zero;
	__u64 ttbr0, ttbr1;
	__u32 sctlr, ttbcr, dacr, prrr, nmrr, contextidr;
};

/*
 * A flush of one window: everything; what belongs to an ASID (nG=1); the entry that covers `va`,
 * with all that was installed from it; the same if it is global; or the pages of [va, va + bytes),
 * multiples of 4 KiB. `bytes` is 0 but for the last. Complete when the call returns: no access
 * reaches what was covered and is not what the tables say by then.
 *
 * With CW_FLUSH_EAGER, what is covered is walked for again instead (for CW_FLUSH_VA* and ranges:
 * where it comes of 4 KiB entries): what is unchanged stays, what changed is rewritten.
 */
enum cw_flush_kind {
	CW_FLUSH_ALL,
	CW_FLUSH_NONGLOBAL,
	CW_FLUSH_VA,
	CW_FLUSH_VA_GLOBAL,
	CW_FLUSH_RANGE,
};
struct cw_flush_record {
	__u32 kind, va;
	__u64 bytes;
};
#define CW_FLUSH_EAGER 1u
struct cw_flush {
	__u32 window, flags, count, zero;
	/* Address of `count` struct cw_flush_record, or 0: `record` is the only one, and count 1.
	 */
	__u64 records;
	struct cw_flush_record record;
	/* Pages, of what was done before the call returned or failed. */
	__u32 removed, kept, rewritten, zero2;
};

/*
 * CW_INSTALL: VAs of pages, each installed as a load from it would be, where that faults not.
 * CW_PROTECT: numbers of RAM pages. Entries that reach one of them, whose bit in the code bitmap is
 * set, lose their write access. `window` may be CW_ALL_WINDOWS here.
 */
#define CW_ALL_WINDOWS (~0u)
struct cw_list {
	__u32 window, count;
	__u64 items; /* address of `count` __u32 */
	__u32 done;  /* entries installed; entries that lost write access */
	__u32 zero;
};

/* Pages of VA, in all windows, that are never installed: a debugger watches them. Both inclusive.
 */
struct cw_watch {
	__u32 count, zero;
	struct {
		__u32 first_page, last_page;
	} ranges[CW_MAX_WATCHED];
};

/*
 * Where the calling thread goes on after a fault of a window that is SIGSEGV otherwise: at `entry`,
 * with RSP = `stack` and RAX = `argument`, and the direction flag clear. upcall[slot] of the
 * mapping has what these were, and the fault. It is busy until the process writes 0; a fault
 * meanwhile is SIGSEGV. A slot belongs to one thread, a thread has one; `entry` 0 gives it back.
 */
struct cw_set_upcall {
	__u32 slot, zero;
	__u64 entry, stack, argument;
};
struct cw_upcall {
	__u64 busy;
	__u64 rip, rsp, rflags, rax;
	__u64 address; /* that was accessed */
	__u64 write;   /* 1 for a store */
	__u64 zero;
};

/* The version is the return value. */
#define CW_VERSION    _IO('C', 0x00)
#define CW_SET_RAM    _IOW('C', 0x01, struct cw_set_ram)
#define CW_SET_WINDOW _IOW('C', 0x02, struct cw_set_window)
#define CW_FLUSH      _IOWR('C', 0x03, struct cw_flush)
#define CW_INSTALL    _IOWR('C', 0x04, struct cw_list)
#define CW_PROTECT    _IOWR('C', 0x05, struct cw_list)
#define CW_WATCH      _IOW('C', 0x06, struct cw_watch)
#define CW_SET_UPCALL _IOW('C', 0x07, struct cw_set_upcall)

/* Counts since the file was opened, but for `ram_pages` and the last one. */
struct cw_statistics {
	__u64 faults;		 /* of accesses to windows, by outcome: */
	__u64 faults_installed;	 /* the access was repeated */
	__u64 faults_guest;	 /* SIGSEGV: the tables do not allow it */
	__u64 faults_not_memory; /* SIGSEGV: not RAM, or not Normal memory */
	__u64 faults_code;	 /* SIGSEGV: a store to a page with translated code */
	__u64 faults_watched;	 /* SIGSEGV: a watched page */
	__u64 faults_other;	 /* no memory */
	__u64 retries;		 /* walks that a flush overtook */
	__u64 entries;		 /* pages installed, */
	__u64 entries_around;	 /* of these, neighbours of a fault, */
	__u64 entries_listed;	 /* and by CW_INSTALL */
	__u64 walks, walk_levels;
	__u64 flush_records;
	__u64 removed, kept, rewritten; /* pages, by flushes */
	__u64 made_read_only;		/* entries that lost write access */
	__u64 ram_pages; /* pages of RAM that are held now, of those that it took first */
	struct {
		__u32 installed, nonglobal; /* pages now */
		/* Of 2 MiB that have had pages since the window was mapped: page tables exist. */
		__u32 stretches;
		/* Entries of 16 MiB or more may be among what is installed. */
		__u32 large;
		__u32 faults; /* that installed something, since the window was made */
		__u32 zero;
	} windows[CW_MAX_WINDOWS];
	/*
	 * For each window one bit for each 2 MiB of VA: pages are installed there. Where no other
	 * thread faults in the window, a flush of a VA whose bit is 0 has nothing to do, if `large`
	 * is 0 too.
	 */
	__u64 used[CW_MAX_WINDOWS][32];
};

#endif
