// SPDX-License-Identifier: GPL-2.0-or-later
// The files that semihosting may open: regular files below one directory of the host. The kernel's
// openat2 sees to it that no name leads out of the directory, by "..", a leading "/" or a symbolic
// link, whatever changes meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "translator/base/result.h"

namespace crosswalk::vmm {

class SemihostingFiles {
 public:
  // SYS_SEEK and SYS_FLEN speak of 32 bits, and -1 is an error.
  static constexpr uint64_t kMaxFileBytes = 0xffffffff;

  static Result<std::unique_ptr<SemihostingFiles>> open_directory(const std::string& path);
  ~SemihostingFiles();
  SemihostingFiles(const SemihostingFiles&) = delete;
  SemihostingFiles& operator=(const SemihostingFiles&) = delete;

  // Each returns a negative errno when it fails. None waits, whatever the name stands for. A file
  // descriptor. `mode` is SYS_OPEN's, 0 to 11: r, rb, r+, r+b, w, wb, w+, w+b, a, ab, a+, a+b.
  int open(const std::string& name, uint32_t mode) const;
  int remove(const std::string& name) const;
  int rename(const std::string& from, const std::string& to) const;

  // At most `bytes`; not beyond kMaxFileBytes (EFBIG). Returns the bytes written.
  static int write(int fd, const uint8_t* data, uint32_t bytes);
  // The size of an open file.
  static int64_t size(int fd);

 private:
  explicit SemihostingFiles(int directory) : directory_(directory) {}

  int directory_;
};

}  // namespace crosswalk::vmm
