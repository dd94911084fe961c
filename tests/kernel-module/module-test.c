// SPDX-License-Identifier: GPL-2.0-or-later
// What /dev/crosswalk does and refuses. Prints `ok module/NAME` or `not ok module/NAME: why` for
// each test.
//
// usage: module-test [count]   `count`: executed instructions, where the clock counts them
#include <pthread.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/kernel-module/machine.h"

static bool failed_test;
static struct machine m;

static void expect(bool good, int line, const char* what) {
  if (good || failed_test) return;
  failed_test = true;
  printf("  line %d: %s (errno %d: %s)\n", line, what, errno, strerror(errno));
}
#define EXPECT(what) expect(what, __LINE__, #what)
#define EXPECT_EQUAL(a, b)                                                                                \
  do {                                                                                                    \
    const unsigned long long got = (a), wanted = (b);                                                     \
    if (got != wanted && !failed_test) printf("  %s is %llu, expected %s = %llu\n", #a, got, #b, wanted); \
    expect(got == wanted, __LINE__, #a " == " #b);                                                        \
  } while (0)
#define EXPECT_ERROR(call, number) EXPECT((call) == -1 && errno == (number))

static bool loads(const uint8_t* p, uint32_t value) {
  uint32_t got = 0;
  return !try_load(p, &got) && got == value;
}
static bool faults(const uint8_t* p) {
  uint32_t got;
  return try_load(p, &got) == SIGSEGV && (fault_address & ~4095ul) == ((uintptr_t)p & ~4095ul) && !fault_was_write;
}
static bool store_faults(uint8_t* p) {
  return try_store(p, 1) == SIGSEGV && (fault_address & ~4095ul) == ((uintptr_t)p & ~4095ul) && fault_was_write;
}
static uint32_t installed(uint32_t window) { return m.statistics->windows[window].installed; }
static uint32_t number_of(uint64_t pa) { return (uint32_t)(pa - RAM_BASE) / PAGE; }
static void set_code(uint32_t ram_page, bool on) {
  if (on)
    m.code[ram_page / 8] |= (uint8_t)(1 << ram_page % 8);
  else
    m.code[ram_page / 8] &= (uint8_t) ~(1 << ram_page % 8);
}
static unsigned count_maps(void) {
  unsigned lines = 0;
  FILE* f = fopen("/proc/self/maps", "r");
  for (int c; (c = fgetc(f)) != EOF;) lines += c == '\n';
  fclose(f);
  return lines;
}
static unsigned long resident_shmem(void) {
  char line[256];
  unsigned long kib = 0;
  FILE* f = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, f)) sscanf(line, "RssShmem: %lu kB", &kib);
  fclose(f);
  return kib;
}
// Runs `body` in a child: whether it returned true.
static bool in_child(bool (*body)(uint8_t*), uint8_t* window) {
  const pid_t child = fork();
  if (child == 0) _exit(body(window) ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

// Data page n holds its number in its first word.
static void number_pages(void) {
  for (uint64_t pa = DATA; pa < RAM_BASE + RAM_BYTES; pa += PAGE) write32(&m, pa, (uint32_t)(pa - DATA) / PAGE);
}
static uint32_t data(uint32_t n) { return DATA + n * PAGE; }

static void test_version(void) {
  EXPECT_EQUAL((unsigned)ioctl(m.fd, CW_VERSION), CW_ABI_VERSION);
  EXPECT_ERROR(ioctl(m.fd, _IO('C', 0x7f)), ENOTTY);
}

static void test_ram(void) {
  const int fd = open("/dev/crosswalk", O_RDWR);
  struct cw_set_ram arg = ram_of(m.memfd);
  EXPECT_ERROR(ioctl(m.fd, CW_SET_RAM, &arg), EBUSY);
  arg.ranges[0].memfd = -1;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EBADF);
  arg.ranges[0].memfd = fd;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);

  const int open_end = memfd_create("unsealed", MFD_ALLOW_SEALING);
  EXPECT(!ftruncate(open_end, RAM_BYTES));
  arg.ranges[0].memfd = open_end;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  EXPECT(!fcntl(open_end, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE));
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EPERM);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", m.memfd);
  const int read_only = open(path, O_RDONLY);
  arg.ranges[0].memfd = read_only;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EACCES);

  const struct cw_set_ram good = ram_of(m.memfd);
  arg = good, arg.zero = 1;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.count = 0;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.count = CW_MAX_RAM_RANGES + 1;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.ranges[0].bytes += PAGE;  // more than the memfd has
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.ranges[0].base += 1;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.ranges[0].base = ~0ull << 12;
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);
  arg = good, arg.count = 2, arg.ranges[1] = arg.ranges[0], arg.ranges[1].base += RAM_BYTES - PAGE;  // overlap
  EXPECT_ERROR(ioctl(fd, CW_SET_RAM, &arg), EINVAL);

  const struct cw_set_window window = short_window(0, L1(0), 1);
  EXPECT_ERROR(ioctl(fd, CW_SET_WINDOW, &window), ENXIO);
  EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, CW_MAP_CODE) == MAP_FAILED);
  EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, CW_MAP_WINDOW(0)) == MAP_FAILED);

  // Two ranges of one memfd, in the other order: RAM pages are numbered through them.
  arg = good, arg.count = 2, arg.ranges[1] = arg.ranges[0];
  arg.ranges[0].bytes = arg.ranges[1].bytes = RAM_BYTES / 2;
  arg.ranges[0].offset = RAM_BYTES / 2;
  arg.ranges[1].base += RAM_BYTES;
  EXPECT(!ioctl(fd, CW_SET_RAM, &arg));
  struct machine two = {.fd = fd};
  struct cw_set_window flat = window;
  flat.sctlr = 0;
  const uint8_t* w = map_window(&two, &flat);
  EXPECT(w != NULL);
  EXPECT(loads(w + RAM_BASE, read32(&m, RAM_BASE + RAM_BYTES / 2)));
  EXPECT(loads(w + RAM_BASE + RAM_BYTES + (DATA - RAM_BASE) + 5 * PAGE, 5));
  EXPECT(faults(w + RAM_BASE + RAM_BYTES / 2));
  EXPECT(!munmap((void*)w, WINDOW_BYTES));
  close(fd), close(open_end), close(read_only);
}

