// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/console.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace crosswalk::vmm {

EscapeFilter::Action EscapeFilter::feed(uint8_t byte, std::string& out) {
  constexpr uint8_t kEscape = 1;  // Ctrl-A
  if (!escaped_) {
    escaped_ = byte == kEscape;
    if (!escaped_) out.push_back(static_cast<char>(byte));
    return Action::None;
  }
  escaped_ = false;
  switch (byte) {
    case kEscape: out.push_back(static_cast<char>(byte)); return Action::None;
    case 'x':
    case 'X': return Action::Quit;
    case 'h':
    case 'H':
    case '?': return Action::Help;
    default: return Action::None;
  }
}

Console::Console(int input_fd, int output_fd, bool escapes)
    : input_fd_(input_fd), output_fd_(output_fd), escapes_(escapes), ring_(new uint8_t[kRing]) {}

void Console::put(uint8_t byte) {
  const size_t head = head_.load(std::memory_order_relaxed);
  if (head - tail_.load(std::memory_order_acquire) >= kRing) return;
  ring_[head % kRing] = byte;
  head_.store(head + 1, std::memory_order_seq_cst);
  if (notifier_) notifier_->notify(false);
}

void Console::wait_for_room() const {
  while (!has_room() && !closed_.load()) {
    if (notifier_) notifier_->notify(true);
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
}

bool Console::has_output() const {
  return !pending_.empty() || head_.load(std::memory_order_seq_cst) != tail_.load(std::memory_order_relaxed);
}

bool Console::write_output() {
  size_t tail = tail_.load(std::memory_order_relaxed);
  const size_t head = head_.load(std::memory_order_acquire);
  while (tail != head && pending_.size() < kMaxWrite) pending_.push_back(static_cast<char>(ring_[tail++ % kRing]));
  tail_.store(tail, std::memory_order_release);
  if (pending_.empty()) return true;
  const ssize_t written =
      output_fd_ < 0 ? -1 : write(output_fd_, pending_.data(), std::min(pending_.size(), kMaxWrite));
  if (written < 0) {
    if (output_fd_ >= 0 && (errno == EAGAIN || errno == EINTR)) return false;
    // The reader has gone. The guest runs on without a console, as on a board with nothing plugged in.
    output_fd_ = -1;
    pending_.clear();
    return false;
  }
  bytes_out_ += static_cast<uint64_t>(written);
  pending_.erase(0, static_cast<size_t>(written));
  return true;
}

EscapeFilter::Action Console::read_input() {
  uint8_t buffer[1024];
  const ssize_t count = read(input_fd_, buffer, sizeof buffer);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) input_fd_ = -1;  // end of input is not quit
  EscapeFilter::Action asked = EscapeFilter::Action::None;
  for (ssize_t i = 0; i < count; ++i) {
    ++bytes_in_;
    if (!escapes_) {
      input_.push_back(static_cast<char>(buffer[i]));
    } else if (const auto action = filter_.feed(buffer[i], input_); action != EscapeFilter::Action::None) {
      asked = action;
    }
  }
  return asked;
}

void Console::deliver_input(InputSink& sink) {
  const size_t bytes = std::min(input_.size(), sink.input_room());
  if (bytes == 0) return;
  sink.input(reinterpret_cast<const uint8_t*>(input_.data()), bytes);
  input_.erase(0, bytes);
}

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
    // The guardian: waits for the other end of the pipe to close, by the destructor or by this process's death.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);  // SIGTTOU too: the restore must work from the background
    const int limit = static_cast<int>(sysconf(_SC_OPEN_MAX));
    for (int other = 0; other < std::min(limit, 1024); ++other) {
      if (other != fd && other != ends[0]) close(other);
    }
    char byte;
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    tcsetattr(fd, TCSADRAIN, &saved);
    _exit(0);
  }
  close(ends[0]);
  guardian_pipe_ = ends[1];
  guardian_pid_ = pid;
  termios raw = saved;
  cfmakeraw(&raw);
  // Output processing stays as it is: what Crosswalk itself prints needs it and guests send CR LF themselves.
  raw.c_oflag = saved.c_oflag;
  tcsetattr(fd, TCSADRAIN, &raw);
}

RawTerminal::~RawTerminal() {
  if (guardian_pipe_ < 0) return;
  close(guardian_pipe_);
  while (waitpid(guardian_pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace crosswalk::vmm
