// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the files that options name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

// Reads all of a regular file (or pipe). `option` names it in errors. More than `limit` bytes is an
// error.
Result<std::vector<uint8_t>> read_file(const std::string& path, const std::string& option, uint64_t limit);

}  // namespace crosswalk::vmm
