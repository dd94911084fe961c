// SPDX-License-Identifier: GPL-2.0-or-later
// Software-generated interrupts: ping-pong, broadcasts, all IDs; WFI that they end. Then PSCI: CPUs
// turn themselves off and are turned on again, with another context id and entry each time.
// Words: rounds=N, hotplug=N.
#include "smp.h"

static uint32_t rounds, hotplugs;

// Sleeps until the condition holds; interrupts are taken here alone.
#define SLEEP_UNTIL(condition) \
  while (!(condition)) {       \
    wfi();                     \
    unmask_interrupts();       \
    isb();                     \
    mask_interrupts();         \
  }

enum { kPing = 1, kPong = 2, kCall = 3, kAnswer = 4 };

// CPU 0 and each other CPU in turn; the others sleep through it.
static uint32_t partner;
static void ping_pong(uint32_t cpu) {
  interrupts_on();
  struct cpu* self = this_cpu();
  if (cpu == 0) {
    for (uint32_t i = 1; i <= rounds; ++i) {
      const uint32_t before = self->interrupts[kPong];
      send_sgi(kPing, 1u << partner);
      SLEEP_UNTIL(self->interrupts[kPong] != before);
    }
  } else if (cpu == partner) {
    for (uint32_t i = 1; i <= rounds; ++i) {
      const uint32_t wanted = i;
      SLEEP_UNTIL(self->interrupts[kPing] == wanted);
      send_sgi(kPong, 1);
    }
  }
}

// CPU 0 calls all others at once and waits for an SGI from each, as smp_call_function does.
static volatile uint32_t answered[kMaxCpus][16];
static void broadcast(uint32_t cpu) {
  interrupts_on();
  struct cpu* self = this_cpu();
  for (uint32_t i = 1; i <= rounds; ++i) {
    if (cpu == 0) {
      send_sgi_to_others(kCall);
      for (uint32_t other = 1; other < cpu_count; ++other) SLEEP_UNTIL(self->sources[other] == i);
    } else {
      SLEEP_UNTIL(self->interrupts[kCall] == i);
      answered[cpu][0] = i;
      send_sgi(kAnswer, 1);
    }
  }
}

// Everyone sends everyone, itself too, all IDs, in a row. One of the same ID and sender that is
// pending already is one with it, so each is waited for.
static struct barrier barrier;
static void all_to_all(uint32_t cpu) {
  (void)cpu;
  interrupts_on();
  struct cpu* self = this_cpu();
  const uint32_t all = (1u << cpu_count) - 1;
  for (uint32_t i = 1; i <= rounds / 10; ++i) {
    for (uint32_t id = 0; id < 16; ++id) send_sgi(id, all);
    for (uint32_t id = 0; id < 16; ++id) SLEEP_UNTIL(self->interrupts[id] == i * cpu_count);
    for (uint32_t from = 0; from < cpu_count; ++from)
      if (self->sources[from] != i * 16) fail("SGIs of a CPU were lost");
    wait_at(&barrier, cpu_count);
  }
}

static void forget_interrupts(void) {
  for (uint32_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    for (uint32_t id = 0; id < 16; ++id) cpus[cpu].interrupts[id] = 0;
    for (uint32_t from = 0; from < kMaxCpus; ++from) cpus[cpu].sources[from] = 0;
  }
}

static void expect(const char* what, int32_t result, int32_t wanted) {
  if (result == wanted) return;
  fail_begin(what);
  put_string(" result=");
  put_signed(result);
  put_string(" expected=");
  put_signed(wanted);
  fail_end();
}

static volatile uint32_t started[kMaxCpus][16];  // the context id that each CPU was last started with
static void turn_off_at_once(uint32_t context) {
  started[context & 0xff][0] = context;
  sev();
  psci(kCpuOff, 0, 0, 0);
  fail("CPU_OFF returned");
}
static void turn_off(uint32_t cpu) { turn_off_at_once(cpu); }

static void wait_until_off(uint32_t cpu) {
  int32_t state;
  while ((state = psci(kAffinityInfo, cpu, 0, 0)) != kOff)
    if (state != kOn && state != kTurningOn) expect("AFFINITY_INFO of a CPU that goes off", state, kOff);
}

static void expect_on(void) {
  for (uint32_t cpu = 1; cpu < cpu_count; ++cpu) {
    expect("AFFINITY_INFO of a CPU that is on", psci(kAffinityInfo, cpu, 0, 0), kOn);
    expect("CPU_ON of a CPU that is on", psci(kCpuOn, cpu, (uint32_t)secondary_start, cpu), kAlreadyOn);
  }
  expect("CPU_ON of the CPU itself", psci(kCpuOn, 0, (uint32_t)secondary_start, 0), kAlreadyOn);
  expect("CPU_ON of a CPU that is not there", psci(kCpuOn, 0x100, (uint32_t)secondary_start, 0), kInvalidParameters);
}

static void hotplug(void) {
  secondary_entry = turn_off_at_once;
  for (uint32_t i = 0; i < hotplugs; ++i) {
    for (uint32_t cpu = 1; cpu < cpu_count; ++cpu) wait_until_off(cpu);
    for (uint32_t cpu = 1; cpu < cpu_count; ++cpu)
      expect("CPU_ON of a CPU that is off", psci(kCpuOn, cpu, (uint32_t)secondary_start, cpu | (i + 1) << 8), kSuccess);
    for (uint32_t cpu = 1; cpu < cpu_count; ++cpu)
      while (started[cpu][0] != (cpu | (i + 1) << 8)) wfe();
  }
  for (uint32_t cpu = 1; cpu < cpu_count; ++cpu) wait_until_off(cpu);
}

static void time_row(const char* what, uint64_t ticks, uint32_t operations) {
  put_string(what);
  put_string(" ");
  put_decimal(operations);
  put_string(", ns each ");
  put_decimal(operations ? nanoseconds(ticks) / operations : 0);
  put_string("\n");
}

int test(void) {
  rounds = parameter("rounds", 500) * scale;
  hotplugs = parameter("hotplug", 100) * scale;
  for (partner = 1; partner < cpu_count; ++partner) {
    const uint64_t start = counter();
    run_on(cpu_count, ping_pong);
    time_row("ping-pongs", counter() - start, rounds);
    forget_interrupts();
  }
  uint64_t start = counter();
  run_on(cpu_count, broadcast);
  time_row("broadcasts", counter() - start, rounds);
  forget_interrupts();
  run_on(cpu_count, all_to_all);
  put_string("all to all ");
  put_decimal(rounds / 10);
  put_string("\n");
  if (cpu_count > 1) {
    expect_on();
    start_on(cpu_count, turn_off);
    start = counter();
    hotplug();
    time_row("hotplugs", counter() - start, hotplugs * (cpu_count - 1));
    // As before: jobs work again.
    start_secondary_cpus();
    forget_interrupts();
    partner = cpu_count - 1;
    run_on(cpu_count, ping_pong);
  }
  return 0;
}
