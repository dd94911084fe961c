// SPDX-License-Identifier: GPL-2.0-or-later
// A hostile user of /dev/crosswalk: processes with threads that call, map, move, protect, unmap,
// fork, and are killed, at random, while their guest's tables are noise. What it looks for is that
// the kernel stays quiet and that nothing but RAM of the own machine is ever reached: each machine
// stores its own mark into its RAM, and a window shows another one never.
//
// usage: hostile SECONDS SEED [LIFE [may-fail]]   0 when it came to its end. LIFE: a process is
// killed after so many seconds at most (4). may-fail: the kernel's allocations fail, so that a
// process may have no machine.
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/kernel-module/machine.h"

enum { kWindows = 6, kThreads = 3, kProcesses = 3 };

static struct machine m;
static uint8_t* room[kWindows];  // 4 GiB and 1 GiB of address space each
static uint32_t mark;
static int64_t end;

// How often all processes did what.
enum { kSetWindow, kFlush, kList, kMapping, kFile, kTable, kFork, kAccesses, kOperations };
static const char* const kNames[kOperations] = {"windows set", "flushes",       "lists", "mappings",
                                                "files, RAM",  "table entries", "forks", "accesses"};
// In memory that all processes share; `ready`: a process has its machine and windows.
static struct {
  uint64_t counts[kOperations];
  volatile bool ready[kProcesses];
} * shared;

struct random {
  uint64_t state;
};
static uint32_t next(struct random* r) {
  r->state ^= r->state << 13;
  r->state ^= r->state >> 7;
  r->state ^= r->state << 17;
  return (uint32_t)(r->state >> 16);
}
static uint32_t below(struct random* r, uint32_t n) { return next(r) % n; }

// Faults that come without a signal end as those with one. The argument is the slot.
static volatile struct cw_upcall* upcalls;
extern const char hostile_upcall[];
asm(".text\n"
    "hostile_upcall: movq $0, (%rax)\n"
    "  andq $-16, %rsp\n"
    "  call after_upcall\n");
__attribute__((used)) void after_upcall(void);
void after_upcall(void) { siglongjmp(on_fault_jump, SIGSEGV); }

// A VA near those that tables map, or anywhere.
static uint32_t some_va(struct random* r) {
  switch (below(r, 4)) {
    case 0: return next(r);
    case 1: return below(r, 4) << 30 | below(r, 64) << 12;
    default: return below(r, 8) << 20 | below(r, 256) << 12;
  }
}
// What tables hold is no mark.
static uint32_t noise(struct random* r) { return next(r) & 0x7fffffff; }
// Marked words hold the machine's number; tables are what they are.
static bool foreign(uint32_t value) { return value >> 24 == 0xc7 && value != mark; }

static void random_table(struct random* r) {
  const uint32_t n = below(r, 4), va = some_va(r);
  uint32_t pa = RAM_BASE + (below(r, 16) ? below(r, RAM_PAGES) : next(r)) * PAGE;
  if (pa >> 24 == 0xc7) pa ^= 1u << 24;
  switch (below(r, 8)) {
    case 0: map_section(&m, L1(n), va, (pa & 0xfff00000) | SECTION | (below(r, 2) ? SECTION_NG : 0)); break;
    case 1: map_section(&m, L1(n), va, noise(r)); break;
    case 2: write64(&m, L1(n) + below(r, 2048) * 8, pa | (below(r, 2) ? 0x703 : 0x701)); break;
    case 3: map_small(&m, L1(n), va, noise(r)); break;
    default: map_small(&m, L1(n), va, pa | (below(r, 4) ? SMALL : SMALL_READ_ONLY) | (below(r, 2) ? SMALL_NG : 0));
  }
}

static void random_window(struct random* r) {
  struct cw_set_window w = short_window(below(r, kWindows), L1(below(r, 4)), 1u << below(r, 10));
  if (!below(r, 4)) w.ttbcr = next(r) & 0x80870037;
  if (!below(r, 8)) w.sctlr = next(r);
  if (!below(r, 8)) w.ttbr0 = next(r), w.ttbr1 = next(r), w.prrr = next(r), w.dacr = next(r);
  if (!below(r, 8)) w.flags = next(r) & 3, w.fill_pages = next(r) & 1023;
  if (!below(r, 16)) w.window = next(r);
  ioctl(m.fd, CW_SET_WINDOW, &w);
}

