// SPDX-License-Identifier: GPL-2.0-or-later
// The policy of Form::Hybrid: which address space has a window, and which a software TLB.
//
// The question. Each guest address space (the kernel's, and one for each process) reaches memory in
// one of two forms. With a software TLB, every access pays for a lookup of about a nanosecond. With
// a window it pays nothing; but each page costs a host fault when it is accessed first, and a
// removal when the guest flushes it, and the code has to be translated once more for that form.
//
// Where faults are cheap. In `shadow` on nested paging a fault does not leave the VM. There a page
// saves more lookups, while it is in the window, than it costs (MmuCosts::windows_pay_at_once). So
// every address space begins with a window. Nothing is measured; faults and flushes are counted, at
// the price that was found before the guest ran. If they come to more than the lookups would have,
// the space gets a software TLB after all, and is judged from then on as below.
//
// Where faults are dear (10 us, say), every address space begins with a software TLB. From time to
// time the space that is current is judged. The policy has counted what would have happened in a
// window, as a history that fades:
//
//   faults   first accesses to pages or sections, and the guest's own aborts
//   flushes  entries that the guest made invalid
//   refills  of the software TLB, which a window would not need
//   time     that the space ran
//
// From these it knows what a window would have gained in each nanosecond. lookup_share is the part
// of the time that lookups take:
//
//   cost = faults * entering * window_fault + flushes * window_flush
//   gain = lookup_share + (refills * soft_refill - cost) / time
//
// And it knows what a window takes to begin with: its pages are entered, and the code that was
// executed lately is translated again:
//
//   investment = window_create + pages in use * entering * window_fault + hot_code * translation
//
// `entering` and `hot_code` are learned from the spaces that got a window, for user and kernel
// apart: how many faults there were for a page in use (one fault may enter neighbours too), and
// what part of a page's code was used again.
//
// The future is guessed from the past: a space runs for as long again as it has run, and a program
// executes as much new code again as it has, which costs less to translate for a window. So a space
// gets a window when
//
//   gain * age + new_code * translation of what it was the first to execute
//     > investment * reluctance.
//
// The way back. In a window, what faults and flushes cost is measured. When that is more than
// `margin` of what the window saves, but for the first faults, the space gets a software TLB again,
// and its reluctance doubles: it has to promise twice as much next time. So a process of a short
// life hardly ever pays for a fault, and one of a long life pays about as much as it would have
// saved, at most.
//
// Rest. To count all this costs time too. A space that does little but change its tables, and is
// far from worth a window, is not looked at for a while after each judgement.
//
// The policy reads no clock and touches no table: it is told what happens by its hooks, asks and
// orders by FormedSpace, and counts what it predicted (Statistics).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/base/page_set.h"
#include "mmu-shadow/base/statistics.h"

namespace crosswalk::mmu {

// What is known of an address space, fading with time: how long it ran, and what it did that costs
// with a software TLB, or would cost with a window.
struct HybridHistory {
  double age = 0;          // nanoseconds since it has the form that it has now; the others fade
  double new_code_ns = 0;  // on a software TLB: translating what it was the first to execute
  double ns = 0;
  double refills = 0;     // of the software TLB
  double faults = 0;      // of the window; on a software TLB, those that there would have been
  double flushes = 0;     // single entries made invalid, or that there would have been
  double spent_ns = 0;    // in a window: on its faults and flushes, but for those of entering it
  double allowed_ns = 0;  // in a window: what is left of what the faults of entering it may cost
  // In a window, until the predictions are compared with what happened: its faults, and of the
  // translation what the model has and what there was.
  bool learning = false;
  double entered_ns = 0, translation_ns = 0, translated_ns = 0;
  // the instruction pages are those that it executed since the last judgement
  bool sampling = false;
  double sample_at = 0;  // the age for the next such sample
  // of faults and flushes, of a nanosecond, predicted when it was promoted
  double cost_rate = 0;
  double reluctance = 1;  // doubles when a promotion turns out wrong
  // time-stamp counter: nothing is counted before, a window would cost far more than it saves
  uint64_t rest_until = 0;
  // on a software TLB: pages that a window would have by now; one of each section
  PageSet seen;

