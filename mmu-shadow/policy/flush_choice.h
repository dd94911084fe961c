// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the entries that a flush covers are dropped (lazy) or walked for again (eager): --flush.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mmu-shadow/base/config.h"

namespace crosswalk::mmu {

// How many of the entries that a flush dropped came back, in one address space.
struct Reuse {
  uint32_t dropped = 0, refilled = 0;
};

class FlushChoice {
 public:
  enum Kind : uint8_t { Data, Fetch };

  explicit FlushChoice(FlushPolicy policy) : policy_(policy) {}

  // For `entries` entries. To drop them costs `refill_ns` for each one that is used again; to walk
  // costs `walk_ns` for each. `reuse` is what became of those dropped last, and begins anew.
  bool eager(Kind kind, bool privileged, Reuse& reuse, uint32_t entries, double walk_ns, double refill_ns) {
    History& history = histories_[kind][privileged];
    if (reuse.dropped != 0) {
      const double observed = std::min(1.0, static_cast<double>(reuse.refilled) / reuse.dropped);
      history.rate += kLearningRate * (observed - history.rate);
    }
    bool eager = policy_ == FlushPolicy::Eager;
    if (policy_ == FlushPolicy::Auto) {
      const double drop = history.rate * refill_ns;
      const bool explore = ++history.since_dropped > std::max(kExplore, drop / (walk_ns * kExploreShare));
      eager = !explore && walk_ns < drop;
      if (!eager) history.since_dropped = 0;
    }
    reuse = eager ? Reuse{} : Reuse{entries, 0};
    return eager;
  }
  // Whether single pages of a window are walked for, where a flush covers them.
  bool rewrites_pages() const { return policy_ != FlushPolicy::Lazy; }
  // Learned: what part of dropped entries is used again before the next flush.
  double reuse_rate(Kind kind, bool privileged) const { return histories_[kind][privileged].rate; }

 private:
  // With FlushPolicy::Auto, some flushes are applied by dropping whatever the costs say, to see
  // what comes back: at most one in so many, and so seldom that it adds at most this part to what
  // walking costs.
  static constexpr double kExplore = 32, kExploreShare = 0.05;
  static constexpr double kLearningRate = 0.125;

  struct History {
    double rate = 0.5;
    uint32_t since_dropped = 0;  // flushes
  };

  const FlushPolicy policy_;
  History histories_[2][2];  // [kind][privileged]
};

}  // namespace crosswalk::mmu
