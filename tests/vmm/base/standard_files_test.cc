// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/standard_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace crosswalk::vmm {
namespace {

bool is_null_device(int fd, int access) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3) &&
         (fcntl(fd, F_GETFL) & O_ACCMODE) == access;
}

// In a child: which of the three are closed, as bits. Returns which of them came out wrong.
int child(int closed) {
  const int other = open("/dev/zero", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) {
    if (closed >> fd & 1)
      close(fd);
    else
      dup2(other, fd);
  }
  if (!open_missing_standard_files()) return 8;
  int wrong = 0;
  for (int fd = 0; fd < 3; ++fd) {
    const bool is_null = is_null_device(fd, fd == 0 ? O_RDONLY : O_WRONLY);
    if (is_null != (closed >> fd & 1)) wrong |= 1 << fd;
  }
  return wrong;
}

TEST(StandardFiles, WhatIsClosedBecomesTheNullDevice) {
  for (int closed = 0; closed < 8; ++closed) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) _exit(child(closed));
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WEXITSTATUS(status), 0) << closed;
    EXPECT_TRUE(WIFEXITED(status)) << closed;
  }
}

}  // namespace
}  // namespace crosswalk::vmm