  void fade(double factor) { ns *= factor, refills *= factor, faults *= factor, flushes *= factor, spent_ns *= factor; }
  // In the other form.
  void restart() {
    age = new_code_ns = ns = refills = faults = flushes = spent_ns = allowed_ns = 0;
    entered_ns = translation_ns = translated_ns = 0;
    learning = sampling = false;
    sample_at = 0;
    rest_until = 0;
    seen.clear();
  }
};

// The form of an address space, and what the policy keeps with it.
struct SpaceForm {
  bool windowed = false;  // a window is in use, and not a software TLB
  // how many stays in it the next measured one stands for, and how many come before that
  uint32_t stays = 1, unmeasured = 0;
  uint64_t run_ticks = 0;                  // time that it ran since it was judged
  std::unique_ptr<HybridHistory> history;  // Form::Hybrid only
};

// What the policy asks and orders when it judges the space that is current.
class FormedSpace {
 public:
  virtual ~FormedSpace() = default;
  virtual bool privileged() const = 0;
  virtual bool has_window() const = 0;  // also an empty one, that is not in use
  // Adds window_page_of() each entry of its form; returns how many entries there are.
  virtual uint32_t add_entries(PageSet& pages) const = 0;
  // What translating the code of its instruction pages for a window would take, in nanoseconds, but
  // for code that has been translated so before.
  virtual double translation_ns() const = 0;
  virtual void forget_instruction_pages() = 0;
  // Makes a window, if there is none. False: there is no room.
  virtual bool make_window() = 0;
  // It has the other form from now on: SpaceForm::windowed changes, and the instruction pages are
  // forgotten.
  virtual void enter_window() = 0;
  virtual void leave_window() = 0;
};

// The address that stands for all that is surely installed in a window at once with an entry of
// this size.
inline uint32_t window_page_of(uint32_t va, uint32_t size_class) {
  constexpr uint32_t kLarge = 64 << 10, kSection = 2 << 20;
  return size_class >= 2 ? va & ~(kSection - 1) : size_class == 1 ? va & ~(kLarge - 1) : va;
}

class HybridPolicy {
 public:
  HybridPolicy(const MmuConfig& config, Statistics& statistics);

  // Every address space begins in a window.
  bool at_once() const { return at_once_; }
  // Whether the pages that a space has in its software TLB are entered when it gets a window: what
  // is in use then need not fault, where entering it without is much cheaper.
  bool prefills_windows() const { return prefills_windows_; }

  // ---- hooks. Precondition of those with a SpaceForm, but for changed(): it has a history.

  // The CPU goes from the space `from` (null at first) to another one. `clock` reads the time-stamp
  // counter, if need be.
  template <typename Clock>
  void changed(SpaceForm* from, SpaceForm& to, Clock clock) {
    if (to.history && (measuring_ || !sampled(to))) account_change(from, to, clock);
  }
  // The CPU polls, every ten milliseconds at least, in the space `current`.
  void polled(SpaceForm& current, uint64_t now);
  // So many ticks were not time that a space ran: no window would have made it shorter.
  void exclude(uint64_t ticks) {
    entered_at_ += ticks;
    excluded_ticks_ += ticks;
  }
  // The software TLB had no entry for `va`. `size_class` is that of the entry that the walk found,
  // if any.
  enum class Refill : uint8_t { Memory, Device, NotMapped };
  void refilled(SpaceForm& space, uint32_t va, Refill what, uint32_t size_class);
  // Whether refills and flushes of the space count now.
  bool resting(const SpaceForm& space) const {
    // by distance: the counter may restart
    return space.history->rest_until - polled_at_ - 1 < rest_ticks_;
  }
  // Whether the time that windows' faults and upkeep take has to be measured for the next two.
  bool measures_upkeep(const SpaceForm& space) const { return space.history && space.windowed && !at_once_; }
  // A fault of its window, with so many ticks in the MMU; the rest of what it costs is outside.
  void faulted(SpaceForm& space, uint64_t ticks);
  // So many ticks were for entries of its window that were flushed or lost write access.
  void upkept(SpaceForm& space, uint64_t ticks) {
    space.history->spent_ns += static_cast<double>(ticks) * ns_per_tick_;
  }
  // A flush of the page of `va` took entries of its own.
  void flushed(SpaceForm& space, uint32_t va) {
    if (resting(space)) return;
    space.history->flushes++;
    space.history->seen.remove(va);
  }
  // The same of what its window shares.
  void flushed_shared(SpaceForm& space) { space.history->flushes++; }
  // Code was translated that it was about to execute. Returns nanoseconds.
  double translated(SpaceForm& space, uint64_t ticks);

