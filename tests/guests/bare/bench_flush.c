// SPDX-License-Identifier: GPL-2.0-or-later
// What a TLB flush costs, by how many entries it covers and how many of them are used again. A row
// flush_N_use_K is the time of one TLBIASID over N pages that were all in use, and of one load from
// each of K of them after it.
#include "runtime.h"

enum {
  kMostPages = 1024,
  kArea = 0x80000000,      // virtual, non-global small pages
  kPhysical = 0x42000000,  // where they are, in an order that makes no two neighbours contiguous
  kAsid = 5,
};
static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint32_t level2[kMostPages / 256][256] __attribute__((aligned(1024)));

static uint32_t physical_page(uint32_t page) { return kPhysical + page * 333 % kMostPages * 4096; }

static void make_tables(void) {
  make_section_map(level1);
  for (uint32_t page = 0; page < kMostPages; ++page)
    level2[page >> 8][page & 255] = physical_page(page) | kSmallPageNormal | 1u << 11;  // nG
  for (uint32_t i = 0; i < kMostPages / 256; ++i) level1[(kArea >> 20) + i] = (uint32_t)level2[i] | 1;
}

static void flush_asid(void) {
  WRITE_CP15(0, c8, c7, 2, kAsid);
  dsb();
  isb();
}

// Pages at equal distances: the sum of the words that main() wrote there, page numbers.
static uint32_t use_pages(uint32_t pages, uint32_t used) {
  uint32_t sum = 0;
  for (uint32_t page = 0; page < pages; page += pages / used) sum += *(volatile uint32_t*)(kArea + page * 4096 + 32);
  return sum;
}

static void fail(const char* what) {
  put_string("bench: wrong result of ");
  put_string(what);
  put_string("\n");
  semihosting_exit(1);
}

static char* append(char* at, const char* text) {
  while (*text) *at++ = *text++;
  return at;
}
static char* append_number(char* at, uint32_t value) {
  if (value >= 10) at = append_number(at, value / 10);
  *at++ = (char)('0' + value % 10);
  return at;
}

static void measure(uint32_t pages, uint32_t used) {
  char name[32];
  *append_number(append(append_number(append(name, "flush_"), pages), "_use_"), used) = 0;
  uint32_t expected_all = 0, expected = 0;
  for (uint32_t page = 0; page < pages; ++page) expected_all += page;
  for (uint32_t page = 0; page < pages; page += pages / used) expected += page;
  uint64_t ticks = 0, rounds = 0;
  const uint64_t start = counter();
  while (rounds < 8 || (to_nanoseconds(ticks) < 20000000 && to_nanoseconds(counter() - start) < 100000000)) {
    if (use_pages(pages, pages) != expected_all) fail(name);
    const uint64_t before = counter();
    flush_asid();
    const uint32_t sum = use_pages(pages, used);
    ticks += counter() - before;
    if (sum != expected) fail(name);
    ++rounds;
  }
  put_row(name, to_nanoseconds(ticks), rounds);
}

void main(void);
void main(void) {
  make_tables();
  mmu_on(level1);
  WRITE_CP15(0, c13, c0, 1, kAsid);
  isb();
  for (uint32_t page = 0; page < kMostPages; ++page) *(volatile uint32_t*)(physical_page(page) + 32) = page;
  put_string("bench: begin\n");
  for (uint32_t pages = 16; pages <= kMostPages; pages *= 4) {
    measure(pages, 1);
    measure(pages, pages / 4);
    measure(pages, pages);
  }
  put_string("bench: end 0\n");
  mmu_off();
  power_off();
}
