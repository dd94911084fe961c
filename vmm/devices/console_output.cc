// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/console_output.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosswalk::vmm {

ConsoleOutput::ConsoleOutput(int fd) : fd_(fd), ring_(new uint8_t[kRing]) {}

void ConsoleOutput::put(uint8_t byte) {
  const size_t head = head_.load(std::memory_order_relaxed);
  if (head - tail_.load(std::memory_order_acquire) >= kRing) return;
  ring_[head % kRing] = byte;
  head_.store(head + 1, std::memory_order_seq_cst);
  if (notifier_) notifier_->notify(false);
}

void ConsoleOutput::wait_for_room() const {
  while (!has_room() && !closed_.load()) {
    if (notifier_) notifier_->notify(true);
    const timespec nap{0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
}

bool ConsoleOutput::has_output() const {
  return !pending_.empty() || notice_bytes_.load() != 0 ||
         head_.load(std::memory_order_seq_cst) != tail_.load(std::memory_order_relaxed);
}

// Precondition: write_lock_ is held.
ConsoleOutput::Written ConsoleOutput::write_once() {
  size_t tail = tail_.load(std::memory_order_relaxed);
  const size_t head = head_.load(std::memory_order_acquire);
  // Half of what is written comes from the ring when other devices have output too, so that neither
  // waits for the other.
  const size_t limit = pending_.size() < kMaxWrite ? kMaxWrite : std::min(pending_.size() + kMaxWrite / 2, 2 * kRing);
  while (tail != head && pending_.size() < limit) pending_.push_back(static_cast<char>(ring_[tail++ % kRing]));
  tail_.store(tail, std::memory_order_release);
  if (notice_bytes_.load() != 0) {
    const std::lock_guard lock(notice_lock_);
    pending_ += std::exchange(notices_, {});
    notice_bytes_.store(0);
  }
  if (pending_.empty()) return Written::All;
  const ssize_t written = fd_ < 0 ? -1 : write(fd_, pending_.data(), std::min(pending_.size(), kMaxWrite));
  if (written < 0) {
    if (fd_ >= 0 && (errno == EAGAIN || errno == EINTR)) return Written::Nothing;
    // The reader has gone. The guest runs on without a console, as on a board with nothing plugged
    // in.
    fd_ = -1;
    pending_.clear();
    return Written::Nothing;
  }
  bytes_ += static_cast<uint64_t>(written);
  pending_.erase(0, static_cast<size_t>(written));
  return pending_.empty() && head == tail ? Written::All : Written::Some;
}

bool ConsoleOutput::write_output() {
  const std::lock_guard lock(write_lock_);
  return write_once() != Written::Nothing;
}

void ConsoleOutput::write_rest(int milliseconds) {
  const std::unique_lock lock(write_lock_, std::try_to_lock);
  if (!lock) return;
  Written written = Written::Some;
  while (written == Written::Some && fd_ >= 0) {
    pollfd out{fd_, POLLOUT, 0};
    if (poll(&out, 1, milliseconds) <= 0) return;
    written = write_once();
  }
}

void ConsoleOutput::add_notice(std::string_view text) {
  const std::lock_guard lock(notice_lock_);
  if (notices_.size() + text.size() > kMaxNotices) return;  // nobody reads
  notices_ += text;
  notice_bytes_.store(notices_.size());
}

}  // namespace crosswalk::vmm
