// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>

#include <span>
#include <vector>

namespace crosswalk::vmm {

// Descriptors that are others at each wait of an event loop. All calls are made on the loop's
// thread.
class PollGroup {
 public:
  virtual ~PollGroup() = default;
  // Before a wait: appends what to wait for, and lowers `timeout` (milliseconds; negative: for
  // ever) where something is to be done earlier.
  virtual void fill(std::vector<pollfd>& fds, int& timeout) = 0;
  // After every wait, whatever ended it: what was appended, with what has come.
  virtual void ready(std::span<const pollfd> fds) = 0;
};

}  // namespace crosswalk::vmm
