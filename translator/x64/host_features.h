// SPDX-License-Identifier: GPL-2.0-or-later
// Instructions beyond SSE4.1 that emitters use where the host has them.
#pragma once

namespace crosswalk::x64 {

struct HostFeatures {
  bool fma, f16c, avx2, pclmul, bmi2;
};
// Immutable; CPUID is slow inside a VM.
const HostFeatures& host_features();

}  // namespace crosswalk::x64
