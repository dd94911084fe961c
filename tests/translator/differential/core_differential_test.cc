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

// Several instructions in one block.
RunOptions sequence(decoder::Isa isa) {
  RunOptions o = core(isa);
  o.sequence = 6;
  o.cases = 20000;
  return o;
}
TEST(Differential, SequenceA32) { run_differential(sequence(decoder::Isa::A32)); }
TEST(Differential, SequenceT32) { run_differential(sequence(decoder::Isa::T32)); }
TEST(Differential, SequenceT16) { run_differential(sequence(decoder::Isa::T16)); }

// What no row matches is UNDEFINED for the reference too: the tables have no gaps.
RunOptions gaps(decoder::Isa isa) {
  RunOptions o = core(isa);
  o.gaps = true;
  o.cases = 10000;
  return o;
}
TEST(Differential, GapsA32) { run_differential(gaps(decoder::Isa::A32)); }
TEST(Differential, GapsT32) { run_differential(gaps(decoder::Isa::T32)); }
TEST(Differential, GapsT16) { run_differential(gaps(decoder::Isa::T16)); }

}  // namespace
}  // namespace crosswalk::differential
