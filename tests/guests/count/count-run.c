// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a program in the emulated machine of scripts/count, and marks the parts of its run that
// split.c is to count.
//
// usage: count-run COMMAND... The command's standard output is printed, each line behind the
// nanoseconds since its start. It takes part in the protocol of the benchmark's guests: `bench:
// ready NAME` asks for a line of input, and what runs from there to the next line of output is one
// slice. Each slice is marked, and `count: mark NAME` says so in the order of the marks; the whole
// run is marked too, as the last one. `count: map` is the command's executable memory, `count:
// status` how it ended.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// An x86 NOP with an operand: the number is for split.c.
#define MARK_BEGIN_RUN() __asm__ volatile("nopl 0x43570000(%rax)")
#define MARK_BEGIN_SLICE() __asm__ volatile("nopl 0x43570001(%rax)")
#define MARK_END_SLICE() __asm__ volatile("nopl 0x43570002(%rax)")
#define MARK_END_RUN() __asm__ volatile("nopl 0x43570003(%rax)")

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char* what) {
  printf("count: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void print_maps(pid_t child) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)child);
  FILE* maps = fopen(path, "r");
  if (!maps) return;
  while (fgets(line, sizeof line, maps)) {
    const char* rights = strchr(line, ' ');
    if (rights && rights[3] == 'x') printf("count: map %s", line);
  }
  fclose(maps);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: count-run COMMAND...\n");
    return 2;
  }
  int out[2], in[2];
  if (pipe(out) || pipe(in)) fail("pipe");
  MARK_BEGIN_RUN();
  const int64_t start = nanoseconds();
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(in[0], STDIN_FILENO);
    for (int i = 0; i < 2; ++i) close(out[i]), close(in[i]);
    execvp(argv[1], argv + 1);
    fprintf(stderr, "count-run: %s: %s\n", argv[1], strerror(errno));
    _exit(127);
  }
  close(out[1]);
  close(in[0]);
  FILE* lines = fdopen(out[0], "r");
  char *line = NULL, slice[128] = "";
  size_t capacity = 0;
  ssize_t length;
  int mapped = 0;
  while ((length = getline(&line, &capacity, lines)) > 0) {
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
    // A guest's terminal echoes the line that began the slice.
    if (slice[0] && length) {
      MARK_END_SLICE();
      printf("count: mark %s\n", slice);
      slice[0] = 0;
    }
    printf("%lld %s\n", (long long)(nanoseconds() - start), line);
    if (!mapped++) print_maps(child);
    fflush(stdout);
    if (sscanf(line, "bench: ready %127s", slice) == 1) {
      MARK_BEGIN_SLICE();
      if (write(in[1], "\n", 1) != 1) fail("write");
    }
  }
  int status = 0;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) fail("wait4");
  const int64_t elapsed = nanoseconds() - start;
  MARK_END_RUN();
  printf("count: status %d elapsed %lld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
         (long long)elapsed);
  return 0;
}
