// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp.h"

struct cpu cpus[kMaxCpus];
uint32_t cpu_count = 1;
uint32_t scale = 1;
uint32_t level1[4096] __attribute__((aligned(16384)));
static char command_line[512];

// The value of /chosen's bootargs in a device tree, or nothing.
static uint32_t big_endian(const uint32_t* word) { return __builtin_bswap32(*word); }
static bool same_text(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}
static const char* boot_arguments(const uint32_t* tree) {
  enum { kMagic = 0xd00dfeed, kBeginNode = 1, kEndNode = 2, kProperty = 3, kNop = 4 };
  if (!tree || (uint32_t)tree & 3 || big_endian(tree) != kMagic) return NULL;
  const uint32_t* at = (const uint32_t*)((const char*)tree + big_endian(tree + 2));
  const char* const names = (const char*)tree + big_endian(tree + 3);
  for (;;) {
    switch (big_endian(at++)) {
      case kBeginNode: {
        const char* name = (const char*)at;
        while (*name) ++name;
        at = (const uint32_t*)(((uint32_t)name + 4) & ~3u);
        break;
      }
      case kProperty: {
        const uint32_t length = big_endian(at), name = big_endian(at + 1);
        at += 2;
        if (same_text(names + name, "bootargs")) return (const char*)at;
        at += (length + 3) / 4;
        break;
      }
      case kEndNode:
      case kNop: break;
      default: return NULL;
    }
  }
}

static const char* after(const char* word, const char* prefix) {
  while (*prefix && *word == *prefix) ++word, ++prefix;
  return *prefix ? NULL : word;
}
const char* word_parameter(const char* name) {
  for (const char* word = command_line; *word;) {
    const char* value = after(word, name);
    if (value && *value == '=') return value + 1;
    while (*word && *word != ' ') ++word;
    while (*word == ' ') ++word;
  }
  return NULL;
}
uint32_t parameter(const char* name, uint32_t otherwise) {
  const char* digits = word_parameter(name);
  if (!digits || *digits < '0' || *digits > '9') return otherwise;
  uint32_t value = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) value = value * 10 + (uint32_t)(*digits - '0');
  return value;
}
bool same_word(const char* word, const char* name) {
  const char* end = after(word, name);
  return end && (!*end || *end == ' ');
}

uint64_t nanoseconds(uint64_t ticks) {
  const uint32_t khz = READ_CP15(0, c14, c0, 0) / 1000;
  return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

void put_signed(int32_t value) {
  if (value < 0) put_string("-");
  put_decimal((uint64_t)(value < 0 ? -(int64_t)value : value));
}

static volatile uint32_t failing;
void fail_begin(const char* what) {
  lock_spin(&failing);  // for good: the first failure is the one that is printed
  put_string("smp: FAIL: ");
  put_string(what);
  put_string("; cpu=");
  put_decimal(this_cpu()->index);
}
void fail_number(const char* name, uint32_t value) {
  put_string(" ");
  put_string(name);
  put_string("=");
  put_hex(value);
}
void fail_end(void) {
  put_string("\n");
  psci(kSystemOff, 0, 0, 0);
  for (;;) {
  }
}
void fail(const char* what) {
  fail_begin(what);
  fail_end();
}

// Called by the vectors: returns where to resume.
uint32_t smp_exception(uint32_t kind, uint32_t pc);
uint32_t smp_exception(uint32_t kind, uint32_t pc) {
  struct cpu* cpu = this_cpu();
  cpu->fault_kind = kind;
  cpu->fault_status = kind == 3 ? READ_CP15(0, c5, c0, 1) : READ_CP15(0, c5, c0, 0);
  cpu->fault_address = kind == 3 ? READ_CP15(0, c6, c0, 2) : READ_CP15(0, c6, c0, 0);
  cpu->faults++;
  if (cpu->resume_at) {
    const uint32_t target = cpu->resume_at;
    cpu->resume_at = 0;
    return target;
  }
  fail_begin("unexpected exception");
  fail_number("kind", kind);
  fail_number("pc", pc);
  fail_number("status", cpu->fault_status);
  fail_number("address", cpu->fault_address);
  fail_end();
}

enum { kGicd = 0x08000000, kGicc = 0x08010000 };
void interrupts_on(void) {
  *device(kGicd, 0) = 1;
  *device(kGicc, 4) = 0xff;  // PMR
  *device(kGicc, 0) = 1;
}

void smp_interrupt(void);
void smp_interrupt(void) {
  struct cpu* cpu = this_cpu();
  const uint32_t acknowledged = *device(kGicc, 0xc), id = acknowledged & 0x3ff;
  if (id == 1023) return;
  if (id >= 16) {
    fail_begin("unexpected interrupt");
    fail_number("id", id);
    fail_end();
  }
  const uint32_t source = acknowledged >> 10 & 7;
  *device(kGicc, 0x10) = acknowledged;
  cpu->sources[source]++;
  cpu->interrupts[id]++;
}

void wait_at(struct barrier* barrier, uint32_t count) {
  const uint32_t generation = barrier->generation;
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_SEQ_CST) == count) {
    barrier->arrived = 0;
    dmb();
    barrier->generation = generation + 1;
    sev();
  } else {
    while (barrier->generation == generation) wfe();
  }
  dmb();
}

