// SPDX-License-Identifier: GPL-2.0-or-later
// bench-linux: runs workloads and prints one row `name<TAB>ns_per_op` for each, measured after its
// result was checked.
//
// usage: bench-linux [--ms MILLISECONDS] [--slices N] [--list] [--checksums] [--totals] [NAME... |
// all | experiment] --slices measures each workload N times, and before each prints `bench: ready
// NAME` and waits for a line of input: so several machines can take turns. --totals adds a line
// `total NAME OPERATIONS` with all that ran, checks and calibration included. As the guest's first
// process (rdinit=/bench-linux, arguments after `--` on the kernel command line) it powers the
// machine off at the end; with --wait alone there, it prints `bench: waiting` and takes its
// arguments from a line of input.
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

struct settings {
  double milliseconds;
  int slices;  // 0: one, without waiting
  int print_totals;
};

// All the operations that a workload ran.
static uint64_t operations_run;

static int check(const struct workload* workload) {
  const uint64_t got = workload->run(workload->check_operations);
  operations_run += workload->check_operations;
  if (got == workload->expected) return 1;
  printf("bench: %s: wrong result %016llx, expected %016llx\n", workload->name, (unsigned long long)got,
         (unsigned long long)workload->expected);
  return 0;
}

static double time_run(const struct workload* workload, uint64_t operations) {
  const double start = now_ns();
  workload->run(operations);
  operations_run += operations;
  return now_ns() - start;
}

static void print_row(const struct workload* workload, uint64_t operations, double elapsed) {
  printf("%s\t%.3f\n", workload->name, elapsed / (double)operations);
}

// At the end of the input it goes on, so that nothing waits forever.
static void wait_for_turn(const struct workload* workload) {
  printf("bench: ready %s\n", workload->name);
  fflush(stdout);
  char c = 0;
  while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1) {
  }
}

static uint64_t scale(const struct workload* workload, uint64_t operations, double elapsed, double goal) {
  uint64_t scaled = (uint64_t)((double)operations * goal / elapsed);
  scaled -= scaled % workload->unit;
  return scaled < workload->unit ? workload->unit : scaled;
}

// The count is calibrated until a run takes long enough to be scaled to the time that is wanted,
// and then by each slice: the first ones may be slow.
static int measure(const struct workload* workload, const struct settings* settings) {
  operations_run = 0;
  if (!check(workload)) return 0;
  const double goal = settings->milliseconds * 1e6;
  uint64_t operations = workload->unit;
  double elapsed = time_run(workload, operations);
  while (elapsed < goal / 16) {
    operations *= elapsed < goal / 256 ? 8 : 2;
    elapsed = time_run(workload, operations);
  }
  uint64_t scaled = scale(workload, operations, elapsed, goal);
  for (int i = 0; i < settings->slices; ++i) {
    wait_for_turn(workload);
    elapsed = time_run(workload, scaled);
    print_row(workload, scaled, elapsed);
    scaled = scale(workload, scaled, elapsed, goal);
  }
  if (settings->slices == 0 && scaled > operations) {
    operations = scaled;
    elapsed = time_run(workload, operations);
  }
  if (!check(workload)) return 0;
  if (settings->slices == 0) print_row(workload, operations, elapsed);
  if (settings->print_totals) printf("total %s %llu\n", workload->name, (unsigned long long)operations_run);
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

typedef int (*visitor)(const struct workload*, const struct settings*);
static int in_child(visitor visit, const struct workload* workload, const struct settings* settings) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) bench_fail("fork");
  if (child == 0) {
    const int ok = visit(workload, settings);
    fflush(stdout);
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child) {
  }
  if (WIFSIGNALED(status)) printf("bench: %s: signal %d\n", workload->name, WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_tables(visitor visit, const struct settings* settings, char** names, int count) {
  const struct workload* const tables[] = {compute_workloads, system_workloads, experiment_workloads};
  const size_t sizes[] = {compute_workload_count, system_workload_count, experiment_workload_count};
  int ok = 1, found = 0;
  for (int table = 0; table < 3; ++table)
    for (size_t i = 0; i < sizes[table]; ++i) {
      if (!wanted(tables[table][i].name, table == 2, names, count)) continue;
      ++found;
      // In a process of its own: what a chase has mapped would weigh on every fork after it.
      ok &= in_child(visit, &tables[table][i], settings);
      fflush(stdout);
    }
  if (!found) printf("bench: no workload of that name\n");
  return ok && found;
}

static int print_name(const struct workload* workload, const struct settings* settings) {
  (void)settings;
  return printf("%s\n", workload->name) > 0;
}
static int print_checksum(const struct workload* workload, const struct settings* settings) {
  (void)settings;
  return printf("%s 0x%016llx\n", workload->name, (unsigned long long)workload->run(workload->check_operations)) > 0;
}

static int run(int argc, char** argv) {
  struct settings settings = {300, 0, 0};
  visitor visit = measure;
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; ++first) {
    if (!strcmp(argv[first], "--ms") && first + 1 < argc)
      settings.milliseconds = atof(argv[++first]);
    else if (!strcmp(argv[first], "--slices") && first + 1 < argc)
      settings.slices = atoi(argv[++first]);
    else if (!strcmp(argv[first], "--list"))
      visit = print_name;
    else if (!strcmp(argv[first], "--checksums"))
      visit = print_checksum;
    else if (!strcmp(argv[first], "--totals"))
      settings.print_totals = 1;
    else {
      fprintf(stderr,
              "usage: bench-linux [--ms MILLISECONDS] [--slices N] [--list] [--checksums] [--totals] [NAME... | all | "
              "experiment]\n");
      return 2;
    }
  }
  return run_tables(visit, &settings, argv + first, argc - first) ? 0 : 1;
}

// --wait: the arguments are a line of input. A guest that waits for it is one to save. Puts them
// behind the first of `words`, at most `limit` in all, and returns how many there are.
static int read_arguments(char** words, int limit) {
  static char line[4096];
  printf("bench: waiting\n");
  fflush(stdout);
  size_t length = 0;
  while (length + 1 < sizeof line && read(STDIN_FILENO, &line[length], 1) == 1 && line[length] != '\n') ++length;
  line[length] = 0;
  int count = 0;
  for (char* word = strtok(line, " "); word && count + 1 < limit; word = strtok(NULL, " ")) words[++count] = word;
  return count + 1;
}

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "--exit-42")) return 42;
  if (getpid() != 1) return run(argc, argv);

  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("crosswalk: first user-space output\n");
  mkdir("/proc", 0755);
  if (mount("proc", "/proc", "proc", 0, NULL)) bench_fail("mount");
  char* words[64] = {argv[0]};
  if (argc == 2 && !strcmp(argv[1], "--wait")) {
    argc = read_arguments(words, 64);
    argv = words;
  }
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
