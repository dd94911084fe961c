// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/patient_write.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace crosswalk::vmm {
namespace {
constexpr size_t kMaxWrite = 4096;  // PIPE_BUF: what poll's POLLOUT promises of a pipe
}  // namespace

int reopen_nonblocking(int fd) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || isatty(fd))) return fd;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int opened = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  return opened < 0 ? fd : opened;
}

bool write_patiently(int fd, std::string_view text, int milliseconds) {
  while (fd >= 0 && !text.empty()) {
    pollfd out{fd, POLLOUT, 0};
    const int ready = poll(&out, 1, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || (out.revents & POLLNVAL)) return false;
    const ssize_t written = write(fd, text.data(), std::min(text.size(), kMaxWrite));
    if (written < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  return text.empty();
}

bool print_error(int fd, std::string_view lines, int milliseconds) {
  termios settings;
  const bool terminal = fd >= 0 && isatty(fd) && tcgetattr(fd, &settings) == 0;
  if (!terminal || ((settings.c_oflag & OPOST) && (settings.c_oflag & ONLCR)))
    return write_patiently(fd, lines, milliseconds);
  std::string text;
  for (const char c : lines) {
    if (c == '\n') text.push_back('\r');
    text.push_back(c);
  }
  return write_patiently(fd, text, milliseconds);
}

}  // namespace crosswalk::vmm
