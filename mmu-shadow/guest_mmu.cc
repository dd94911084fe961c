// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/guest_mmu.h"

#include <algorithm>
#include <stdexcept>

namespace crosswalk::mmu {
GuestMmu::GuestMmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener, WindowBackend* backend)
    : config_(config),
      walks_(ram, statistics_),
      code_(ram, listener, statistics_),
      ids_(std::max(config.max_page_ids, kMinPageIds)),
      pool_(config, ram, config.mode.has_windows() ? backend : nullptr, spaces_, statistics_),
      spaces_(config.max_spaces),
      choice_(config.flush),
      hybrid_(config, statistics_),
      shared_(config.share_tables, ram, pool_, spaces_, code_, watch_, flushes_, statistics_),
      installer_(config_, walks_, code_, watch_, pool_, shared_, statistics_),
      flusher_(config_.costs, walks_, flushes_, ids_, code_, choice_, shared_, hybrid_, statistics_),
      prefiller_(config_, walks_, spaces_, ids_, code_, watch_, choice_, statistics_),
      keeper_(config.mode.form == Form::Hybrid, spaces_, pool_, shared_, installer_, hybrid_, code_, flushes_,
              statistics_) {
  if (config_.mode.form != Form::Flat) return;
  auto space = std::make_unique<AddressSpace>();
  installer_.install_flat(*space);
  spaces_.add(std::move(space));
  statistics_.spaces_created++;
}

GuestMmu::~GuestMmu() {
  for (auto& s : spaces_.all()) shared_.unshare(*s);
}

void GuestMmu::activate(CpuState& cpu) {
  const Guest::Selectors now = Guest::selectors_of(cpu);
  if (now == selectors_ && current_ && cpu.space == current_) return;
  // not from `now`: a copy in wider pieces waits for its stores
  selectors_ = Guest::selectors_of(cpu);

  AddressSpace* space;
  if (config_.mode.form == Form::Flat) {
    flat_violation_ |= Guest::mmu_enabled(cpu);
    space = spaces_.all().front().get();
  } else {
    space = spaces_.recent(now);
    if (!space) space = look_up(cpu);
  }
  spaces_.used(*space);
  if (space != current_) {
    const uint64_t id = reinterpret_cast<uint64_t>(space);
    note_space_switch(cpu, config_.accounts, statistics_, space->key.asid, space->key.privileged, id);
    statistics_.space_switches++;
    hybrid_.changed(current_, *space, [] { return __builtin_ia32_rdtsc(); });
  }
  current_ = space;
  if (space->windowed && space->shared) {
    space->window->window().enter();
    if (space->roots_version != space->shared->version) shared_.check(*space);
  }
  if (space->changes_applied != changes_) apply_missed(cpu);
  if (installer_.awaits(*space)) installer_.returned(regime_of(cpu));
  judge_current(cpu);
  enter_current(cpu);
}

// The space of `selectors_`, which is none of the recent ones.
AddressSpace* GuestMmu::look_up(const CpuState& cpu) {
  const Guest::Key key = Guest::key_of(cpu);
  AddressSpace* space = spaces_.find(key);
  if (!space) space = keeper_.make(key, current_);
  spaces_.set_recent(selectors_, space);
  return space;
}

// What happened since the current space was current last.
void GuestMmu::apply_missed(CpuState& cpu) {
  AddressSpace& space = *current_;
  const bool protection = space.missed(&Applied::protections, code_.end()),
             flushes = space.missed(&Applied::flushes, flushes_.end()),
             watches = space.missed(&Applied::watches, watch_.version());
  if (protection || flushes || watches) {
    const uint64_t start = upkeep_clock();
    if (watches) watch_.remove_from(space);
    if (protection) code_.catch_up(space);
    if (flushes) {
      const TracedFlush traced(cpu, statistics_, trace::FlushKind::Deferred);
      flusher_.apply(space, regime_of(cpu));
    }
    note_upkeep(start);
  }
  space.changes_applied = changes_;
}

void GuestMmu::polled(CpuState& cpu) {
  pool_.keep_resident_budget(current_);
  if (config_.mode.form != Form::Hybrid || cpu.space != current_) return;
  hybrid_.polled(*current_, __builtin_ia32_rdtsc());
  judge_current(cpu);
  enter_current(cpu);
}

void GuestMmu::enter_current(MmuView& view) {
  AddressSpace& space = *current_;
  view.mem_base = space.windowed ? space.window->base() : reinterpret_cast<uint64_t>(space.soft->entries());
  view.memory_window = space.windowed;
  view.instruction_pages = space.instruction_pages.ids();
  view.space = &space;
}

