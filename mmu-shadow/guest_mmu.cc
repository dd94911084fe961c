// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/guest_mmu.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace crosswalk::mmu {
namespace {

// Descriptors are read as one access each, as a walker in hardware does: another CPU may be writing them.
int read_ram(void* context, uint64_t pa, unsigned bytes, uint64_t* value) {
  const GuestRam& ram = *static_cast<const GuestRam*>(context);
  if (!ram.contains(pa, bytes)) return 1;
  if (bytes == 8)
    *value = __atomic_load_n(reinterpret_cast<const uint64_t*>(ram.at(pa)), __ATOMIC_RELAXED);
  else
    *value = __atomic_load_n(reinterpret_cast<const uint32_t*>(ram.at(pa)), __ATOMIC_RELAXED);
  return 0;
}

// With fewer, one window with what it shares would not do.
constexpr uint32_t kMinWindowLeaves = 16;

constexpr unsigned walker_kind(AccessKind kind) {
  return kind == AccessKind::Store ? CW_STORE : kind == AccessKind::Fetch ? CW_FETCH : CW_LOAD;
}

}  // namespace

GuestMmu::GuestMmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener, WindowBackend* backend)
    : config_(config),
      ram_(ram),
      listener_(listener),
      backend_(config.mode == Mode::Soft || config.mode == Mode::SoftCall ? nullptr : backend),
      max_resident_pages_(config.max_resident_pages ? config.max_resident_pages
                                                    : 2 * (ram.size >> kPageBits) + kResidentBeyondRam),
      max_window_leaves_(config.max_window_leaves ? std::max(config.max_window_leaves, kMinWindowLeaves)
                                                  : kWindowLeaves + static_cast<uint32_t>(ram.size >> kLeafBits) * 8),
      resident_check_ticks_(backend_ ? static_cast<uint64_t>(backend_->resident_check_ns() * config.costs.ticks_per_ns)
                                     : 0),
      ids_(std::max(config.max_page_ids, kMinPageIds)),
      is_code_(ram.size >> kPageBits),
      maybe_writable_(ram.size >> kPageBits),
      protect_log_(kProtectLog),
      flush_log_(kFlushLog) {
  uint32_t slots = 64;
  while (slots < config.max_spaces * 4) slots *= 2;
  table_.assign(slots, nullptr);
  if (config_.mode == Mode::Flat) install_flat();
}

GuestMmu::~GuestMmu() {
  for (auto& s : spaces_) unshare_window(*s);
  spaces_.clear();  // while there is what they count in
}

cw_regime GuestMmu::current_regime(const CpuState& cpu) const {
  cw_regime r = regime_of(cpu.cp15);
  if (config_.mode == Mode::Flat) r.sctlr &= ~CW_SCTLR_M;
  return r;
}

void GuestMmu::walk(const cw_regime& regime, uint32_t va, AccessKind kind, bool privileged, cw_result& result) {
  cw_walk(&regime, va, walker_kind(kind), privileged, read_ram, const_cast<GuestRam*>(&ram_), &result);
  statistics_.walks++;
  statistics_.walk_levels += result.levels_read;
}

const cw_result& GuestMmu::walk(const cw_regime& regime, uint32_t va, AccessKind kind, bool privileged, cw_memo& memo) {
  statistics_.walks++;
  statistics_.walk_levels +=
      cw_walk_memo(&regime, va, walker_kind(kind), privileged, read_ram, const_cast<GuestRam*>(&ram_), &memo);
  return memo.result;
}

Translation GuestMmu::to_translation(uint32_t va, const cw_result& result) const {
  Translation t;
  t.ok = result.fault == CW_FAULT_NONE;
  t.pa = result.pa;
  // Whose alignment the type checks: not before a descriptor was found; with the MMU off, code checks everything
  // itself.
  t.normal_memory = result.memory_type == CW_NORMAL || !result.entry_valid || result.log2_size == 32;
  t.watched = is_watched(va);
  if (!t.ok) {
    t.fsr = result.fsr;
    t.far = va;
  } else if (ram_.contains(result.pa)) {
    t.host = ram_.at(result.pa);
  }
  return t;
}

Translation GuestMmu::translate(CpuState& cpu, uint32_t va, AccessKind kind, bool privileged) {
  const cw_regime regime = current_regime(cpu);
  cw_result result;
  walk(regime, va, kind, privileged, result);
  Translation t = to_translation(va, result);
  t.par = cw_par(&regime, &result);
  return t;
}

