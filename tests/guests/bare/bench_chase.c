// SPDX-License-Identifier: GPL-2.0-or-later
// The pointer chases of tests/guests/bench/experiment.c with the MMU off: what they cost without
// any translation. Runs those that the command line names, or all. With the word slices=N it
// measures each N times, and before each prints `bench: ready NAME` and waits for a line of input,
// as bench-linux does.
#include "tests/guests/chase.h"

#include "runtime.h"

enum { kArea = 0x42000000, kOrder = 0x48000000 };

static char command_line[256];

// The first word of the command line is the image.
static const char* next_word(const char* at) {
  while (*at && *at != ' ') ++at;
  return *at ? at + 1 : NULL;
}

// What follows `prefix` at the start of `word`, or nothing.
static const char* after(const char* word, const char* prefix) {
  while (*prefix && *word == *prefix) ++word, ++prefix;
  return *prefix ? NULL : word;
}

static uint32_t slices(void) {
  for (const char* word = command_line; (word = next_word(word));) {
    const char* digits = after(word, "slices=");
    uint32_t value = 0;
    for (; digits && *digits >= '0' && *digits <= '9'; ++digits) value = value * 10 + (uint32_t)(*digits - '0');
    if (value) return value;
  }
  return 0;
}

static bool named(const char* name) {
  bool any = false;
  for (const char* word = command_line; (word = next_word(word));) {
    if (after(word, "slices=")) continue;
    any = true;
    const char* end = after(word, name);
    if (end && (*end == ' ' || !*end)) return true;
  }
  return !any;
}

static void wait_for_turn(const char* name) {
  enum { kSysReadC = 0x07 };
  put_string("bench: ready ");
  put_string(name);
  put_string("\n");
  for (uint32_t byte = 0; byte != '\n' && byte != (uint32_t)-1;) byte = semihost(kSysReadC, NULL);
}

static uint64_t time_chase(const uint32_t* memory, uint32_t n) {
  const uint64_t start = counter();
  const uint32_t end = follow_chase(memory, n);
  __asm__ volatile("" : : "r"(end));
  return to_nanoseconds(counter() - start);
}

static void measure(const char* name, uint32_t bytes, uint32_t expected_100000) {
  if (!named(name)) return;
  uint32_t* const memory = (uint32_t*)kArea;
  make_chase(memory, (uint32_t*)kOrder, bytes / kChaseLine);
  if (follow_chase(memory, 100000) != expected_100000) {
    put_string("bench: wrong result of ");
    put_string(name);
    put_string("\n");
    semihosting_exit(1);
  }
  uint32_t n = 1 << 15;
  uint64_t elapsed;
  do elapsed = time_chase(memory, n *= 2);
  while (elapsed < 100000000);
  const uint32_t count = slices();
  if (!count) put_row(name, elapsed, n);
  for (uint32_t i = 0; i < count; ++i) {
    wait_for_turn(name);
    put_row(name, time_chase(memory, n), n);
  }
}

void main(void);
void main(void) {
  enum { kSysGetCmdline = 0x15 };
  const struct {
    char* text;
    uint32_t bytes;
  } block = {command_line, sizeof command_line - 1};
  if (semihost(kSysGetCmdline, &block) != 0) command_line[0] = 0;
  put_string("bench: begin\n");
  measure("chase_64k", 64 << 10, 0x3d10);
  measure("chase_256k", 256 << 10, 0x9d60);
  measure("chase_1m", 1 << 20, 0x16e50);
  measure("chase_4m", 4 << 20, 0xd6c80);
  measure("chase_16m", 16 << 20, 0x12e550);
  measure("chase_64m", 64 << 20, 0x1832d0);
  put_string("bench: end 0\n");
  power_off();
}
