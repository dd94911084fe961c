// SPDX-License-Identifier: GPL-2.0-or-later
// The form of an address space, and what hybrid's policy keeps with it.
#pragma once

#include <cstdint>
#include <memory>

#include "mmu-shadow/base/page_set.h"

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
  bool windowed = false;     // a window is in use, and not a software TLB
  bool reads_flash = false;  // as memory, which its window would have no entries for
  // how many stays in it the next measured one stands for, and how many come before that
  uint32_t stays = 1, unmeasured = 0;
  uint64_t run_ticks = 0;                  // time that it ran since it was judged
  std::unique_ptr<HybridHistory> history;  // Form::Hybrid only
};

}  // namespace crosswalk::mmu