Translation GuestMmu::translate(CpuState& cpu, uint32_t va, AccessKind kind, bool privileged) {
  const Guest::Regime regime = regime_of(cpu);
  Guest::Result result;
  walks_.walk(regime, va, kind, privileged, result);
  Translation t = translation_of(va, result);
  t.par = Guest::par_of(regime, result);
  return t;
}

Translation GuestMmu::fill(CpuState& cpu, uint32_t va, AccessKind kind) {
  const bool privileged = Guest::privileged(cpu);
  const Guest::Regime regime = regime_of(cpu);
  Guest::Result result;
  statistics_.soft_misses++;
  walks_.walk(regime, va, kind, privileged, result);
  const Translation t = translation_of(va, result);
  if (current_ && current_->history && !current_->windowed && !hybrid_.resting(*current_) && !t.watched) {
    using Refill = HybridPolicy::Refill;
    hybrid_.refilled(*current_, va,
                     !t.ok                          ? Refill::NotMapped
                     : Guest::normal_memory(result) ? Refill::Memory
                                                    : Refill::Device,
                     class_of(result.log2_size));
  }
  if (!t.host || kind == AccessKind::Fetch) return t;

  const uint32_t page = walks_.ram_page_of(t.pa);
  bool writable = Guest::allows_store(result, privileged);
  if (writable && code_.holds(page))
    writable = kind == AccessKind::Store && code_.written(t.pa, std::min(64u, kPageSize - (va & (kPageSize - 1))));
  if (!current_ || current_->windowed || t.watched || !walks_.enterable(result)) return t;
  const uint32_t size_class = class_of(result.log2_size);
  current_->data_reuse.refilled += current_->soft->install(va, t.host, writable, result.ng, size_class);
  if (writable) code_.installed_writable(page);
  statistics_.entries_4k++;
  statistics_.pages_installed++;
  return t;
}

FaultOutcome GuestMmu::window_fault(CpuState& cpu, int64_t offset, uint32_t bytes, bool write,
                                    Translation& translation) {
  if (offset < 0 || offset >= static_cast<int64_t>(kWindowSize)) {
    statistics_.window_faults_split++;
    return FaultOutcome::Split;
  }
  const uint64_t start = upkeep_clock();
  const uint32_t va = static_cast<uint32_t>(offset);
  const AccessKind kind = write ? AccessKind::Store : AccessKind::Load;
  const Guest::Regime regime = regime_of(cpu);
  Guest::Result result;
  walks_.walk(regime, va, kind, Guest::privileged(cpu), result);
  translation = translation_of(va, result);
  // The memory type's check of alignment comes before those of domain and permission.
  if (!translation.ok && translation.normal_memory) {
    statistics_.window_faults_guest++;
    installer_.aborted(*current_, va, kind);
    note_fault(start);
    return FaultOutcome::GuestFault;
  }
  if (!translation.host) {
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }

  const uint32_t page = walks_.ram_page_of(translation.pa);
  bool was_code = false;
  if (write && code_.holds(page)) {
    statistics_.window_faults_code++;
    const uint64_t to_end = kPageSize - (va & (kPageSize - 1));
    if (!code_.written(translation.pa, std::min<uint64_t>(std::max(bytes, 1u), to_end))) return FaultOutcome::Once;
    was_code = true;
  }
  if (translation.watched || !walks_.enterable(result)) {
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }
  const WindowEntry old = current_->window_at(va).entry(va);
  const bool spurious = old.valid() && old.ram_page() == page && (old.writable() || !write);
  const bool installed = installer_.install(*current_, regime, va, result);
  note_fault(start);
  if (!installed) return FaultOutcome::Once;
  if (was_code) return FaultOutcome::CodeWrite;
  if (spurious)
    statistics_.window_faults_spurious++;
  else
    statistics_.window_faults_installed++;
  return FaultOutcome::Installed;
}

