// SPDX-License-Identifier: GPL-2.0-or-later
// File descriptors 0, 1 and 2, which programs may be started without.
#pragma once

namespace crosswalk::vmm {

// Opens /dev/null for each of them that is closed. Otherwise the next file that is opened, a disk
// image or guest RAM, would take the number, and what is printed would go there. Call it before
// anything is opened. False: the host has no /dev/null; nothing can be printed then.
bool open_missing_standard_files();

}  // namespace crosswalk::vmm
