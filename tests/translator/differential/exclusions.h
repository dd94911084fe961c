// SPDX-License-Identifier: GPL-2.0-or-later
// What the differential test leaves out, each with its reason. UNPREDICTABLE encodings that the
// frontend recognises are left out without being listed.
#pragma once

#include <span>

#include "tests/translator/differential/guest_case.h"

namespace crosswalk::differential {

struct Exclusion {
  const char* handler;                       // as in the instruction tables
  bool (*applies)(const decoder::Decoded&);  // null: always
  const char* reason;
};
std::span<const Exclusion> core_exclusions();  // A32, T32 and T16
std::span<const Exclusion> vfp_exclusions();
std::span<const Exclusion> simd_exclusions();

// A difference in the results that is not an error. Called when something differs; returns the
// reason or null. May change `theirs` to what is expected instead (then the comparison is made
// again).
using Tolerance = const char* (*)(const Case&, const Outcome& ours, Outcome& theirs);
const char* core_tolerance(const Case& c, const Outcome& ours, Outcome& theirs);
const char* vfp_tolerance(const Case& c, const Outcome& ours, Outcome& theirs);
const char* simd_tolerance(const Case& c, const Outcome& ours, Outcome& theirs);

}  // namespace crosswalk::differential
