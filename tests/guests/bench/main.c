// SPDX-License-Identifier: GPL-2.0-or-later
// bench-linux: runs workloads and prints one row `name<TAB>ns_per_op` for each, measured after its result was checked.
//
// usage: bench-linux [--ms MILLISECONDS] [--list] [--checksums] [--totals] [NAME... | all | experiment]
// --totals adds a line `total NAME OPERATIONS` with all that ran, checks and calibration included.
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

// With --totals every operation of a workload is counted.
struct totals {
  int wanted;
  uint64_t operations;
};

static int check(const struct workload* workload, struct totals* totals) {
  const uint64_t got = workload->run(workload->check_operations);
  totals->operations += workload->check_operations;
  if (got == workload->expected) return 1;
  printf("bench: %s: wrong result %016llx, expected %016llx\n", workload->name, (unsigned long long)got,
         (unsigned long long)workload->expected);
  return 0;
}

static double time_run(const struct workload* workload, uint64_t operations, struct totals* totals) {
  const double start = now_ns();
  workload->run(operations);
  totals->operations += operations;
  return now_ns() - start;
}

// The count is calibrated until a run takes long enough to be scaled to `milliseconds`.
static int measure(const struct workload* workload, double milliseconds, int print_totals) {
  struct totals totals = {print_totals, 0};
  if (!check(workload, &totals)) return 0;
  const double goal = milliseconds * 1e6;
  uint64_t operations = workload->unit;
  double elapsed = time_run(workload, operations, &totals);
  while (elapsed < goal / 16) {
    operations *= elapsed < goal / 256 ? 8 : 2;
    elapsed = time_run(workload, operations, &totals);
  }
  uint64_t scaled = (uint64_t)((double)operations * goal / elapsed);
  scaled -= scaled % workload->unit;
  if (scaled > operations) {
    operations = scaled;
    elapsed = time_run(workload, operations, &totals);
  }
  if (!check(workload, &totals)) return 0;
  printf("%s\t%.3f\n", workload->name, elapsed / (double)operations);
  if (totals.wanted) printf("total %s %llu\n", workload->name, (unsigned long long)totals.operations);
  return 1;
}

static int wanted(const char* name, int experiment, char** names, int count) {
  if (count == 0) return !experiment;
  for (int i = 0; i < count; ++i) {
    if (!strcmp(names[i], name) || !strcmp(names[i], "all")) return 1;
    if (experiment && !strcmp(names[i], "experiment")) return 1;
  }
  return 0;
}

typedef int (*visitor)(const struct workload*, double milliseconds, int print_totals);
static int in_child(visitor visit, const struct workload* workload, double milliseconds, int print_totals) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) bench_fail("fork");
  if (child == 0) {
    const int ok = visit(workload, milliseconds, print_totals);
    fflush(stdout);
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child) {
  }
  if (WIFSIGNALED(status)) printf("bench: %s: signal %d\n", workload->name, WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_tables(visitor visit, double milliseconds, int print_totals, char** names, int count) {
  const struct workload* const tables[] = {compute_workloads, system_workloads, experiment_workloads};
  const size_t sizes[] = {compute_workload_count, system_workload_count, experiment_workload_count};
  int ok = 1, found = 0;
  for (int table = 0; table < 3; ++table)
    for (size_t i = 0; i < sizes[table]; ++i) {
      if (!wanted(tables[table][i].name, table == 2, names, count)) continue;
      ++found;
      // In a process of its own: what a chase has mapped would weigh on every fork after it.
      ok &= table == 2 ? in_child(visit, &tables[table][i], milliseconds, print_totals)
                       : visit(&tables[table][i], milliseconds, print_totals);
      fflush(stdout);
    }
  if (!found) printf("bench: no workload of that name\n");
  return ok && found;
}

static int print_name(const struct workload* workload, double unused, int print_totals) {
  (void)unused, (void)print_totals;
  return printf("%s\n", workload->name) > 0;
}
static int print_checksum(const struct workload* workload, double unused, int print_totals) {
  (void)unused, (void)print_totals;
  return printf("%s 0x%016llx\n", workload->name, (unsigned long long)workload->run(workload->check_operations)) > 0;
}

static int run(int argc, char** argv) {
  double milliseconds = 300;
  visitor visit = measure;
  int first = 1, print_totals = 0;
  for (; first < argc && argv[first][0] == '-'; ++first) {
    if (!strcmp(argv[first], "--ms") && first + 1 < argc)
      milliseconds = atof(argv[++first]);
    else if (!strcmp(argv[first], "--list"))
      visit = print_name;
    else if (!strcmp(argv[first], "--checksums"))
      visit = print_checksum;
    else if (!strcmp(argv[first], "--totals"))
      print_totals = 1;
    else {
      fprintf(
          stderr,
          "usage: bench-linux [--ms MILLISECONDS] [--list] [--checksums] [--totals] [NAME... | all | experiment]\n");
      return 2;
    }
  }
  return run_tables(visit, milliseconds, print_totals, argv + first, argc - first) ? 0 : 1;
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
