// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/policy/hybrid.h"

#include <algorithm>

namespace crosswalk::mmu {
namespace {

// What a window may cost of what it should save before the space goes back, unprivileged and
// privileged. lookup_share is an average: kernel code that changes mappings all the time gains much
// less than it.
constexpr double kMargin[2] = {1.2, 0.5};
// Of a space that began in its window: to go back is to translate its code once more.
constexpr double kMarginAtOnce = 1.5;
constexpr double kMaxReluctance = 32;
// A space whose window would cost this much of the time that it runs is not looked at for a while:
// counting what would happen there costs up to 5 % of a guest that does little but change its
// mappings.
constexpr double kHopeless = -1;
// Of a translation for a software TLB: a quarter that a window's costs less, and a quarter that is
// made again later.
constexpr double kNewCode = 0.5;
// What has been judged so often is a program, and not one of the many commands of a script that end
// at once.
constexpr double kPrograms = 2;
// The first faults may cost so many times what was expected.
constexpr double kInvestmentMargin = 2;
// One space that faults all the time does not say what entering costs.
constexpr double kMaxEntering = 4;
// Of what is measured of a window, for each entry that was handled, in faults.
constexpr double kLongest = 4;

}  // namespace

HybridPolicy::HybridPolicy(const MmuConfig& config, Statistics& statistics)
    : costs_(config.costs),
      at_once_(config.mode.form == Form::Hybrid && config.costs.windows_pay_at_once()),
      prefills_windows_(config.prefill && config.costs.window_install * 2 < config.costs.window_fault),
      statistics_(statistics),
      time_(costs_, at_once_, statistics) {}

// The host may have run something else meanwhile. What takes far longer than the entries that were
// handled can explain is not all the window's.
double HybridPolicy::measured_ns(uint64_t ticks, uint64_t handled_before) const {
  const auto handled = static_cast<double>(entries_handled() - handled_before);
  return std::min(static_cast<double>(ticks) * ns_per_tick_, (handled + 1) * kLongest * costs_.window_fault);
}

void HybridPolicy::faulted(SpaceForm& space, uint64_t ticks, uint64_t handled_before) {
  HybridHistory& h = *space.history;
  h.faults++;
  if (at_once_) {
    h.entered_ns += costs_.window_fault;
    return;
  }
  const double ns = measured_ns(ticks, handled_before) + costs_.window_fault - costs_.window_install;
  h.entered_ns += ns;
  allow_entering(h, ns);
}

// Entering what is in use may last longer than the history does: it is neither upkeep nor time that
// a window makes shorter, for as long as it costs no more than expected.
void HybridPolicy::allow_entering(HybridHistory& h, double ns) {
  const double entering = std::min(ns, h.allowed_ns);
  h.allowed_ns -= entering;
  h.ns -= entering;
  statistics_.upkeep_ns += entering;
  h.spent_ns += ns - entering;
}

void HybridPolicy::faulted_inside(SpaceForm& space, uint64_t faults) {
  HybridHistory& h = *space.history;
  h.faults += static_cast<double>(faults);
  const double ns = static_cast<double>(faults) * costs_.window_fault;
  h.entered_ns += ns;
  if (!at_once_) allow_entering(h, ns);
}

double HybridPolicy::translated(SpaceForm& space, uint64_t ticks) {
  time_.exclude(ticks);
  const double ns = static_cast<double>(ticks) * ns_per_tick_;
  (space.windowed ? space.history->translated_ns : space.history->new_code_ns) += ns;
  return ns;
}

void HybridPolicy::refilled(SpaceForm& space, uint32_t va, Refill what, uint32_t size_class) {
  HybridHistory& h = *space.history;
  h.refills++;
  switch (what) {
    case Refill::NotMapped:  // what the guest maps for it is entered when it returns
      h.seen.add(va);
      h.faults++;
      return;
    // an instruction that has met a device does not try the window again
    case Refill::Device: return;
    case Refill::Memory:
      if (h.seen.add(window_page_of(va, size_class))) h.faults++;
  }
}

// One fault for each page of what the space uses, as long as it is on a software TLB, but for those
// that are prefilled.
double HybridPolicy::entering_cost(HybridHistory& h, const FormedSpace& formed) const {
  const uint32_t held = formed.add_entries(h.seen);
  const uint32_t prefilled = prefills_windows() ? std::min(held, h.seen.count()) : 0;
  return (h.seen.count() - prefilled) * costs_.window_fault + prefilled * costs_.window_install;
}

void HybridPolicy::judge(SpaceForm& space, FormedSpace& formed) {
  HybridHistory& h = *space.history;
  const MmuCosts& c = costs_;
  const bool privileged = formed.privileged();
  const double ran = static_cast<double>(space.run_ticks) * ns_per_tick_;
  space.run_ticks = 0;
  // Entering was taken off as it happened, the time that it was part of is charged by samples.
  h.ns = std::max(h.ns + ran, 0.0);
  h.age += ran;
  const double share = c.lookup_share[privileged];
  if (space.windowed) {
    if (at_once_) h.spent_ns = h.faults * (c.window_fault - c.soft_refill) + h.flushes * c.window_flush;
    const double saved = (h.ns - h.spent_ns) * share / (1 - share);
    if (space.reads_flash || h.spent_ns > saved * (at_once_ ? kMarginAtOnce : kMargin[privileged]))
      return demote(h, formed);
  } else if (!space.reads_flash) {
    const double entering = entering_[privileged].factor();
    const double cost = h.faults * entering * c.window_fault + h.flushes * c.window_flush;
    const double cost_rate = cost / h.ns;
    const double gain = share + h.refills * c.soft_refill / h.ns - cost_rate;
    if (gain < kHopeless) time_.rest(space);
    const double faults = entering_cost(h, formed);
    const double known = faults * entering + (formed.has_window() ? 0 : c.window_create);
    const bool program = !privileged && h.age > kPrograms * c.judge_after;
    const double expected = gain * h.age + (program ? h.new_code_ns * kNewCode : 0);
    const bool candidate = expected > known * h.reluctance;
    if (h.sampling && candidate) {
      const double translation = formed.translation_ns();
      const double investment = known + translation * hot_code_[privileged].factor();
      if (expected > investment * h.reluctance && formed.make_window()) {
        h.restart();
        statistics_.promotions++;
        formed.enter_window();
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
    if (h.sampling) formed.forget_instruction_pages();
  }
  if (h.ns > c.half_life) {
    if (space.windowed) {
      learn(h, formed);
      statistics_.predicted_upkeep_ns += h.cost_rate * h.ns / 2;
      statistics_.upkeep_ns += h.spent_ns / 2;
      h.reluctance = std::max(1.0, h.reluctance / 2);
    }
    h.fade(0.5);
  }
}

// Once for each promotion, so that what the space uses for the first time later on does not count.
void HybridPolicy::learn(HybridHistory& h, const FormedSpace& formed) {
  if (!h.learning) return;
  h.learning = false;
  Learned &hot = hot_code_[formed.privileged()], &entering = entering_[formed.privileged()];
  statistics_.predicted_translation_ns += h.translation_ns * hot.factor();
  statistics_.translation_ns += h.translated_ns;
  hot.add(h.translation_ns, std::min(h.translated_ns, h.translation_ns));
  // It may not have entered yet all that it uses.
  h.seen.clear();
  formed.add_entries(h.seen);
  const double faults = static_cast<double>(h.seen.count()) * costs_.window_fault;
  entering.add(faults, std::min(h.entered_ns, faults * kMaxEntering));
}

void HybridPolicy::demote(HybridHistory& h, FormedSpace& formed) {
  learn(h, formed);
  statistics_.predicted_upkeep_ns += h.cost_rate * h.ns;
  statistics_.upkeep_ns += h.spent_ns;
  statistics_.demotions++;
  h.restart();
  if (h.reluctance < kMaxReluctance) h.reluctance *= 2;
  formed.add_entries(h.seen);  // what it used is not new to it
  formed.leave_window();
}

}  // namespace crosswalk::mmu
