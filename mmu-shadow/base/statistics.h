// SPDX-License-Identifier: GPL-2.0-or-later
// What an MMU counts (docs/observability.md).
#pragma once

#include <cstdint>

namespace crosswalk::mmu {

struct Statistics {
  uint64_t walks = 0, walk_levels = 0;
  uint64_t soft_misses = 0;
  uint64_t window_faults_installed = 0, window_faults_guest = 0, window_faults_device = 0, window_faults_code = 0,
           window_faults_spurious = 0, window_faults_split = 0;
  uint64_t entries_4k = 0, entries_64k = 0, entries_1m = 0, entries_2m = 0;  // installed, by size
  uint64_t flush_all = 0, flush_asid = 0, flush_mva = 0, flush_mvaa = 0;     // guest operations
  // Of guest operations, as applied to address spaces: entries that went, that turned out
  // unchanged, that were rewritten.
  uint64_t entries_removed = 0, entries_kept = 0, entries_rewritten = 0;
  uint64_t refreshes_lazy = 0, refreshes_eager = 0;  // TLBIALL and TLBIASID, by what was done in a space
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
  uint64_t pages_installed = 0;      // 4 KiB pages entered into a software TLB or a window, for whatever cause
  uint64_t installed_on_return = 0;  // faults spared: pages entered when the guest came back from an abort
  uint64_t pages_promoted = 0;       // installed when a space got a window, those filled around aside
  uint64_t pages_filled_around = 0;  // 4 KiB pages installed beyond the one that faulted
  uint64_t spaces_cleared = 0;       // windows emptied because the backend was at a limit
  uint64_t spaces_over_budget = 0;   // windows emptied for max_resident_pages and max_window_leaves
  uint64_t most_window_pages = 0, most_window_leaves = 0, most_resident_pages = 0;  // that there were at a time
  uint64_t page_id_drops = 0;   // times that max_page_ids was reached
  uint64_t spaces_sharing = 0;  // that began to share hardware tables for the kernel's VAs
  uint64_t spaces_parted = 0;   // that stopped, since theirs became different
  uint64_t fetch_walks = 0, page_ids = 0;
};

}  // namespace crosswalk::mmu