Translation GuestMmu::fill(CpuState& cpu, uint32_t va, AccessKind kind) {
  const bool privileged = is_privileged(static_cast<crosswalk::Mode>(cpu.mode));
  const cw_regime regime = current_regime(cpu);
  cw_result result;
  statistics_.soft_misses++;
  walk(regime, va, kind, privileged, result);
  const Translation t = to_translation(va, result);
  if (current_ && current_->hybrid && !current_->windowed && !resting(*current_) && !t.watched)
    note_refill(*current_, va, result);
  if (!t.host || kind == AccessKind::Fetch) return t;

  const uint32_t page = ram_page_of(t.pa);
  bool writable = result.permissions & cw_needed_permission(CW_STORE, privileged);
  if (writable && is_code_[page])
    writable = kind == AccessKind::Store && code_written(t.pa, std::min(64u, kPageSize - (va & (kPageSize - 1))));
  if (!current_ || current_->windowed || t.watched || !enterable(result)) return t;
  const uint32_t size_class = class_of(result.log2_size);
  current_->data_reuse.refilled += current_->soft->install(va, t.host, writable, result.ng, size_class);
  if (writable) maybe_writable_[page] = 1;
  statistics_.entries_4k++;
  statistics_.pages_installed++;
  return t;
}

uint32_t GuestMmu::fetch_page(CpuState& cpu, uint32_t va, uint32_t code_flags, Translation& translation) {
  InstructionPages& pages = current_->instruction_pages;
  const uint32_t va_page = va >> kPageBits;
  if (const uint32_t id = pages.id_at(va); id != 0 && ids_.record(id).va_page == va_page) {
    const PageIds::Record record = ids_.record(id);
    translation = Translation{};
    translation.ok = true;
    translation.pa = ram_.base + (uint64_t{record.ram_page} << kPageBits) + (va & (kPageSize - 1));
    translation.host = ram_.at(translation.pa);
    if (record.flags == code_flags) return id;
    if (!ids_.full()) {
      const uint32_t other = ids_.intern({va_page, record.ram_page, code_flags});
      pages.replace_id(va, other);
      return other;
    }
  }

  const cw_regime regime = current_regime(cpu);
  cw_result result;
  statistics_.fetch_walks++;
  walk(regime, va, AccessKind::Fetch, is_privileged(static_cast<crosswalk::Mode>(cpu.mode)), result);
  translation = to_translation(va, result);
  if (!translation.ok) return 0;
  if (!translation.host) {
    // Outside RAM: a fetch from Device or Strongly-ordered memory is a permission fault (A3.8.3 leaves it open);
    // from Normal memory an external abort, since nothing there answers instruction fetches.
    const unsigned fault = translation.normal_memory ? CW_FAULT_EXTERNAL : CW_FAULT_PERMISSION;
    translation.ok = false;
    translation.fsr = cw_fsr(cw_uses_long(regime.ttbcr), fault, result.level ? result.level : 1, 0, CW_FETCH);
    translation.far = va;
    return 0;
  }
  if (ids_.full()) {
    forget_instruction_pages();
    listener_.page_ids_dropped();
    ids_.drop();
    statistics_.page_id_drops++;
  }
  const uint32_t id = ids_.intern({va_page, ram_page_of(translation.pa), code_flags});
  const uint32_t size_class = class_of(result.log2_size);
  current_->fetch_reuse.refilled += pages.install(va, id, result.ng, size_class);
  statistics_.page_ids = ids_.count();
  if (current_->fetches < kPrefillFetches && ++current_->fetches == kPrefillFetches && config_.prefill) {
    const uint64_t start = trace::begin(cpu.trace), before = statistics_.pages_prefilled;
    prefill(*current_, regime);
    trace::end(cpu.trace, trace::Kind::Prefill, start, statistics_.pages_prefilled - before);
  }
  return id;
}

void GuestMmu::forget_instruction_pages() {
  for (auto& s : spaces_) s->instruction_pages.remove_all();
}

std::unique_ptr<Mmu> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                              WindowBackend* backend) {
  const bool soft = config.mode == Mode::Soft || config.mode == Mode::SoftCall;
  if (!soft && !backend) throw std::invalid_argument("this MMU mode needs a window backend");
  if (config.fill_bytes < kPageSize || config.fill_bytes > (2u << 20) || (config.fill_bytes & (config.fill_bytes - 1)))
    throw std::invalid_argument("fill_bytes must be a power of two from 4 KiB to 2 MiB");
  return std::make_unique<GuestMmu>(config, ram, listener, backend);
}

}  // namespace crosswalk::mmu
