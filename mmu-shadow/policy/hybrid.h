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
// The policy reads no clock (run_clock.h) and touches no table: it is told what happens by its
// hooks, asks and orders by FormedSpace, and counts what it predicted (Statistics).
#pragma once

#include <cstdint>

#include "mmu-shadow/base/config.h"
#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/base/page_set.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/policy/run_clock.h"
#include "mmu-shadow/policy/space_form.h"

namespace crosswalk::mmu {

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

  // How long spaces run.
  RunClock& time() { return time_; }
  const RunClock& time() const { return time_; }

  // ---- hooks. Precondition: the space has a history.

  // The software TLB had no entry for `va`. `size_class` is that of the entry that the walk found,
  // if any.
  enum class Refill : uint8_t { Memory, Device, NotMapped };
  void refilled(SpaceForm& space, uint32_t va, Refill what, uint32_t size_class);
  // Whether the time that windows' faults and upkeep take has to be measured for the next two.
  bool measures_upkeep(const SpaceForm& space) const { return space.history && space.windowed && !at_once_; }
  // What the MMU has done with entries so far: at the start of what is measured, for the next two.
  uint64_t entries_handled() const {
    return statistics_.pages_installed + statistics_.entries_removed + statistics_.entries_kept;
  }
  // A fault of its window, with so many ticks in the MMU; the rest of what it costs is outside.
  void faulted(SpaceForm& space, uint64_t ticks, uint64_t handled_before);
  // So many faults of its window, which its provider has served.
  void faulted_inside(SpaceForm& space, uint64_t faults);
  // So many ticks were for entries of its window that were flushed or lost write access.
  void upkept(SpaceForm& space, uint64_t ticks, uint64_t handled_before) {
    space.history->spent_ns += measured_ns(ticks, handled_before);
  }
  // A flush of the page of `va` took entries of its own.
  void flushed(SpaceForm& space, uint32_t va) {
    if (time_.resting(space)) return;
    space.history->flushes++;
    space.history->seen.remove(va);
  }
  // The same of what its window shares.
  void flushed_shared(SpaceForm& space) { space.history->flushes++; }
  // Code was translated that it was about to execute. Returns nanoseconds.
  double translated(SpaceForm& space, uint64_t ticks);

  // The space, which is current and due, may get its other form.
  void judge(SpaceForm& space, FormedSpace& formed);

  // It becomes another address space.
  void forget(SpaceForm& space) {
    space.history->restart();
    space.history->reluctance = 1;
    space.run_ticks = 0;
    space.stays = 1;
    space.unmeasured = 0;
  }

 private:
  // What predictions have to be multiplied by, as so many nanoseconds predicted and seen.
  struct Learned {
    double predicted, seen;
    double factor() const { return seen / predicted; }
    void add(double more_predicted, double more_seen) { predicted += more_predicted, seen += more_seen; }
  };

  double measured_ns(uint64_t ticks, uint64_t handled_before) const;
  void allow_entering(HybridHistory& history, double ns);
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
  RunClock time_;
};

}  // namespace crosswalk::mmu
