// SPDX-License-Identifier: GPL-2.0-or-later
// Locks on disk images, so that one that is written is used by one program only. They are QEMU's
// (block/file-posix.c): whoever would get into each other's way is told so, whichever of the two
// programs it is.
#pragma once

#include "translator/base/result.h"

namespace crosswalk::vmm {

// Locks the open file, until it is closed. The error says what is wrong and what to do, without the
// file's name.
Result<bool> lock_disk(int fd, bool read_only);

}  // namespace crosswalk::vmm
