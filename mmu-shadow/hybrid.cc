// SPDX-License-Identifier: GPL-2.0-or-later
// Mode::Hybrid, in one of two ways, as MmuCosts::windows_pay_at_once() says.
//
// Where a fault does not leave the VM, an entry of a window costs, with its fault and its flush, less than the lookups
// that it saves while it is there. Then the shortest of lives is better off in a window: every address space begins
// in one, and its code is translated once. There is nothing to learn, and no clock is read: faults and flushes are
// counted, at the price that was measured before the guest ran, and time is what polls sample. That is for the way
// back: a space whose entries do not live as long as they should goes to a software TLB, and from there on it is judged
// as below.
//
// Elsewhere, every address space begins on a software TLB. The cost model:
//
// While it runs, a window saves the lookups and the refills, and costs faults and flushes. In an address space's recent
// history, per nanosecond,
//
//   cost = faults * entering * window_fault + flushes * window_flush
//   gain = lookup_share + (refills * soft_refill - cost) / time
//
// where `faults` counts what would have faulted: first accesses to pages, or to sections, and the guest's own aborts.
// At first, all that is in use has to be entered, and its code translated once more:
//
//   investment = window_create + pages in use * entering * window_fault + hot_code * translation
//
// of the pages executed lately. Both factors are learned from the spaces that got a window, for user and kernel apart:
// `entering`, what faults cost in all against one for each page, since one may enter its neighbours too; `hot_code`,
// the part of a page's code that is used again.
//
// A space is expected to run for as long again as it has run, and a program to execute as much more code for the first
// time. In a window that costs less to translate, and is not to be translated again later. So a space gets a window
// when
//
//   gain * age + new_code * translation of what it was the first to execute > investment * reluctance.
//
// In a window, what faults and flushes cost is measured, and the saving is how much longer the rest of the time would
// have been on a software TLB; when the cost, but for the first faults, exceeds `margin` of it, the space goes back,
// and has to show twice as much next time. So a process that lives shortly hardly ever pays for a fault, and one that
// runs long pays at most about as much as it would have saved.
//
// Where the guest does little but change mappings, a window is far from worth it, and to count all this would be what
// the mode costs: such a space rests, which is counting nothing, for a while after each judgement.
#include <algorithm>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

// What a window may cost of what it should save before the space goes back, unprivileged and privileged. lookup_share
// is an average: kernel code that changes mappings all the time gains much less than it.
constexpr double kMargin[2] = {1.2, 0.5};
// Of a space that began in its window: to go back is to translate its code once more.
constexpr double kMarginAtOnce = 1.5;
constexpr double kMaxReluctance = 32;
// A space whose window would cost this much of the time that it runs is not looked at for a while: counting what would
// happen there costs up to 5 % of a guest that does little but change its mappings.
constexpr double kHopeless = -1;
// Of a translation for a software TLB: a quarter that a window's costs less, and a quarter that is made again later.
constexpr double kNewCode = 0.5;
// What has been judged so often is a program, and not one of the many commands of a script that end at once.
constexpr double kPrograms = 2;
// The first faults may cost so many times what was expected.
constexpr double kInvestmentMargin = 2;
// One space that faults all the time does not say what entering costs.
constexpr double kMaxEntering = 4;
// Ticks that no stay in an address space lasts: a poll comes every 10 ms.
constexpr uint64_t kNoStay = uint64_t{1} << 34;

// The address that stands for all that is surely installed at once, in HybridHistory::seen.
uint32_t entered_with(uint32_t va, uint32_t size_class) {
  constexpr uint32_t kLarge = 64 << 10, kSection = 2 << 20;
  return size_class >= 2 ? va & ~(kSection - 1) : size_class == 1 ? va & ~(kLarge - 1) : va;
}

