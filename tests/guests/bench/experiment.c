// SPDX-License-Identifier: GPL-2.0-or-later
// Workloads of the experiments (docs/experiments.md): pointer chases over sizes, strides, and
// storms of forks, context switches and mappings. They run only when they are named.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { kPage = 4096, kLine = 64 };

static uint8_t* map_bytes(size_t bytes, int visibility) {
  uint8_t* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, visibility | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) bench_fail("mmap");
  return memory;
}

// One element a cache line, each line once around.
#define CHASE(name, bytes)                                       \
  static uint64_t name(uint64_t n) {                             \
    static uint32_t* memory;                                     \
    return pointer_chase(&memory, (uint32_t)(bytes) / kLine, n); \
  }
CHASE(chase_64k, 64 << 10)
CHASE(chase_256k, 256 << 10)
CHASE(chase_1m, 1 << 20)
CHASE(chase_4m, 4 << 20)
CHASE(chase_16m, 16 << 20)
CHASE(chase_64m, 64 << 20)
#undef CHASE

// Reads one word every `stride` bytes, again and again. With a page as the stride each read needs
// another translation; the words of successive pages lie in successive lines, so that they do not
// share a cache set.
enum { kStrideBytes = 16 << 20 };
static uint64_t stride_walk(uint64_t n, uint32_t stride) {
  static uint32_t* memory;
  if (!memory) {
    memory = (uint32_t*)map_bytes(kStrideBytes, MAP_PRIVATE);
    for (uint32_t i = 0; i < kStrideBytes / 4; ++i) memory[i] = i * 2654435761u;
  }
  uint32_t sum = 0, at = 0;
  for (uint64_t i = 0; i < n; ++i) {
    sum = sum * 5 + memory[at / 4];
    at += stride;
    if (at >= kStrideBytes) at = (at + kLine) & (kPage - kLine);
  }
  return sum;
}
static uint64_t stride_line_16m(uint64_t n) { return stride_walk(n, kLine); }
static uint64_t stride_page_16m(uint64_t n) { return stride_walk(n, kPage); }

