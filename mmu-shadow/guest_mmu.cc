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

constexpr unsigned walker_kind(AccessKind kind) {
  return kind == AccessKind::Store ? CW_STORE : kind == AccessKind::Fetch ? CW_FETCH : CW_LOAD;
}

}  // namespace

GuestMmu::GuestMmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener, WindowBackend* backend)
    : config_(config),
      ram_(ram),
      listener_(listener),
      backend_(config.mode == Mode::Soft || config.mode == Mode::SoftCall ? nullptr : backend),
      is_code_(ram.size >> kPageBits),
      maybe_writable_(ram.size >> kPageBits),
      protect_log_(kProtectLog) {
  uint32_t slots = 64;
  while (slots < config.max_spaces * 4) slots *= 2;
  table_.assign(slots, nullptr);
  if (config_.mode == Mode::Flat) install_flat();
}

GuestMmu::~GuestMmu() {
  for (auto& s : spaces_)
    if (s->window) backend_->destroy_window(s->window->base());
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

Translation GuestMmu::to_translation(uint32_t va, const cw_result& result) const {
  Translation t;
  t.ok = result.fault == CW_FAULT_NONE;
  t.pa = result.pa;
  t.normal_memory = result.memory_type == CW_NORMAL;
  if (!t.ok) {
    t.fsr = result.fsr;
    t.far = va;
  } else if (ram_.contains(result.pa)) {
    t.host = ram_.at(result.pa);
  }
  return t;
}

void GuestMmu::note_global(uint32_t va, uint32_t pages, uint32_t size_class) {
  if (size_class == 0) {
    for (uint32_t i = 0; i < pages; i++) globals_.add(va + i * kPageSize, 0);
  } else {
    globals_.add(va, size_class);
    globals_.add(va + (pages - 1) * kPageSize, size_class);  // a stretch may span two sections
  }
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
  if (!t.host || kind == AccessKind::Fetch) return t;

  const uint32_t page = ram_page_of(t.pa);
  bool writable = result.permissions & cw_needed_permission(CW_STORE, privileged);
  if (writable && is_code_[page])
    writable = kind == AccessKind::Store && code_written(t.pa, std::min(64u, kPageSize - (va & (kPageSize - 1))));
  if (!current_ || !current_->soft) return t;
  const uint32_t size_class = class_of(result.log2_size);
  current_->soft->install(va, t.host, writable, result.ng, size_class);
  if (writable) maybe_writable_[page] = 1;
  if (!result.ng) note_global(va, 1, size_class);
  statistics_.entries_4k++;
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
    for (auto& s : spaces_) s->instruction_pages.remove_all();
    ids_.drop();
  }
  const uint32_t id = ids_.intern({va_page, ram_page_of(translation.pa), code_flags});
  const uint32_t size_class = class_of(result.log2_size);
  pages.install(va, id, result.ng, size_class);
  if (!result.ng) note_global(va & ~(kPageSize - 1), 1, size_class);
  statistics_.page_ids = ids_.count();
  return id;
}

void GuestMmu::forget_instruction_pages() {
  for (auto& s : spaces_) s->instruction_pages.remove_all();
}

// Calls remove(space, asid) for each address space with the guest's MMU on; those with it off hold a flat map, which no
// flush can change.
template <typename Remove>
void GuestMmu::flush_spaces(Remove remove) {
  uint64_t removed = 0;
  for (size_t i = 0; i < spaces_.size(); i++)
    if (space_asids_[i] != kNoAsid) removed += remove(*spaces_[i], space_asids_[i]);
  statistics_.entries_removed += removed;
  if (removed != 0 && backend_) backend_->commit();
}

void GuestMmu::flush_all(CpuState&) {
  statistics_.flush_all++;
  flush_spaces([this](AddressSpace& s, uint16_t) {
    return s.instruction_pages.remove_all() + (s.soft ? s.soft->remove_all() : s.window->remove_all(*backend_));
  });
  globals_.clear();
}

void GuestMmu::flush_asid(CpuState&, uint8_t asid) {
  statistics_.flush_asid++;
  flush_spaces([&](AddressSpace& s, uint16_t a) -> uint32_t {
    if (a != asid) return 0;
    return s.instruction_pages.remove_nonglobal() +
           (s.soft ? s.soft->remove_nonglobal() : s.window->remove_nonglobal(*backend_));
  });
}

void GuestMmu::flush_mva(CpuState&, uint32_t va, uint8_t asid) {
  statistics_.flush_mva++;
  const bool global = globals_.covers(va);
  flush_spaces([&](AddressSpace& s, uint16_t a) -> uint32_t {
    if (a != asid && !global) return 0;
    return s.instruction_pages.remove_va(va, a != asid) +
           (s.soft ? s.soft->remove_va(va, a != asid) : s.window->remove_va(*backend_, va, a != asid));
  });
  globals_.clear_page(va);
}

void GuestMmu::flush_mva_all_asids(CpuState&, uint32_t va) {
  statistics_.flush_mvaa++;
  flush_spaces([&](AddressSpace& s, uint16_t) {
    return s.instruction_pages.remove_va(va, false) +
           (s.soft ? s.soft->remove_va(va, false) : s.window->remove_va(*backend_, va, false));
  });
  globals_.clear_page(va);
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
