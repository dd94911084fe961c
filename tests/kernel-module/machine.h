// SPDX-License-Identifier: GPL-2.0-or-later
// What the programs of this folder have in common: a machine of /dev/crosswalk, ARM tables in its
// RAM, and accesses that may fault.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "kernel-module/crosswalk-abi.h"

#define PAGE 4096u
#define RAM_BASE 0x40000000u
#define RAM_BYTES (64u << 20)
#define RAM_PAGES (RAM_BYTES / PAGE)
#define WINDOW_BYTES (1ul << 32)

// Guest-physical: tables of the first level (16 KiB each), of the second (1 KiB each), and where
// the tests' own pages begin.
#define L1(n) (RAM_BASE + 0x100000u + (n)*0x4000u)
#define L2(n) (RAM_BASE + 0x200000u + (n)*0x400u)
#define DATA (RAM_BASE + 0x800000u)

// Bits of short descriptors: Normal memory (TEX=001, C=B=1), full access (AP=011).
#define SMALL 0x7eu
#define SMALL_READ_ONLY 0x26eu  // privileged and not
#define SMALL_NG 0x800u
#define SECTION 0x1c0eu
#define SECTION_NG 0x20000u

struct machine {
  int fd, memfd;
  uint8_t* ram;
  volatile struct cw_statistics* statistics;
  volatile uint8_t* code;
};

static inline int sealed_memfd(uint64_t bytes) {
  const int fd = memfd_create("ram", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)) return -1;
  return fd;
}

static inline struct cw_set_ram ram_of(int memfd) {
  struct cw_set_ram arg = {.count = 1};
  arg.ranges[0].base = RAM_BASE;
  arg.ranges[0].bytes = RAM_BYTES;
  arg.ranges[0].memfd = memfd;
  return arg;
}

// False when something fails; errno says what.
static inline bool open_machine(struct machine* m) {
  m->fd = open("/dev/crosswalk", O_RDWR | O_CLOEXEC);
  m->memfd = sealed_memfd(RAM_BYTES);
  if (m->fd < 0 || m->memfd < 0) return false;
  m->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->memfd, 0);
  const struct cw_set_ram arg = ram_of(m->memfd);
  if (m->ram == MAP_FAILED || ioctl(m->fd, CW_SET_RAM, &arg)) return false;
  m->statistics = mmap(NULL, sizeof *m->statistics, PROT_READ, MAP_SHARED, m->fd, CW_MAP_STATISTICS);
  m->code = mmap(NULL, RAM_PAGES / 8, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, CW_MAP_CODE);
  return m->statistics != MAP_FAILED && m->code != MAP_FAILED;
}

static inline void close_machine(struct machine* m) {
  munmap(m->ram, RAM_BYTES);
  munmap((void*)m->statistics, sizeof *m->statistics);
  munmap((void*)m->code, RAM_PAGES / 8);
  close(m->fd);
  close(m->memfd);
}

static inline struct cw_set_window short_window(uint32_t id, uint32_t l1, uint32_t fill) {
  const struct cw_set_window w = {
      .window = id, .flags = CW_WINDOW_PRIVILEGED, .fill_pages = fill, .ttbr0 = l1, .sctlr = 1, .dacr = 0x55555555};
  return w;
}