  // Whether the space, which is current, has run for long enough to be judged; and judges: it may
  // get its other form.
  bool due(const SpaceForm& space) const { return space.run_ticks > judge_after_ticks(space); }
  void judge(SpaceForm& space, FormedSpace& formed);

  // It becomes another address space.
  void forget(SpaceForm& space, bool has_window) {
    space.history->restart();
    space.history->reluctance = 1;
    space.run_ticks = 0;
    space.stays = 1;
    space.unmeasured = 0;
    space.windowed = at_once_ && has_window;
  }

 private:
  // What predictions have to be multiplied by, as so many nanoseconds predicted and seen.
  struct Learned {
    double predicted, seen;
    double factor() const { return seen / predicted; }
    void add(double more_predicted, double more_seen) { predicted += more_predicted, seen += more_seen; }
  };

  template <typename Clock>
  [[gnu::noinline]] void account_change(SpaceForm* from, SpaceForm& to, Clock clock) {
    const bool measure = !sampled(to) && to.unmeasured == 0 && !resting(to);
    if (measuring_ || measure) {
      const uint64_t now = clock();
      if (measuring_) end_stay(*from, now);
      entered_at_ = now;
    }
    if (to.unmeasured != 0) to.unmeasured--;
    measuring_ = measure;
  }
  void end_stay(SpaceForm& space, uint64_t now);
  void charge(SpaceForm& space, uint64_t ticks);
  // Whether the time of the space is what polls sample, and nothing is measured for it.
  bool sampled(const SpaceForm& space) const { return at_once_ && space.windowed; }
  uint64_t judge_after_ticks(const SpaceForm& space) const {
    return sampled(space) ? sampled_ticks_ : judge_after_ticks_;
  }
  double entering_cost(HybridHistory& history, const FormedSpace& formed) const;
  void demote(HybridHistory& history, FormedSpace& formed);
  void learn(HybridHistory& history, const FormedSpace& formed);

  const MmuCosts costs_;
  const bool at_once_, prefills_windows_;
  Statistics& statistics_;
  // Learned from the spaces that got a window, unprivileged and privileged. They begin with what
  // benchmarks showed.
  // translation of what was executed lately: is needed again
  Learned hot_code_[2] = {{20e6, 5e6}, {50e6, 7.5e6}};
  // one window_fault for each page in use: all faults
  Learned entering_[2] = {{2e6, 2e6}, {2e6, 2e6}};
  const double ns_per_tick_ = 1 / costs_.ticks_per_ns;
  const uint64_t judge_after_ticks_ = static_cast<uint64_t>(costs_.judge_after * costs_.ticks_per_ns);
  const uint64_t rest_ticks_ = judge_after_ticks_ * 8;
  // Time that is charged by samples, a poll each, has to be made of a number of them.
  const uint64_t sampled_ticks_ =
      static_cast<uint64_t>(std::max(costs_.judge_after, costs_.half_life * 8) * costs_.ticks_per_ns);
  const uint64_t short_stay_ticks_ = static_cast<uint64_t>(2'000 * costs_.ticks_per_ns);
  const uint64_t long_stay_ticks_ = short_stay_ticks_ * 50;
  // Whether the stay in the current space is measured, and the time-stamp counter when it, or what
  // has not been charged of it yet, began.
  bool measuring_ = false;
  uint64_t entered_at_ = 0;
  // The time-stamp counter at the last poll, which is the time for what need not be exact; since
  // then, the ticks charged to spaces, and those that are nobody's.
  uint64_t polled_at_ = 0, charged_ticks_ = 0, excluded_ticks_ = 0;
};

}  // namespace crosswalk::mmu
