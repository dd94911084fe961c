// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace crosswalk::vmm {

// Lines: version, commit (with "+" when the sources differ from it), compiler and its main flags.
// Linked with the program alone, so that a commit does not make the tests anew.
extern const char kVersionText[];
extern const char kVersion[];  // such as "0.1"
extern const char kCommit[];

}  // namespace crosswalk::vmm