// Adds what `entries`, a SoftTlb or a WindowMap, hold; returns how many entries that are.
template <typename Entries>
uint32_t add_all(PageSet& seen, const Entries& entries) {
  uint32_t held = 0;
  entries.for_each([&](uint32_t va, uint32_t size_class) {
    seen.add(entered_with(va, size_class));
    held++;
  });
  return held;
}

}  // namespace

// Before a change of the current space. A system call is four of them, and to read the time-stamp counter at each was 7
// % of one. So where stays are short, one of five to eight is measured, for all of them.
void GuestMmu::account_change(AddressSpace& next) {
  const bool measure = !sampled(next) && next.unmeasured == 0 && !resting(next);
  if (measuring_ || measure) {
    const uint64_t now = __builtin_ia32_rdtsc();
    if (measuring_) end_stay(now);
    entered_at_ = now;
  }
  if (next.unmeasured != 0) next.unmeasured--;
  measuring_ = measure;
}

// A poll comes after ten milliseconds at most. What no measured stay stood for, such as the rare long stay among short
// ones, is charged to the space that is current then: to each in proportion to it, in the long run.
void GuestMmu::account_poll() {
  const uint64_t now = __builtin_ia32_rdtsc();
  if (measuring_) end_stay(now);
  const uint64_t accounted = charged_ticks_ + excluded_ticks_;
  if (polled_at_ != 0 && now - polled_at_ > accounted) charge(*current_, now - polled_at_ - accounted);
  charged_ticks_ = excluded_ticks_ = 0;
  polled_at_ = entered_at_ = now;
  measuring_ = !sampled(*current_);
}

void GuestMmu::end_stay(uint64_t now) {
  AddressSpace& space = *current_;
  const uint64_t ticks = now - entered_at_;
  charge(space, ticks + std::min(ticks, long_stay_ticks_) * (space.stays - 1));
  // By the low bits of the time, so as not to meet the same stay of a loop each time.
  space.stays = ticks < short_stay_ticks_ ? 5 + (now >> 3 & 3) : 1;
  space.unmeasured = space.stays - 1;
}

void GuestMmu::charge(AddressSpace& space, uint64_t ticks) {
  // Far more than there is between two polls: the time-stamp counter has restarted or jumped.
  if (ticks > kNoStay) return;
  if (!resting(space)) space.run_ticks += ticks;
  (space.windowed ? statistics_.window_ticks : statistics_.soft_ticks) += ticks;
  charged_ticks_ += ticks;
}

// A fault of the current window, in this handler since `since`; the rest of what it costs is outside.
void GuestMmu::note_fault(uint64_t since) {
  if (!current_->hybrid) return;
  const MmuCosts& c = config_.costs;
  HybridHistory& h = *current_->hybrid;
  if (at_once_) {
    h.faults++;
    h.entered_ns += c.window_fault;
    return;
  }
  const double ns =
      static_cast<double>(__builtin_ia32_rdtsc() - since) * ns_per_tick_ + c.window_fault - c.window_install;
  h.faults++;
  h.entered_ns += ns;
  // Entering what is in use may last longer than the history does: it is neither upkeep nor time that a window makes
  // shorter, for as long as it costs no more than expected.
  const double entering = std::min(ns, h.allowed_ns);
  h.allowed_ns -= entering;
  h.ns -= entering;
  statistics_.upkeep_ns += entering;
  h.spent_ns += ns - entering;
}

// Since `since`, as upkeep_clock() said, entries of the current space were flushed or lost write access.
void GuestMmu::note_upkeep(uint64_t since) {
  if (since != 0) current_->hybrid->spent_ns += static_cast<double>(__builtin_ia32_rdtsc() - since) * ns_per_tick_;
}

// Not time that the space ran: no window would have made it shorter.
void GuestMmu::translated(uint32_t page_id, uint64_t ticks) {
  if (config_.mode != Mode::Hybrid) return;
  exclude(ticks);
  const double ns = static_cast<double>(ticks) * ns_per_tick_;
  ids_.add_translation(page_id, ns);
  (current_->windowed ? current_->hybrid->translated_ns : current_->hybrid->new_code_ns) += ns;
}