static struct {
  void (*volatile function)(uint32_t);
  volatile uint32_t count;       // CPUs that run it
  volatile uint32_t generation;  // of the job
  volatile uint32_t done;        // CPUs that have seen it and, if they take part, returned
  volatile uint32_t ready;       // secondary CPUs that wait for jobs
} job;
void (*volatile secondary_entry)(uint32_t context);

void wait_for_jobs(void) {
  const uint32_t index = this_cpu()->index;
  uint32_t seen = job.generation;
  __atomic_add_fetch(&job.ready, 1, __ATOMIC_SEQ_CST);
  sev();
  for (;;) {
    while (job.generation == seen) wfe();
    dmb();
    seen = job.generation;
    if (index < job.count) job.function(index);
    __atomic_add_fetch(&job.done, 1, __ATOMIC_SEQ_CST);
    sev();
  }
}

void start_on(uint32_t count, void (*function)(uint32_t cpu)) {
  job.done = 0;
  job.function = function;
  job.count = count;
  dmb();
  job.generation++;
  sev();
}

void run_on(uint32_t count, void (*function)(uint32_t cpu)) {
  start_on(count, function);
  function(0);
  while (job.done != cpu_count - 1) wfe();
  dmb();
}

static void default_entry(uint32_t context) {
  (void)context;
  wait_for_jobs();
}

void secondary_main(uint32_t context);
void secondary_main(uint32_t context) {
  mmu_on(level1);
  struct cpu* cpu = this_cpu();
  cpu->index = context & 0xff;
  if (!cpu->random) cpu->random = 0x9e3779b9u * (cpu->index + 1) ^ parameter("seed", 1);
  if ((READ_CP15(0, c0, c0, 5) & 0xff) != cpu->index) fail("a CPU that was turned on has another MPIDR");
  secondary_entry(context);
}

void start_secondary_cpus(void) {
  secondary_entry = default_entry;
  job.ready = 0;
  dmb();
  const uint32_t most = parameter("cpus", kMaxCpus);
  for (cpu_count = 1; cpu_count < most && cpu_count < kMaxCpus; ++cpu_count) {
    const int32_t result = psci(kCpuOn, cpu_count, (uint32_t)secondary_start, cpu_count);
    if (result == kInvalidParameters) break;
    if (result != kSuccess) {
      fail_begin("CPU_ON");
      fail_number("result", (uint32_t)result);
      fail_end();
    }
  }
  while (job.ready != cpu_count - 1) wfe();
  dmb();
}

void primary_main(const uint32_t* device_tree);
void primary_main(const uint32_t* device_tree) {
  const char* text = boot_arguments(device_tree);
  for (uint32_t i = 0; text && text[i] && i < sizeof command_line - 1; ++i) command_line[i] = text[i];
  make_section_map(level1);
  for (uint32_t megabyte = kRam >> 20; megabyte < 4096; ++megabyte) level1[megabyte] = megabyte << 20 | kSharedSection;
  mmu_on(level1);
  cpus[0].random = 0x9e3779b9u ^ parameter("seed", 1);
  scale = parameter("scale", 1);
  start_secondary_cpus();
  put_string("smp: cpus ");
  put_decimal(cpu_count);
  put_string(", scale ");
  put_decimal(scale);
  put_string("\n");
  const uint64_t start = counter();
  if (test() != 0) fail("the test");
  put_string("smp: ms ");
  put_decimal(nanoseconds(counter() - start) / 1000000);
  put_string("\nsmp: pass\n");
  psci(kSystemOff, 0, 0, 0);
}