static void random_flush(struct random* r) {
  struct cw_flush_record records[40];
  const uint32_t count = 1 + below(r, 39);
  for (uint32_t i = 0; i < count; i++) {
    records[i] = (struct cw_flush_record){.kind = below(r, 8) ? 2 + below(r, 3) : below(r, 6), .va = some_va(r)};
    if (records[i].kind < 2) records[i].va = 0;
    if (records[i].kind == CW_FLUSH_RANGE) records[i].va &= ~4095u, records[i].bytes = (1 + below(r, 5000)) * PAGE;
  }
  struct cw_flush f = flush_call(below(r, kWindows + 1), below(r, 2), records, count);
  if (!below(r, 4)) f.records = 0, f.count = below(r, 8) != 0, f.record = records[0];
  if (!below(r, 16)) f.records = next(r);
  // Into a window, so that the kernel's copy faults.
  if (!below(r, 8)) f.records = (uintptr_t)(room[below(r, kWindows)] + (some_va(r) & ~7u));
  ioctl(m.fd, CW_FLUSH, &f);
}

static void random_list(struct random* r) {
  uint32_t items[100], done;
  const uint32_t count = below(r, 100);
  const bool install = below(r, 2);
  for (uint32_t i = 0; i < count; i++) items[i] = install ? some_va(r) : below(r, RAM_PAGES + (i == 77));
  if (!install)
    for (uint32_t i = 0; i < count; i++)
      if (items[i] < RAM_PAGES) m.code[items[i] / 8] ^= (uint8_t)(1u << items[i] % 8);
  const uint32_t* from = below(r, 8) ? items : (const uint32_t*)(room[below(r, kWindows)] + (some_va(r) & ~7u));
  list(&m, install ? CW_INSTALL : CW_PROTECT, below(r, 8) ? below(r, kWindows) : CW_ALL_WINDOWS, from, count, &done);
}