// A file that is sealed, or that its receiver may believe sealed, is not written.
static void test_seals(void) {
  EXPECT_ERROR(ftruncate(m.memfd, PAGE), EPERM);
  struct machine other;
  EXPECT(open_machine(&other));
  munmap(other.ram, RAM_BYTES);
  EXPECT_ERROR(fcntl(other.memfd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  close_machine(&other);
  other.memfd = sealed_memfd(RAM_BYTES);
  EXPECT(!fcntl(other.memfd, F_ADD_SEALS, F_SEAL_WRITE));
  close(other.memfd);
}

static void test_fault(void) {
  const struct cw_set_window w = short_window(1, L1(1), 1);
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 512; i++) map_small(&m, L1(1), i * PAGE, data(i * 7 % 512) | SMALL);
  const unsigned maps = count_maps();
  for (uint32_t i = 0; i < 512; i++) EXPECT(loads(window + i * PAGE, i * 7 % 512));
  EXPECT_EQUAL(installed(1), 512);
  EXPECT_EQUAL(count_maps(), maps);
  EXPECT(!try_store(window + 3 * PAGE + 8, 99));
  EXPECT_EQUAL(read32(&m, data(21) + 8), 99);
  // Nothing, a table outside of RAM, a page outside of RAM, Device memory, read-only.
  EXPECT(faults(window + 512 * PAGE));
  map_section(&m, L1(1), 0x10000000, 0x80000001);
  EXPECT(faults(window + 0x10000000));
  map_small(&m, L1(1), 0x10100000, 0x20000000 | SMALL);
  EXPECT(faults(window + 0x10100000));
  map_small(&m, L1(1), 0x10101000, data(1) | 0x36);
  EXPECT(faults(window + 0x10101000));
  map_small(&m, L1(1), 0x10102000, data(1) | SMALL_READ_ONLY);
  EXPECT(store_faults(window + 0x10102000));
  EXPECT(loads(window + 0x10102000, 1));
  EXPECT(store_faults(window + 0x10102000));
  EXPECT(faults(window + 0xfffff000u));
  // The kernel's own accesses.
  int ends[2];
  EXPECT(!pipe(ends) && write(ends[1], "abcd", 4) == 4 && read(ends[0], window + 0x12000, 4) == 4);
  EXPECT_EQUAL(read32(&m, data(0x12 * 7)), 0x64636261);
  EXPECT(write(ends[1], "abcd", 4) == 4);
  EXPECT_ERROR(read(ends[0], window + 0x10102000, 4), EFAULT);
  close(ends[0]), close(ends[1]);
  write32(&m, data(0x12 * 7), 0x12 * 7);
  EXPECT(!munmap(window, WINDOW_BYTES));
}

static void test_long_descriptors(void) {
  struct cw_set_window w = short_window(2, L1(2), 16);
  w.ttbcr = 0x80000000;
  w.prrr = 0xff;
  const uint32_t l1 = L1(2), l2 = L1(2) + 0x1000, l3 = L1(2) + 0x2000;
  write64(&m, l1, l2 | 3);
  write64(&m, l1 + 8, DATA | 0x701);  // a block of 1 GiB reaches beyond RAM
  write64(&m, l2, (DATA & ~0x1fffffull) | 0x701);
  write64(&m, l2 + 8, l3 | 3);
  for (uint32_t i = 0; i < 64; i++) write64(&m, l3 + i * 8, data(i) | 0x703);
  write64(&m, l3 + 64 * 8, data(64) | 0x783);  // read-only
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  EXPECT(loads(window + 0x5000, 5));
  EXPECT_EQUAL(installed(2), 16);
  EXPECT(loads(window + 0x200000 + 20 * PAGE, 20));
  EXPECT_EQUAL(installed(2), 32);
  EXPECT(loads(window + 0x200000 + 64 * PAGE, 64));
  EXPECT(store_faults(window + 0x200000 + 64 * PAGE));
  EXPECT(loads(window + RAM_BASE + 0x800000 + 3 * PAGE, 3));
  EXPECT(faults(window + RAM_BASE + RAM_BYTES));
  EXPECT(!munmap(window, WINDOW_BYTES));
  w.sctlr = 0;
  window = map_window(&m, &w);  // the MMU is off
  EXPECT(window != NULL);
  EXPECT(loads(window + DATA + PAGE, 1));
  EXPECT(faults(window));
  EXPECT(!munmap(window, WINDOW_BYTES));
}

static void test_fill_around(void) {
  struct cw_set_window w = short_window(3, L1(3), 16);
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  // 8 contiguous pages, one that is not, and read-only ones.
  for (uint32_t i = 0; i < 8; i++) map_small(&m, L1(3), 0x30000000 + i * PAGE, data(i) | SMALL);
  map_small(&m, L1(3), 0x30008000, data(100) | SMALL);
  for (uint32_t i = 9; i < 16; i++) map_small(&m, L1(3), 0x30000000 + i * PAGE, data(i) | SMALL_READ_ONLY);
  EXPECT(loads(window + 0x30003000, 3));
  EXPECT_EQUAL(installed(3), 8);
  for (uint32_t i = 0; i < 8; i++) EXPECT(is_present(&m, &w, window + 0x30000000 + i * PAGE));
  EXPECT(loads(window + 0x3000c000, 12));
  EXPECT_EQUAL(installed(3), 15);
  EXPECT(!is_present(&m, &w, window + 0x30008000));
  EXPECT(!try_store(window + 0x30002000, 2));
  EXPECT(store_faults(window + 0x3000a000));
  // Sections: 16 pages, or as many as asked for.
  map_section(&m, L1(3), 0x20000000, (DATA & 0xfff00000) | SECTION);
  EXPECT(loads(window + 0x20023000, 0x23));
  EXPECT_EQUAL(installed(3), 31);
  w.fill_pages = 512;
  EXPECT(!ioctl(m.fd, CW_SET_WINDOW, &w));
  EXPECT(loads(window + 0x20083000, 0x83));
  EXPECT_EQUAL(installed(3), 15 + 256);
  for (uint32_t i = 0; i < 256; i++) EXPECT(loads(window + 0x20000000 + i * PAGE, i));
  // What was never touched is not allocated for a neighbour.
  struct machine fresh;
  EXPECT(open_machine(&fresh));
  uint8_t* other = map_window(&fresh, &w);
  EXPECT(other != NULL);
  map_section(&fresh, L1(3), 0x20000000, (DATA & 0xfff00000) | SECTION);
  EXPECT(loads(other + 0x20001000, 0));
  EXPECT_EQUAL(fresh.statistics->windows[3].installed, 1);
  EXPECT_EQUAL(fresh.statistics->ram_pages, 2);
  EXPECT(!munmap(other, WINDOW_BYTES));
  close_machine(&fresh);
  EXPECT(!munmap(window, WINDOW_BYTES));
}

// Every kind of flush takes what it covers, and nothing else.
static void test_flush(void) {
  struct cw_set_window w = short_window(4, L1(4), 16);
  struct cw_flush f;
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 32; i++) map_small(&m, L1(4), i * PAGE, data(i * 3) | SMALL | (i % 2 ? SMALL_NG : 0));
  for (uint32_t i = 0; i < 32; i++) EXPECT(loads(window + i * PAGE, i * 3));
  EXPECT_EQUAL(installed(4), 32);
  EXPECT_EQUAL(m.statistics->windows[4].nonglobal, 16);
  EXPECT(!flush(&m, 4, CW_FLUSH_VA, 5 * PAGE + 0x123, &f));
  EXPECT_EQUAL(f.removed, 1);
  EXPECT(!is_present(&m, &w, window + 5 * PAGE) && is_present(&m, &w, window + 4 * PAGE) &&
         is_present(&m, &w, window + 6 * PAGE));
  EXPECT(!flush(&m, 4, CW_FLUSH_VA_GLOBAL, 7 * PAGE, &f));
  EXPECT_EQUAL(f.removed, 0);
  EXPECT(!flush(&m, 4, CW_FLUSH_VA_GLOBAL, 8 * PAGE, &f));
  EXPECT_EQUAL(f.removed, 1);
  EXPECT(!flush(&m, 4, CW_FLUSH_NONGLOBAL, 0, &f));
  EXPECT_EQUAL(f.removed, 15);
  for (uint32_t i = 0; i < 32; i++) EXPECT(is_present(&m, &w, window + i * PAGE) == (i % 2 == 0 && i != 8));
  const struct cw_flush_record range = {.kind = CW_FLUSH_RANGE, .va = 10 * PAGE, .bytes = 5 * PAGE};
  f = flush_call(4, 0, &range, 1);
  EXPECT(!ioctl(m.fd, CW_FLUSH, &f));
  EXPECT_EQUAL(f.removed, 3);
  // What the table says counts after the flush, and not before.
  write32(&m, small_at(2 * PAGE), data(200) | SMALL);
  EXPECT(loads(window + 2 * PAGE, 6));
  EXPECT(!flush(&m, 4, CW_FLUSH_VA, 2 * PAGE, &f));
  EXPECT(loads(window + 2 * PAGE, 200));
  EXPECT(!flush(&m, 4, CW_FLUSH_ALL, 0, &f));
  EXPECT_EQUAL(f.removed, 12);
  EXPECT_EQUAL(installed(4), 0);
  for (uint32_t i = 0; i < 32; i++) EXPECT(!is_present(&m, &w, window + i * PAGE));

  // Of a large entry, everything goes, whichever page is named.
  map_section(&m, L1(4), 0x20000000, (DATA & 0xfff00000) | SECTION);
  map_section(&m, L1(4), 0x20100000, ((DATA + 0x100000) & 0xfff00000) | SECTION);
  for (uint32_t i = 0; i < 16; i++) {  // a supersection
    map_section(&m, L1(4), 0x30000000 + (i << 20), ((DATA + 0x800000) & 0xff000000) | SECTION | 1 << 18);
    map_small(&m, L1(4), 0x40000000 + i * PAGE, (data(0) & 0xffff0000) | 0x103d);  // a large page
  }
  EXPECT(loads(window + 0x20001000, 1) && loads(window + 0x20101000, 0x101));
  EXPECT(loads(window + 0x30001000, read32(&m, ((DATA + 0x800000) & 0xff000000) + PAGE)));
  EXPECT(loads(window + 0x30c01000, read32(&m, ((DATA + 0x800000) & 0xff000000) + 0xc01000)));
  EXPECT(loads(window + 0x40003000, 3));
  const uint32_t all = installed(4);
  EXPECT_EQUAL(all, 80);
  EXPECT(!flush(&m, 4, CW_FLUSH_VA, 0x200f0000, &f));
  EXPECT_EQUAL(f.removed, 16);
  EXPECT(!is_present(&m, &w, window + 0x20001000) && is_present(&m, &w, window + 0x20101000));
  EXPECT(!flush(&m, 4, CW_FLUSH_VA, 0x30400000, &f));
  EXPECT_EQUAL(f.removed, 32);
  EXPECT(!is_present(&m, &w, window + 0x30c01000));
  EXPECT(!flush(&m, 4, CW_FLUSH_VA, 0x4000f000, &f));
  EXPECT_EQUAL(f.removed, 16);
  EXPECT(is_present(&m, &w, window + 0x20101000));

  // Batches, and refusals.
  struct cw_flush_record many[200];
  for (uint32_t i = 0; i < 200; i++)
    many[i] = (struct cw_flush_record){.kind = CW_FLUSH_VA, .va = (199 - i) * PAGE * 2};
  for (uint32_t i = 0; i < 200; i++) map_small(&m, L1(4), i * 2 * PAGE, data(i) | SMALL);
  for (uint32_t i = 0; i < 200; i++) EXPECT(loads(window + i * 2 * PAGE, i));
  f = flush_call(4, 0, many, 200);
  EXPECT(!ioctl(m.fd, CW_FLUSH, &f));
  EXPECT_EQUAL(f.removed, 200);
  for (uint32_t i = 0; i < 200; i++) EXPECT(!is_present(&m, &w, window + i * 2 * PAGE));
  EXPECT_ERROR(flush(&m, 4, CW_FLUSH_RANGE, 0, &f), EINVAL);
  EXPECT_ERROR(flush(&m, 4, 99, 0, &f), EINVAL);
  EXPECT_ERROR(flush(&m, 900, CW_FLUSH_ALL, 0, &f), ENXIO);
  f = flush_call(4, 0, (void*)8, 1);
  EXPECT_ERROR(ioctl(m.fd, CW_FLUSH, &f), EFAULT);
  f = flush_call(4, 0, NULL, 2);
  EXPECT_ERROR(ioctl(m.fd, CW_FLUSH, &f), EINVAL);
  f = flush_call(4, 4, many, 1);
  EXPECT_ERROR(ioctl(m.fd, CW_FLUSH, &f), EINVAL);
  f = flush_call(4, 0, many, CW_MAX_BATCH + 1);
  EXPECT_ERROR(ioctl(m.fd, CW_FLUSH, &f), EINVAL);
  EXPECT(!munmap(window, WINDOW_BYTES));
}

