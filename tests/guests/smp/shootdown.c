// SPDX-License-Identifier: GPL-2.0-or-later
// CPUs change translations and say so with broadcast TLB maintenance, while all access memory
// through them. An access that begins after the DSB has completed has the new translation; one
// before that the old or the new one. Words: rounds=N, changers=N (CPUs that change, all).
//
// Each page has an owner, which alone changes it, and a history of states. The owner raises `begun`
// before it stores a descriptor and `ended` after the DSB. An access between a load of `ended` and
// one of `begun` must have the translation of a state from the first to the second.
#include "smp.h"

enum {
  kPages = 24,    // by small pages of one table; then
  kSections = 8,  // by sections
  kPlaces = kPages + kSections,
  kHistory = 256,  // states that are remembered; an access during which more begin is not judged
  kArea = 0xb0000000,
  kSectionArea = 0xb8000000,
  kPhysicalPages = 0x44000000,     // two a page
  kPhysicalSections = 0x46000000,  // two a section
  kAsids = 2,                      // each CPU uses one after the other; the tables are the same
};

enum state { kNone, kA, kB, kReadOnlyA, kReadOnlyB, kStates };

struct place {
  volatile uint32_t begun, ended;
  volatile uint8_t history[kHistory];
} __attribute__((aligned(64)));
static struct place places[kPlaces];
static uint32_t level2[256] __attribute__((aligned(1024)));
static uint32_t rounds, changers;

// What each CPU has seen, for the report.
static struct {
  uint32_t changes, loads, stores, aborts, unjudged;
  uint32_t padding[11];
} counts[kMaxCpus] __attribute__((aligned(64)));

static uint32_t virtual_of(uint32_t place) {
  return place < kPages ? kArea + place * 4096 : kSectionArea + ((place - kPages) << 20);
}
static uint32_t physical_of(uint32_t place, uint32_t which) {
  return place < kPages ? kPhysicalPages + place * 8192 + which * 4096
                        : kPhysicalSections + ((place - kPages) << 21) + (which << 20);
}
static bool has_b(enum state state) { return state == kB || state == kReadOnlyB; }
static bool is_writable(enum state state) { return state == kA || state == kB; }

static uint32_t descriptor(uint32_t place, enum state state) {
  if (state == kNone) return 0;
  const uint32_t physical = physical_of(place, has_b(state));
  if (place < kPages) return physical | kSharedPage | kPageNotGlobal | (is_writable(state) ? 0 : kPageReadOnly);
  return physical | kSharedSection | kSectionNotGlobal | (is_writable(state) ? 0 : kSectionReadOnly);
}

static void flush(uint32_t va) {
  switch (random_number() & 3) {
    case 0:
      for (uint32_t asid = 1; asid <= kAsids; ++asid) tlbi_mva_is(va, asid);
      break;
    case 1: tlbi_mvaa_is(va); break;
    case 2:
      for (uint32_t asid = 1; asid <= kAsids; ++asid) tlbi_asid_is(asid);
      break;
    default: tlbi_all_is(); break;
  }
}

static void change(uint32_t cpu, uint32_t at, enum state state) {
  struct place* place = &places[at];
  volatile uint32_t* entry = at < kPages ? &level2[at] : &level1[(kSectionArea >> 20) + at - kPages];
  const uint32_t step = place->begun + 1;
  place->history[step % kHistory] = (uint8_t)state;
  dmb();
  place->begun = step;
  dmb();
  *entry = descriptor(at, state);
  dsb();
  flush(virtual_of(at));
  dsb();
  place->ended = step;
  isb();
  counts[cpu].changes++;
}

// A page's words: 0 says which physical page it is; 16 + n is CPU n's, which stores there.
static uint32_t mark_of(uint32_t place, uint32_t which) { return 0x5a000000 | place << 8 | which; }

static void wrong(const char* what, uint32_t at, uint32_t first, uint32_t last, uint32_t is) {
  fail_begin(what);
  fail_number("place", at);
  fail_number("va", virtual_of(at));
  fail_number("from", first);
  fail_number("to", last);
  for (uint32_t step = first; step != last + 1; ++step) fail_number("state", places[at].history[step % kHistory]);
  fail_number("found", is);
  fail_end();
}

static bool is_translation_fault(uint32_t status) { return status == 5 || status == 7; }
static bool is_permission_fault(uint32_t status) { return status == 0xd || status == 0xf; }