void GuestMmu::note_refill(AddressSpace& space, uint32_t va, const cw_result& result) {
  HybridHistory& h = *space.hybrid;
  h.refills++;
  if (result.fault != CW_FAULT_NONE) {
    // What the guest maps for it is entered when it returns.
    h.seen.add(va);
    h.faults++;
    return;
  }
  // An instruction that has met a device does not try the window again.
  if (result.memory_type != CW_NORMAL) return;
  if (h.seen.add(entered_with(va, class_of(result.log2_size)))) h.faults++;
}

// What is in use now need not fault, where entering it without is much cheaper.
bool GuestMmu::prefills_windows() const {
  return config_.prefill && config_.costs.window_install * 2 < config_.costs.window_fault;
}

// One fault for each page of what the space uses, as long as it is on a software TLB, but for those that are prefilled.
double GuestMmu::entering_cost(AddressSpace& space) const {
  PageSet& seen = space.hybrid->seen;
  const uint32_t held = add_all(seen, *space.soft);
  const uint32_t prefilled = prefills_windows() ? std::min(held, seen.count()) : 0;
  return (seen.count() - prefilled) * config_.costs.window_fault + prefilled * config_.costs.window_install;
}

// Of the code in the instruction pages, in the form for windows. Of a page that has been executed in that form, what is
// used is translated.
double GuestMmu::translation_cost(const AddressSpace& space) const {
  double ns = 0;
  space.instruction_pages.for_each([&](uint32_t, uint32_t id) {
    PageIds::Record record = ids_.record(id);
    record.flags |= kCodeFlagWindow;
    if (ids_.translation_ns(ids_.find(record)) == 0) ns += ids_.translation_ns(id);
  });
  return ns;
}

// Only between blocks of translated code.
void GuestMmu::judge_now(CpuState& cpu) {
  AddressSpace& space = *current_;
  const bool windowed = space.windowed;
  const uint64_t start = trace::begin(cpu.trace);
  judge(space, cpu);
  if (space.windowed != windowed)
    trace::end(cpu.trace, trace::Kind::FormChange, start, space.window->count(), 0, space.windowed);
}

// Whether the space, which is current, should have the other form.
void GuestMmu::judge(AddressSpace& space, const CpuState& cpu) {
  HybridHistory& h = *space.hybrid;
  const MmuCosts& c = config_.costs;
  const bool privileged = space.key.privileged;
  const double ran = static_cast<double>(space.run_ticks) * ns_per_tick_;
  space.run_ticks = 0;
  // Entering was taken off as it happened, the time that it was part of is charged by samples.
  h.ns = std::max(h.ns + ran, 0.0);
  h.age += ran;
  const double share = c.lookup_share[privileged];
  if (space.windowed) {
    if (at_once_) h.spent_ns = h.faults * (c.window_fault - c.soft_refill) + h.flushes * c.window_flush;
    const double saved = (h.ns - h.spent_ns) * share / (1 - share);
    if (h.spent_ns > saved * (at_once_ ? kMarginAtOnce : kMargin[privileged])) return demote(space);
  } else {
    const double entering = entering_[privileged].factor();
    const double cost = h.faults * entering * c.window_fault + h.flushes * c.window_flush;
    const double cost_rate = cost / h.ns;
    const double gain = share + h.refills * c.soft_refill / h.ns - cost_rate;
    if (gain < kHopeless) h.rest_until = polled_at_ + rest_ticks_;
    const double faults = entering_cost(space);
    const double known = faults * entering + (space.window ? 0 : c.window_create);
    const bool program = !privileged && h.age > kPrograms * c.judge_after;
    const double expected = gain * h.age + (program ? h.new_code_ns * kNewCode : 0);
    const bool candidate = expected > known * h.reluctance;
    if (h.sampling && candidate) {
      const double translation = translation_cost(space);
      const double investment = known + translation * hot_code_[privileged].factor();
      if (expected > investment * h.reluctance && promote(space, current_regime(cpu))) {
        h.cost_rate = cost_rate;
        statistics_.predicted_upkeep_ns += faults * entering;
        h.learning = true;
        h.allowed_ns = faults * entering * kInvestmentMargin;
        h.translation_ns = translation;
        return;
      }
      // Sampling is not for free: not before it is likely to say something else.
      h.sample_at = std::max(h.age * 1.25, std::min(h.age * 1.5, h.age * investment * h.reluctance / expected));
    }
    // The instruction pages that it executes until the next judgement are those that count.
    h.sampling = candidate && h.age >= h.sample_at;
    if (h.sampling) space.instruction_pages.remove_all();
  }
  if (h.ns > c.half_life) {
    if (space.windowed) {
      learn(space);
      statistics_.predicted_upkeep_ns += h.cost_rate * h.ns / 2;
      statistics_.upkeep_ns += h.spent_ns / 2;
      h.reluctance = std::max(1.0, h.reluctance / 2);
    }
    h.fade(0.5);
  }
}

