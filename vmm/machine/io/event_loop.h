// SPDX-License-Identifier: GPL-2.0-or-later
// Waits for descriptors that are registered with it, and for other threads' notifications.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "translator/base/result.h"
#include "vmm/base/poll_group.h"
#include "vmm/devices/io_notifier.h"

namespace crosswalk::vmm {

class EventLoop final : public IoNotifier {
 public:
  struct Source {
    std::function<int()> descriptor;  // asked before each wait; negative: not now
    short events;                     // of poll(2)
    // called after the wait, when any of them or an error has come
    std::function<void()> ready;
  };
  // Which notifications end a wait.
  enum class Heeds : uint8_t { Urgent, All };

  EventLoop() = default;
  ~EventLoop() override;
  // Before the first wait. Fails when the host has no descriptors left.
  Result<bool> open();

  // Before the first wait.
  void add(Source source) { sources_.push_back(std::move(source)); }
  // The same. `group` outlives the last wait.
  void add(PollGroup& group) { groups_.push_back(&group); }
  // One wait, and the calls of the sources that are ready. `timeout` is how long, in milliseconds:
  // 0 if there is work, negative for ever. It and the sources' descriptors are asked when a
  // notification already ends the wait, so that nothing that was done before a notification is
  // missed. One thread.
  void wait(Heeds heeds, const std::function<int()>& timeout);
  // Any thread. The caller has made the work visible before, by a sequentially consistent store or
  // under a lock.
  void notify(bool urgent) override;
  uint64_t wakes() const { return wakes_.load(std::memory_order_relaxed); }

 private:
  enum State : uint32_t { kAwake, kHeedsUrgent, kHeedsAll };

  int event_fd_ = -1;
  std::vector<Source> sources_;
  std::vector<PollGroup*> groups_;
  std::vector<size_t> group_ends_;  // in fds_
  std::vector<pollfd> fds_;
  std::atomic<uint32_t> state_{kAwake};
  std::atomic<uint64_t> wakes_{0};
};

}  // namespace crosswalk::vmm
