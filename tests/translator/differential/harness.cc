// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/harness.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "tests/translator/differential/engine_runner.h"
#include "tests/translator/differential/generator.h"
#include "tests/translator/differential/unicorn_runner.h"

namespace crosswalk::differential {
namespace {

constexpr uint64_t kDefaultCases = 50000;
constexpr size_t kMaxReports = 12;

uint64_t environment(const char* name, uint64_t otherwise) {
  const char* v = std::getenv(name);
  return v ? std::strtoull(v, nullptr, 0) : otherwise;
}

uint8_t* data_of(GuestRunner& r) { return r.ram() + (kDataBase - kRamBase); }

std::string memory_difference(const uint8_t* ours, const uint8_t* theirs, const uint8_t* before) {
  std::string out;
  char line[96];
  int shown = 0;
  for (uint32_t i = 0; i < kDataSize && shown < 16; i += 4) {
    uint32_t a, b, c;
    std::memcpy(&a, ours + i, 4);
    std::memcpy(&b, theirs + i, 4);
    std::memcpy(&c, before + i, 4);
    if (a == b) continue;
    std::snprintf(line, sizeof line, "  [%08x] was %08x, ours %08x, reference %08x\n", kDataBase + i, c, a, b);
    out += line;
    shown++;
  }
  return out.empty() ? "  none\n" : out;
}

bool same(const Case& c, const Outcome& ours, const Outcome& theirs) {
  if (ours.exception != theirs.exception) return false;
  // After an exception the reference has not entered a handler: only that there was one is
  // compared.
  if (ours.exception != Exception::None) return true;
  GuestState a = ours.state, b = theirs.state;
  if ((a.cpsr & 0x1f) != (c.before.cpsr & 0x1f)) {
    // A change of mode. What the other mode's bank held before is not part of a case.
    for (int i = 8; i < 15; i++) a.r[i] = b.r[i] = 0;
    a.spsr = b.spsr = 0;
  }
  if ((a.cpsr & 0x1f) == 0x10 || (a.cpsr & 0x1f) == 0x1f) a.spsr = b.spsr = 0;  // no SPSR
  return a == b;
}

std::string describe(const Case& c, const Outcome& ours, const Outcome& theirs, const std::string& memory,
                     const std::string& details) {
  std::string words;
  char word[16];
  for (const Instruction& i : c.code) {
    std::snprintf(word, sizeof word, i.bytes == 2 ? "%04x " : "%08x ", i.word);
    words += word;
  }
  return std::string(c.row->name) + " (" + c.row->handler_name + ", " + c.row->pattern + ")\ncode: " + words +
         (c.thumb ? "(Thumb)" : "(A32)") + "\nbefore:\n" + print(c.before) + "ours, exception " +
         name_of(ours.exception) + ":\n" + print(ours.state) + "reference, exception " + name_of(theirs.exception) +
         ":\n" + print(theirs.state) + "memory differences:\n" + memory + details;
}

}  // namespace

void run_differential(const RunOptions& options) {
  const uint64_t seed = environment("CROSSWALK_SEED", 20240607);
  const uint64_t cases = options.cases ? options.cases : environment("CROSSWALK_CASES", kDefaultCases);
  const char* only = std::getenv("CROSSWALK_ROW");
  std::printf("CROSSWALK_SEED=%llu CROSSWALK_CASES=%llu\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(cases));
  Generator generator(options.isa, options.thumb, seed, options.exclusions, options.gaps);
  ASSERT_GT(generator.rows(), 0u);
  if (only && !options.gaps) {
    bool known = false;
    for (const decoder::Row& r : decoder::rows()) known |= r.isa == options.isa && !std::strcmp(r.handler_name, only);
    if (!known) GTEST_SKIP() << "CROSSWALK_ROW names no row of this class";
  }
  EngineRunner ours(options.mode, options.sequence);
  UnicornRunner reference;
  std::vector<uint8_t> pristine(kDataSize);
  generator.fill(pristine.data(), kDataSize);
  const auto restore = [&] {
    std::memcpy(data_of(ours), pristine.data(), kDataSize);
    std::memcpy(data_of(reference), pristine.data(), kDataSize);
  };
  restore();

  std::set<std::string> reported;
  std::map<std::string, uint64_t> tolerated;
  std::set<const decoder::Row*> seen;
  uint64_t exceptions = 0;
  uint32_t slot = 0;
  for (uint64_t n = 0; n < cases && reported.size() < kMaxReports; n++) {
    if (slot == kCodeSize / kSlotBytes || reference.stray_store()) {
      ours.forget_code();
      reference.forget_code();
      std::memset(ours.ram(), 0, kRamSize);
      std::memset(reference.ram(), 0, kRamSize);
      restore();
      slot = 0;
    }
    const uint32_t at = slot++ * kSlotBytes;
    const Case c = options.sequence > 1 ? generator.next_sequence(kCodeBase + at, options.sequence, only)
                                        : generator.next(kCodeBase + at, options.gaps ? nullptr : only);
    for (GuestRunner* r : {static_cast<GuestRunner*>(&ours), static_cast<GuestRunner*>(&reference)}) {
      // The slot ends with a branch to itself, so that the reference translates no further.
      uint8_t code[kSlotBytes];
      for (uint32_t i = 0; i < kSlotBytes; i += 4) {
        const uint32_t end = c.thumb ? 0xe7fee7fe : 0xeafffffe;
        std::memcpy(code + i, &end, 4);
      }
      store_code(c, code + (c.before.r[15] - kCodeBase - at));
      std::memcpy(r->ram() + at, code, kSlotBytes);
      for (const auto& [address, word] : c.memory) {
        if (address >= kDataBase && address - kDataBase < kDataSize - 4)
          std::memcpy(r->ram() + (address - kRamBase), &word, 4);
      }
    }
    const Outcome a = ours.run(c);
    reference.stop_at(a.exception == Exception::None ? a.state.r[15] : 0xfffffff0);
    Outcome b = reference.run(c);
    seen.insert(c.row);
    exceptions += a.exception != Exception::None;
    const bool memory_differs = a.exception == Exception::None && b.exception == Exception::None &&
                                std::memcmp(data_of(ours), data_of(reference), kDataSize) != 0;
    if (memory_differs || !same(c, a, b)) {
      const char* reason = options.tolerance(c, a, b);
      if (reason) {
        tolerated[std::string(c.row->handler_name) + ": " + reason]++;
      } else if (!same(c, a, b) || memory_differs) {
        // One report a handler; in a gap, one for each place in the encoding space.
        std::string key = c.row->handler_name;
        if (options.gaps) key += std::to_string(c.code.back().word >> 20 & 0xff);
        if (reported.insert(key).second) {
          ADD_FAILURE() << "case " << n << ": "
                        << describe(c, a, b, memory_difference(data_of(ours), data_of(reference), pristine.data()),
                                    ours.details());
        }
      }
    }
    if (std::memcmp(data_of(ours), pristine.data(), kDataSize) != 0 ||
        std::memcmp(data_of(reference), pristine.data(), kDataSize) != 0) {
      restore();
    }
  }
  for (const auto& [what, count] : tolerated)
    std::printf("tolerated %llu: %s\n", static_cast<unsigned long long>(count), what.c_str());
  std::printf("%zu of %zu rows, %llu exceptions\n", seen.size(), generator.rows(),
              static_cast<unsigned long long>(exceptions));
  // Random choice reaches every row many times over; a row that is never tried has a generator or
  // an exclusion wrong.
  if (!only && options.sequence == 1 && cases >= 100 * generator.rows()) {
    EXPECT_EQ(seen.size(), generator.rows());
    for (const decoder::Row* r : generator.row_list())
      if (!seen.contains(r)) std::printf("never tried: %s %s\n", r->handler_name, r->pattern);
  }
  // A test in which most cases fault compares little.
  if (!only && !options.gaps) {
    EXPECT_LT(exceptions, options.sequence > 1 ? cases * 3 / 4 : cases / 4);
  }
}

}  // namespace crosswalk::differential
