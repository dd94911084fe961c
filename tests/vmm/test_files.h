// SPDX-License-Identifier: GPL-2.0-or-later
// Temporary files for tests of options and loaders.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace crosswalk::vmm {

class TestFile {
 public:
  explicit TestFile(const std::vector<uint8_t>& content) {
    const int fd = mkstemp(path_);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    close(fd);
  }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;
  ~TestFile() { unlink(path_); }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/crosswalk-test-XXXXXX";
};

}  // namespace crosswalk::vmm
