// SPDX-License-Identifier: GPL-2.0-or-later
// What the guests with several CPUs share: power, a job for each CPU, barriers, faults, interrupts,
// TLB maintenance. The MMU is on, RAM is flat, shareable write-back memory that User mode may use.
//
// A program is `int test(void)`: 0 is success. It runs on CPU 0, the others wait for run_on().
// Words of the command line: cpus=N limits the CPUs, scale=N multiplies the work, seed=N; a program
// has more. The last line is `smp: pass` or `smp: FAIL: why`; then PSCI SYSTEM_OFF.
#pragma once

#include "tests/guests/bare/runtime.h"

enum { kMaxCpus = 8 };

// What a CPU knows of itself; 128 bytes, as start.S has it.
struct cpu {
  uint32_t index;
  volatile uint32_t resume_at;  // where to resume after the next abort; 0: it is a failure
  volatile uint32_t fault_kind, fault_status, fault_address, faults;
  uint32_t random;
  volatile uint32_t interrupts[16];  // of each SGI
  volatile uint32_t sources[8];      // of SGIs, from each CPU
} __attribute__((aligned(128)));
_Static_assert(sizeof(struct cpu) == 128, "start.S");
extern struct cpu cpus[kMaxCpus];
extern uint32_t cpu_count;
extern uint32_t scale;
extern uint32_t level1[4096];

int test(void);

