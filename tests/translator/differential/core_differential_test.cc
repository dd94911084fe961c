// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "tests/translator/differential/harness.h"

namespace crosswalk::differential {
namespace {

RunOptions core(decoder::Isa isa) { return {isa, false, core_exclusions(), &core_tolerance}; }

TEST(Differential, A32) { run_differential(core(decoder::Isa::A32)); }
TEST(Differential, T32) { run_differential(core(decoder::Isa::T32)); }
TEST(Differential, T16) { run_differential(core(decoder::Isa::T16)); }

// The same through the software TLB, for the paths of memory accesses.
TEST(Differential, A32SoftTlb) {
  RunOptions o = core(decoder::Isa::A32);
  o.mode = mmu::Mode::Soft;
  o.cases = 10000;
  run_differential(o);
}

}  // namespace
}  // namespace crosswalk::differential
