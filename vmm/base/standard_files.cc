// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace crosswalk::vmm {

bool open_missing_standard_files() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one, since those below are open by now.
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) return false;
  }
  return true;
}

}  // namespace crosswalk::vmm