uint32_t GuestMmu::fetch_page(CpuState& cpu, uint32_t va, uint32_t code_flags, Translation& translation) {
  InstructionPages& pages = current_->instruction_pages;
  const uint32_t va_page = va >> kPageBits;
  const GuestRam& ram = walks_.ram();
  if (const uint32_t id = pages.id_at(va); id != 0 && ids_.record(id).va_page == va_page) {
    const PageIds::Record record = ids_.record(id);
    translation = Translation{};
    translation.ok = true;
    translation.pa = ram.base + (uint64_t{record.ram_page} << kPageBits) + (va & (kPageSize - 1));
    translation.host = ram.at(translation.pa);
    if (record.flags == code_flags) return id;
    if (!ids_.full()) {
      const uint32_t other = ids_.intern({va_page, record.ram_page, code_flags});
      pages.replace_id(va, other);
      return other;
    }
  }

  const Guest::Regime regime = regime_of(cpu);
  Guest::Result result;
  statistics_.fetch_walks++;
  walks_.walk(regime, va, AccessKind::Fetch, Guest::privileged(cpu), result);
  translation = translation_of(va, result);
  if (!translation.ok) return 0;
  if (!translation.host) {  // outside RAM
    translation.ok = false;
    translation.fsr = Guest::fsr_of_fetch(regime, result, translation.normal_memory);
    translation.far = va;
    return 0;
  }
  if (ids_.full()) {
    forget_instruction_pages();
    code_.listener().page_ids_dropped();
    ids_.drop();
    statistics_.page_id_drops++;
  }
  const uint32_t id = ids_.intern({va_page, walks_.ram_page_of(translation.pa), code_flags});
  current_->fetch_reuse.refilled += pages.install(va, id, result.ng, class_of(result.log2_size));
  statistics_.page_ids = ids_.count();
  if (prefiller_.fetched(*current_)) {
    const uint64_t start = trace::begin(cpu.trace), before = statistics_.pages_prefilled;
    prefiller_.prefill(*current_, regime);
    trace::end(cpu.trace, trace::Kind::Prefill, start, statistics_.pages_prefilled - before);
  }
  return id;
}

void GuestMmu::forget_instruction_pages() {
  for (auto& s : spaces_.all()) s->instruction_pages.remove_all();
}

void GuestMmu::translated(uint32_t page_id, uint64_t ticks) {
  if (config_.mode.form == Form::Hybrid) ids_.add_translation(page_id, hybrid_.translated(*current_, ticks));
}

void GuestMmu::debug_changed(CpuState& cpu) {
  if (const arm::BreakPages pages = arm::break_pages(cpu); pages != break_pages_) {
    if (pages.everywhere != break_pages_.everywhere) {
      forget_instruction_pages();
    } else {
      for (const arm::BreakPages& from : {break_pages_, pages})
        for (uint32_t i = 0; i < from.count; i++) {
          const uint32_t va = from.page[i] << kPageBits;
          if (pages.at(va) == break_pages_.at(va)) continue;
          for (auto& s : spaces_.all()) s->instruction_pages.remove_va(va, false);
        }
    }
    break_pages_ = pages;
  }
  if (!watch_.set(arm::watched_bytes(cpu))) return;
  changes_++;
  if (current_) watch_.remove_from(*current_);
}

void GuestMmu::flush_all(CpuState& cpu) {
  statistics_.flush_all++;
  flush(cpu, {GuestFlushLog::All, 0, 0});
}

void GuestMmu::flush_asid(CpuState& cpu, uint8_t asid) {
  statistics_.flush_asid++;
  flush(cpu, {GuestFlushLog::OfAsid, asid, 0});
}

void GuestMmu::flush_mva(CpuState& cpu, uint32_t va, uint8_t asid) {
  statistics_.flush_mva++;
  flush(cpu, {GuestFlushLog::Page, asid, va});
}

void GuestMmu::flush_mva_all_asids(CpuState& cpu, uint32_t va) {
  statistics_.flush_mvaa++;
  flush(cpu, {GuestFlushLog::PageOfAllAsids, 0, va});
}

void GuestMmu::flush(const CpuState& cpu, GuestFlushLog::Record record) {
  const TracedFlush traced(cpu, statistics_, static_cast<trace::FlushKind>(record.kind), record.va, record.asid);
  flushes_.add(record);
  changes_++;
  if (!current_) return;
  const uint64_t start = upkeep_clock();
  flusher_.apply(*current_, regime_of(cpu));
  note_upkeep(start);
}

void GuestMmu::protect_code_page(uint64_t pa) {
  if (!code_.protect(pa)) return;
  changes_++;
  if (current_) code_.catch_up(*current_);
}

std::unique_ptr<Mmu> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                              WindowBackend* backend) {
  if (config.mode.has_windows() && !backend) throw std::invalid_argument("this MMU mode needs a window backend");
  if (config.fill_bytes < kPageSize || config.fill_bytes > (2u << 20) || (config.fill_bytes & (config.fill_bytes - 1)))
    throw std::invalid_argument("fill_bytes must be a power of two from 4 KiB to 2 MiB");
  return std::make_unique<GuestMmu>(config, ram, listener, backend);
}

}  // namespace crosswalk::mmu
