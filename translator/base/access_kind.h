// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace crosswalk {

// What a CPU wants of an address.
enum class AccessKind : uint8_t { Load, Store, Fetch };

}  // namespace crosswalk
