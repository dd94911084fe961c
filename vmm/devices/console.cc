// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/console.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

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
    case 'i':
    case 'I': return Action::State;
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
  return !pending_.empty() || notice_bytes_.load() != 0 ||
         head_.load(std::memory_order_seq_cst) != tail_.load(std::memory_order_relaxed);
}

// Precondition: output_lock_ is held.
Console::Written Console::write_once() {
  size_t tail = tail_.load(std::memory_order_relaxed);
  const size_t head = head_.load(std::memory_order_acquire);
  // Half of what is written comes from the ring when other devices have output too, so that neither
  // waits for the other.
  const size_t limit = pending_.size() < kMaxWrite ? kMaxWrite : std::min(pending_.size() + kMaxWrite / 2, 2 * kRing);
  while (tail != head && pending_.size() < limit) pending_.push_back(static_cast<char>(ring_[tail++ % kRing]));
  tail_.store(tail, std::memory_order_release);
  if (notice_bytes_.load() != 0) {
    const std::lock_guard lock(input_lock_);
    pending_ += std::exchange(notices_, {});
    notice_bytes_.store(0);
  }
  if (pending_.empty()) return Written::All;
  const ssize_t written =
      output_fd_ < 0 ? -1 : write(output_fd_, pending_.data(), std::min(pending_.size(), kMaxWrite));
  if (written < 0) {
    if (output_fd_ >= 0 && (errno == EAGAIN || errno == EINTR)) return Written::Nothing;
    // The reader has gone. The guest runs on without a console, as on a board with nothing plugged
    // in.
    output_fd_ = -1;
    pending_.clear();
    return Written::Nothing;
  }
  bytes_out_ += static_cast<uint64_t>(written);
  pending_.erase(0, static_cast<size_t>(written));
  return pending_.empty() && head == tail ? Written::All : Written::Some;
}

bool Console::write_output() {
  const std::lock_guard lock(output_lock_);
  return write_once() != Written::Nothing;
}

void Console::write_rest(int milliseconds) {
  const std::unique_lock lock(output_lock_, std::try_to_lock);
  if (!lock) return;
  Written written = Written::Some;
  while (written == Written::Some && output_fd_ >= 0) {
    pollfd out{output_fd_, POLLOUT, 0};
    if (poll(&out, 1, milliseconds) <= 0) return;
    written = write_once();
  }
}

EscapeFilter::Asked Console::read_input() {
  uint8_t buffer[1024];
  const ssize_t count = read(input_fd_, buffer, sizeof buffer);
  EscapeFilter::Asked asked;
  {
    const std::lock_guard lock(input_lock_);
    for (ssize_t i = 0; i < count; ++i) {
      ++bytes_in_;
      if (!escapes_) {
        input_.push_back(static_cast<char>(buffer[i]));
        continue;
      }
      switch (filter_.feed(buffer[i], input_)) {
        case EscapeFilter::Action::Quit: asked.quit = true; break;
        case EscapeFilter::Action::Help: asked.help = true; break;
        case EscapeFilter::Action::State: asked.state = true; break;
        case EscapeFilter::Action::None: break;
      }
    }
    if (escapes_ && input_.size() > kMaxInput) input_.resize(kMaxInput);
    input_bytes_.store(input_.size());
  }
  // After the buffer, for those who ask whether there will be more. The end of input is not quit.
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) input_fd_ = -1;
  return asked;
}

void Console::add_notice(std::string_view text) {
  const std::lock_guard lock(input_lock_);
  if (notices_.size() + text.size() > kMaxNotices) return;  // nobody reads
  notices_ += text;
  notice_bytes_.store(notices_.size());
}

void Console::deliver_input(InputSink& sink) {
  const std::lock_guard lock(input_lock_);
  const size_t bytes = std::min(input_.size(), sink.input_room());
  if (bytes == 0) return;
  sink.input(reinterpret_cast<const uint8_t*>(input_.data()), bytes);
  input_.erase(0, bytes);
  input_bytes_.store(input_.size());
  if (input_.empty() && !escapes_ && input_notifier_) input_notifier_->notify(true);
}

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
