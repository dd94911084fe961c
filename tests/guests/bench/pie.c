// SPDX-License-Identifier: GPL-2.0-or-later
// What exec_pie_aslr executes: a position-independent program, which the kernel puts at another
// address each time. It uses as much of the C library as a small command does.
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void* a, const void* b) { return strcmp(*(const char* const*)a, *(const char* const*)b); }

int main(int argc, char** argv) {
  const char* words[] = {"ldr", "str", "add", "sub", "mov", "cmp", "bne", "beq", "and", "orr", "eor", "mul"};
  const size_t count = sizeof words / sizeof words[0];
  qsort(words, count, sizeof words[0], compare);
  char text[256] = "";
  for (size_t i = 0; i < count; ++i)
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu.%02x ", words[i], i, (unsigned)(i * 37));
  regex_t expression;
  if (regcomp(&expression, "m[a-u]l([0-9]+)\\.", REG_EXTENDED)) return 1;
  regmatch_t found[2];
  if (regexec(&expression, text, 2, found, 0)) return 2;
  const long index = strtol(text + found[1].rm_so, NULL, 10);
  regfree(&expression);
  return argc == 2 && !strcmp(argv[1], "--exit-42") && index == 8 ? 42 : (int)index;
}
