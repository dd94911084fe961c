// SPDX-License-Identifier: GPL-2.0-or-later
// What translations and engines count.
#pragma once

#include <cstdint>

#include "translator/base/counter.h"

namespace crosswalk::engine {

// Of translations, which the CPUs share.
struct TranslationStatistics {
  uint64_t blocks_translated = 0, guest_instructions_translated = 0, code_bytes = 0;
  uint64_t blocks_copied = 0;  // from those of other mappings of their page
  uint64_t blocks_dropped = 0, cache_flushes = 0;
  uint64_t blocks_recycled = 0, recyclings = 0;  // the oldest, for want of room, and how often
  uint64_t code_invalidations = 0;               // writes to a page that held translated code
  uint64_t stores_beside_code = 0;               // by hand, to pages whose other bytes keep their translations
  uint64_t slow_sites = 0, slow_once = 0, slow_sites_now = 0;
  uint64_t most_bookkeeping_bytes = 0;
};

inline constexpr Counter<TranslationStatistics> kTranslationCounters[] = {
    {"blocks translated", &TranslationStatistics::blocks_translated},
    {"blocks copied", &TranslationStatistics::blocks_copied},
    {"guest instructions translated", &TranslationStatistics::guest_instructions_translated},
    {"code bytes", &TranslationStatistics::code_bytes, CounterUnit::Bytes},
    {"blocks dropped", &TranslationStatistics::blocks_dropped},
    {"cache flushes", &TranslationStatistics::cache_flushes},
    {"cache recyclings", &TranslationStatistics::recyclings},
    {"blocks recycled", &TranslationStatistics::blocks_recycled},
    {"slow sites", &TranslationStatistics::slow_sites_now},
    {"slow sites found", &TranslationStatistics::slow_sites},
    {"accesses by hand once", &TranslationStatistics::slow_once},
    {"bookkeeping of blocks, most", &TranslationStatistics::most_bookkeeping_bytes, CounterUnit::Bytes},
    {"code invalidations", &TranslationStatistics::code_invalidations},
    {"stores beside code", &TranslationStatistics::stores_beside_code},
};

// Of one CPU's engine.
struct EngineStatistics {
  uint64_t exits_lookup = 0, exits_link = 0, exits_apart = 0, exits_indirect = 0, exits_poll = 0, exits_exception = 0;
  uint64_t links = 0, interrupts = 0, prefetch_aborts = 0, data_aborts = 0;
  uint64_t soft_call_hits = 0, soft_refills = 0;
  uint64_t crossing_accesses = 0;  // of two pages that the software TLB has
  uint64_t spans_refused = 0;      // of HostSpan, where no software TLB has such an entry
  uint64_t slow_accesses = 0, device_accesses = 0, window_faults = 0;
};

inline constexpr Counter<EngineStatistics> kCounters[] = {
    {"exits to look up", &EngineStatistics::exits_lookup},
    {"exits to link", &EngineStatistics::exits_link},
    {"exits to link apart", &EngineStatistics::exits_apart},
    {"exits, indirect", &EngineStatistics::exits_indirect},
    {"exits by poll", &EngineStatistics::exits_poll},
    {"exits by exception", &EngineStatistics::exits_exception},
    {"interrupts", &EngineStatistics::interrupts},
    {"prefetch aborts", &EngineStatistics::prefetch_aborts},
    {"data aborts", &EngineStatistics::data_aborts},
    {"soft TLB calls that hit", &EngineStatistics::soft_call_hits},
    {"soft TLB refills", &EngineStatistics::soft_refills},
    {"soft TLB hits in two pages", &EngineStatistics::crossing_accesses},
    {"soft TLB spans refused", &EngineStatistics::spans_refused},
    {"slow accesses", &EngineStatistics::slow_accesses},
    {"device accesses", &EngineStatistics::device_accesses},
    {"window faults", &EngineStatistics::window_faults},
};

}  // namespace crosswalk::engine
