// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <string_view>

#include "tests/translator/differential/harness.h"

namespace crosswalk::differential {
namespace {

using decoder::Decoded;

uint32_t d_of(const Decoded& f) { return f['D'] << 4 | f['d']; }
uint32_t n_of(const Decoded& f) { return f['N'] << 4 | f['n']; }
uint32_t m_of(const Decoded& f) { return f['M'] << 4 | f['m']; }

bool one_register_twice(const Decoded& f) { return d_of(f) == m_of(f); }
bool beyond_d31(const Decoded& f) { return n_of(f) + f['l'] > 31; }

constexpr const char* kBothResults = "both results go to one register, which is UNKNOWN (A8.8.420, 422, 423)";
constexpr const char* kTableTooLong = "the table reaches beyond D31: UNPREDICTABLE (A8.8.419)";

constexpr Exclusion kExclusions[] = {
    {"SimdVTRN", one_register_twice, kBothResults}, {"SimdVUZP", one_register_twice, kBothResults},
    {"SimdVZIP", one_register_twice, kBothResults}, {"SimdVTBL", beyond_d31, kTableTooLong},
    {"SimdVTBX", beyond_d31, kTableTooLong},
};

}  // namespace

std::span<const Exclusion> simd_exclusions() { return kExclusions; }

const char* simd_tolerance(const Case& c, const Outcome& ours, Outcome& theirs) {
  constexpr uint32_t kAlignmentFault = 1;
  const std::string_view handler = c.row->handler_name;
  if (ours.exception == Exception::DataAbort && (ours.fault_status & 0x40f) == kAlignmentFault &&
      theirs.exception != Exception::DataAbort && (handler.starts_with("SimdVLD") || handler.starts_with("SimdVST"))) {
    return "QEMU 5.0 does not check the alignment of element and structure loads and stores (A3.2.1)";
  }
  return nullptr;
}

namespace {

RunOptions simd(bool thumb) { return {decoder::Isa::Simd, thumb, simd_exclusions(), &simd_tolerance}; }

TEST(Differential, Simd) { run_differential(simd(false)); }
TEST(Differential, SimdThumb) { run_differential(simd(true)); }

TEST(Differential, SimdSoftTlb) {
  RunOptions o = simd(false);
  o.mode = mmu::Mode::Soft;
  o.cases = 20000;
  run_differential(o);
}

}  // namespace
}  // namespace crosswalk::differential
