// SPDX-License-Identifier: GPL-2.0-or-later
// Semihosting's files: "input" can be read and "output" written; "fifo" and names that lead
// elsewhere cannot be opened, and nobody waits; ":tt" for appending is standard error. Ends with
// the number of wrong results.
#include "runtime.h"

enum {
  kOpen = 1,
  kClose = 2,
  kWrite = 5,
  kRead = 6,
  kRemove = 14,
  kReadMode = 0,
  kWriteMode = 4,
  kErrorMode = 8,
  kFailed = -1
};

static uint32_t length(const char* string) {
  uint32_t count = 0;
  while (string[count]) ++count;
  return count;
}

static uint32_t open_file(const char* name, uint32_t mode) {
  const uint32_t block[3] = {(uint32_t)name, mode, length(name)};
  return semihost(kOpen, block);
}

static uint32_t transfer(uint32_t operation, uint32_t handle, const void* data, uint32_t bytes) {
  const uint32_t block[3] = {handle, (uint32_t)data, bytes};
  return semihost(operation, block);
}

static uint32_t wrong;
static void check(const char* what, bool right) {
  if (right) return;
  put_string("wrong: ");
  put_string(what);
  put_string("\n");
  ++wrong;
}

void main(void);
void main(void) {
  static const char* const refused[] = {"fifo", "../secret", "/etc/passwd", "link/secret", "folder", "missing"};
  for (uint32_t i = 0; i < sizeof refused / sizeof *refused; ++i)
    check(refused[i], open_file(refused[i], kReadMode) == (uint32_t)kFailed);
  check("write fifo", open_file("fifo", kWriteMode) == (uint32_t)kFailed);
  check("write outside", open_file("../made", kWriteMode) == (uint32_t)kFailed);
  const uint32_t outside[2] = {(uint32_t) "../secret", 9};
  check("remove outside", semihost(kRemove, outside) != 0);
  static char text[16];
  const uint32_t input = open_file("input", kReadMode), output = open_file("folder/output", kWriteMode);
  check("read", transfer(kRead, input, text, sizeof text) == sizeof text - 6);
  check("write", transfer(kWrite, output, text, 6) == 0);
  check("close", semihost(kClose, &input) == 0 && semihost(kClose, &output) == 0);
  const uint32_t error = open_file(":tt", kErrorMode);
  check("write error", transfer(kWrite, error, "to standard error\n", 18) == 0);
  semihosting_exit(wrong);
}
