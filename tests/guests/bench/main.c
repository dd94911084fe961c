// SPDX-License-Identifier: GPL-2.0-or-later
// bench-linux: runs workloads and prints one row `name<TAB>ns_per_op` for each, measured after its result was checked.
//
// usage: bench-linux [--ms MILLISECONDS] [--list] [--checksums] [NAME... | all]
// As the guest's first process (rdinit=/bench-linux, arguments after `--` on the kernel command line) it powers the
// machine off at the end.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

void bench_fail(const char* what) {
  fprintf(stdout, "bench: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(3);
}

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int check(const struct workload* workload) {
  const uint64_t got = workload->run(workload->check_operations);
  if (got == workload->expected) return 1;
  printf("bench: %s: wrong result %016llx, expected %016llx\n", workload->name, (unsigned long long)got,
         (unsigned long long)workload->expected);
  return 0;
}

static double time_run(const struct workload* workload, uint64_t operations) {
  const double start = now_ns();
  workload->run(operations);
  return now_ns() - start;
}

// The count is calibrated until a run takes long enough to be scaled to `milliseconds`.
static int measure(const struct workload* workload, double milliseconds) {
  if (!check(workload)) return 0;
  const double goal = milliseconds * 1e6;
  uint64_t operations = workload->unit;
  double elapsed = time_run(workload, operations);
  while (elapsed < goal / 16) {
    operations *= elapsed < goal / 256 ? 8 : 2;
    elapsed = time_run(workload, operations);
  }
  uint64_t scaled = (uint64_t)((double)operations * goal / elapsed);
  scaled -= scaled % workload->unit;
  if (scaled > operations) {
    operations = scaled;
    elapsed = time_run(workload, operations);
  }
  if (!check(workload)) return 0;
  printf("%s\t%.3f\n", workload->name, elapsed / (double)operations);
  return 1;
}

static int wanted(const char* name, char** names, int count) {
  if (count == 0) return 1;
  for (int i = 0; i < count; ++i)
    if (!strcmp(names[i], name) || !strcmp(names[i], "all")) return 1;
  return 0;
}

static int run_tables(int (*visit)(const struct workload*, double), double milliseconds, char** names, int count) {
  const struct workload* const tables[] = {compute_workloads, system_workloads};
  const size_t sizes[] = {compute_workload_count, system_workload_count};
  int ok = 1, found = 0;
  for (int table = 0; table < 2; ++table)
    for (size_t i = 0; i < sizes[table]; ++i) {
      if (!wanted(tables[table][i].name, names, count)) continue;
      ++found;
      ok &= visit(&tables[table][i], milliseconds);
      fflush(stdout);
    }
  if (!found) printf("bench: no workload of that name\n");
  return ok && found;
}

static int print_name(const struct workload* workload, double unused) {
  (void)unused;
  return printf("%s\n", workload->name) > 0;
}
static int print_checksum(const struct workload* workload, double unused) {
  (void)unused;
  return printf("%s 0x%016llx\n", workload->name, (unsigned long long)workload->run(workload->check_operations)) > 0;
}

static int run(int argc, char** argv) {
  double milliseconds = 300;
  int (*visit)(const struct workload*, double) = measure;
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; ++first) {
    if (!strcmp(argv[first], "--ms") && first + 1 < argc)
      milliseconds = atof(argv[++first]);
    else if (!strcmp(argv[first], "--list"))
      visit = print_name;
    else if (!strcmp(argv[first], "--checksums"))
      visit = print_checksum;
    else {
      fprintf(stderr, "usage: bench-linux [--ms MILLISECONDS] [--list] [--checksums] [NAME... | all]\n");
      return 2;
    }
  }
  return run_tables(visit, milliseconds, argv + first, argc - first) ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "--exit-42")) return 42;
  if (getpid() != 1) return run(argc, argv);

  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("crosswalk: first user-space output\n");
  mkdir("/proc", 0755);
  if (mount("proc", "/proc", "proc", 0, NULL)) bench_fail("mount");
  printf("bench: begin\n");
  const pid_t child = fork();
  if (child < 0) bench_fail("fork");
  if (child == 0) {
    const int status = run(argc, argv);
    fflush(stdout);
    _exit(status);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child) {
  }
  printf("bench: end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  bench_fail("reboot");
}
