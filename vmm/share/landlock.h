// SPDX-License-Identifier: GPL-2.0-or-later
// Landlock (landlock(7)): the host's kernel confines a thread's file accesses to a folder.
#pragma once

namespace crosswalk::vmm {

// The calling thread opens, makes, removes and renames files below `folder` alone, for good, and
// executes none. It makes no devices there, and with `read_only` changes nothing. What is open
// stays open. Does nothing where the kernel has no Landlock, or its first version, with which no
// file could be moved to another directory (LANDLOCK_ACCESS_FS_REFER). Ends the process with a line
// when it fails.
void confine_to_folder(int folder, bool read_only);

}  // namespace crosswalk::vmm