// Children that are alive together, each writing to pages that all share until then.
enum { kChildren = 16, kTouched = 32 };
static uint64_t fork_storm(uint64_t n) {
  volatile uint8_t* memory = map_bytes(kTouched * kPage, MAP_PRIVATE);
  for (int page = 0; page < kTouched; ++page) memory[page * kPage] = (uint8_t)page;
  uint64_t good = 0;
  for (uint64_t i = 0; i < n; i += kChildren) {
    int gate[2];
    pid_t children[kChildren];
    if (pipe(gate)) bench_fail("pipe");
    for (int k = 0; k < kChildren; ++k) {
      children[k] = fork();
      if (children[k] < 0) bench_fail("fork");
      if (children[k] != 0) continue;
      int wrong = 0;
      char byte;
      for (int page = 0; page < kTouched; ++page) {
        wrong |= memory[page * kPage] != (uint8_t)page;
        memory[page * kPage] = (uint8_t)k;
      }
      close(gate[1]);
      wrong |= read(gate[0], &byte, 1) != 0;  // until the parent has made all of them
      for (int page = 0; page < kTouched; ++page) wrong |= memory[page * kPage] != (uint8_t)k;
      _exit(wrong);
    }
    close(gate[0]);
    close(gate[1]);
    for (int k = 0; k < kChildren; ++k) {
      int status;
      if (waitpid(children[k], &status, 0) != children[k]) bench_fail("waitpid");
      good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
  }
  if (munmap((void*)memory, kTouched * kPage)) bench_fail("munmap");
  return good;
}

// A token goes around a ring of processes through pipes. Each hop is one switch of address space,
// and each process touches a few pages of its own when it holds the token. The rings are made once,
// by the untimed check, and end with this process.
enum { kRing = 8, kOwnPages = 8 };
struct pipe_ring {
  int read_end, write_end;  // this process's own
  volatile uint8_t* own;
};

static void touch_own_pages(const struct pipe_ring* ring) {
  for (int page = 0; page < kOwnPages; ++page) ring->own[page * kPage] += 1;
}

static void make_pipe_ring(struct pipe_ring* ring) {
  int pipes[kRing][2];
  ring->own = map_bytes(kOwnPages * kPage, MAP_PRIVATE);
  for (int k = 0; k < kRing; ++k)
    if (pipe(pipes[k])) bench_fail("pipe");
  int self = 0;
  for (int k = 1; k < kRing && self == 0; ++k) {
    const pid_t child = fork();
    if (child < 0) bench_fail("fork");
    if (child == 0) self = k;
  }
  // Each reads from its own pipe and writes to the next one's. No other end stays open, so that the
  // end comes around.
  for (int k = 0; k < kRing; ++k) {
    if (k != self) close(pipes[k][0]);
    if (k != (self + 1) % kRing) close(pipes[k][1]);
  }
  ring->read_end = pipes[self][0];
  ring->write_end = pipes[(self + 1) % kRing][1];
  if (self == 0) return;
  uint32_t token;
  while (read(ring->read_end, &token, sizeof token) == sizeof token) {
    touch_own_pages(ring);
    token += 1;
    if (write(ring->write_end, &token, sizeof token) != sizeof token) _exit(1);
  }
  _exit(0);
}

static uint64_t switch_pipe_8(uint64_t n) {
  static struct pipe_ring ring;
  if (!ring.own) make_pipe_ring(&ring);
  uint32_t token = 0;
  for (uint64_t i = 0; i < n; i += kRing) {
    if (write(ring.write_end, &token, sizeof token) != sizeof token) bench_fail("write");
    if (read(ring.read_end, &token, sizeof token) != sizeof token) bench_fail("read");
    touch_own_pages(&ring);
    token += 1;
  }
  return token;
}

// The same with a futex in shared memory: between threads (no switch of address space) and between
// processes. Who holds the turn wakes all the others.
enum { kFutexRing = 4 };
struct futex_ring {
  uint32_t turn;
  uint32_t hops;
};

static void wait_for_turn(struct futex_ring* ring, uint32_t self) {
  uint32_t turn;
  while ((turn = __atomic_load_n(&ring->turn, __ATOMIC_ACQUIRE)) % kFutexRing != self)
    if (syscall(SYS_futex, &ring->turn, FUTEX_WAIT, turn, NULL, NULL, 0) && errno != EAGAIN && errno != EINTR)
      bench_fail("futex");
}
static void pass_turn(struct futex_ring* ring) {
  ring->hops += 1;
  __atomic_store_n(&ring->turn, ring->turn + 1, __ATOMIC_RELEASE);
  if (syscall(SYS_futex, &ring->turn, FUTEX_WAKE, kFutexRing, NULL, NULL, 0) < 0) bench_fail("futex");
}
static void serve_ring(struct futex_ring* ring, uint32_t self) {
  for (;;) {
    wait_for_turn(ring, self);
    pass_turn(ring);
  }
}
// The first member is the caller; between runs the turn is its.
static uint64_t run_ring(struct futex_ring* ring, uint64_t n) {
  ring->hops = 0;
  for (uint64_t i = 0; i < n; i += kFutexRing) {
    pass_turn(ring);
    wait_for_turn(ring, 0);
  }
  return ring->hops;
}

struct member {
  struct futex_ring* ring;
  uint32_t self;
};
static void* thread_member(void* argument) {
  const struct member* member = argument;
  serve_ring(member->ring, member->self);
  return NULL;
}
static uint64_t switch_threads_4(uint64_t n) {
  static struct futex_ring ring;
  static struct member members[kFutexRing];
  for (uint32_t k = 1; k < kFutexRing && !members[k].ring; ++k) {
    pthread_t thread;
    members[k] = (struct member){&ring, k};
    if ((errno = pthread_create(&thread, NULL, thread_member, &members[k]))) bench_fail("pthread_create");
  }
  return run_ring(&ring, n);
}
static uint64_t switch_futex_4(uint64_t n) {
  static struct futex_ring* ring;
  if (!ring) {
    ring = (struct futex_ring*)map_bytes(kPage, MAP_SHARED);
    for (uint32_t k = 1; k < kFutexRing; ++k) {
      const pid_t child = fork();
      if (child < 0) bench_fail("fork");
      if (child != 0) continue;
      if (prctl(PR_SET_PDEATHSIG, SIGKILL)) bench_fail("prctl");
      serve_ring(ring, k);
    }
  }
  return run_ring(ring, n);
}

// Maps and unmaps areas of a few pages, with many alive at any time. An operation is one area's
// life.
enum { kAlive = 64, kMostPages = 16 };
static uint64_t mmap_churn(uint64_t n) {
  uint8_t* areas[kAlive] = {0};
  uint32_t pages[kAlive] = {0}, seed = 362436069;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n + kAlive; ++i) {
    const size_t slot = i % kAlive;
    if (areas[slot]) {
      for (uint32_t page = 0; page < pages[slot]; ++page) sum += areas[slot][page * kPage] == (uint8_t)(page + slot);
      if (munmap(areas[slot], pages[slot] * kPage)) bench_fail("munmap");
      areas[slot] = NULL;
    }
    if (i >= n) continue;
    seed = seed * 1664525 + 1013904223;
    pages[slot] = 1 + (seed >> 16) % kMostPages;
    areas[slot] = map_bytes(pages[slot] * kPage, MAP_PRIVATE);
    for (uint32_t page = 0; page < pages[slot]; ++page) areas[slot][page * kPage] = (uint8_t)(page + slot);
  }
  return sum;
}

const struct workload experiment_workloads[] = {
    {"chase_64k", chase_64k, 1, 100000, 0x0000000000003d10},
    {"chase_256k", chase_256k, 1, 100000, 0x0000000000009d60},
    {"chase_1m", chase_1m, 1, 100000, 0x0000000000016e50},
    {"chase_4m", chase_4m, 1, 100000, 0x00000000000d6c80},
    {"chase_16m", chase_16m, 1, 100000, 0x000000000012e550},
    {"chase_64m", chase_64m, 1, 100000, 0x00000000001832d0},
    {"stride_line_16m", stride_line_16m, 1, 100000, 0x0000000061398b00},
    {"stride_page_16m", stride_page_16m, 1, 100000, 0x000000001971d000},
    {"fork_storm", fork_storm, kChildren, kChildren, kChildren},
    {"switch_pipe_8", switch_pipe_8, kRing, kRing * 8, kRing * 8},
    {"switch_threads_4", switch_threads_4, kFutexRing, 100, 100},
    {"switch_futex_4", switch_futex_4, kFutexRing, 100, 100},
    {"mmap_churn", mmap_churn, 1, 200, 0x000000000000062a},
};
const size_t experiment_workload_count = sizeof experiment_workloads / sizeof experiment_workloads[0];
