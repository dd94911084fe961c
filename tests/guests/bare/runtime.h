// SPDX-License-Identifier: GPL-2.0-or-later
// What the bare-metal guests share: console, timing, page tables, exceptions, the end of the run.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_CP15(op1, crn, crm, op2)                                                                 \
  ({                                                                                                  \
    uint32_t value_;                                                                                  \
    __asm__ volatile("mrc p15, " #op1 ", %0, " #crn ", " #crm ", " #op2 : "=r"(value_) : : "memory"); \
    value_;                                                                                           \
  })
#define WRITE_CP15(op1, crn, crm, op2, value) \
  __asm__ volatile("mcr p15, " #op1 ", %0, " #crn ", " #crm ", " #op2 : : "r"((uint32_t)(value)) : "memory")

static inline void isb(void) { __asm__ volatile("isb" : : : "memory"); }
static inline void dsb(void) { __asm__ volatile("dsb" : : : "memory"); }

enum { kUart = 0x09000000, kRtc = 0x09010000, kVirtioMmio = 0x0a000000, kRam = 0x40000000 };

static inline volatile uint32_t* device(uint32_t base, uint32_t offset) { return (volatile uint32_t*)(base + offset); }

void put_string(const char* string);
void put_hex(uint32_t value);
void put_decimal(uint64_t value);
// Prints `name<TAB>value` with three decimals.
void put_row(const char* name, uint64_t nanoseconds, uint64_t operations);

uint64_t counter(void);  // CNTVCT
uint64_t to_nanoseconds(uint64_t ticks);

// Ends the run with an exit status, by semihosting's SYS_EXIT_EXTENDED.
void semihosting_exit(uint32_t status) __attribute__((noreturn));
void power_off(void) __attribute__((noreturn));
uint32_t semihost(uint32_t operation, const void* parameter);

// The last exception that was taken: 0 none, 1 undefined, 3 prefetch abort, 4 data abort.
struct exception_record {
  uint32_t kind, pc, status, address, count;
};
extern volatile struct exception_record last_exception;
// Where to resume after the next exception; 0: print it and end with status 100.
extern volatile uint32_t resume_at;

// Calls `function` at an arbitrary address, or reads a word: returns true when that took an
// exception.
bool call_faults(uint32_t address);
bool read_faults(uint32_t address, uint32_t* value);
bool write_faults(uint32_t address, uint32_t value);

// Sections (ARMv7 short descriptors): normal write-back memory or device, read-write at PL1,
// executable.
enum { kSectionNormal = 0x00000c0e | 1u << 12, kSectionDevice = 0x00000c06, kSmallPageNormal = 0x0000003e | 1u << 6 };
// A flat map by sections: RAM as normal memory, below it devices. Leaves the MMU off.
void make_section_map(uint32_t* level1);
// Domain 0 client, TTBCR 0, caches and MMU on.
void mmu_on(const uint32_t* level1);
void mmu_off(void);
