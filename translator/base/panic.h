// SPDX-License-Identifier: GPL-2.0-or-later
// The end of the process when what must always hold does not. Set-up that can fail returns a Result
// (result.h) instead.
#pragma once

#include <string_view>

namespace crosswalk {

// Prints one line that begins with "crosswalk: internal error: ", and `what`, and aborts. Uses
// write(2) only, so that it may be called from a signal handler.
[[noreturn]] void panic(std::string_view what);

}  // namespace crosswalk