static void test_eager(void) {
  const struct cw_set_window w = short_window(5, L1(5), 1);
  struct cw_flush f;
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 64; i++) map_small(&m, L1(5), i * PAGE, data(i * 3) | SMALL | (i % 2 ? SMALL_NG : 0));
  for (uint32_t i = 0; i < 64; i++) EXPECT(loads(window + i * PAGE, i * 3));
  write32(&m, small_at(0), data(300) | SMALL);                 // another page
  write32(&m, small_at(PAGE), 0);                              // gone
  write32(&m, small_at(2 * PAGE), data(6) | SMALL_READ_ONLY);  // less
  write32(&m, small_at(3 * PAGE), data(9) | SMALL);            // global now
  const uint64_t before = m.statistics->faults;
  EXPECT(!flush_eager(&m, 5, CW_FLUSH_NONGLOBAL, 0, &f));
  EXPECT_EQUAL(f.kept, 30);
  EXPECT_EQUAL(f.rewritten, 1);
  EXPECT_EQUAL(f.removed, 1);
  EXPECT(loads(window, 0));  // a global entry was not covered
  EXPECT(!flush_eager(&m, 5, CW_FLUSH_ALL, 0, &f));
  EXPECT_EQUAL(f.kept, 61);
  EXPECT_EQUAL(f.rewritten, 2);
  EXPECT_EQUAL(f.removed, 0);
  EXPECT(loads(window, 300) && loads(window + 63 * PAGE, 63 * 3));
  EXPECT_EQUAL(m.statistics->faults, before);
  EXPECT(store_faults(window + 2 * PAGE));
  EXPECT(faults(window + PAGE));
  write32(&m, small_at(4 * PAGE), data(301) | SMALL);
  EXPECT(!flush_eager(&m, 5, CW_FLUSH_VA, 4 * PAGE, &f));
  EXPECT_EQUAL(f.rewritten, 1);
  EXPECT(is_present(&m, &w, window + 4 * PAGE));
  EXPECT(loads(window + 4 * PAGE, 301));
  EXPECT(!flush_eager(&m, 5, CW_FLUSH_VA, 6 * PAGE, &f));
  EXPECT_EQUAL(f.kept, 1);
  // Write access comes without a fault.
  write32(&m, small_at(2 * PAGE), data(6) | SMALL);
  EXPECT(!flush_eager(&m, 5, CW_FLUSH_VA, 2 * PAGE, &f));
  EXPECT_EQUAL(f.rewritten, 1);
  EXPECT_EQUAL(f.removed, 0);
  const uint64_t faults_before = m.statistics->faults;
  EXPECT(!try_store(window + 2 * PAGE, 6));
  EXPECT_EQUAL(m.statistics->faults, faults_before);
  EXPECT(!munmap(window, WINDOW_BYTES));
}