static inline struct cpu* this_cpu(void) { return (struct cpu*)READ_CP15(0, c13, c0, 4); }
static inline uint32_t random_number(void) {
  uint32_t* state = &this_cpu()->random;
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static inline void dmb(void) { __asm__ volatile("dmb ish" : : : "memory"); }
static inline void wfe(void) { __asm__ volatile("wfe" : : : "memory"); }
static inline void wfi(void) { __asm__ volatile("wfi" : : : "memory"); }
static inline void sev(void) { __asm__ volatile("dsb ishst\n sev" : : : "memory"); }

// A number of the command line, NAME=number.
uint32_t parameter(const char* name, uint32_t otherwise);
// A word of the command line, NAME=word, up to a blank; or nothing.
const char* word_parameter(const char* name);
bool same_word(const char* word, const char* name);

uint64_t nanoseconds(uint64_t ticks);
// Takes the console and prints "smp: FAIL: " and words; then numbers may follow, and fail_end().
void fail_begin(const char* what);
void fail_number(const char* name, uint32_t value);  // hexadecimal
void fail_end(void) __attribute__((noreturn));
void fail(const char* what) __attribute__((noreturn));
void put_signed(int32_t value);

// PSCI functions and what they return.
enum {
  kPsciVersion = 0x84000000,
  kCpuSuspend = 0x84000001,
  kCpuOff = 0x84000002,
  kCpuOn = 0x84000003,
  kAffinityInfo = 0x84000004,
  kSystemOff = 0x84000008,
};
enum { kSuccess = 0, kInvalidParameters = -2, kDenied = -3, kAlreadyOn = -4, kOnPending = -5 };
enum { kOn = 0, kOff = 1, kTurningOn = 2 };
int32_t psci(uint32_t function, uint32_t a, uint32_t b, uint32_t c);
void secondary_start(void);
// Called on a secondary CPU with the context id, with the MMU on. The usual one waits for jobs.
extern void (*volatile secondary_entry)(uint32_t context);
void wait_for_jobs(void);
// Turns all of them on and waits until they wait for jobs.
void start_secondary_cpus(void);

// Runs the function on CPUs 0 to count-1 and returns when all have returned.
void run_on(uint32_t count, void (*function)(uint32_t cpu));
// Starts it on CPUs 1 to count-1; they need not return.
void start_on(uint32_t count, void (*function)(uint32_t cpu));

struct barrier {
  volatile uint32_t arrived;
  volatile uint32_t generation;
} __attribute__((aligned(64)));
void wait_at(struct barrier* barrier, uint32_t count);

void run_in_user_mode(void (*function)(uint32_t), uint32_t argument, void* stack_top);

// GICv2.
void interrupts_on(void);  // this CPU's interface, and the distributor; the CPU's mask stays
static inline void send_sgi(uint32_t id, uint32_t targets) {
  __asm__ volatile("dsb ish" : : : "memory");
  *device(0x08000000, 0xf00) = targets << 16 | id;
}
static inline void send_sgi_to_others(uint32_t id) {
  __asm__ volatile("dsb ish" : : : "memory");
  *device(0x08000000, 0xf00) = 1u << 24 | id;
}
static inline void unmask_interrupts(void) { __asm__ volatile("cpsie i" : : : "memory"); }
static inline void mask_interrupts(void) { __asm__ volatile("cpsid i" : : : "memory"); }

// TLB maintenance of all CPUs; the DSB is the caller's.
static inline void tlbi_all_is(void) { WRITE_CP15(0, c8, c3, 0, 0); }
static inline void tlbi_mva_is(uint32_t va, uint32_t asid) { WRITE_CP15(0, c8, c3, 1, (va & ~0xfffu) | asid); }
static inline void tlbi_asid_is(uint32_t asid) { WRITE_CP15(0, c8, c3, 2, asid); }
static inline void tlbi_mvaa_is(uint32_t va) { WRITE_CP15(0, c8, c3, 3, va & ~0xfffu); }
static inline void set_asid(uint32_t asid) {
  WRITE_CP15(0, c13, c0, 1, asid);
  isb();
}

// Descriptors: TEX 001, C, B (write-back, write-allocate), S; full access.
enum {
  kSharedSection = 0x00000c0e | 1u << 12 | 1u << 16,
  kSharedPage = 0x00000032 | 1u << 6 | 0xc | 1u << 10,
  kPageReadOnly = 1u << 9,
  kPageNotGlobal = 1u << 11,
  kSectionReadOnly = 1u << 15,
  kSectionNotGlobal = 1u << 17,
};

// One access, whose abort is caught: 0, or the status in DFSR's FS field.
static inline uint32_t try_load(uint32_t va, uint32_t* value) {
  struct cpu* cpu = this_cpu();
  const uint32_t before = cpu->faults;
  uint32_t result = 0, scratch;
  __asm__ volatile("adr %1, 1f\n str %1, [%3]\n ldr %0, [%2]\n 1:\n"
                   : "+&r"(result), "=&r"(scratch)
                   : "r"(va), "r"(&cpu->resume_at)
                   : "memory");
  cpu->resume_at = 0;
  *value = result;
  return cpu->faults == before ? 0 : cpu->fault_status & 0x40f;
}
static inline uint32_t try_store(uint32_t va, uint32_t value) {
  struct cpu* cpu = this_cpu();
  const uint32_t before = cpu->faults;
  uint32_t scratch;
  __asm__ volatile("adr %0, 1f\n str %0, [%3]\n str %2, [%1]\n 1:\n"
                   : "=&r"(scratch)
                   : "r"(va), "r"(value), "r"(&cpu->resume_at)
                   : "memory");
  cpu->resume_at = 0;
  return cpu->faults == before ? 0 : cpu->fault_status & 0x40f;
}

static inline void lock_spin(volatile uint32_t* lock) {
  uint32_t old, failed;
  do {
    __asm__ volatile("ldrex %0, [%1]" : "=r"(old) : "r"(lock) : "memory");
    if (old) continue;
    __asm__ volatile("strex %0, %2, [%1]" : "=&r"(failed) : "r"(lock), "r"(1) : "memory");
    if (!failed) break;
  } while (true);
  dmb();
}
static inline void unlock_spin(volatile uint32_t* lock) {
  dmb();
  *lock = 0;
}

// Linux's ticket lock: `next` in the upper half, `owner` in the lower one; waits with WFE.
struct ticket_lock {
  union {
    volatile uint32_t word;
    struct {
      volatile uint16_t owner, next;
    };
  };
} __attribute__((aligned(64)));
static inline void lock_ticket(struct ticket_lock* lock) {
  uint32_t old, updated, failed;
  do
    __asm__ volatile("ldrex %0, [%3]\n add %1, %0, #0x10000\n strex %2, %1, [%3]"
                     : "=&r"(old), "=&r"(updated), "=&r"(failed)
                     : "r"(&lock->word)
                     : "memory");
  while (failed);
  while (lock->owner != (uint16_t)(old >> 16)) wfe();
  dmb();
}
static inline void unlock_ticket(struct ticket_lock* lock) {
  dmb();
  lock->owner = (uint16_t)(lock->owner + 1);
  sev();
}
