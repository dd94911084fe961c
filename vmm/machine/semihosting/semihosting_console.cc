// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/semihosting/semihosting_console.h"

#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace crosswalk::vmm {

int SemihostingConsole::read_console_byte() {
  // Semihosting reads what the UART's driver would: a program uses one or the other.
  if (board_->virtio_console()) return -1;
  for (;;) {
    // asked first: what comes before the end of input is in the UART by then
    const bool open = console_.input.open();
    {
      const std::lock_guard lock(device_lock_);
      if (const auto byte = board_->uart().receive()) return *byte;
    }
    if (stopping() || !open) return -1;
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
}

void SemihostingConsole::write_console(const uint8_t* data, size_t bytes) {
  for (size_t done = 0; done < bytes && !stopping();) {
    console_.output.wait_for_room();
    const std::lock_guard lock(device_lock_);
    if (!console_.output.has_room()) continue;  // another CPU has used it
    for (const size_t end = std::min(bytes, done + ConsoleOutput::kRoom); done < end; ++done)
      console_.output.put(data[done]);
  }
}

void SemihostingConsole::write_error(const uint8_t* data, size_t bytes) {
  while (bytes != 0 && !stopping() && error_fd_ >= 0) {
    // A reader that stops reading is not to keep this thread for longer than the machine runs.
    constexpr int kLook = 50;  // ms
    pollfd fd{error_fd_, POLLOUT, 0};
    if (poll(&fd, 1, kLook) <= 0) continue;
    const ssize_t count = write(error_fd_, data, std::min<size_t>(bytes, PIPE_BUF));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return;  // nobody reads it
    data += count;
    bytes -= static_cast<size_t>(count);
  }
}

}  // namespace crosswalk::vmm
