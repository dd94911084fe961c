// SPDX-License-Identifier: GPL-2.0-or-later
// How long address spaces run, for hybrid's policy: which have run for long enough to be judged,
// and which rest.
//
// Where faults are dear, stays in a space are measured, or some of them where they are short. Where
// they are cheap, nothing is measured for a space in a window: polls sample its time.
//
// It reads no clock itself: who tells it what happens has the time, in ticks of the time-stamp
// counter.
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/policy/space_form.h"

namespace crosswalk::mmu {

class RunClock {
 public:
  // `sample_windows`: for a space in a window, polls do.
  RunClock(const MmuCosts& costs, bool sample_windows, Statistics& statistics);

  // The CPU goes from the space `from` (null at first) to another one. `read_clock` gives the time,
  // if need be. Only spaces with a history count.
  template <typename ReadClock>
  void changed(SpaceForm* from, SpaceForm& to, ReadClock read_clock) {
    if (counts(to)) account_change(from, to, read_clock);
  }
  // Whether that does anything.
  bool counts(const SpaceForm& to) const { return to.history && (measuring_ || !sampled(to)); }
  // The CPU polls, every ten milliseconds at least, in the space `current`.
  void polled(SpaceForm& current, uint64_t now);
  // So many ticks were not time that a space ran: no window would have made it shorter.
  void exclude(uint64_t ticks) {
    entered_at_ += ticks;
    excluded_ticks_ += ticks;
  }

  // Whether the space, which is current, has run for long enough to be judged.
  bool due(const SpaceForm& space) const { return space.run_ticks > judge_after_ticks(space); }
  // Nothing of the space counts for a while from now on.
  void rest(SpaceForm& space) const { space.history->rest_until = polled_at_ + rest_ticks_; }
  // Whether that is so now.
  bool resting(const SpaceForm& space) const {
    // by distance: the counter may restart
    return space.history->rest_until - polled_at_ - 1 < rest_ticks_;
  }

 private:
  template <typename ReadClock>
  [[gnu::noinline]] void account_change(SpaceForm* from, SpaceForm& to, ReadClock read_clock) {
    const bool measure = !sampled(to) && to.unmeasured == 0 && !resting(to);
    if (measuring_ || measure) {
      const uint64_t now = read_clock();
      if (measuring_) end_stay(*from, now);
      entered_at_ = now;
    }
    if (to.unmeasured != 0) to.unmeasured--;
    measuring_ = measure;
  }
  void end_stay(SpaceForm& space, uint64_t now);
  void charge(SpaceForm& space, uint64_t ticks);
  // Whether the time of the space is what polls sample, and nothing is measured for it.
  bool sampled(const SpaceForm& space) const { return sample_windows_ && space.windowed; }
  uint64_t judge_after_ticks(const SpaceForm& space) const {
    return sampled(space) ? sampled_ticks_ : judge_after_ticks_;
  }

  const bool sample_windows_;
  Statistics& statistics_;
  const uint64_t judge_after_ticks_, rest_ticks_;
  // Time that is charged by samples, a poll each, has to be made of a number of them.
  const uint64_t sampled_ticks_;
  const uint64_t short_stay_ticks_, long_stay_ticks_;
  // Whether the stay in the current space is measured, and the time-stamp counter when it, or what
  // has not been charged of it yet, began.
  bool measuring_ = false;
  uint64_t entered_at_ = 0;
  // The time-stamp counter at the last poll, which is the time for what need not be exact; since
  // then, the ticks charged to spaces, and those that are nobody's.
  uint64_t polled_at_ = 0, charged_ticks_ = 0, excluded_ticks_ = 0;
};

}  // namespace crosswalk::mmu
