// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/policy/run_clock.h"

#include <algorithm>

namespace crosswalk::mmu {
namespace {

// Ticks that no stay in an address space lasts: a poll comes every 10 ms.
constexpr uint64_t kNoStay = uint64_t{1} << 34;

uint64_t ticks_of(double ns, const MmuCosts& costs) { return static_cast<uint64_t>(ns * costs.ticks_per_ns); }

}  // namespace

RunClock::RunClock(const MmuCosts& costs, bool sample_windows, Statistics& statistics)
    : sample_windows_(sample_windows),
      statistics_(statistics),
      judge_after_ticks_(ticks_of(costs.judge_after, costs)),
      rest_ticks_(judge_after_ticks_ * 8),
      sampled_ticks_(ticks_of(std::max(costs.judge_after, costs.half_life * 8), costs)),
      short_stay_ticks_(ticks_of(2'000, costs)),
      long_stay_ticks_(short_stay_ticks_ * 50) {}

// A system call is four changes of the space, and to read the time-stamp counter at each was 7 % of
// one. So where stays are short, one of five to eight is measured, for all of them.
void RunClock::end_stay(SpaceForm& space, uint64_t now) {
  const uint64_t ticks = now - entered_at_;
  charge(space, ticks + std::min(ticks, long_stay_ticks_) * (space.stays - 1));
  // By the low bits of the time, so as not to meet the same stay of a loop each time.
  space.stays = ticks < short_stay_ticks_ ? 5 + (now >> 3 & 3) : 1;
  space.unmeasured = space.stays - 1;
}

// What no measured stay stood for, such as the rare long stay among short ones, is charged to the
// space that is current at a poll: to each in proportion to it, in the long run.
void RunClock::polled(SpaceForm& current, uint64_t now) {
  if (measuring_) end_stay(current, now);
  const uint64_t accounted = charged_ticks_ + excluded_ticks_;
  if (polled_at_ != 0 && now - polled_at_ > accounted) charge(current, now - polled_at_ - accounted);
  charged_ticks_ = excluded_ticks_ = 0;
  polled_at_ = entered_at_ = now;
  measuring_ = !sampled(current);
}

void RunClock::charge(SpaceForm& space, uint64_t ticks) {
  // Far more than there is between two polls: the time-stamp counter has restarted or jumped.
  if (ticks > kNoStay) return;
  if (!resting(space)) space.run_ticks += ticks;
  (space.windowed ? statistics_.window_ticks : statistics_.soft_ticks) += ticks;
  charged_ticks_ += ticks;
}

}  // namespace crosswalk::mmu