// A store finds an entry read-only, and the tables say something else by now.
static void test_store_to_read_only(void) {
  const struct cw_set_window w = short_window(13, L1(13), 1);
  struct cw_flush f;
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 3; i++) map_small(&m, L1(13), i * PAGE, data(i) | SMALL_READ_ONLY);
  for (uint32_t i = 0; i < 3; i++) EXPECT(loads(window + i * PAGE, i) && store_faults(window + i * PAGE));
  // The same page with write access: its entry gets it.
  write32(&m, small_at(0), data(0) | SMALL);
  EXPECT(!try_store(window, 0));
  EXPECT_EQUAL(installed(13), 3);
  // Another page: that one is written, and no longer the old one read.
  write32(&m, small_at(PAGE), data(303) | SMALL);
  EXPECT(loads(window + PAGE, 1));
  EXPECT(!try_store(window + PAGE, 303));
  EXPECT(loads(window + PAGE, 303));
  EXPECT_EQUAL(read32(&m, data(1)), 1);
  // What was given goes with the flush.
  write32(&m, small_at(0), data(0) | SMALL_READ_ONLY);
  EXPECT(!flush_eager(&m, 13, CW_FLUSH_ALL, 0, &f));
  EXPECT_EQUAL(f.kept, 2);
  EXPECT_EQUAL(f.rewritten, 1);
  EXPECT(store_faults(window) && loads(window, 0));
  EXPECT(!munmap(window, WINDOW_BYTES));
}

static void test_install(void) {
  const struct cw_set_window w = short_window(6, L1(6), 1);
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  uint32_t vas[300], done;
  for (uint32_t i = 0; i < 300; i++) {
    vas[i] = i * PAGE * 5;
    if (i != 7) map_small(&m, L1(6), vas[i], data(i) | SMALL);
  }
  write32(&m, small_at(vas[7]), 0);
  const uint64_t before = m.statistics->faults;
  EXPECT(!list(&m, CW_INSTALL, 6, vas, 300, &done));
  EXPECT_EQUAL(done, 299);
  for (uint32_t i = 0; i < 300; i++)
    if (i != 7) EXPECT(loads(window + vas[i], i));
  EXPECT_EQUAL(m.statistics->faults, before);
  EXPECT(faults(window + vas[7]));
  EXPECT(!munmap(window, WINDOW_BYTES));
  EXPECT(!list(&m, CW_INSTALL, 6, vas, 300, &done));
  EXPECT_EQUAL(done, 0);
  EXPECT_ERROR(list(&m, CW_INSTALL, 901, vas, 1, &done), ENXIO);
  EXPECT_ERROR(list(&m, CW_INSTALL, 6, (void*)8, 1, &done), EFAULT);
}

static void test_code(void) {
  const struct cw_set_window a = short_window(7, L1(7), 16), b = short_window(8, L1(7), 16);
  uint8_t *one = map_window(&m, &a), *two = map_window(&m, &b);
  EXPECT(one && two);
  for (uint32_t i = 0; i < 16; i++) map_small(&m, L1(7), i * PAGE, data(i) | SMALL);
  EXPECT(loads(one, 0) && loads(two, 0));
  EXPECT(!try_store(one + 3 * PAGE, 3));
  const uint32_t page = number_of(data(3));
  uint32_t done;
  EXPECT(!list(&m, CW_PROTECT, CW_ALL_WINDOWS, &page, 1, &done));
  EXPECT_EQUAL(done, 0);
  set_code(page, true);
  EXPECT(!list(&m, CW_PROTECT, 7, &page, 1, &done));
  EXPECT_EQUAL(done, 1);
  EXPECT(is_present(&m, &a, one + 3 * PAGE));
  EXPECT(store_faults(one + 3 * PAGE));
  EXPECT(!try_store(two + 3 * PAGE, 3));
  EXPECT(!list(&m, CW_PROTECT, CW_ALL_WINDOWS, &page, 1, &done));
  EXPECT_EQUAL(done, 1);
  EXPECT(store_faults(one + 3 * PAGE) && store_faults(two + 3 * PAGE));
  EXPECT(loads(one + 3 * PAGE, 3));
  EXPECT(!try_store(one + 4 * PAGE, 4));
  // mprotect gives it no write access.
  EXPECT(!mprotect(one, WINDOW_BYTES, PROT_READ) && !mprotect(one, WINDOW_BYTES, PROT_READ | PROT_WRITE));
  EXPECT(store_faults(one + 3 * PAGE));
  EXPECT(!try_store(one + 4 * PAGE, 4));
  // A page that is installed anew is read-only; the bit cleared, it is writable at once.
  struct cw_flush f;
  EXPECT(!flush(&m, 7, CW_FLUSH_ALL, 0, &f));
  EXPECT(loads(one + 2 * PAGE, 2));
  EXPECT(store_faults(one + 3 * PAGE));
  set_code(page, false);
  EXPECT(!try_store(one + 3 * PAGE, 3) && !try_store(two + 3 * PAGE, 3));
  const uint32_t none = RAM_PAGES;
  EXPECT_ERROR(list(&m, CW_PROTECT, 7, &none, 1, &done), EINVAL);
  EXPECT(!munmap(one, WINDOW_BYTES) && !munmap(two, WINDOW_BYTES));
}

