// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/raw_terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace crosswalk::vmm {
namespace {

void make_raw(int fd, int when) {
  termios settings;
  if (tcgetattr(fd, &settings) != 0) return;
  // Output processing stays as it is: what Crosswalk itself prints needs it and guests send CR LF
  // themselves.
  const tcflag_t output = settings.c_oflag;
  cfmakeraw(&settings);
  settings.c_oflag = output;
  tcsetattr(fd, when, &settings);
}

}  // namespace

RawTerminal::RawTerminal(int fd) {
  termios saved;
  if (!isatty(fd) || tcgetattr(fd, &saved) != 0) return;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return;
  }
  if (pid == 0) {
    // The guardian: waits for the other end of the pipe to close, by the destructor or by this
    // process's death.
    sigset_t all;
    sigfillset(&all);
    // SIGTTOU too: the restore must work from the background
    sigprocmask(SIG_BLOCK, &all, nullptr);
    const int limit = static_cast<int>(sysconf(_SC_OPEN_MAX));
    for (int other = 0; other < std::min(limit, 1024); ++other) {
      if (other != fd && other != ends[0]) close(other);
    }
    char byte;
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    // Not TCSADRAIN: output that nobody takes must not keep it.
    tcsetattr(fd, TCSANOW, &saved);
    _exit(0);
  }
  close(ends[0]);
  guardian_pipe_ = ends[1];
  guardian_pid_ = pid;
  fd_ = fd;
  make_raw(fd, TCSADRAIN);
}

RawTerminal::~RawTerminal() { restore(); }

void RawTerminal::resume() {
  const std::lock_guard lock(lock_);
  if (active() && tcgetpgrp(fd_) == getpgrp()) make_raw(fd_, TCSANOW);
}

void RawTerminal::restore() {
  int pipe_end = -1;
  {
    const std::lock_guard lock(lock_);
    pipe_end = guardian_pipe_.exchange(-1);
  }
  if (pipe_end < 0) return;
  close(pipe_end);
  // It has one system call to make; one that was stopped must not stop this process.
  for (int waited = 0; waited < 200; ++waited) {
    const pid_t ended = waitpid(guardian_pid_, nullptr, WNOHANG);
    if (ended == guardian_pid_ || (ended < 0 && errno != EINTR)) return;
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
}

}  // namespace crosswalk::vmm
