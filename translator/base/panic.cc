// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/base/panic.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

namespace crosswalk {

void panic(std::string_view what) {
  constexpr std::string_view kBegin = "crosswalk: internal error: ";
  for (const std::string_view part : {kBegin, what, std::string_view("\n")}) {
    // Nothing can be done about a failing standard error here.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, part.data(), part.size());
  }
  std::abort();
}

}  // namespace crosswalk