static void test_watch(void) {
  const struct cw_set_window w = short_window(9, L1(9), 16);
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 16; i++) map_small(&m, L1(9), i * PAGE, data(i) | SMALL);
  EXPECT(loads(window, 0));
  struct cw_watch watch = {.count = 1, .ranges = {{5, 6}}};
  EXPECT(!ioctl(m.fd, CW_WATCH, &watch));
  EXPECT(!is_present(&m, &w, window + 5 * PAGE) && is_present(&m, &w, window + 4 * PAGE));
  EXPECT(faults(window + 5 * PAGE) && faults(window + 6 * PAGE) && loads(window + 7 * PAGE, 7));
  struct cw_flush f;
  EXPECT(!flush(&m, 9, CW_FLUSH_ALL, 0, &f));
  EXPECT(loads(window + 4 * PAGE, 4) && !is_present(&m, &w, window + 5 * PAGE));
  watch.ranges[0].last_page = 1 << 20;
  EXPECT_ERROR(ioctl(m.fd, CW_WATCH, &watch), EINVAL);
  watch.count = 0;
  EXPECT(!ioctl(m.fd, CW_WATCH, &watch));
  EXPECT(loads(window + 5 * PAGE, 5));
  EXPECT(!munmap(window, WINDOW_BYTES));
}

static bool no_window_in_child(uint8_t* window) {
  uint32_t value;
  const struct cw_set_window w = short_window(10, L1(10), 1);
  if (try_load(window, &value) != SIGSEGV) return false;
  if (ioctl(m.fd, CW_SET_WINDOW, &w) != -1 || errno != EIO) return false;
  return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, CW_MAP_WINDOW(10)) == MAP_FAILED &&
         mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, CW_MAP_STATISTICS) == MAP_FAILED;
}

