// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosswalk::vmm {

Result<std::vector<uint8_t>> read_file(const std::string& path, const std::string& option, uint64_t limit) {
  const auto fail = [&](const std::string& why) { return Error{option + ": cannot read " + path + ": " + why}; };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(std::string(std::strerror(errno)) + "; give an existing, readable file");
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(fd);
    return fail("it is a directory; give a file");
  }
  std::vector<uint8_t> data;
  for (;;) {
    const size_t have = data.size();
    // A regular file says how long it is; one that says more than fits need not be read to know.
    const auto size = static_cast<uint64_t>(status.st_size > 0 ? status.st_size : 0);
    data.resize(have + (have == 0 && size > 0 ? static_cast<size_t>(size < limit ? size + 1 : limit + 1) : 64 << 10));
    const ssize_t count = read(fd, data.data() + have, data.size() - have);
    if (count < 0 && errno != EINTR) {
      const std::string why = std::strerror(errno);
      close(fd);
      return fail(why);
    }
    data.resize(have + (count > 0 ? static_cast<size_t>(count) : 0));
    if (data.size() > limit) {
      close(fd);
      return fail("it is larger than the " + std::to_string(limit) +
                  " bytes there is room for; give a smaller file or more --memory");
    }
    if (count == 0) break;
  }
  close(fd);
  return data;
}

}  // namespace crosswalk::vmm