// The word at `offset` of the virtual page, and of physical pages A and B.
static volatile uint32_t* physical_word(uint32_t at, uint32_t which, uint32_t offset) {
  return (volatile uint32_t*)(physical_of(at, which) + offset);
}

static void load(uint32_t cpu, uint32_t at) {
  struct place* place = &places[at];
  const uint32_t first = place->ended;
  dmb();
  uint32_t value;
  const uint32_t status = try_load(virtual_of(at), &value);
  dmb();
  const uint32_t last = place->begun;
  counts[cpu].loads++;
  if (status) counts[cpu].aborts++;
  if (last - first >= kHistory / 2) {
    counts[cpu].unjudged++;
    return;
  }
  for (uint32_t step = first; step != last + 1; ++step) {
    const enum state state = places[at].history[step % kHistory];
    if (state == kNone ? is_translation_fault(status) : !status && value == mark_of(at, has_b(state))) return;
  }
  wrong(status ? "a load aborts" : "a load has an old translation", at, first, last, status ? status : value);
}

static void store(uint32_t cpu, uint32_t at) {
  struct place* place = &places[at];
  const uint32_t offset = 64 + 4 * cpu;
  const uint32_t token = random_number();
  const uint32_t before[2] = {*physical_word(at, 0, offset), *physical_word(at, 1, offset)};
  if (token == before[0] || token == before[1]) return;
  dmb();
  const uint32_t first = place->ended;
  dmb();
  const uint32_t status = try_store(virtual_of(at) + offset, token);
  dmb();
  const uint32_t last = place->begun;
  const bool stored[2] = {*physical_word(at, 0, offset) == token, *physical_word(at, 1, offset) == token};
  counts[cpu].stores++;
  if (status) counts[cpu].aborts++;
  if (last - first >= kHistory / 2) {
    counts[cpu].unjudged++;
    return;
  }
  if (status ? stored[0] || stored[1] : stored[0] == stored[1])
    wrong("a store went elsewhere", at, first, last, status);
  for (uint32_t step = first; step != last + 1; ++step) {
    const enum state state = places[at].history[step % kHistory];
    if (state == kNone       ? is_translation_fault(status)
        : is_writable(state) ? !status && stored[has_b(state)]
                             : is_permission_fault(status))
      return;
  }
  wrong(status ? "a store aborts" : "a store has an old translation", at, first, last, status ? status : stored[1]);
}

static void torture(uint32_t cpu) {
  set_asid(1);
  for (uint32_t i = 0; i < rounds; ++i) {
    const uint32_t dice = random_number();
    const uint32_t at = (dice >> 8) % kPlaces;
    // Half of all accesses go to a few places, which change often then.
    const uint32_t chosen = dice & 0x80 ? at : at % 4 + (dice & 0x40 ? kPages : 0);
    if ((dice & 15) == 0 && cpu < changers) {
      const uint32_t own = chosen / changers * changers + cpu;
      if (own < kPlaces) change(cpu, own, (dice >> 16) % kStates);
    } else if (dice & 1) {
      load(cpu, chosen);
    } else {
      store(cpu, chosen);
    }
    if ((dice >> 24) == 0) set_asid(1 + (random_number() & 1) % kAsids);
  }
  set_asid(0);
}

int test(void) {
  rounds = parameter("rounds", 8000) * scale;
  changers = parameter("changers", cpu_count);
  if (changers > cpu_count) changers = cpu_count;
  level1[kArea >> 20] = (uint32_t)level2 | 1;
  for (uint32_t i = 1; i < 8; ++i) level1[(kArea >> 20) + i] = 0;
  for (uint32_t at = 0; at < kPlaces; ++at) {
    for (uint32_t which = 0; which < 2; ++which) *physical_word(at, which, 0) = mark_of(at, which);
    change(0, at, kA);
  }
  run_on(cpu_count, torture);
  for (uint32_t cpu = 0; cpu < cpu_count; ++cpu) {
    put_string("cpu ");
    put_decimal(cpu);
    put_string(": changes ");
    put_decimal(counts[cpu].changes);
    put_string(" loads ");
    put_decimal(counts[cpu].loads);
    put_string(" stores ");
    put_decimal(counts[cpu].stores);
    put_string(" aborts ");
    put_decimal(counts[cpu].aborts);
    put_string(" unjudged ");
    put_decimal(counts[cpu].unjudged);
    put_string("\n");
  }
  return 0;
}