static void test_mappings(void) {
  const struct cw_set_window w = short_window(10, L1(10), 1);
  struct cw_flush f;
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  for (uint32_t i = 0; i < 1024; i++) map_small(&m, L1(10), i * PAGE, data(i) | SMALL);
  EXPECT(loads(window, 0));
  const off_t at = (off_t)CW_MAP_WINDOW(10);
  EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, at) == MAP_FAILED && errno == EBUSY);
  EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, m.fd, at) == MAP_FAILED && errno == EINVAL);
  EXPECT(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, m.fd, at) == MAP_FAILED && errno == EINVAL);
  EXPECT(mmap(NULL, WINDOW_BYTES + PAGE, PROT_READ, MAP_SHARED, m.fd, at) == MAP_FAILED && errno == EINVAL);
  EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, (off_t)CW_MAP_WINDOW(CW_MAX_WINDOWS)) == MAP_FAILED);
  EXPECT(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0) == MAP_FAILED && errno == EPERM);
  EXPECT(mprotect((void*)m.statistics, PAGE, PROT_READ | PROT_WRITE) == -1);
  EXPECT(mprotect(window, WINDOW_BYTES, PROT_READ | PROT_EXEC) == -1);
  EXPECT_ERROR(madvise(window, WINDOW_BYTES, MADV_DOFORK), EINVAL);
  EXPECT(in_child(no_window_in_child, window));
  // Read-only for the process: stores fault whatever the guest allows.
  EXPECT(!mprotect(window, 8 * PAGE, PROT_READ));
  EXPECT(try_store(window + PAGE, 1) == SIGSEGV && loads(window + PAGE, 1));
  EXPECT(!mprotect(window, 8 * PAGE, PROT_READ | PROT_WRITE) && !try_store(window + PAGE, 1));
  // A part is unmapped; the rest works, and flushes.
  EXPECT(!munmap(window + 16 * PAGE, 16 * PAGE));
  EXPECT(loads(window + 15 * PAGE, 15) && loads(window + 32 * PAGE, 32) && faults(window + 16 * PAGE));
  // The window moves, to where no page table is aligned: entries go along, and flushes find them.
  uint8_t* room = mmap(NULL, WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  uint8_t* moved = mremap(window + 32 * PAGE, 900 * PAGE, 900 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 7 * PAGE);
  EXPECT(moved == room + 7 * PAGE);
  EXPECT(is_present(&m, &w, moved) && loads(moved, 32) && loads(moved + 500 * PAGE, 532));
  EXPECT(!flush(&m, 10, CW_FLUSH_VA, 32 * PAGE, &f));
  EXPECT_EQUAL(f.removed, 1);
  EXPECT(!is_present(&m, &w, moved));
  EXPECT(!flush(&m, 10, CW_FLUSH_ALL, 0, &f));
  EXPECT(!is_present(&m, &w, moved + 500 * PAGE));
  struct cw_set_window around = w;
  around.fill_pages = 16;
  EXPECT(!ioctl(m.fd, CW_SET_WINDOW, &around));
  for (uint32_t i = 0; i < 900; i += 50) EXPECT(loads(moved + i * PAGE, 32 + i));
  EXPECT(mremap(moved, 900 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
  EXPECT(!munmap(room, WINDOW_BYTES) && !munmap(window, WINDOW_BYTES));
  // The file closes first.
  struct machine other;
  EXPECT(open_machine(&other));
  const struct cw_set_window first = short_window(0, L1(0), 1);
  uint8_t* last = map_window(&other, &first);
  map_section(&other, L1(0), 0, (DATA & 0xfff00000) | SECTION);
  close_machine(&other);
  EXPECT(!try_store(last + 0x23000, 5) && loads(last + 0x23000, 5));
  EXPECT(!munmap(last, WINDOW_BYTES));
}

// The page that a hole took from the memfd stays in the window.
static void test_hole(void) {
  struct machine other;
  EXPECT(open_machine(&other));
  const struct cw_set_window w = short_window(0, L1(0), 1);
  uint8_t* window = map_window(&other, &w);
  map_section(&other, L1(0), 0, (DATA & 0xfff00000) | SECTION);
  EXPECT(!try_store(window, 77));
  EXPECT(!fallocate(other.memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0x800000, PAGE));
  EXPECT_EQUAL(read32(&other, DATA), 0);
  EXPECT(loads(window, 77));
  EXPECT(!munmap(window, WINDOW_BYTES));
  close_machine(&other);
}

// RAM of several machines of a process counts once, as long as one of them has it.
static bool refused_without_limit(uint8_t* unused) {
  (void)unused;
  const struct rlimit limit = {RAM_BYTES / 2, RAM_BYTES / 2};
  int fd[3];
  for (int i = 0; i < 3; i++) {
    fd[i] = open("/dev/crosswalk", O_RDWR);
    if (fd[i] < 0) return false;
  }
  if (setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(1000, 1000, 1000)) return false;
  struct cw_set_ram arg = ram_of(sealed_memfd(RAM_BYTES)), other = ram_of(sealed_memfd(PAGE));
  other.ranges[0].bytes = PAGE;
  if (ioctl(fd[0], CW_SET_RAM, &arg) != -1 || errno != ENOMEM) return false;
  arg.ranges[0].bytes /= 2;
  if (ioctl(fd[0], CW_SET_RAM, &arg) || ioctl(fd[1], CW_SET_RAM, &arg)) return false;
  for (int i = 0; i < 2; i++) {
    if (ioctl(fd[2], CW_SET_RAM, &other) != -1 || errno != ENOMEM) return false;
    close(fd[i]);
  }
  return !ioctl(fd[2], CW_SET_RAM, &other);
}

static void test_accounting(void) {
  EXPECT(in_child(refused_without_limit, NULL));
  struct machine other;
  EXPECT(open_machine(&other));
  const struct cw_set_window w = short_window(0, L1(0), 1);
  uint8_t* window = map_window(&other, &w);
  for (uint32_t i = 0; i < 16; i++) map_section(&other, L1(0), i << 20, ((DATA & 0xfff00000) + (i << 20)) | SECTION);
  const unsigned long before = resident_shmem();
  for (uint32_t i = 0; i < 4096; i++) EXPECT(loads(window + i * PAGE, 0));
  const unsigned long after = resident_shmem();
  EXPECT(after >= before + 4096 * 4 && after < before + 4096 * 4 + 1024);
  EXPECT(!munmap(window, WINDOW_BYTES));
  close_machine(&other);
  usleep(10000);
  EXPECT(resident_shmem() < before + 64);
}

// --- two machines of the process with the same RAM, a thread for each --------------------------
struct twin {
  int fd;
  uint8_t* window;
};
static void* add_to_pages(void* argument) {
  const struct twin* twin = argument;
  const struct machine machine = {.fd = twin->fd};
  struct cw_flush f;
  for (uint32_t i = 0; i < 2048; i++) {
    __atomic_fetch_add((uint32_t*)(twin->window + i * PAGE), 1, __ATOMIC_RELAXED);
    if (i % 64 == 63) flush(&machine, 0, CW_FLUSH_ALL, 0, &f);
  }
  return NULL;
}
static void test_twins(void) {
  struct machine first;
  struct cw_flush f;
  EXPECT(open_machine(&first));
  for (uint32_t i = 0; i < 8; i++) map_section(&first, L1(0), i << 20, ((DATA & 0xfff00000) + (i << 20)) | SECTION);
  const struct cw_set_ram arg = ram_of(first.memfd);
  const struct cw_set_window w = short_window(0, L1(0), 1);
  const unsigned long before = resident_shmem();
  struct twin twins[2] = {{.fd = first.fd}, {.fd = open("/dev/crosswalk", O_RDWR | O_CLOEXEC)}};
  pthread_t threads[2];
  EXPECT(!ioctl(twins[1].fd, CW_SET_RAM, &arg));
  for (int i = 0; i < 2; i++) {
    const struct machine machine = {.fd = twins[i].fd};
    twins[i].window = map_window(&machine, &w);
    EXPECT(twins[i].window != NULL);
  }
  for (int i = 0; i < 2; i++) EXPECT(!pthread_create(&threads[i], NULL, add_to_pages, &twins[i]));
  for (int i = 0; i < 2; i++) EXPECT(!pthread_join(threads[i], NULL));
  EXPECT(resident_shmem() < before + 2048 * 4 + 1024);
  for (uint32_t i = 0; i < 2048; i++) EXPECT_EQUAL(read32(&first, data(i)), 2);
  // Each has a bitmap of code of its own.
  first.code[(data(5) - RAM_BASE) / PAGE / 8] |= 1u << (data(5) - RAM_BASE) / PAGE % 8;
  EXPECT(!flush(&first, 0, CW_FLUSH_ALL, 0, &f));
  EXPECT(try_store(twins[0].window + 5 * PAGE, 7) && !try_store(twins[1].window + 5 * PAGE, 7));
  // The first one ends first.
  EXPECT(!munmap(twins[0].window, WINDOW_BYTES));
  close_machine(&first);
  EXPECT(loads(twins[1].window + 5 * PAGE, 7) && loads(twins[1].window + 6 * PAGE, 2));
  EXPECT(!munmap(twins[1].window, WINDOW_BYTES));
  close(twins[1].fd);
  usleep(10000);
  EXPECT(resident_shmem() < before + 64);
}

// --- flushes against faults of another thread ----------------------------------------------------
static uint8_t* raced;
static volatile bool race_ends;
static void* race(void* argument) {
  const uint32_t offset = (uint32_t)(uintptr_t)argument;
  uint32_t value;
  while (!race_ends) try_load(raced + offset, &value);
  return NULL;
}
static void test_race(void) {
  const struct cw_set_window w = short_window(11, L1(11), 16);
  struct cw_flush f;
  raced = map_window(&m, &w);
  EXPECT(raced != NULL);
  map_small(&m, L1(11), 0, data(0) | SMALL);
  map_small(&m, L1(11), PAGE, data(1) | SMALL);
  pthread_t threads[2];
  race_ends = false;
  for (uintptr_t i = 0; i < 2; i++) pthread_create(&threads[i], NULL, race, (void*)(i * PAGE));
  unsigned stale = 0, writable = 0;
  uint32_t done;
  const int64_t end = nanoseconds() + 3000000000;
  for (uint32_t i = 0; nanoseconds() < end; i++) {
    const uint32_t n = i % 1000, va = i / 3 % 2 * PAGE;
    write32(&m, small_at(va), data(n) | SMALL);
    if (i % 3)
      flush(&m, 11, CW_FLUSH_VA, va, &f);
    else
      flush_eager(&m, 11, CW_FLUSH_ALL, 0, &f);
    uint32_t value = ~0u;
    if (try_load(raced + va, &value) || value != n) stale++;
    const uint32_t page = number_of(data(n));
    set_code(page, true);
    list(&m, CW_PROTECT, CW_ALL_WINDOWS, &page, 1, &done);
    if (try_store(raced + va, n) != SIGSEGV) writable++;
    set_code(page, false);
  }
  race_ends = true;
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  EXPECT_EQUAL(stale, 0);
  EXPECT_EQUAL(writable, 0);
  printf("  walks that a flush overtook: %llu\n", (unsigned long long)m.statistics->retries);
  EXPECT(!munmap(raced, WINDOW_BYTES));
}

// --- instructions ------------------------------------------------------------------------------
#define COUNTED 4096u
static uint8_t* mmap_window;
static void on_mmap_fault(int number, siginfo_t* info, void* raw) {
  (void)number, (void)raw;
  const uintptr_t a = (uintptr_t)info->si_addr & ~4095ul;
  const uint32_t i = (uint32_t)((a - (uintptr_t)mmap_window) / PAGE);
  if (mmap((void*)a, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, m.memfd,
           (off_t)(data(i * 7 % COUNTED) - RAM_BASE)) == MAP_FAILED)
    _exit(9);
}
static volatile uint32_t sum;
static double touch(const uint8_t* window, uint32_t step) {
  const int64_t start = nanoseconds();
  for (uint32_t i = 0; i < COUNTED; i += step) sum += *(const volatile uint32_t*)(window + i * PAGE);
  return (double)(nanoseconds() - start) / (COUNTED / step);
}
static void row(const char* name, double value, double limit) {
  printf("  %-52s %8.0f\n", name, value);
  if (value > limit) {
    failed_test = true;
    printf("  more than %.0f\n", limit);
  }
}
static void test_counts(void) {
  struct cw_set_window w = short_window(12, L1(12), 1);
  uint8_t* window = map_window(&m, &w);
  EXPECT(window != NULL);
  struct cw_flush f;
  uint32_t vas[COUNTED], done;
  for (uint32_t i = 0; i < COUNTED; i++) {
    vas[i] = i * PAGE;
    map_small(&m, L1(12), vas[i], data(i * 7 % COUNTED) | SMALL);
  }
  touch(window, 1);  // page tables, RAM
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  const double fault = touch(window, 1);
  row("fault that installs one entry, 4 KiB pages", fault, 2500);
  row("access that hits, loop included", touch(window, 1), 100);
  int64_t start = nanoseconds();
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  row("flush of 4,096 entries, for each", (double)(nanoseconds() - start) / COUNTED, 150);
  EXPECT_EQUAL(f.removed, COUNTED);
  start = nanoseconds();
  list(&m, CW_INSTALL, 12, vas, COUNTED, &done);
  row("install from a list, for each", (double)(nanoseconds() - start) / COUNTED, 1500);
  EXPECT_EQUAL(done, COUNTED);
  start = nanoseconds();
  flush_eager(&m, 12, CW_FLUSH_ALL, 0, &f);
  row("eager flush of 4,096 entries that stay, for each", (double)(nanoseconds() - start) / COUNTED, 300);
  EXPECT_EQUAL(f.kept, COUNTED);
  start = nanoseconds();
  for (uint32_t i = 0; i < 256; i++) flush_eager(&m, 12, CW_FLUSH_VA, vas[i], &f);
  row("eager flush of one page that stays, one call", (double)(nanoseconds() - start) / 256, 2500);
  for (uint32_t i = 0; i < 256; i++) write32(&m, small_at(vas[i]), data((i * 7 + 1) % COUNTED) | SMALL);
  start = nanoseconds();
  for (uint32_t i = 0; i < 256; i++) flush_eager(&m, 12, CW_FLUSH_VA, vas[i], &f);
  row("eager flush of one page that changed, one call", (double)(nanoseconds() - start) / 256, 6000);
  EXPECT_EQUAL(f.rewritten, 1);
  for (uint32_t i = 0; i < 256; i++) write32(&m, small_at(vas[i]), data(i * 7 % COUNTED) | SMALL);
  start = nanoseconds();
  for (uint32_t i = 0; i < 256; i++) flush(&m, 12, CW_FLUSH_VA, vas[i], &f);
  row("flush of one page, one call", (double)(nanoseconds() - start) / 256, 3000);
  struct cw_flush_record records[256];
  for (uint32_t i = 0; i < 256; i++) records[i] = (struct cw_flush_record){.kind = CW_FLUSH_VA, .va = vas[256 + i * 2]};
  f = flush_call(12, 0, records, 256);
  start = nanoseconds();
  ioctl(m.fd, CW_FLUSH, &f);
  row("flush of 256 pages apart, one call, for each", (double)(nanoseconds() - start) / 256, 2000);
  start = nanoseconds();
  for (uint32_t i = 0; i < 256; i++) {
    const uint32_t page = number_of(data((1024 + i) * 7 % COUNTED));
    set_code(page, true);
    list(&m, CW_PROTECT, 12, &page, 1, &done);
  }
  row("a code page loses write access, one window of 4,096 entries", (double)(nanoseconds() - start) / 256, 60000);
  EXPECT_EQUAL(done, 1);
  memset((void*)m.code, 0, RAM_PAGES / 8);

  // The same tables, contiguous: 16 entries a fault.
  w.fill_pages = 16;
  EXPECT(!ioctl(m.fd, CW_SET_WINDOW, &w));
  for (uint32_t i = 0; i < COUNTED; i++) write32(&m, small_at(vas[i]), data(i) | SMALL);
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  row("fault that installs 16 entries, 4 KiB pages", touch(window, 16), 7000);
  EXPECT_EQUAL(installed(12), COUNTED);
  for (uint32_t i = 0; i < 16; i++) map_section(&m, L1(12), i << 20, ((DATA & 0xfff00000) + (i << 20)) | SECTION);
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  row("fault that installs 16 entries of a section", touch(window, 16), 5000);
  w.fill_pages = 256;
  EXPECT(!ioctl(m.fd, CW_SET_WINDOW, &w));
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  row("fault that installs 256 entries of a section", touch(window, 256), 40000);
  EXPECT_EQUAL(installed(12), COUNTED);
  flush(&m, 12, CW_FLUSH_ALL, 0, &f);
  EXPECT(!munmap(window, WINDOW_BYTES));

  // What mmap(2) in a SIGSEGV handler takes.
  struct sigaction old[1], action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
  action.sa_sigaction = on_mmap_fault;
  sigaction(SIGSEGV, &action, old);
  mmap_window = mmap(NULL, COUNTED * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const double signal_fault = touch(mmap_window, 1);
  row("the same by mmap(2) in a SIGSEGV handler", signal_fault, 1e9);
  start = nanoseconds();
  munmap(mmap_window, COUNTED * PAGE);
  row("removing 4,096 of these, for each", (double)(nanoseconds() - start) / COUNTED, 1e9);
  sigaction(SIGSEGV, old, NULL);
  EXPECT(signal_fault >= 10 * fault);
}

static void run(const char* name, void (*test)(void)) {
  failed_test = false;
  number_pages();
  test();
  if (failed_test)
    printf("not ok module/%s: see above\n", name);
  else
    printf("ok module/%s\n", name);
  fflush(stdout);
}

// An access that gives ~0 when its fault goes to the upcall, whose argument is a struct cw_upcall.
uint64_t upcalls;
uint32_t upcall_load(const void*p), upcall_store(void*p, uint32_t value);
extern const char upcall_entry[];
asm(".text\n"
    "upcall_load: movl (%rdi), %eax\n"
    "  ret\n"
    "upcall_store: movl %esi, (%rdi)\n"
    "  xorl %eax, %eax\n"
    "  ret\n"
    "upcall_entry: incq upcalls(%rip)\n"
    "  movq 16(%rax), %rsp\n"
    "  movq $0, (%rax)\n"
    "  movl $-1, %eax\n"
    "  ret\n");

static struct cw_set_upcall upcall_of(volatile struct cw_upcall* slots, uint32_t slot) {
  static uint8_t stacks[CW_MAX_UPCALLS][4096] __attribute__((aligned(16)));
  const struct cw_set_upcall arg = {.slot = slot,
                                    .entry = (uintptr_t)upcall_entry,
                                    .stack = (uintptr_t)stacks[slot] + sizeof stacks[slot],
                                    .argument = (uintptr_t)&slots[slot]};
  return arg;
}

struct upcall_thread {
  volatile struct cw_upcall* slots;
  const uint8_t* page;
};
static void* other_upcall_thread(void* raw) {
  const struct upcall_thread* t = raw;
  uint32_t value;
  EXPECT_EQUAL(try_load(t->page, &value), SIGSEGV);
  struct cw_set_upcall arg = upcall_of(t->slots, 0);
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EBUSY);
  // Its own goes with it: anyone may have the slot then.
  arg = upcall_of(t->slots, 1);
  EXPECT(!ioctl(m.fd, CW_SET_UPCALL, &arg));
  const uint64_t before = upcalls;
  EXPECT_EQUAL(upcall_load(t->page), ~0u);
  EXPECT_EQUAL(upcalls, before + 1);
  return NULL;
}

static void test_upcall(void) {
  const struct cw_set_window window = short_window(30, L1(0), 1);
  uint8_t* const w = map_window(&m, &window);
  volatile struct cw_upcall* const slots =
      mmap(NULL, sizeof *slots * CW_MAX_UPCALLS, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, CW_MAP_UPCALLS);
  EXPECT(w && slots != MAP_FAILED);
  const uint32_t va = 0x30000000;
  map_small(&m, L1(0), va, data(3) | SMALL_READ_ONLY);
  write32(&m, small_at(va + PAGE), 0);
  uint32_t value;
  EXPECT_EQUAL(try_store(w + va, 1), SIGSEGV);

  struct cw_set_upcall arg = upcall_of(slots, 0);
  EXPECT(!ioctl(m.fd, CW_SET_UPCALL, &arg));
  EXPECT_EQUAL(upcall_load(w + va), 3u);  // served by the module
  EXPECT_EQUAL(upcalls, 0u);
  EXPECT_EQUAL(upcall_load(w + va + PAGE + 20), ~0u);
  EXPECT_EQUAL(upcalls, 1u);
  EXPECT_EQUAL(slots[0].address, (uintptr_t)w + va + PAGE + 20);
  EXPECT_EQUAL(slots[0].write, 0u);
  EXPECT_EQUAL(slots[0].rip, (uintptr_t)upcall_load);
  EXPECT_EQUAL(upcall_store(w + va + 8, 1), ~0u);
  EXPECT_EQUAL(upcalls, 2u);
  EXPECT_EQUAL(slots[0].address, (uintptr_t)w + va + 8);
  EXPECT_EQUAL(slots[0].write, 1u);

  // While it is busy, and where the kernel accesses, nothing changes.
  slots[0].busy = 1;
  EXPECT_EQUAL(try_load(w + va + PAGE, &value), SIGSEGV);
  slots[0].busy = 0;
  int ends[2];
  EXPECT(!pipe(ends));
  EXPECT_ERROR(write(ends[1], w + va + PAGE, 4), EFAULT);
  close(ends[0]), close(ends[1]);
  EXPECT_EQUAL(upcalls, 2u);

  pthread_t thread;
  struct upcall_thread other = {slots, w + va + PAGE};
  EXPECT(!pthread_create(&thread, NULL, other_upcall_thread, &other));
  pthread_join(thread, NULL);
  EXPECT_EQUAL(upcalls, 3u);

  arg = upcall_of(slots, 1);  // it has one
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EBUSY);
  arg = upcall_of(slots, 0), arg.zero = 1;
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EINVAL);
  arg = upcall_of(slots, 0), arg.entry = ~0ull << 47;
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EINVAL);
  arg = upcall_of(slots, 0), arg.stack = ~0ull;
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EINVAL);
  arg = upcall_of(slots, 0), arg.slot = CW_MAX_UPCALLS;
  EXPECT_ERROR(ioctl(m.fd, CW_SET_UPCALL, &arg), EINVAL);

  arg = upcall_of(slots, 0), arg.entry = 0;
  EXPECT(!ioctl(m.fd, CW_SET_UPCALL, &arg));
  EXPECT_EQUAL(try_load(w + va + PAGE, &value), SIGSEGV);
  // A thread that was joined may still be about to go.
  arg = upcall_of(slots, 1), arg.entry = 0;
  for (int i = 0; i < 100 && ioctl(m.fd, CW_SET_UPCALL, &arg) != 0; i++) usleep(10000);
  EXPECT(!ioctl(m.fd, CW_SET_UPCALL, &arg));
  munmap((void*)slots, sizeof *slots * CW_MAX_UPCALLS);
  munmap(w, WINDOW_BYTES);
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  catch_faults();
  if (!open_machine(&m)) {
    printf("not ok module/open: %s\n", strerror(errno));
    return 1;
  }
  if (argc > 1 && !strcmp(argv[1], "count")) {
    run("counts", test_counts);
    return 0;
  }
  run("version", test_version);
  run("ram", test_ram);
  run("seals", test_seals);
  run("fault", test_fault);
  run("long-descriptors", test_long_descriptors);
  run("fill-around", test_fill_around);
  run("flush", test_flush);
  run("eager", test_eager);
  run("store-to-read-only", test_store_to_read_only);
  run("install", test_install);
  run("code", test_code);
  run("watch", test_watch);
  run("upcall", test_upcall);
  run("mappings", test_mappings);
  run("hole", test_hole);
  run("accounting", test_accounting);
  run("twins", test_twins);
  run("race", test_race);
  close_machine(&m);
  return 0;
}
