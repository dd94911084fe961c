// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <string_view>

#include "tests/translator/differential/engine_runner.h"
#include "tests/translator/differential/generator.h"
#include "tests/translator/differential/harness.h"
#include "tests/translator/differential/unicorn_runner.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/softfloat/softfloat.h"

namespace crosswalk::differential {
namespace {

using decoder::Decoded;

bool register_of_another_version(const Decoded& f) {
  switch (static_cast<arm::FpSystemRegister>(f['r'])) {
    case arm::FpSystemRegister::FPSID:
    case arm::FpSystemRegister::FPSCR:
    case arm::FpSystemRegister::MVFR0:
    case arm::FpSystemRegister::MVFR1:
    case arm::FpSystemRegister::FPEXC: return false;
    default: return true;
  }
}
bool not_compared_or_other_version(const Decoded& f) {
  return register_of_another_version(f) || f['r'] == static_cast<uint32_t>(arm::FpSystemRegister::FPEXC);
}

constexpr Exclusion kExclusions[] = {
    {"VfpMoveFromSystem", register_of_another_version,
     "FPINST and FPINST2 exist in QEMU's Cortex-A15; the others are UNPREDICTABLE"},
    {"VfpMoveToSystem", not_compared_or_other_version,
     "the same; and FPEXC.EN would stay off for the cases that follow"},
};

}  // namespace

std::span<const Exclusion> vfp_exclusions() { return kExclusions; }

const char* vfp_tolerance(const Case& c, const Outcome& ours, Outcome& theirs) {
  const std::string_view handler = c.row->handler_name;
  constexpr uint32_t kAlignmentFault = 1;
  if (ours.exception == Exception::DataAbort && (ours.fault_status & 0x40f) == kAlignmentFault &&
      theirs.exception != Exception::DataAbort && (handler.starts_with("VfpLoad") || handler.starts_with("VfpStore"))) {
    return "QEMU 5.0 does not check the alignment of extension register loads and stores (A3.2.1)";
  }
  // QEMU 5.0 rounds conversions from fixed point as FPSCR says, not to nearest (A8.8.308). Only 32
  // bits to single precision are ever rounded.
  const uint32_t word = c.code.back().word;
  if (handler == "VfpConvertFromFixed" && (word & 0x180) == 0x80) {
    const uint32_t s = (word >> 11 & 0x1e) | (word >> 22 & 1), shift = s % 2 * 32;
    const uint32_t fraction_bits = 32 - ((word & 15) << 1 | (word >> 5 & 1));
    softfloat::Environment env;
    const uint64_t result = softfloat::from_fixed<uint32_t>(static_cast<uint32_t>(c.before.d[s / 2] >> shift), 32,
                                                            fraction_bits, word >> 16 & 1, true, env);
    theirs.state.d[s / 2] = (theirs.state.d[s / 2] & ~(uint64_t{0xffffffff} << shift)) | result << shift;
  }
  return nullptr;
}

namespace {

RunOptions vfp(bool thumb) { return {decoder::Isa::Vfp, thumb, vfp_exclusions(), &vfp_tolerance}; }

TEST(Differential, Vfp) { run_differential(vfp(false)); }
TEST(Differential, VfpThumb) { run_differential(vfp(true)); }

TEST(Differential, VfpSoftTlb) {
  RunOptions o = vfp(false);
  o.mode = mmu::Mode::Soft;
  o.cases = 10000;
  run_differential(o);
}

// Which instructions FPSCR.Len and Stride make UNDEFINED.
TEST(Differential, VfpShortVectors) {
  EngineRunner ours(mmu::Mode::Flat);
  UnicornRunner reference;
  Generator generator(decoder::Isa::Vfp, false, 7, vfp_exclusions());
  int undefined = 0;
  for (uint32_t n = 0; n < 5000; n++) {
    const uint32_t at = n * kSlotBytes;
    Case c = generator.next(kCodeBase + at, nullptr);
    const std::string_view handler = c.row->handler_name;
    if (handler.starts_with("VfpLoad") || handler.starts_with("VfpStore")) continue;
    c.before.fpscr |= n % 2 ? (1 + n % 7) << 16 : 3u << 20;
    store_code(c, ours.ram() + at);
    store_code(c, reference.ram() + at);
    const Outcome a = ours.run(c), b = reference.run(c);
    ASSERT_EQ(a.exception, b.exception) << c.row->name << "\n" << print(c.before) << ours.details();
    undefined += a.exception == Exception::Undefined;
  }
  EXPECT_GT(undefined, 500);
}

}  // namespace
}  // namespace crosswalk::differential