static void random_mapping(struct random* r) {
  const uint32_t n = below(r, kWindows);
  uint8_t* const at = room[n] + (uint64_t)below(r, 5 << 18) * PAGE;
  const uint64_t bytes = below(r, 4) ? (1 + below(r, 2000)) * (uint64_t)PAGE : WINDOW_BYTES / (1 + below(r, 4));
  const uint64_t left = (uint64_t)(room[n] + WINDOW_BYTES + (1 << 30) - at), here = bytes < left ? bytes : left;
  const int protection = below(r, 2) ? PROT_READ | PROT_WRITE : (int)below(r, 8);
  const int none = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  switch (below(r, 8)) {
    case 0: mmap(room[n], WINDOW_BYTES + (1 << 30), PROT_NONE, none, -1, 0);  // fall through
    case 1:
      mmap(room[n] + below(r, 3) * PAGE, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m.fd,
           (off_t)CW_MAP_WINDOW(n));
      break;
    case 2:
      mmap(at, here, protection, (below(r, 4) ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, m.fd,
           (off_t)(CW_MAP_WINDOW(below(r, kWindows)) + below(r, 1 << 20) * (uint64_t)PAGE));
      break;
    case 3: mprotect(at, here, protection); break;
    case 4: mmap(at, here, PROT_NONE, none, -1, 0); break;
    case 5:
      mremap(at, here, here, MREMAP_MAYMOVE | MREMAP_FIXED,
             room[below(r, kWindows)] + below(r, 1 << 18) * (uint64_t)PAGE);
      break;
    case 6: madvise(at, here, (int)below(r, 26)); break;
    default: mremap(at, below(r, 2) ? 0 : here, here + below(r, 3) * PAGE, MREMAP_MAYMOVE); break;
  }
}

static void random_file(struct random* r) {
  switch (below(r, 7)) {
    case 0: ftruncate(m.memfd, (off_t)below(r, RAM_BYTES)); break;
    case 1:
      fallocate(m.memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, below(r, RAM_PAGES) * (off_t)PAGE,
                PAGE * (1 + below(r, 9)));
      break;
    case 2: fcntl(m.memfd, F_ADD_SEALS, below(r, 2) ? F_SEAL_WRITE : F_SEAL_FUTURE_WRITE); break;
    case 3: {
      struct cw_set_ram arg = ram_of(below(r, 2) ? m.memfd : (int)below(r, 12));
      arg.count = below(r, 6);
      arg.ranges[1] = arg.ranges[0];
      arg.ranges[1].base = (uint64_t)next(r) << 12;
      arg.ranges[1].bytes = (uint64_t)below(r, 1000) << 12;
      const int fd = below(r, 2) ? m.fd : open("/dev/crosswalk", O_RDWR | O_CLOEXEC);
      ioctl(fd, CW_SET_RAM, &arg);
      if (fd != m.fd) close(fd);
      break;
    }
    case 4: {
      struct cw_watch watch = {.count = below(r, 18)};
      for (int i = 0; i < CW_MAX_WATCHED; i++) {
        watch.ranges[i].first_page = some_va(r) >> 12;
        watch.ranges[i].last_page = watch.ranges[i].first_page + below(r, 3);
      }
      if (below(r, 2)) watch.count = 0;
      ioctl(m.fd, CW_WATCH, &watch);
      break;
    }
    case 5: {
      // Mostly good, so that faults come that way; else the process ends at the next one.
      static uint8_t stacks[CW_MAX_UPCALLS][16384] __attribute__((aligned(16)));
      struct cw_set_upcall arg = {.slot = below(r, CW_MAX_UPCALLS)};
      arg.entry = below(r, 50) ? (below(r, 4) ? (uintptr_t)hostile_upcall : 0) : (uint64_t)next(r) << below(r, 32);
      arg.stack = (uintptr_t)stacks[arg.slot] + sizeof stacks[arg.slot];
      arg.argument = (uintptr_t)&upcalls[arg.slot];
      ioctl(m.fd, CW_SET_UPCALL, &arg);
      break;
    }
    default: {
      char noise[256];
      for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)next(r);
      ioctl(m.fd, below(r, 2) ? next(r) : (unsigned long)_IOC(3, 'C', below(r, 9), below(r, 256)), noise);
    }
  }
}

static void random_accesses(struct random* r) {
  for (int i = 0; i < 50; i++) {
    uint8_t* p = room[below(r, kWindows)] + (some_va(r) & ~3u);
    uint32_t value;
    if (below(r, 3)) {
      if (!try_load(p, &value) && foreign(value)) {
        printf("not ok module/hostile: a window of %x shows %x\n", mark, value);
        _exit(3);
      }
    } else {
      // Tables must stay noise of this kind, so that most of RAM keeps the mark.
      try_store(p, mark);
    }
  }
}

static void random_fork(struct random* r) {
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 20; i++) random_accesses(r), random_flush(r), random_mapping(r);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

// No thread changes mappings before all have their stacks: these could come to lie in a hole that
// an mremap has left in a room, which then is mapped over.
static pthread_barrier_t stacks_are_there;

