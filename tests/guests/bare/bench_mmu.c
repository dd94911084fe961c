// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark of address translation: loads through sections and 4 KiB pages, TLB flushes, page-table
// changes, context switches.
#include "runtime.h"

enum {
  kPages = 4096,              // 16 MiB of small pages
  kSectionArea = 0x42000000,  // physical, and virtual by sections
  kPageArea = 0x80000000,     // virtual, by small pages, the same memory
  kOtherArea = 0x90000000,    // virtual, differs between the two address spaces
};
static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint32_t level1_other[4096] __attribute__((aligned(16384)));
static uint32_t level2[16][256] __attribute__((aligned(1024)));
static uint32_t level2_own[2][256] __attribute__((aligned(1024)));

static uint32_t physical_page(uint32_t page) { return kSectionArea + page * 4096; }

static void make_tables(void) {
  make_section_map(level1);
  for (uint32_t page = 0; page < kPages; ++page) level2[page >> 8][page & 255] = physical_page(page) | kSmallPageNormal;
  for (uint32_t i = 0; i < 16; ++i) level1[(kPageArea >> 20) + i] = (uint32_t)level2[i] | 1;
  for (uint32_t i = 0; i < 4096; ++i) level1_other[i] = level1[i];
  for (uint32_t space = 0; space < 2; ++space)
    for (uint32_t page = 0; page < 256; ++page)
      level2_own[space][page] = physical_page(page + space * 256) | kSmallPageNormal | 1u << 11;  // nG
  level1[kOtherArea >> 20] = (uint32_t)level2_own[0] | 1;
  level1_other[kOtherArea >> 20] = (uint32_t)level2_own[1] | 1;
}

static uint32_t random_state = 2463534242u;
static uint32_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

// A random cycle through one word of each of `pages` pages.
static void make_chase(uint32_t pages) {
  static uint16_t order[kPages];
  for (uint32_t i = 0; i < pages; ++i) order[i] = (uint16_t)i;
  for (uint32_t i = pages - 1; i > 0; --i) {
    const uint32_t j = next_random() % (i + 1);
    const uint16_t swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (uint32_t i = 0; i < pages; ++i) {
    const uint32_t from = order[i], to = order[(i + 1) % pages];
    *(volatile uint32_t*)(kSectionArea + from * 4096 + from % 64 * 64) = to * 4096 + to % 64 * 64;
  }
}

static uint32_t chase(uint32_t base, uint32_t n) {
  uint32_t offset = 0;
  for (uint32_t i = 0; i < n; ++i) offset = *(volatile uint32_t*)(base + offset);
  return offset;
}

static void fail(const char* what) {
  put_string("bench: wrong result of ");
  put_string(what);
  put_string("\n");
  semihosting_exit(1);
}

static void measure_chase(const char* name, uint32_t base, uint32_t pages) {
  make_chase(pages);
  if (chase(base, pages) != 0) fail(name);  // the cycle closes
  for (uint32_t n = pages;; n *= 2) {
    const uint64_t start = counter();
    chase(base, n);
    const uint64_t elapsed = to_nanoseconds(counter() - start);
    if (elapsed > 100000000) {
      put_row(name, elapsed, n);
      return;
    }
  }
}

static void tlbiall(void) {
  WRITE_CP15(0, c8, c7, 0, 0);
  dsb();
  isb();
}
static void tlbimva(uint32_t va) {
  WRITE_CP15(0, c8, c7, 1, va);
  dsb();
  isb();
}

typedef uint32_t (*loop)(uint32_t n);
static uint32_t flush_all_touch(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) {
    tlbiall();
    for (uint32_t page = 0; page < 16; ++page) sum += *(volatile uint32_t*)(kPageArea + page * 4096 + 32);
  }
  return sum;
}
static uint32_t flush_page_touch(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) {
    tlbimva(kPageArea + i % 64 * 4096);
    sum += *(volatile uint32_t*)(kPageArea + i % 64 * 4096 + 32);
  }
  return sum;
}
// Remaps one page and reads through it: what munmap and mmap of a page come to.
static uint32_t remap_page(uint32_t n) {
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t target = i * 7 % 64;
    level2[0][5] = physical_page(target) | kSmallPageNormal;
    dsb();
    tlbimva(kPageArea + 5 * 4096);
    wrong += *(volatile uint32_t*)(kPageArea + 5 * 4096 + 36) != target;
  }
  level2[0][5] = physical_page(5) | kSmallPageNormal;
  dsb();
  tlbimva(kPageArea + 5 * 4096);
  return wrong;
}
// A switch between two address spaces (CONTEXTIDR and TTBR0), with one access in each.
static uint32_t switch_spaces(uint32_t n) {
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t space = i & 1;
    WRITE_CP15(0, c13, c0, 1, 0);  // through the reserved ASID 0, as B3.10.4 has it
    isb();
    WRITE_CP15(0, c2, c0, 0, (uint32_t)(space ? level1_other : level1) | 0x4a);
    isb();
    WRITE_CP15(0, c13, c0, 1, space + 1);
    isb();
    wrong += *(volatile uint32_t*)(kOtherArea + 3 * 4096 + 36) != 3 + space * 256;
  }
  return wrong;
}
// DACR changes around an access, as Linux makes them on each kernel entry and user copy.
static uint32_t change_domains(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) {
    WRITE_CP15(0, c3, c0, 0, i & 1 ? 1 : 0x55555555);
    isb();
    sum += *(volatile uint32_t*)(kPageArea + 3 * 4096 + 36);
  }
  WRITE_CP15(0, c3, c0, 0, 1);
  isb();
  return sum;
}
// A data abort that the handler resumes from.
static uint32_t take_aborts(uint32_t n) {
  uint32_t taken = 0;
  for (uint32_t i = 0; i < n; ++i) taken += read_faults(0x70000000 + i % 16 * 4096, NULL);
  return taken;
}

static void measure(const char* name, loop function, uint32_t expected_1000) {
  if (function(1000) != expected_1000) fail(name);
  for (uint32_t n = 64;; n *= 2) {
    const uint64_t start = counter();
    function(n);
    const uint64_t elapsed = to_nanoseconds(counter() - start);
    if (elapsed > 100000000) {
      put_row(name, elapsed, n);
      return;
    }
  }
}

void main(void);
void main(void) {
  make_tables();
  level1[0x70000000 >> 20] = 0;
  level1_other[0x70000000 >> 20] = 0;
  mmu_on(level1);
  put_string("bench: begin\n");
  measure_chase("mmu_section_chase_256k", kSectionArea, 64);
  measure_chase("mmu_section_chase_16m", kSectionArea, kPages);
  measure_chase("mmu_page_chase_256k", kPageArea, 64);
  measure_chase("mmu_page_chase_16m", kPageArea, kPages);
  for (uint32_t page = 0; page < kPages; ++page) {
    *(volatile uint32_t*)(physical_page(page) + 32) = 1;
    *(volatile uint32_t*)(physical_page(page) + 36) = page;
  }
  measure("mmu_flush_all_touch_16", flush_all_touch, 16000);
  measure("mmu_flush_page_touch", flush_page_touch, 1000);
  measure("mmu_remap_page", remap_page, 0);
  measure("mmu_switch_space", switch_spaces, 0);
  measure("mmu_domain_change", change_domains, 3000);
  measure("mmu_data_abort", take_aborts, 1000);
  put_string("bench: end 0\n");
  mmu_off();
  power_off();
}
