// SPDX-License-Identifier: GPL-2.0-or-later
// How many files a guest may hold.
#pragma once

#include <cstddef>

namespace crosswalk::vmm {

// Raises the number of files that this process may have open (RLIMIT_NOFILE) to what the host
// allows it, and returns how many each of so many folders may hold: at most 262,144.
size_t raise_file_limit(unsigned folders);

}  // namespace crosswalk::vmm
