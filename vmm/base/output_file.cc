// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosswalk::vmm {

Result<OutputFile> OutputFile::open(const std::string& option, const std::string& path) {
  const std::string name = option + ": cannot write " + path + ": ";
  const int standard = path == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : -1;
  FILE* const file = path == "-" ? fdopen(standard, "w") : std::fopen(path.c_str(), "we");
  if (!file) return Error{name + std::strerror(errno)};
  return OutputFile(file, name);
}

Result<bool> OutputFile::finish(bool written) {
  const int error = errno;
  const bool closed = std::fclose(file_.release()) == 0;
  if (!written || !closed) return Error{name_ + std::strerror(written ? errno : error)};
  return true;
}

}  // namespace crosswalk::vmm
