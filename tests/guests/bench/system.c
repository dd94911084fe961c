// SPDX-License-Identifier: GPL-2.0-or-later
// System workloads: calls, faults, address-space changes and process switches.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { kPage = 4096 };

static uint64_t getppid_calls(uint64_t n) {
  const long parent = getppid();
  uint64_t same = 0;
  for (uint64_t i = 0; i < n; ++i) same += syscall(SYS_getppid) == parent;
  return same;
}

static uint8_t* map_pages(size_t pages) {
  uint8_t* memory = mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) bench_fail("mmap");
  // an error means that the kernel has no huge pages
  madvise(memory, pages * kPage, MADV_NOHUGEPAGE);
  return memory;
}

enum { kTouchPages = 256 };
static uint64_t touch_pages(uint64_t n) {
  uint64_t zeroes = 0;
  for (uint64_t i = 0; i < n; i += kTouchPages) {
    volatile uint8_t* memory = map_pages(kTouchPages);
    for (int page = 0; page < kTouchPages; ++page) {
      zeroes += memory[page * kPage + 8] == 0;
      memory[page * kPage] = 1;
    }
    if (munmap((void*)memory, kTouchPages * kPage)) bench_fail("munmap");
  }
  return zeroes;
}

static uint64_t mprotect_pairs(uint64_t n) {
  volatile uint8_t* memory = map_pages(1);
  uint64_t sum = 0;
  memory[0] = 0;
  for (uint64_t i = 0; i < n; ++i) {
    if (mprotect((void*)memory, kPage, PROT_READ)) bench_fail("mprotect");
    sum += memory[0] == (uint8_t)i;
    if (mprotect((void*)memory, kPage, PROT_READ | PROT_WRITE)) bench_fail("mprotect");
    memory[0] = (uint8_t)(i + 1);
  }
  if (munmap((void*)memory, kPage)) bench_fail("munmap");
  return sum;
}

static int wait_status(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) bench_fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static uint64_t fork_wait(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const pid_t child = fork();
    if (child < 0) bench_fail("fork");
    if (child == 0) _exit((int)(i % 50));
    sum += (uint64_t)wait_status(child) == i % 50;
  }
  return sum;
}

enum { kCowPages = 512 };
static uint64_t fork_copy_on_write(uint64_t n) {
  volatile uint8_t* memory = map_pages(kCowPages);
  for (int page = 0; page < kCowPages; ++page) memory[page * kPage] = (uint8_t)page;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const pid_t child = fork();
    if (child < 0) bench_fail("fork");
    if (child == 0) {
      int wrong = 0;
      for (int page = 0; page < kCowPages; ++page) {
        wrong |= memory[page * kPage] != (uint8_t)page;
        memory[page * kPage] = 0xff;
      }
      _exit(wrong);
    }
    sum += wait_status(child) == 0;
    for (int page = 0; page < kCowPages; ++page) sum += (memory[page * kPage] != (uint8_t)page) * 1000003u;
  }
  if (munmap((void*)memory, kCowPages * kPage)) bench_fail("munmap");
  return sum;
}

static uint64_t pipe_round_trips(uint64_t n) {
  int there[2], back[2];
  if (pipe(there) || pipe(back)) bench_fail("pipe");
  const pid_t child = fork();
  if (child < 0) bench_fail("fork");
  if (child == 0) {
    uint32_t value;
    close(there[1]);
    close(back[0]);
    while (read(there[0], &value, sizeof value) == sizeof value) {
      value = value * 3 + 1;
      if (write(back[1], &value, sizeof value) != sizeof value) _exit(1);
    }
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    uint32_t value = (uint32_t)i;
    if (write(there[1], &value, sizeof value) != sizeof value) bench_fail("write");
    if (read(back[0], &value, sizeof value) != sizeof value) bench_fail("read");
    sum += value == (uint32_t)i * 3 + 1;
  }
  close(there[1]);
  close(back[0]);
  if (wait_status(child) != 0) return 0;
  return sum;
}

static uint64_t execute(const char* path, uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const pid_t child = fork();
    if (child < 0) bench_fail("fork");
    if (child == 0) {
      char* const arguments[] = {"bench-linux", "--exit-42", NULL};
      char* const environment[] = {NULL};
      execve(path, arguments, environment);
      _exit(255);
    }
    sum += wait_status(child) == 42;
  }
  return sum;
}
static uint64_t fork_exec_wait(uint64_t n) { return execute("/proc/self/exe", n); }

// pie.c, which lies beside this program under its name and `-pie`. It must not be at the same
// address each time, or else this would measure something else.
static uint64_t exec_pie_aslr(uint64_t n) {
  char path[4096], setting = '0';
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 5);
  if (length < 0) bench_fail("readlink /proc/self/exe");
  memcpy(path + length, "-pie", 5);
  const int fd = open("/proc/sys/kernel/randomize_va_space", O_RDONLY);
  if (fd < 0 || read(fd, &setting, 1) != 1) bench_fail("/proc/sys/kernel/randomize_va_space");
  close(fd);
  return setting == '0' ? 0 : execute(path, n);
}

// Two phases in turn in one process: system calls, then pages touched for the first time. What a
// guest's MMU learns in one of them is wrong for the other. An operation is a page with 16 calls.
enum { kPhasePages = 512, kCallsPerPage = 16 };
static uint64_t two_phases(uint64_t n) {
  uint64_t good = 0;
  for (uint64_t i = 0; i < n; i += kPhasePages) {
    const uint64_t calls = getppid_calls(kPhasePages * kCallsPerPage);
    if (calls != kPhasePages * kCallsPerPage) return 0;
    good += touch_pages(kPhasePages);
  }
  return good;
}

// Each returns how many operations gave the right result.
const struct workload system_workloads[] = {
    {"getppid", getppid_calls, 1, 1000, 1000},
    {"page_touch", touch_pages, kTouchPages, kTouchPages * 2, kTouchPages * 2},
    {"mprotect_pair", mprotect_pairs, 1, 100, 100},
    {"fork_wait", fork_wait, 1, 5, 5},
    {"fork_cow_512", fork_copy_on_write, 1, 2, 2},
    {"pipe_round_trip", pipe_round_trips, 1, 100, 100},
    {"fork_exec_wait", fork_exec_wait, 1, 5, 5},
    {"exec_pie_aslr", exec_pie_aslr, 1, 5, 5},
    {"two_phases", two_phases, kPhasePages, kPhasePages, kPhasePages},
};
const size_t system_workload_count = sizeof system_workloads / sizeof system_workloads[0];