bool GuestMmu::promote(AddressSpace& space, const cw_regime& regime) {
  if (!space.window) {
    space.window = create_window();
    if (!space.window) return false;
  }
  share_window(space);
  HybridHistory& h = *space.hybrid;
  h.restart();
  space.windowed = true;
  space.instruction_pages.remove_all();
  statistics_.promotions++;
  // What it shares, if it did already, may not have been used lately.
  if (space.shared) space.window->window().enter();
  check_roots(space);
  catch_up(space);
  apply_flushes(space, regime);
  remove_watched(space);
  if (prefills_windows()) {
    const uint64_t before = statistics_.pages_installed - statistics_.pages_filled_around;
    space.soft->for_each([&](uint32_t va, uint32_t) {
      if (space.window_at(va).entry(va).valid()) return;
      cw_result result;
      walk(regime, va, AccessKind::Load, space.key.privileged, result);
      if (enterable(result)) install(space, regime, va, result);
    });
    statistics_.pages_promoted += statistics_.pages_installed - statistics_.pages_filled_around - before;
  }
  space.soft->remove_all();
  return true;
}

// Once for each promotion, so that what the space uses for the first time later on does not count.
void GuestMmu::learn(const AddressSpace& space) {
  HybridHistory& h = *space.hybrid;
  if (!h.learning) return;
  h.learning = false;
  Learned &hot = hot_code_[space.key.privileged], &entering = entering_[space.key.privileged];
  statistics_.predicted_translation_ns += h.translation_ns * hot.factor();
  statistics_.translation_ns += h.translated_ns;
  hot.add(h.translation_ns, std::min(h.translated_ns, h.translation_ns));
  // It may not have entered yet all that it uses.
  h.seen.clear();
  add_all(h.seen, *space.window);
  const double faults = static_cast<double>(h.seen.count()) * config_.costs.window_fault;
  entering.add(faults, std::min(h.entered_ns, faults * kMaxEntering));
}

void GuestMmu::demote(AddressSpace& space) {
  HybridHistory& h = *space.hybrid;
  learn(space);
  statistics_.predicted_upkeep_ns += h.cost_rate * h.ns;
  statistics_.upkeep_ns += h.spent_ns;
  statistics_.demotions++;
  h.restart();
  if (h.reluctance < kMaxReluctance) h.reluctance *= 2;
  space.windowed = false;
  space.instruction_pages.remove_all();
  if (!space.soft) space.soft = std::make_unique<SoftTlb>();
  // What it used is not new to it.
  add_all(h.seen, *space.window);
  if (space.window->clear()) space.window->window().commit();
}

}  // namespace crosswalk::mmu
