// SPDX-License-Identifier: GPL-2.0-or-later
// What an MMU counts, and how --stats names it.
#pragma once

#include <cstdint>

#include "translator/base/counter.h"

namespace crosswalk::mmu {

struct Statistics {
  uint64_t walks = 0, walk_levels = 0;
  uint64_t soft_misses = 0;
  // Software TLBs that became larger or smaller, and what the largest one had.
  uint64_t soft_tlb_resizes = 0, most_soft_tlb_entries = 0;
  uint64_t window_faults_installed = 0, window_faults_guest = 0, window_faults_device = 0, window_faults_code = 0,
           window_faults_spurious = 0, window_faults_split = 0;
  // those that the provider served by itself: they never came to the MMU (FillingWindow)
  uint64_t window_faults_filled = 0;
  uint64_t entries_4k = 0, entries_64k = 0, entries_1m = 0, entries_2m = 0;  // installed, by size
  uint64_t flush_all = 0, flush_asid = 0, flush_mva = 0, flush_mvaa = 0;     // guest operations
  // Of guest operations, as applied to address spaces: entries that went, that turned out
  // unchanged, that were rewritten.
  uint64_t entries_removed = 0, entries_kept = 0, entries_rewritten = 0;
  // flushes of everything or of an ASID, by what was done in a space
  uint64_t refreshes_lazy = 0, refreshes_eager = 0;
  uint64_t pages_prefilled = 0, spaces_prefilled = 0;
  uint64_t instruction_pages_prefilled = 0;  // of pages_prefilled
  // Hybrid: spaces that got a window and that went back, time in both forms, and for the time in
  // windows nanoseconds of faults and flushes, and of translation, that the model predicted and
  // that happened.
  uint64_t promotions = 0, demotions = 0;
  uint64_t soft_ticks = 0, window_ticks = 0;  // of the time-stamp counter
  double predicted_upkeep_ns = 0, upkeep_ns = 0, predicted_translation_ns = 0, translation_ns = 0;
  uint64_t space_switches = 0, spaces_created = 0, spaces_evicted = 0;
  uint64_t code_pages_protected = 0, code_page_writes = 0;
  // 4 KiB pages entered into a software TLB or a window, for whatever cause
  uint64_t pages_installed = 0;
  // faults spared: pages entered when the guest came back from an abort
  uint64_t installed_on_return = 0;
  // installed when a space got a window, those filled around aside
  uint64_t pages_promoted = 0;
  uint64_t pages_filled_around = 0;  // 4 KiB pages installed beyond the one that faulted
  uint64_t spaces_cleared = 0;       // windows emptied because the backend was at a limit
  uint64_t spaces_over_budget = 0;   // windows emptied for max_resident_pages and max_window_leaves
  // that there were at a time
  uint64_t most_window_pages = 0, most_window_leaves = 0, most_resident_pages = 0;
  uint64_t page_id_drops = 0;   // times that max_page_ids was reached
  uint64_t spaces_sharing = 0;  // that began to share hardware tables for the kernel's VAs
  uint64_t spaces_parted = 0;   // that stopped, since theirs became different
  uint64_t fetch_walks = 0, page_ids = 0;
};

// Of several CPUs. Of what there was at most at a time, this is a bound.
inline Statistics& operator+=(Statistics& sum, const Statistics& more) {
  constexpr double Statistics::*kReal[] = {&Statistics::predicted_upkeep_ns, &Statistics::upkeep_ns,
                                           &Statistics::predicted_translation_ns, &Statistics::translation_ns};
  const Statistics before = sum;
  add_counters(sum, more);
  for (const auto field : kReal) sum.*field = before.*field + more.*field;
  return sum;
}

inline constexpr bool was_hybrid(const Statistics& s) { return s.soft_ticks + s.window_ticks != 0; }

inline constexpr Counter<Statistics> kCounters[] = {
    {"walks", &Statistics::walks},
    {"levels read", &Statistics::walk_levels},
    {"soft TLB misses", &Statistics::soft_misses},
    {"soft TLB resizes", &Statistics::soft_tlb_resizes},
    {"soft TLB entries, most", &Statistics::most_soft_tlb_entries},
    {"faults: installed", &Statistics::window_faults_installed},
    {"faults: filled by the kernel module", &Statistics::window_faults_filled},
    {"faults: guest", &Statistics::window_faults_guest},
    {"faults: device", &Statistics::window_faults_device},
    {"faults: write to code", &Statistics::window_faults_code},
    {"faults: spurious", &Statistics::window_faults_spurious},
    {"faults: split", &Statistics::window_faults_split},
    {"entries installed, 4K", &Statistics::entries_4k},
    {"entries installed, 64K", &Statistics::entries_64k},
    {"entries installed, 1M", &Statistics::entries_1m},
    {"entries installed, 2M", &Statistics::entries_2m},
    {"flushes: all", &Statistics::flush_all},
    {"flushes: by ASID", &Statistics::flush_asid},
    {"flushes: by address", &Statistics::flush_mva},
    {"flushes: by address, all ASIDs", &Statistics::flush_mvaa},
    {"entries removed", &Statistics::entries_removed},
    {"entries kept", &Statistics::entries_kept},
    {"entries rewritten", &Statistics::entries_rewritten},
    {"refreshes lazy", &Statistics::refreshes_lazy},
    {"refreshes eager", &Statistics::refreshes_eager},
    {"hybrid: spaces promoted", &Statistics::promotions, CounterUnit::Count, was_hybrid},
    {"hybrid: spaces demoted", &Statistics::demotions, CounterUnit::Count, was_hybrid},
    {"hybrid: time on software TLBs", &Statistics::soft_ticks, CounterUnit::Ticks, was_hybrid},
    {"hybrid: time in windows", &Statistics::window_ticks, CounterUnit::Ticks, was_hybrid},
    {"hybrid: faults and flushes predicted", &Statistics::predicted_upkeep_ns, CounterUnit::Milliseconds, was_hybrid},
    {"hybrid: faults and flushes seen", &Statistics::upkeep_ns, CounterUnit::Milliseconds, was_hybrid},
    {"hybrid: translation predicted", &Statistics::predicted_translation_ns, CounterUnit::Milliseconds, was_hybrid},
    {"hybrid: translation seen", &Statistics::translation_ns, CounterUnit::Milliseconds, was_hybrid},
    {"pages entered on return from an abort", &Statistics::installed_on_return},
    {"spaces sharing tables", &Statistics::spaces_sharing},
    {"spaces no longer alike", &Statistics::spaces_parted},
    {"spaces prefilled", &Statistics::spaces_prefilled},
    {"pages prefilled", &Statistics::pages_prefilled},
    {"space switches", &Statistics::space_switches},
    {"spaces created", &Statistics::spaces_created},
    {"spaces evicted", &Statistics::spaces_evicted},
    {"window pages, most", &Statistics::most_window_pages},
    {"window leaves, most", &Statistics::most_window_leaves},
    {"resident pages, most seen", &Statistics::most_resident_pages},
    {"windows emptied, host limit", &Statistics::spaces_cleared},
    {"windows emptied, budget", &Statistics::spaces_over_budget},
    {"page ids", &Statistics::page_ids},
    {"page ids dropped", &Statistics::page_id_drops},
    {"code pages protected", &Statistics::code_pages_protected},
    {"writes to code pages", &Statistics::code_page_writes},
    {"pages installed", &Statistics::pages_installed},
    {"pages installed by fill-around", &Statistics::pages_filled_around},
    {"pages installed by prefill",
     [](const Statistics& s) { return s.pages_prefilled - s.instruction_pages_prefilled; }},
    {"pages installed on return from an abort", &Statistics::installed_on_return},
    {"pages installed by promotion", &Statistics::pages_promoted},
    {"pages installed by fault or miss",
     [](const Statistics& s) {
       const uint64_t others = s.pages_filled_around + s.pages_prefilled - s.instruction_pages_prefilled +
                               s.installed_on_return + s.pages_promoted;
       return s.pages_installed > others ? s.pages_installed - others : 0;
     }},
    {"pages installed by eager flush", &Statistics::entries_rewritten},
    {"instruction pages prefilled", &Statistics::instruction_pages_prefilled},
    {"instruction page walks", &Statistics::fetch_walks},
};

}  // namespace crosswalk::mmu
