// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime.h"

volatile struct exception_record last_exception;
volatile uint32_t resume_at;

static void put_char(char c) {
  while (*device(kUart, 0x18) & 1u << 5) {
  }  // UARTFR.TXFF
  *device(kUart, 0) = (uint8_t)c;
}

void put_string(const char* string) {
  for (; *string; ++string) put_char(*string);
}

void put_hex(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) put_char("0123456789abcdef"[value >> shift & 15]);
}

void put_decimal(uint64_t value) {
  char digits[21];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) put_char(digits[--count]);
}

void put_row(const char* name, uint64_t nanoseconds, uint64_t operations) {
  const uint64_t thousandths = nanoseconds * 1000 / operations;
  put_string(name);
  put_char('\t');
  put_decimal(thousandths / 1000);
  put_char('.');
  put_char((char)('0' + thousandths / 100 % 10));
  put_char((char)('0' + thousandths / 10 % 10));
  put_char((char)('0' + thousandths % 10));
  put_char('\n');
}

uint64_t counter(void) {
  uint32_t low, high;
  __asm__ volatile("isb\n mrrc p15, 1, %0, %1, c14" : "=r"(low), "=r"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

uint64_t to_nanoseconds(uint64_t ticks) { return ticks * 1000 / (READ_CP15(0, c14, c0, 0) / 1000000); }

void semihosting_exit(uint32_t status) {
  const uint32_t block[2] = {0x20026, status};  // ADP_Stopped_ApplicationExit
  semihost(0x20, block);
  power_off();
}

// Called by the vectors: returns where to resume.
uint32_t exception(uint32_t kind, uint32_t pc);
uint32_t exception(uint32_t kind, uint32_t pc) {
  last_exception.kind = kind;
  last_exception.pc = pc;
  last_exception.status = kind == 3 ? READ_CP15(0, c5, c0, 1) : READ_CP15(0, c5, c0, 0);
  last_exception.address = kind == 3 ? READ_CP15(0, c6, c0, 2) : READ_CP15(0, c6, c0, 0);
  last_exception.count++;
  if (resume_at) {
    const uint32_t target = resume_at;
    resume_at = 0;
    uint32_t spsr;  // the code to resume is ARM, whatever the faulting one was
    __asm__ volatile("mrs %0, spsr" : "=r"(spsr));
    __asm__ volatile("msr spsr_cxsf, %0" : : "r"(spsr & ~0x0600fc20u));
    return target;
  }
  put_string("unexpected exception: kind ");
  put_decimal(kind);
  put_string(" pc ");
  put_hex(pc);
  put_string(" status ");
  put_hex(last_exception.status);
  put_string(" address ");
  put_hex(last_exception.address);
  put_string("\n");
  semihosting_exit(100);
}

// The label after the access is where the handler resumes. A fault keeps the callee's registers:
// nothing was pushed.
bool read_faults(uint32_t address, uint32_t* value) {
  const uint32_t before = last_exception.count;
  uint32_t result = 0;
  __asm__ volatile("adr %0, 1f\n str %0, [%2]\n mov %0, #0\n ldr %0, [%1]\n 1:\n"
                   : "=&r"(result)
                   : "r"(address), "r"(&resume_at)
                   : "memory");
  resume_at = 0;
  if (value) *value = result;
  return last_exception.count != before;
}

bool write_faults(uint32_t address, uint32_t value) {
  const uint32_t before = last_exception.count;
  uint32_t scratch;
  __asm__ volatile("adr %0, 1f\n str %0, [%3]\n str %2, [%1]\n 1:\n"
                   : "=&r"(scratch)
                   : "r"(address), "r"(value), "r"(&resume_at)
                   : "memory");
  resume_at = 0;
  return last_exception.count != before;
}

bool call_faults(uint32_t address) {
  const uint32_t before = last_exception.count;
  uint32_t scratch;
  __asm__ volatile("adr %0, 1f\n str %0, [%2]\n blx %1\n 1:\n"
                   : "=&r"(scratch)
                   : "r"(address), "r"(&resume_at)
                   : "memory", "r0", "r1", "r2", "r3", "r12", "lr", "cc");
  resume_at = 0;
  return last_exception.count != before;
}

void make_section_map(uint32_t* level1) {
  for (uint32_t megabyte = 0; megabyte < 4096; ++megabyte)
    level1[megabyte] = megabyte << 20 | (megabyte >= kRam >> 20 ? kSectionNormal : kSectionDevice);
}

void mmu_on(const uint32_t* level1) {
  WRITE_CP15(0, c2, c0, 2, 0);  // TTBCR
  // TTBR0: inner and outer write-back, shareable
  WRITE_CP15(0, c2, c0, 0, (uint32_t)level1 | 0x4a);
  WRITE_CP15(0, c3, c0, 0, 1);  // DACR: domain 0 client
  WRITE_CP15(0, c8, c7, 0, 0);  // TLBIALL
  dsb();
  isb();
  WRITE_CP15(0, c1, c0, 0, READ_CP15(0, c1, c0, 0) | 1u << 12 | 1u << 2 | 1u);  // SCTLR.I, C, M
  isb();
}

void mmu_off(void) {
  dsb();
  WRITE_CP15(0, c1, c0, 0, READ_CP15(0, c1, c0, 0) & ~(1u << 12 | 1u << 2 | 1u));
  WRITE_CP15(0, c8, c7, 0, 0);
  dsb();
  isb();
}
