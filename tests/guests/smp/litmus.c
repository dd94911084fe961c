// SPDX-License-Identifier: GPL-2.0-or-later
// Litmus tests of ARMv7's memory order: each shape with no barrier, with DMB and with dependencies.
// What the architecture forbids must never be seen. Words: only=NAME of one shape, batches=N,
// patience=MS, how long a thread may wait for another one in a batch.
//
// A batch is kInstances instances of x and y, each on lines of their own. The threads of the shape
// go through them side by side, with random pauses: one that is ahead waits, but not for ever, as
// the host may have fewer CPUs.
#include "smp.h"

enum { kInstances = 4096, kMostThreads = 4, kMostRegisters = 4 };

struct instance {
  uint32_t x[16], y[16];
};
static volatile struct instance instances[kInstances] __attribute__((aligned(64)));
static uint32_t registers[kInstances][kMostRegisters];
static uint32_t histogram[1 << (2 * (kMostRegisters + 2))];

// Two accesses with something between them. r3 is an offset that is 0, r12 what is stored second.
#define PLAIN ""
#define DMB "dmb\n"
#define DMB_ST "dmb ishst\n"
#define DSB "dsb\n"
#define ADDRESS "eor r3, %[first], %[first]\n"
#define DATA "eor r3, %[first], %[first]\n add r12, r12, r3\n mov r3, #0\n"
#define CONTROL "cmp %[first], #7\n beq 1f\n 1:\n"
#define CONTROL_ISB CONTROL "isb\n"

typedef void thread(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out);

// *a = v; *b = w
#define WW(name, between, value, then)                                                             \
  static void name(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out) {                    \
    (void)out;                                                                                     \
    __asm__ volatile("mov r3, %[v]\n mov r12, %[w]\n str r3, [%[a]]\n" between "str r12, [%[b]]\n" \
                     :                                                                             \
                     : [a] "r"(a), [b] "r"(b), [v] "i"(value), [w] "i"(then)                       \
                     : "r3", "r12", "memory");                                                     \
  }
// *a = v; out[0] = *b
#define WR(name, between, value)                                                        \
  static void name(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out) {         \
    uint32_t first;                                                                     \
    __asm__ volatile("mov r3, %[v]\n str r3, [%[a]]\n" between "ldr %[first], [%[b]]\n" \
                     : [first] "=&r"(first)                                             \
                     : [a] "r"(a), [b] "r"(b), [v] "i"(value)                           \
                     : "r3", "memory");                                                 \
    out[0] = first;                                                                     \
  }
// out[0] = *a; out[1] = *b
#define RR(name, between)                                                                        \
  static void name(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out) {                  \
    uint32_t first, second;                                                                      \
    __asm__ volatile("mov r3, #0\n ldr %[first], [%[a]]\n" between "ldr %[second], [%[b], r3]\n" \
                     : [first] "=&r"(first), [second] "=&r"(second)                              \
                     : [a] "r"(a), [b] "r"(b)                                                    \
                     : "r3", "cc", "memory");                                                    \
    out[0] = first;                                                                              \
    out[1] = second;                                                                             \
  }
// out[0] = *a; *b = v
#define RW(name, between, value)                                                                           \
  static void name(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out) {                            \
    uint32_t first;                                                                                        \
    __asm__ volatile("mov r3, #0\n mov r12, %[v]\n ldr %[first], [%[a]]\n" between "str r12, [%[b], r3]\n" \
                     : [first] "=&r"(first)                                                                \
                     : [a] "r"(a), [b] "r"(b), [v] "i"(value)                                              \
                     : "r3", "r12", "cc", "memory");                                                       \
    out[0] = first;                                                                                        \
  }
static void write_one(volatile uint32_t* a, volatile uint32_t* b, uint32_t* out) {
  (void)b, (void)out;
  *a = 1;
}
WW(ww_plain, PLAIN, 1, 1)
WW(ww_dmb, DMB, 1, 1)
WW(ww_dmb_st, DMB_ST, 1, 1)
WW(ww_dsb, DSB, 1, 1)
WW(ww21_plain, PLAIN, 2, 1)
WW(ww21_dmb, DMB, 2, 1)
WW(ww21_dmb_st, DMB_ST, 2, 1)
WR(wr_plain, PLAIN, 1)
WR(wr_dmb, DMB, 1)
WR(wr_dmb_st, DMB_ST, 1)
WR(wr_dsb, DSB, 1)
WR(w2r_plain, PLAIN, 2)
WR(w2r_dmb, DMB, 2)
RR(rr_plain, PLAIN)
RR(rr_dmb, DMB)
RR(rr_address, ADDRESS)
RR(rr_control, CONTROL)
RR(rr_control_isb, CONTROL_ISB)
RW(rw_plain, PLAIN, 1)
RW(rw_dmb, DMB, 1)
RW(rw_address, ADDRESS, 1)
RW(rw_data, DATA, 1)
RW(rw_control, CONTROL, 1)