// A window and its mapping, at a multiple of 1 GiB; NULL when something fails.
static inline uint8_t* map_window(const struct machine* m, const struct cw_set_window* w) {
  if (ioctl(m->fd, CW_SET_WINDOW, w)) return NULL;
  uint8_t* room = mmap(NULL, WINDOW_BYTES + (1 << 30), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return NULL;
  uint8_t* base = (uint8_t*)(((uintptr_t)room + (1 << 30) - 1) & ~(uintptr_t)((1 << 30) - 1));
  if (base != room) munmap(room, (size_t)(base - room));
  munmap(base + WINDOW_BYTES, (size_t)(room + (1 << 30) - base));
  base =
      mmap(base, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->fd, (off_t)CW_MAP_WINDOW(w->window));
  return base == MAP_FAILED ? NULL : base;
}

static inline void write32(const struct machine* m, uint64_t pa, uint32_t value) {
  *(volatile uint32_t*)(m->ram + (pa - RAM_BASE)) = value;
}
static inline void write64(const struct machine* m, uint64_t pa, uint64_t value) {
  *(volatile uint64_t*)(m->ram + (pa - RAM_BASE)) = value;
}
static inline uint32_t read32(const struct machine* m, uint64_t pa) {
  return *(volatile uint32_t*)(m->ram + (pa - RAM_BASE));
}

static inline void map_section(const struct machine* m, uint32_t l1, uint32_t va, uint32_t descriptor) {
  write32(m, l1 + (va >> 20) * 4, descriptor);
}
// The table of the second level is that of VA's MiB, modulo 1024.
static inline uint32_t small_at(uint32_t va) { return L2(va >> 20 & 1023) + (va >> 12 & 255) * 4; }
static inline void map_small(const struct machine* m, uint32_t l1, uint32_t va, uint32_t descriptor) {
  write32(m, l1 + (va >> 20) * 4, L2(va >> 20 & 1023) | 1);
  write32(m, small_at(va), descriptor);
}

// --- accesses that may fault -------------------------------------------------------------------
static __thread sigjmp_buf on_fault_jump;
static __thread volatile sig_atomic_t may_fault;
static __thread volatile uintptr_t fault_address;
static __thread volatile bool fault_was_write;

static void on_fault(int number, siginfo_t* info, void* raw) {
  if (!may_fault) {
    signal(number, SIG_DFL);
    return;
  }
  fault_address = (uintptr_t)info->si_addr;
  fault_was_write = ((ucontext_t*)raw)->uc_mcontext.gregs[REG_ERR] >> 1 & 1;
  siglongjmp(on_fault_jump, number);
}
static inline void catch_faults(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
  action.sa_sigaction = on_fault;
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
}

// 0, or the signal that the access raised.
static inline int try_load(const void* p, uint32_t* value) {
  const int signal_number = sigsetjmp(on_fault_jump, 0);
  if (signal_number) {
    may_fault = 0;
    return signal_number;
  }
  may_fault = 1;
  *value = *(const volatile uint32_t*)p;
  may_fault = 0;
  return 0;
}
static inline int try_store(void* p, uint32_t value) {
  const int signal_number = sigsetjmp(on_fault_jump, 0);
  if (signal_number) {
    may_fault = 0;
    return signal_number;
  }
  may_fault = 1;
  *(volatile uint32_t*)p = value;
  may_fault = 0;
  return 0;
}

// --- calls ---------------------------------------------------------------------------------------
static inline struct cw_flush flush_call(uint32_t window, uint32_t flags, const struct cw_flush_record* records,
                                         uint32_t count) {
  const struct cw_flush f = {.window = window, .flags = flags, .count = count, .records = (uintptr_t)records};
  return f;
}
static inline int flush(const struct machine* m, uint32_t window, uint32_t kind, uint32_t va, struct cw_flush* result) {
  *result = flush_call(window, 0, NULL, 1);
  result->record = (struct cw_flush_record){.kind = kind, .va = va};
  return ioctl(m->fd, CW_FLUSH, result);
}
static inline int flush_eager(const struct machine* m, uint32_t window, uint32_t kind, uint32_t va,
                              struct cw_flush* result) {
  *result = flush_call(window, CW_FLUSH_EAGER, NULL, 1);
  result->record = (struct cw_flush_record){.kind = kind, .va = va};
  return ioctl(m->fd, CW_FLUSH, result);
}
static inline int list(const struct machine* m, unsigned long command, uint32_t window, const uint32_t* items,
                       uint32_t count, uint32_t* done) {
  struct cw_list l = {.window = window, .count = count, .items = (uintptr_t)items};
  const int status = ioctl(m->fd, command, &l);
  *done = l.done;
  return status;
}

static inline int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whether a page-table entry is there, without a fault that would make it: for as long as the load
// takes, the window's tables are empty. `w` is what the window is set to.
static inline bool is_present(const struct machine* m, const struct cw_set_window* w, const void* p) {
  struct cw_set_window empty = *w;
  uint32_t value;
  empty.ttbr0 = L1(63);
  ioctl(m->fd, CW_SET_WINDOW, &empty);
  const bool present = try_load(p, &value) == 0;
  ioctl(m->fd, CW_SET_WINDOW, w);
  return present;
}
