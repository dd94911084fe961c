// SPDX-License-Identifier: GPL-2.0-or-later
// CpuState.access_kind: what the out-of-line memory path is asked to do.
#pragma once

#include "translator/ir/ir.h"

namespace crosswalk::x64 {

inline constexpr uint32_t kAccessStore = 1u << 16;
inline constexpr uint32_t kAccessExclusive = 1u << 17;

// Bits 0-15 are MemAccess::pack().
constexpr uint32_t access_kind(const ir::MemAccess& m, bool store) { return m.pack() | (store ? kAccessStore : 0); }

}  // namespace crosswalk::x64