// The weak outcome of each shape, of registers r0 to r3 in the order of the threads and the final x
// and y.
enum shape { kMp, kSb, kLb, kS, kR, kTwoPlusTwoW, kIriw, kWrc, kCorr };
struct outcome {
  uint32_t r[kMostRegisters], x, y;
};
static bool is_weak(enum shape shape, const struct outcome* o) {
  switch (shape) {
    case kMp: return o->r[0] == 1 && o->r[1] == 0;
    case kSb: return o->r[0] == 0 && o->r[1] == 0;
    case kLb: return o->r[0] == 1 && o->r[1] == 1;
    case kS: return o->r[0] == 1 && o->x == 2;
    case kR: return o->r[0] == 0 && o->y == 2;
    case kTwoPlusTwoW: return o->x == 2 && o->y == 2;
    case kIriw: return o->r[0] == 1 && o->r[1] == 0 && o->r[2] == 1 && o->r[3] == 0;
    case kWrc: return o->r[0] == 1 && o->r[1] == 1 && o->r[2] == 0;
    case kCorr: return o->r[0] == 1 && o->r[1] == 0;
  }
  return false;
}

// A thread has a = x and b = y, or the other way round, and stores to registers[from …].
struct role {
  thread* run;
  bool from_y;
  uint8_t from;
};
struct litmus {
  const char* name;
  enum shape shape;
  bool forbidden;
  uint8_t threads;
  struct role roles[kMostThreads];
};
static const struct litmus tests[] = {
    {"MP", kMp, false, 2, {{ww_plain, false, 0}, {rr_plain, true, 0}}},
    {"MP+dmbs", kMp, true, 2, {{ww_dmb, false, 0}, {rr_dmb, true, 0}}},
    {"MP+dmb.st+addr", kMp, true, 2, {{ww_dmb_st, false, 0}, {rr_address, true, 0}}},
    {"MP+dsb+addr", kMp, true, 2, {{ww_dsb, false, 0}, {rr_address, true, 0}}},
    {"MP+dmb+ctrl", kMp, false, 2, {{ww_dmb, false, 0}, {rr_control, true, 0}}},
    {"MP+dmb+ctrlisb", kMp, true, 2, {{ww_dmb, false, 0}, {rr_control_isb, true, 0}}},
    {"SB", kSb, false, 2, {{wr_plain, false, 0}, {wr_plain, true, 1}}},
    {"SB+dmb+po", kSb, false, 2, {{wr_dmb, false, 0}, {wr_plain, true, 1}}},
    {"SB+dmb.sts", kSb, false, 2, {{wr_dmb_st, false, 0}, {wr_dmb_st, true, 1}}},
    {"SB+dmbs", kSb, true, 2, {{wr_dmb, false, 0}, {wr_dmb, true, 1}}},
    {"SB+dsbs", kSb, true, 2, {{wr_dsb, false, 0}, {wr_dsb, true, 1}}},
    {"LB", kLb, false, 2, {{rw_plain, false, 0}, {rw_plain, true, 1}}},
    {"LB+dmbs", kLb, true, 2, {{rw_dmb, false, 0}, {rw_dmb, true, 1}}},
    {"LB+addrs", kLb, true, 2, {{rw_address, false, 0}, {rw_address, true, 1}}},
    {"LB+datas", kLb, true, 2, {{rw_data, false, 0}, {rw_data, true, 1}}},
    {"LB+ctrls", kLb, true, 2, {{rw_control, false, 0}, {rw_control, true, 1}}},
    {"S", kS, false, 2, {{ww21_plain, false, 0}, {rw_plain, true, 0}}},
    {"S+dmbs", kS, true, 2, {{ww21_dmb, false, 0}, {rw_dmb, true, 0}}},
    {"S+dmb.st+data", kS, true, 2, {{ww21_dmb_st, false, 0}, {rw_data, true, 0}}},
    {"S+dmb+addr", kS, true, 2, {{ww21_dmb, false, 0}, {rw_address, true, 0}}},
    {"S+dmb+ctrl", kS, true, 2, {{ww21_dmb, false, 0}, {rw_control, true, 0}}},
    {"R", kR, false, 2, {{ww_plain, false, 0}, {w2r_plain, true, 0}}},
    {"R+dmbs", kR, true, 2, {{ww_dmb, false, 0}, {w2r_dmb, true, 0}}},
    {"2+2W", kTwoPlusTwoW, false, 2, {{ww21_plain, false, 0}, {ww21_plain, true, 0}}},
    {"2+2W+dmbs", kTwoPlusTwoW, true, 2, {{ww21_dmb, false, 0}, {ww21_dmb, true, 0}}},
    {"2+2W+dmb.sts", kTwoPlusTwoW, true, 2, {{ww21_dmb_st, false, 0}, {ww21_dmb_st, true, 0}}},
    {"IRIW", kIriw, false, 4, {{write_one, false, 0}, {write_one, true, 0}, {rr_plain, false, 0}, {rr_plain, true, 2}}},
    {"IRIW+addrs",
     kIriw,
     false,
     4,
     {{write_one, false, 0}, {write_one, true, 0}, {rr_address, false, 0}, {rr_address, true, 2}}},
    {"IRIW+dmbs", kIriw, true, 4, {{write_one, false, 0}, {write_one, true, 0}, {rr_dmb, false, 0}, {rr_dmb, true, 2}}},
    {"WRC", kWrc, false, 3, {{write_one, false, 0}, {rw_plain, false, 0}, {rr_plain, true, 1}}},
    {"WRC+dmb+addr", kWrc, true, 3, {{write_one, false, 0}, {rw_dmb, false, 0}, {rr_address, true, 1}}},
    {"WRC+dmbs", kWrc, true, 3, {{write_one, false, 0}, {rw_dmb, false, 0}, {rr_dmb, true, 1}}},
    // Both accesses are to x: even plain loads of one word stay in order.
    {"CoRR", kCorr, true, 2, {{write_one, false, 0}, {NULL, false, 0}}},
};

