// SPDX-License-Identifier: GPL-2.0-or-later
// Work for several CPUs at once. `several compute N`: N processes that compute, the same each;
// `several unmap N`: one process with N threads that map, protect and unmap memory, the same work
// each; `several locks N`: N threads that count under one mutex and with atomic operations. Prints
// `several NAME N MILLISECONDS`; status 1 when a result is wrong.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned scale = 1;

static void die(const char* what) {
  fprintf(stderr, "several: %s\n", what);
  exit(1);
}

// Integers, branches and memory of 1 MiB.
static uint32_t compute(void) {
  enum { kWords = 1 << 18 };
  static uint32_t memory[kWords];
  uint32_t a = 1, sum = 0;
  for (uint32_t i = 0; i < kWords; ++i) memory[i] = i * 2654435761u;
  for (uint32_t round = 0; round < 20000000 * scale; ++round) {
    a ^= a << 13;
    a ^= a >> 17;
    a ^= a << 5;
    uint32_t* word = &memory[a % kWords];
    if (*word & 1)
      sum += *word / (a | 1);
    else
      *word += a;
    sum = sum * 31 + *word;
  }
  return sum;
}

static void run_processes(unsigned count) {
  int ends[2];
  if (pipe(ends) != 0) die("pipe");
  for (unsigned i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      const uint32_t result = compute();
      _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
  }
  uint32_t first = 0;
  for (unsigned i = 0; i < count; ++i) {
    int status;
    uint32_t result;
    if (wait(&status) < 0 || status != 0) die("a process failed");
    if (read(ends[0], &result, sizeof result) != sizeof result) die("no result");
    if (i == 0) first = result;
    if (result != first) die("processes have different results");
  }
}

static void* unmap(void* unused) {
  enum { kPages = 32, kPage = 4096, kRounds = 1000 };
  (void)unused;
  for (uint32_t round = 0; round < kRounds * scale; ++round) {
    char* area = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) die("mmap");
    for (unsigned page = 0; page < kPages; ++page) area[page * kPage] = (char)(page + round);
    if (mprotect(area, kPages * kPage, PROT_READ) != 0) die("mprotect");
    for (unsigned page = 0; page < kPages; ++page)
      if (area[page * kPage] != (char)(page + round)) die("memory has another value");
    if (mprotect(area, kPages * kPage, PROT_READ | PROT_WRITE) != 0) die("mprotect");
    for (unsigned page = 0; page < kPages; ++page) area[page * kPage + 1] = 1;
    if (munmap(area, kPages * kPage) != 0) die("munmap");
  }
  return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t under_mutex;
static uint64_t atomic_count;
enum { kLockRounds = 500000 };
static void* count(void* unused) {
  (void)unused;
  for (uint32_t round = 0; round < kLockRounds * scale; ++round) {
    pthread_mutex_lock(&mutex);
    ++under_mutex;
    pthread_mutex_unlock(&mutex);
    __atomic_fetch_add(&atomic_count, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

static void run_threads(unsigned number, void* (*function)(void*)) {
  pthread_t threads[64];
  for (unsigned i = 0; i < number; ++i)
    if (pthread_create(&threads[i], NULL, function, NULL) != 0) die("pthread_create");
  for (unsigned i = 0; i < number; ++i) pthread_join(threads[i], NULL);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc < 3) die("usage: several compute|unmap|locks N [SCALE]");
  const unsigned number = (unsigned)atoi(argv[2]);
  if (number < 1 || number > 64) die("N is 1 to 64");
  if (argc > 3) scale = (unsigned)atoi(argv[3]);
  const uint64_t start = now();
  if (strcmp(argv[1], "compute") == 0)
    run_processes(number);
  else if (strcmp(argv[1], "unmap") == 0)
    run_threads(number, unmap);
  else if (strcmp(argv[1], "locks") == 0)
    run_threads(number, count);
  else
    die("no such work");
  const uint64_t expected = strcmp(argv[1], "locks") == 0 ? (uint64_t)kLockRounds * scale * number : 0;
  if (under_mutex != expected || atomic_count != expected) die("a count is wrong");
  printf("several %s %u %u\n", argv[1], number, (unsigned)((now() - start) / 1000000));
  return 0;
}
