// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/io/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace crosswalk::vmm {

Result<bool> EventLoop::open() {
  event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd_ < 0) return Error{"eventfd: the host has no file descriptors left"};
  return true;
}

EventLoop::~EventLoop() {
  if (event_fd_ >= 0) close(event_fd_);
}

// Pairs with wait(): that announces its wait and then looks for work once more.
void EventLoop::notify(bool urgent) {
  const uint32_t state = state_.load();
  if (state == kAwake || (state == kHeedsUrgent && !urgent)) return;
  if (state_.exchange(kAwake) == kAwake) return;
  const uint64_t one = 1;
  // Fails only when the counter is at its maximum, which wakes as well.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
}

void EventLoop::wait(Heeds heeds, const std::function<int()>& timeout) {
  state_.store(heeds == Heeds::All ? kHeedsAll : kHeedsUrgent);
  fds_.assign(1, {event_fd_, POLLIN, 0});
  for (const Source& source : sources_) fds_.push_back({source.descriptor(), source.events, 0});
  int milliseconds = timeout();
  group_ends_.clear();
  for (PollGroup* const group : groups_) {
    group->fill(fds_, milliseconds);
    group_ends_.push_back(fds_.size());
  }
  poll(fds_.data(), fds_.size(), milliseconds);
  state_.store(kAwake);
  wakes_.fetch_add(1, std::memory_order_relaxed);
  if (fds_[0].revents) {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
  }
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (fds_[i + 1].revents) sources_[i].ready();
  }
  size_t begin = 1 + sources_.size();
  for (size_t i = 0; i < groups_.size(); begin = group_ends_[i++])
    groups_[i]->ready(std::span(fds_).subspan(begin, group_ends_[i] - begin));
}

}  // namespace crosswalk::vmm