static const struct litmus* current;
static uint32_t batch;

static void pause(uint32_t steps) {
  for (; steps; --steps) __asm__ volatile("");
}

// How far each thread is, on lines of their own.
static volatile struct { uint32_t value, padding[15]; } progress[kMostThreads] __attribute__((aligned(64)));

// Whether another thread is not yet at `instance`.
static bool is_ahead(uint32_t self, uint32_t instance) {
  for (uint32_t other = 0; other < current->threads; ++other)
    if (other != self && progress[other].value < instance) return true;
  return false;
}

static void run_role(uint32_t self) {
  const struct role* role = &current->roles[self];
  const uint32_t mask = (1u << (random_number() & 7)) - 1;
  uint32_t spins = 0;
  const uint64_t end = counter() + READ_CP15(0, c14, c0, 0) / 1000 * parameter("patience", 20);
  bool patient = true;
  for (uint32_t i = 0; i < kInstances; ++i) {
    volatile struct instance* in = &instances[i];
    volatile uint32_t *x = in->x, *y = in->y;
    progress[self].value = i;
    while (patient && is_ahead(self, i))
      if ((++spins & 1023) == 0) patient = counter() < end;
    pause(random_number() & mask);
    if (!role->run)
      rr_plain(x, x, registers[i]);
    else if (role->from_y)
      role->run(y, x, registers[i] + role->from);
    else
      role->run(x, y, registers[i] + role->from);
  }
  progress[self].value = kInstances;
}

static void collect(void) {
  for (uint32_t i = 0; i < kInstances; ++i) {
    uint32_t key = 0;
    for (uint32_t k = 0; k < kMostRegisters; ++k) key = key << 2 | (registers[i][k] & 3), registers[i][k] = 0;
    key = key << 2 | (instances[i].x[0] & 3);
    key = key << 2 | (instances[i].y[0] & 3);
    instances[i].x[0] = instances[i].y[0] = 0;
    histogram[key]++;
  }
}

static void run_batch(uint32_t cpu) {
  const uint32_t role = (cpu + batch) % cpu_count;
  if (role < current->threads) run_role(role);
}

// The number of weak outcomes.
static uint32_t report(void) {
  uint32_t weak = 0;
  put_string(current->name);
  put_string(current->forbidden ? " (forbidden):" : " (allowed):");
  for (uint32_t key = 0; key < sizeof histogram / sizeof *histogram; ++key) {
    const uint32_t count = histogram[key];
    if (!count) continue;
    histogram[key] = 0;
    const struct outcome o = {{key >> 10 & 3, key >> 8 & 3, key >> 6 & 3, key >> 4 & 3}, key >> 2 & 3, key & 3};
    put_string(" ");
    const uint32_t shown = current->shape == kTwoPlusTwoW                     ? 0
                           : current->shape == kIriw                          ? 4
                           : current->shape == kWrc                           ? 3
                           : current->shape <= kLb || current->shape == kCorr ? 2
                                                                              : 1;
    for (uint32_t k = 0; k < shown; ++k) put_decimal(o.r[k]);
    put_string("/");
    put_decimal(o.x);
    put_decimal(o.y);
    put_string("=");
    put_decimal(count);
    if (is_weak(current->shape, &o)) {
      put_string("!");
      weak += count;
    }
  }
  put_string("\n");
  return weak;
}

int test(void) {
  const char* only = word_parameter("only");
  const uint32_t batches = parameter("batches", 1) * scale;
  const char* seen = NULL;
  for (uint32_t i = 0; i < sizeof tests / sizeof *tests; ++i) {
    current = &tests[i];
    if (only && !same_word(only, current->name)) continue;
    if (current->threads > cpu_count) continue;
    for (batch = 0; batch < batches; ++batch) {
      for (uint32_t k = 0; k < kMostThreads; ++k) progress[k].value = 0;
      run_on(cpu_count, run_batch);
      collect();
    }
    if (report() != 0 && current->forbidden) seen = current->name;
  }
  if (seen) {
    put_string(seen);
    put_string(": the forbidden outcome was seen\n");
  }
  return seen ? 1 : 0;
}
