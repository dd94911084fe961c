// SPDX-License-Identifier: GPL-2.0-or-later
// Temporary files for tests of options, loaders and devices.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
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
  // A template, so that braces are a vector.
  template <std::same_as<std::string> Text>
  explicit TestFile(const Text& content) : TestFile(std::vector<uint8_t>(content.begin(), content.end())) {}
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;
  ~TestFile() { unlink(path_); }
  std::string path() const { return path_; }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  char path_[32] = "/tmp/crosswalk-test-XXXXXX";
};

}  // namespace crosswalk::vmm
