// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosswalk::vmm {
namespace {

constexpr int kBacklog = 8;

Result<sockaddr_un> address_of(const std::string& option, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{option + ": the path '" + path + "' is too long for a socket; give a shorter one"};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

Result<int> connect_to_unix_socket(const std::string& option, const std::string& path) {
  auto address = address_of(option, path);
  if (!address) return address.take_error();
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) return fd;
  const int error = errno;
  if (fd >= 0) close(fd);
  return Error{option + ": cannot connect to '" + path + "': " + std::strerror(error)};
}

Result<int> listen_at_unix_socket(const std::string& option, const std::string& path) {
  auto address = address_of(option, path);
  if (!address) return address.take_error();
  struct stat status;
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return Error{option + ": '" + path + "' is there already, and is not a socket"};
    if (auto other = connect_to_unix_socket(option, path)) {
      close(*other);
      return Error{option + ": another process serves '" + path + "'; give another path"};
    }
    unlink(path.c_str());
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const mode_t before = umask(0177);
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 &&
                     listen(fd, kBacklog) == 0;
  const int error = errno;
  umask(before);
  if (bound) return fd;
  if (fd >= 0) close(fd);
  return Error{option + ": cannot make the socket '" + path + "': " + std::strerror(error)};
}

}  // namespace crosswalk::vmm
