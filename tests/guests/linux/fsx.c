// SPDX-License-Identifier: GPL-2.0-or-later
// Random operations on a file, compared with what memory says it holds, as fsx of Apple and of
// xfstests does: reads, writes, truncations, appends, mappings, fsync, and the file opened anew.
// fsx FILE SECONDS [SEED]: ends with a line; the first difference is told with what came before.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 256 << 10, kMostAtOnce = 64 << 10, kRemembered = 24 };

static uint8_t expected[kMost], buffer[kMost];
static size_t size;
static int fd;
static const char* path;
static uint64_t state;
static struct {
  const char* what;
  size_t offset, bytes;
} log_of[kRemembered];
static unsigned long operations;

static uint32_t draw(uint32_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % below;
}

static void fail(const char* what, size_t offset) {
  printf("fsx: %s at %zu, operation %lu, errno %d; the last ones:\n", what, offset, operations, errno);
  for (unsigned long i = operations > kRemembered ? operations - kRemembered : 0; i < operations; ++i)
    printf("  %lu %s %zu %zu\n", i, log_of[i % kRemembered].what, log_of[i % kRemembered].offset,
           log_of[i % kRemembered].bytes);
  exit(1);
}

static void check(const char* what, int good, size_t offset) {
  if (!good) fail(what, offset);
}

static void compare(const char* what, const uint8_t* got, size_t offset, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    if (got[i] != expected[offset + i]) {
      printf("fsx: byte %zu is 0x%02x, expected 0x%02x\n", offset + i, got[i], expected[offset + i]);
      fail(what, offset + i);
    }
  }
}

static void grow(size_t end) {
  if (end > size) {
    memset(expected + size, 0, end - size);
    size = end;
  }
}

static void fill(uint8_t* to, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to[i] = (uint8_t)(draw(255) + 1);
}

static void do_read(size_t offset, size_t bytes) {
  const size_t there = offset >= size ? 0 : bytes < size - offset ? bytes : size - offset;
  size_t done = 0;
  while (done < there) {
    const ssize_t count = pread(fd, buffer + done, bytes - done, (off_t)(offset + done));
    check("read", count > 0, offset);
    done += (size_t)count;
  }
  check("read at the end", pread(fd, buffer + done, 1, (off_t)size) == 0, offset);
  compare("read", buffer, offset, there);
}

static void do_write(size_t offset, size_t bytes) {
  if (offset > size) grow(offset);
  grow(offset + bytes);
  fill(expected + offset, bytes);
  for (size_t done = 0; done < bytes;) {
    const ssize_t count = pwrite(fd, expected + offset + done, bytes - done, (off_t)(offset + done));
    check("write", count > 0, offset);
    done += (size_t)count;
  }
}

static void do_append(size_t bytes) {
  const size_t offset = size;
  const int other = open(path, O_WRONLY | O_APPEND);
  check("open for appending", other >= 0, offset);
  grow(offset + bytes);
  fill(expected + offset, bytes);
  check("append", write(other, expected + offset, bytes) == (ssize_t)bytes, offset);
  close(other);
}

static void do_truncate(size_t bytes) {
  check("ftruncate", draw(2) ? ftruncate(fd, (off_t)bytes) == 0 : truncate(path, (off_t)bytes) == 0, bytes);
  if (bytes > size)
    grow(bytes);
  else
    size = bytes;
}

// Read-only: 9P without a cache has no shared writable mappings.
static void do_map(size_t offset, size_t bytes) {
  if (offset >= size) return;
  if (bytes > size - offset) bytes = size - offset;
  if (bytes == 0) return;
  const size_t page = offset & ~(size_t)4095;
  uint8_t* const at = mmap(NULL, bytes + offset - page, PROT_READ, MAP_PRIVATE, fd, (off_t)page);
  check("mmap", at != MAP_FAILED, offset);
  compare("mapping", at + (offset - page), offset, bytes);
  munmap(at, bytes + offset - page);
}

static void reopen_file(void) {
  close(fd);
  fd = open(path, O_RDWR);
  check("open", fd >= 0, 0);
}

static void check_size(void) {
  struct stat status;
  check("fstat", fstat(fd, &status) == 0 && (size_t)status.st_size == size, (size_t)status.st_size);
  check("stat", stat(path, &status) == 0 && (size_t)status.st_size == size, (size_t)status.st_size);
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: fsx FILE SECONDS [SEED]\n");
    return 2;
  }
  path = argv[1];
  state = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
  const time_t end = time(NULL) + atoi(argv[2]);
  fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  check("create", fd >= 0, 0);
  // At least so much, however slow the machine is.
  while (operations < 500 || time(NULL) < end) {
    static const char* const names[] = {"read", "read",     "write", "write",  "write", "append",
                                        "mmap", "truncate", "fsync", "reopen", "size"};
    const unsigned what = draw(sizeof names / sizeof names[0]);
    size_t offset = draw(kMost), bytes = draw(draw(4) ? 8192 : kMostAtOnce) + 1;
    if (draw(8) == 0) offset &= ~(size_t)4095;
    if (offset + bytes > kMost) bytes = kMost - offset;
    if (what == 5 && size + bytes > kMost) continue;
    log_of[operations % kRemembered].what = names[what];
    log_of[operations % kRemembered].offset = what == 5 ? size : offset;
    log_of[operations++ % kRemembered].bytes = bytes;
    switch (what) {
      case 0:
      case 1: do_read(offset, bytes); break;
      case 2:
      case 3:
      case 4: do_write(offset, bytes); break;
      case 5: do_append(bytes); break;
      case 6: do_map(offset, bytes); break;
      case 7: do_truncate(offset); break;
      case 8: check("fsync", fsync(fd) == 0, 0); break;
      case 9: reopen_file(); break;
      case 10: check_size(); break;
    }
  }
  check_size();
  do_read(0, kMost);
  printf("fsx: %lu operations, all as expected\n", operations);
  return 0;
}
