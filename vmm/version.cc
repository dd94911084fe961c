// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/version.h"

// The Makefile's; not those of an editor or clang-tidy.
#ifndef CROSSWALK_COMMIT
#define CROSSWALK_COMMIT "unknown"
#define CROSSWALK_FLAGS "unknown"
#endif

#define CROSSWALK_VERSION "0.1"

#ifdef __clang__
#define CROSSWALK_COMPILER "Clang"
#else
#define CROSSWALK_COMPILER "GCC"
#endif

namespace crosswalk::vmm {

const char kVersion[] = CROSSWALK_VERSION;
const char kCommit[] = CROSSWALK_COMMIT;
const char kVersionText[] = "crosswalk " CROSSWALK_VERSION
                            "\n"
                            "commit " CROSSWALK_COMMIT
                            "\n"
                            "built by " CROSSWALK_COMPILER " " __VERSION__ ", " CROSSWALK_FLAGS "\n";

}  // namespace crosswalk::vmm