static void* thread(void* argument) {
  static void (*const operations[kOperations])(struct random*) = {random_window,  random_flush,   random_list,
                                                                  random_mapping, random_file,    random_table,
                                                                  random_fork,    random_accesses};
  static const uint8_t often[16] = {kSetWindow, kFlush,    kFlush,    kList,    kMapping,  kFile,
                                    kTable,     kTable,    kTable,    kFork,    kAccesses, kAccesses,
                                    kAccesses,  kAccesses, kAccesses, kAccesses};
  struct random r = {(uintptr_t)argument};
  pthread_barrier_wait(&stacks_are_there);
  while (nanoseconds() < end) {
    const uint8_t operation = often[below(&r, 16)];
    if (operation == kFork && below(&r, 50)) continue;
    operations[operation](&r);
    __atomic_fetch_add(&shared->counts[operation], operation == kAccesses ? 50 : 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void hostile_process(uint64_t seed, int number) {
  catch_faults();
  mark = 0xc7000000 | (uint32_t)(seed & 0xffffff);
  if (!open_machine(&m)) _exit(2);
  upcalls = mmap(NULL, sizeof *upcalls * CW_MAX_UPCALLS, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, CW_MAP_UPCALLS);
  if (upcalls == MAP_FAILED) _exit(2);
  // The other pages are allocated by the module, when a window reaches them.
  for (uint32_t pa = 0x400000; pa < RAM_BYTES; pa += 16 * PAGE)
    for (uint32_t i = 0; i < PAGE; i += 4) *(uint32_t*)(m.ram + pa + i) = mark;
  for (uint32_t i = 0; i < kWindows; i++) {
    room[i] = mmap(NULL, WINDOW_BYTES + (1 << 30), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    const struct cw_set_window w = short_window(i, L1(i % 4), 16);
    if (ioctl(m.fd, CW_SET_WINDOW, &w)) _exit(2);
    mmap(room[i], WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m.fd, (off_t)CW_MAP_WINDOW(i));
  }
  struct random r = {seed};
  for (int i = 0; i < 3000; i++) random_table(&r);
  shared->ready[number] = true;
  pthread_t threads[kThreads];
  pthread_barrier_init(&stacks_are_there, NULL, kThreads);
  for (uint64_t i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, thread, (void*)(seed * 77 + i + 1));
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  _exit(0);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int64_t seconds = atoi(argv[1]);
  const uint32_t life = argc > 3 ? (uint32_t)atoi(argv[3]) * 1000 : 4000;  // ms
  const bool may_fail = argc > 4;
  struct random r = {strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15 | 1};
  printf("  hostile: %d s, seed %s\n", (int)seconds, argv[2]);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  end = nanoseconds() + seconds * 1000000000;
  unsigned started = 0, killed = 0, ended = 0, unable = 0, bad = 0;
  pid_t children[kProcesses] = {0};
  int64_t until[kProcesses] = {0}, lives[kProcesses] = {0}, told = nanoseconds();
  while (nanoseconds() < end || ended + killed + unable + bad < started) {
    for (int i = 0; i < kProcesses; i++) {
      if (children[i] == 0 && nanoseconds() < end) {
        const uint64_t seed = (uint64_t)next(&r) << 8 | started | 1ull << 56;
        shared->ready[i] = below(&r, 8) == 0;  // some are killed while they prepare
        children[i] = fork();
        if (children[i] == 0) hostile_process(seed, i);
        lives[i] = (int64_t)below(&r, life) * 1000000;
        until[i] = INT64_MAX;
        started++;
      }
      if (shared->ready[i] && until[i] == INT64_MAX) until[i] = nanoseconds() + lives[i];
      int status;
      if (children[i] != 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
        if (WIFSIGNALED(status)) {
          killed++;
          // Its threads unmap each other's memory, but not their own stacks: SIGKILL is ours.
          if (WTERMSIG(status) != SIGKILL) bad++, killed--, printf("  ended by signal %d\n", WTERMSIG(status));
        } else if (WEXITSTATUS(status) == 0) {
          ended++;
        } else if (WEXITSTATUS(status) == 2 && may_fail) {
          unable++;
        } else {
          bad++;
          printf("  exit status %d\n", WEXITSTATUS(status));
        }
        children[i] = 0;
      }
      if (children[i] != 0 && nanoseconds() > until[i]) kill(children[i], SIGKILL);
    }
    if (nanoseconds() - told > 10000000000) {
      told = nanoseconds();
      printf("  hostile: %u processes, %u killed\n", started, killed);
    }
    usleep(2000);
  }
  printf("  hostile: %u processes, %u killed, %u came to their end, %u had no machine, %u failed\n", started, killed,
         ended, unable, bad);
  for (int i = 0; i < kOperations; i++) printf("  hostile: %lu %s\n", (unsigned long)shared->counts[i], kNames[i]);
  if (shared->counts[kFlush] == 0 || shared->counts[kAccesses] == 0) {
    bad++;
    printf("  hostile: too slow, nothing was done\n");
  }
  if (bad == 0) printf("ok module/hostile%s\n", may_fail ? "-no-memory" : "");
  return bad != 0;
}
