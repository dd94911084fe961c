// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/trace.h"
#include "translator/base/panic.h"
#include "translator/engine/ram_access.h"
#include "translator/x64/slow_access.h"

namespace crosswalk::engine {
namespace {

// No page has this id: a branch to 0xfffffffe in Thumb state has the empty entry's target.
constexpr JumpCacheEntry kEmptyEntry{UINT32_MAX, UINT32_MAX, nullptr};

constexpr uint32_t kItShift = 8;

std::string no_metadata(const uint8_t* return_address) {
  char text[64];
  std::snprintf(text, sizeof text, "no metadata for the call before %p", static_cast<const void*>(return_address));
  return text;
}

x64::MemoryMode memory_mode(mmu::Mode mode, bool window) {
  if (window) return x64::MemoryMode::Window;
  return mode.lookup == mmu::Lookup::Call ? x64::MemoryMode::SoftCall : x64::MemoryMode::SoftInline;
}

}  // namespace

Engine::Engine(const EngineConfig& config, CpuState& cpu, const GuestRam& ram, Platform& platform)
    : config_(config),
      cpu_(cpu),
      ram_(ram),
      platform_(platform),
      cache_(config.code_cache_bytes, config.bookkeeping_bytes),
      assembler_(cache_.memory().capacity(), cache_.memory().writable(cache_.memory().base())),
      jump_caches_(config.mode.form == mmu::Form::Hybrid ? 2 : 1) {
  written_thunks_ = x64::emit_thunks(assembler_, &Engine::slow_access);
  thunks_ = written_thunks_.moved(cache_.memory().base() - cache_.memory().writable(cache_.memory().base()));
  cache_.reserve_prefix(assembler_.getSize());
  if (config.listener) config.listener->thunks_emitted(thunks_, cache_.memory().base(), assembler_.getSize());
  backend_.count = config.count;
  backend_.soft_tlb_entries = mmu::kSoftTlbEntries;
  backend_.thunks = &written_thunks_;
  backend_.pieces = &pieces_;
  backend_.flag_fusion = config.flag_fusion;
  backend_.chain = config.chain;
  for (auto& cache : jump_caches_) cache.assign(kJumpCacheEntries, kEmptyEntry);
  cpu_.jump_caches[0] = jump_caches_.front().data();
  cpu_.jump_caches[1] = jump_caches_.back().data();
  if (config.log.items & kLogInt) cpu_.exception_observer = &exception_log_.emplace(config.log);
}

Engine::~Engine() {
  if (exception_log_) cpu_.exception_observer = nullptr;
}

void Engine::attach(mmu::Mmu& mmu) {
  mmu_ = &mmu;
  services_ = std::make_unique<helpers::EngineServices>(helpers::EngineServices{mmu, platform_});
  services_->engine = this;
  cpu_.engine = services_.get();
  mmu.activate(cpu_);
  choose_jump_cache(cpu_);
}

void Engine::guest_replaced() {
  clear_cache();
  mmu_->activate(cpu_);
  mmu_->flush_all(cpu_);
  mmu_->debug_changed(cpu_);
  mmu_->forget_instruction_pages();
  choose_jump_cache(cpu_);
  cpu_.exit_reason = kExitNone;
  arm::recompute_pending(cpu_);
}

frontend::CodeFlags Engine::translation_flags(uint32_t va) const {
  frontend::CodeFlags f;
  f.big_endian = cpu_.e;
  f.strict_alignment = cpu_.strict_alignment;
  f.breakpoints = arm::page_may_break(cpu_, va);
  return f;
}

uint32_t Engine::code_flags(uint32_t va) const {
  return translation_flags(va).pack() | (cpu_.memory_window ? mmu::kCodeFlagWindow : 0);
}

// ---- the run loop
// ----------------------------------------------------------------------------------------------

bool Engine::take_interrupts() {
  const uint32_t lines = std::atomic_ref<uint32_t>(cpu_.interrupt_lines).load();
  if (lines & kLineStop) return false;
  mmu_->polled(cpu_);
  choose_jump_cache(cpu_);
  if (lines & kLinePoll) lower_line(cpu_, kLinePoll);
  if (lines & kLineWork) platform_.run_queued_work(cpu_);
  switch (arm::pending_interrupt(cpu_)) {
    case arm::Interrupt::None: break;
    case arm::Interrupt::Irq:
      statistics_.interrupts++;
      helpers::take_exception(cpu_, arm::Exception::Irq, cpu_.r[15]);
      break;
    case arm::Interrupt::Fiq:
      statistics_.interrupts++;
      helpers::take_exception(cpu_, arm::Exception::Fiq, cpu_.r[15]);
      break;
  }
  arm::recompute_pending(cpu_);
  return true;
}

void Engine::run() {
  for (;;) {
    if (std::atomic_ref<uint32_t>(cpu_.pending).load(std::memory_order_acquire) && !take_interrupts()) return;
    run_once();
  }
}

void Engine::step() {
  if (std::atomic_ref<uint32_t>(cpu_.pending).load() && !take_interrupts()) return;
  run_once();
}

void Engine::run_once() {
  // PSR.E and alignment checking change only outside translated code. Page ids stand for code of
  // one setting.
  if (cpu_.e != cpu_.page_ids_e || cpu_.strict_alignment != cpu_.page_ids_a) {
    cpu_.page_ids_e = cpu_.e;
    cpu_.page_ids_a = cpu_.strict_alignment;
    mmu_->forget_instruction_pages();
  }
  const uint32_t reason = cpu_.exit_reason;
  cpu_.exit_reason = kExitNone;
  const void* code = nullptr;
  if (reason == kExitLink) {
    if (config_.chain && cpu_.it == 0) code = linked_code(cpu_.exit_link);
  } else if (reason != kExitSecondPage && cpu_.it == 0) {
    code = cached_code();
  }
  if (!code) {
    const Block* const block = lookup();
    if (!block) return;  // the guest took a prefetch abort
    code = block->code;
  }
  if (config_.log.items) log_registers(config_.log, cpu_);
  thunks_.enter(&cpu_, code);
  if (fault_effects_ != arm::kEffectNone) {
    helpers::apply_effects(cpu_, std::exchange(fault_effects_, arm::kEffectNone));
    arm::recompute_pending(cpu_);
  }
  switch (cpu_.exit_reason) {
    case kExitLookup: statistics_.exits_lookup++; break;
    case kExitLink: statistics_.exits_link++; break;
    case kExitIndirect: statistics_.exits_indirect++; break;
    case kExitPoll: statistics_.exits_poll++; break;
    default: statistics_.exits_exception++; break;
  }
}

// What the jump cache has for cpu.r[15]. After a flush the page has to be walked again; most often
// it is the same one.
const void* Engine::cached_code() {
  const uint32_t target = cpu_.r[15] | cpu_.t;
  const JumpCacheEntry& e = cpu_.jump_cache[jump_cache_index(target)];
  if (e.target != target || !e.code) return nullptr;
  uint32_t id = cpu_.instruction_pages[target >> 12 & (kInstructionPageEntries - 1)];
  if (mmu::Translation at; id != e.page_id) id = mmu_->fetch_page(cpu_, target & ~1u, code_flags(target), at);
  return id == e.page_id ? e.code : nullptr;
}

// Called from within fetch_page: nothing that it gave before is valid, nor is any block.
void Engine::page_ids_dropped() { clear_cache(); }

// The code that this link of the block left goes to, which is what cpu.r[15] names; it is linked
// when it was not. Null: lookup() must say why, or what is there cannot be linked.
const void* Engine::linked_code(uint32_t number) {
  const auto linked = [&]() -> const Block* {
    const BlockLink link = cache_.links().find(number);
    return link.from ? link.from->linked[link.index] : nullptr;
  };
  if (!cache_.links().find(number).from) return nullptr;
  // It left only because its page was not entered. Relinking would do too, but x86 punishes a write
  // to code that runs.
  if (linked()) {
    mmu::Translation at;
    const uint32_t id = mmu_->fetch_page(cpu_, cpu_.r[15], code_flags(cpu_.r[15]), at);
    // unless fetching dropped it
    if (const Block* const to = linked(); to && to->page_id == id) return to->code;
  }
  Block* const block = lookup();
  if (!block) return nullptr;
  // lookup() may have dropped the block that was left, or translated after emptying the cache.
  const BlockLink now = cache_.links().find(number);
  if (!now.from) return block->code;
  // Within a page nothing is checked at run time: both must be of the same mapping of it.
  if (now.from->links[now.index].id_offset == 0 && now.from->page_id != block->page_id) return block->code;
  cache_.links().unlink(now.from, now.index);
  cache_.links().link(now.from, now.index, block);
  statistics_.links++;
  return block->code;
}

Block* Engine::lookup() {
  if (!cpu_.t) cpu_.r[15] &= ~3u;
  const uint32_t pc = cpu_.r[15];
  const uint32_t flags = code_flags(pc);
  mmu::Translation at;
  uint32_t page_id = mmu_->fetch_page(cpu_, pc, flags, at);
  const auto abort = [&](const mmu::Translation& t) -> Block* {
    statistics_.prefetch_aborts++;
    helpers::apply_effects(cpu_, arm::prefetch_abort(cpu_, pc, t.fsr, t.far));
    arm::recompute_pending(cpu_);
    return nullptr;
  };
  if (page_id == 0) return abort(at);
  BlockKey key;
  key.va = pc | cpu_.t;
  key.pa = at.pa;
  key.flags = flags | uint32_t{cpu_.it} << kItShift;
  mmu::Translation second;
  uint32_t second_id = 0;
  if (cpu_.t && (pc & 0xfff) == 0xffe) {
    uint16_t half;
    std::memcpy(&half, at.host, 2);
    if (decoder::is_t32(half)) {
      const uint64_t before = statistics_.cache_flushes;
      second_id = mmu_->fetch_page(cpu_, pc + 2, code_flags(pc + 2), second);
      if (second_id == 0) return abort(second);
      // Fetching the second page may have voided the first one's id. There is room for both now.
      if (statistics_.cache_flushes != before) page_id = mmu_->fetch_page(cpu_, pc, flags, at);
      key.second_page = static_cast<uint32_t>(second.pa >> 12);
    }
  }
  Block* block = cache_.blocks().find(key);
  if (block && block->second_id != second_id) {
    drop_block(block);  // the second page's code flags have changed, which are not in the key
    block = nullptr;
  }
  if (!block) block = translate(key, page_id, at, second, second_id);
  if (cpu_.it == 0) {
    JumpCacheEntry& e = cpu_.jump_cache[jump_cache_index(key.va)];
    e = {key.va, page_id, block->code};
  }
  return block;
}

// ---- translation
// -----------------------------------------------------------------------------------------------

Block* Engine::translate(const BlockKey& key, uint32_t page_id, const mmu::Translation& at,
                         const mmu::Translation& second, uint32_t second_id) {
  const uint64_t start = trace::begin(cpu_.trace), ticks = __builtin_ia32_rdtsc();
  if (!cache_.has_room()) clear_cache();
  ir_.guest.clear();
  ir_.insts.clear();
  ir_.label_count = 0;
  const uint32_t page = key.va & ~0xfffu;
  const uint8_t* const first_page = at.host - (at.pa & 0xfff);
  const uint8_t* const second_page = second_id ? second.host - (second.pa & 0xfff) : nullptr;
  const auto fetch = [&](uint32_t va, uint32_t bytes, uint32_t& word) {
    const uint8_t* const base = (va & ~0xfffu) == page ? first_page : second_page;
    if (!base) return false;
    word = 0;
    std::memcpy(&word, base + (va & 0xfff), bytes);
    return true;
  };
  frontend::Translator translator(ir_, translation_flags(key.va), config_.translate);
  translator.translate(key.va & ~1u, key.va & 1, static_cast<uint8_t>(key.flags >> kItShift), std::cref(fetch));
  const auto checked = [&](const char* pass) {
    if (!config_.verify_ir) return;
    if (const std::string error = ir::verify(ir_); !error.empty()) {
      panic(std::string("IR after ") + pass + ": " + error + "\n" + ir::print(ir_));
    }
  };
  checked("the frontend");
  if (config_.optimise) {
    for (const ir::Pass& pass : ir::passes()) {
      pass.run(ir_);
      checked(pass.name);
    }
  } else {
    ir::count_uses(ir_);
  }
  bool once = false;
  if (slow_sites_.any_in_page(key.pa))
    for (size_t g = 0; g < ir_.guest.size(); g++) {
      const uint64_t pa = key.pa + (ir_.guest[g].pc - (key.va & ~1u));
      const bool taken = slow_sites_.take_once(pa);
      once |= taken;
      if (taken || slow_sites_.contains(pa)) ir::set_out_of_line(ir_, static_cast<uint16_t>(g));
    }

  assembler_.setSize(cache_.used());
  backend_.memory = memory_mode(config_.mode, cpu_.memory_window);
  x64::CompiledBlock compiled =
      x64::emit_block(assembler_, ir_, backend_, {page + 0x1000, second_id}, cache_.links().next_number());

  auto block = std::make_unique<Block>();
  block->key = key;
  block->page_id = page_id;
  block->second_id = second_id;
  block->code = cache_.memory().executable(compiled.code);
  block->code_size = compiled.size;
  block->guest_bytes = ir_.end_pc - ir_.pc;
  block->once = once;
  block->sites = std::move(compiled.sites);
  block->links = std::move(compiled.links);
  block->guest = ir_.guest;
  statistics_.blocks_translated++;
  statistics_.guest_instructions_translated += ir_.guest.size();
  statistics_.code_bytes += compiled.size;
  if (config_.log.items) log_translation(config_.log, ir_, block->code, compiled.size);
  const bool first_of_page = cache_.blocks().of_page(key.pa) == nullptr;
  const bool first_of_second = second_id && cache_.blocks().of_page(second.pa) == nullptr;
  Block* const result = cache_.add(std::move(block));
  statistics_.most_bookkeeping_bytes =
      std::max<uint64_t>(statistics_.most_bookkeeping_bytes, cache_.bookkeeping_bytes());
  if (first_of_page) mmu_->protect_code_page(key.pa & ~uint64_t{0xfff});
  if (first_of_second) mmu_->protect_code_page(second.pa & ~uint64_t{0xfff});
  if (config_.listener) config_.listener->block_translated(*result, is_privileged(static_cast<Mode>(cpu_.mode)));
  mmu_->translated(page_id, __builtin_ia32_rdtsc() - ticks);
  trace::end(cpu_.trace, trace::Kind::Translation, start, key.va, key.pa, 0, 0,
             {ir_.guest.size(), result->guest_bytes, result->code_size});
  return result;
}

void Engine::drop_block(Block* block) {
  for (auto& cache : jump_caches_) {
    JumpCacheEntry& e = cache[jump_cache_index(block->key.va)];
    if (e.code == block->code) e = kEmptyEntry;
  }
  cache_.drop(block);
  statistics_.blocks_dropped++;
}

void Engine::clear_cache() {
  statistics_.cache_flushes++;
  trace::instant(cpu_.trace, trace::Kind::CacheClear, cache_.blocks().count());
  cache_.blocks().for_each_page([this](uint64_t pa) { mmu_->unprotect_code_page(pa); });
  cache_.clear();
  slow_sites_.clear();
  statistics_.slow_sites_now = 0;
  for (auto& cache : jump_caches_) cache.assign(kJumpCacheEntries, kEmptyEntry);
}

bool Engine::code_written(uint64_t pa, uint32_t) {
  const uint64_t before = statistics_.blocks_dropped;
  while (const auto* blocks = cache_.blocks().of_page(pa)) {
    Block* const block = blocks->back();
    // An instruction that begins in the page before is another one now.
    if (block->key.second_page == pa >> 12) slow_sites_.forget_page(block->key.pa);
    drop_block(block);
  }
  slow_sites_.forget_page(pa);
  statistics_.slow_sites_now = slow_sites_.count();
  const uint64_t dropped = statistics_.blocks_dropped - before;
  statistics_.code_invalidations += dropped != 0;
  trace::instant(cpu_.trace, trace::Kind::CodeInvalidation, pa, dropped);
  return true;
}

// ---- memory accesses that leave translated code
// ------------------------------------------------------------------

uint64_t Engine::slow_access(CpuState* cpu, x64::SlowAccessFrame* frame) {
  auto& engine = *static_cast<Engine*>(crosswalk::helpers::services(cpu).engine);
  x64::take_operands(*cpu, *frame);
  if (!engine.plain_access())
    if (const uint64_t left = engine.do_slow_access(frame->return_address)) return left;
  x64::give_result(*cpu, *frame);
  return 0;
}

// An access that lies in one page of RAM and is allowed needs no exception's metadata.
bool Engine::plain_access() {
  const uint32_t kind = cpu_.access_kind, va = cpu_.access_va;
  const ir::MemAccess m = ir::MemAccess::unpack(kind);
  const uint32_t bytes = 1u << m.log2_bytes;
  if ((kind & x64::kAccessExclusive) || m.unprivileged || (va & ((1u << m.align_log2) - 1)) ||
      (va & 0xfff) + bytes > 0x1000)
    return false;
  const bool store = kind & x64::kAccessStore;
  uint8_t* host = nullptr;
  if (config_.mode.lookup == mmu::Lookup::Call) {
    // The lookup that translated code does in the other mode.
    const auto& entry =
        reinterpret_cast<const mmu::SoftTlbEntry*>(cpu_.mem_base)[va >> 12 & (mmu::kSoftTlbEntries - 1)];
    if ((store ? entry.tag_store : entry.tag_load) != (va & ~0xfffu)) return false;
    statistics_.soft_call_hits++;
    host = reinterpret_cast<uint8_t*>(entry.addend + va);
  } else {
    // A miss of the software TLB that becomes a hit: the entry is there from now on.
    if (cpu_.memory_window || m.out_of_line) return false;
    const mmu::Translation t = mmu_->fill(cpu_, va, store ? mmu::AccessKind::Store : mmu::AccessKind::Load);
    if (!t.ok || !t.host || t.watched || (!t.normal_memory && (va & m.element_mask()))) return false;
    statistics_.soft_refills++;
    host = t.host;
  }
  access_ram(host, cpu_.access_value, bytes, store);
  if (!store && bytes < 4) finish_narrow_load(cpu_.access_value, m);
  return true;
}

// Extends a loaded byte or halfword to 32 bits in place.
void Engine::finish_narrow_load(uint8_t* data, const ir::MemAccess& m) {
  uint32_t v = m.log2_bytes == 0 ? data[0] : data[0] | uint32_t{data[1]} << 8;
  if (m.sign_extend) v = static_cast<uint32_t>(m.log2_bytes == 0 ? static_cast<int8_t>(v) : static_cast<int16_t>(v));
  std::memcpy(data, &v, 4);
}

// MMU faults come first, external aborts after (B1.9.6). Precondition: cpu.r[15] and T are the
// instruction's.
bool Engine::watchpoint_hit(uint32_t va, uint32_t bytes, bool store, bool privileged, mmu::Translation& fault) {
  const auto byte = arm::watchpoint_match(cpu_, va, bytes, store, privileged);
  if (!byte) return false;
  fault.ok = false;
  fault.fsr = arm::note_watchpoint(cpu_, store);
  fault.far = *byte;
  return true;
}

// One access of at most 16 bytes, at most one page crossing. Nothing is written when either page
// faults. `unaligned`: an element is, which Device and Strongly-ordered memory do not allow.
bool Engine::access_memory(uint32_t va, uint32_t bytes, bool store, bool privileged, bool unaligned, uint8_t* data,
                           mmu::Translation& fault) {
  const mmu::AccessKind kind = store ? mmu::AccessKind::Store : mmu::AccessKind::Load;
  const bool own_privilege = privileged == is_privileged(static_cast<Mode>(cpu_.mode));
  const auto translate_at = [&](uint32_t at) {
    mmu::Translation t;
    if (own_privilege) {
      t = mmu_->fill(cpu_, at, kind);
    } else {
      t = mmu_->translate(cpu_, at, kind, privileged);
      if (t.ok && t.host && store) mmu_->note_external_write(t.pa, 1);
    }
    // After the faults of the walk, before those of domain and permission.
    if (unaligned && !t.normal_memory) {
      t.ok = false;
      t.fsr = arm::alignment_fault_status(cpu_, store);
      t.far = at;
    }
    return t;
  };
  struct Piece {
    mmu::Translation t;
    uint32_t bytes;
  } pieces[2];
  const uint32_t first = std::min(bytes, 0x1000 - (va & 0xfff));
  pieces[0] = {translate_at(va), first};
  pieces[1].bytes = bytes - first;
  if (pieces[0].t.ok && pieces[1].bytes) pieces[1].t = translate_at(va + first);
  uint8_t* p = data;
  for (const Piece& piece : pieces) {
    if (piece.bytes == 0) break;
    if (!piece.t.ok) {
      fault = piece.t;
      return false;
    }
  }
  if (pieces[0].t.watched || pieces[1].t.watched) {
    if (watchpoint_hit(va, bytes, store, privileged, fault)) return false;
  }
  for (const Piece& piece : pieces) {
    if (piece.bytes == 0) break;
    if (piece.t.host) {
      access_ram(piece.t.host, p, piece.bytes, store);
    } else {
      statistics_.device_accesses++;
      for (uint32_t done = 0; done < piece.bytes;) {
        const uint64_t pa = piece.t.pa + done;
        uint32_t step = 8;
        while (step > piece.bytes - done || (pa & (step - 1))) step /= 2;
        uint64_t value = 0;
        if (store) std::memcpy(&value, p + done, step);
        const bool answered =
            store ? platform_.mmio_write(cpu_, pa, step, value) : platform_.mmio_read(cpu_, pa, step, value);
        if (!answered) {
          fault = piece.t;
          fault.fsr = arm::synchronous_external_abort_status(cpu_, store);
          fault.far = va + static_cast<uint32_t>(p - data) + done;
          return false;
        }
        if (!store) std::memcpy(p + done, &value, step);
        done += step;
      }
    }
    p += piece.bytes;
  }
  return true;
}

uint64_t Engine::do_slow_access(const uint8_t* return_address) {
  statistics_.slow_accesses++;
  const uint32_t kind = cpu_.access_kind, va = cpu_.access_va;
  const ir::MemAccess m = ir::MemAccess::unpack(kind);
  const uint32_t bytes = 1u << m.log2_bytes;
  const bool store = kind & x64::kAccessStore, exclusive = kind & x64::kAccessExclusive;
  Block* const block = cache_.blocks().find_by_host(return_address - 1);
  const x64::FaultSite* const site = block ? block->site_at(return_address, true) : nullptr;
  if (!site) panic(no_metadata(return_address));
  // Its code goes on to its end, and is translated as usual for the next time.
  if (block->once && block->valid) drop_block(block);
  // Device models may look at the position (and tracing does).
  block->set_position(cpu_, *site);
  const auto abort = [&](uint32_t fsr, uint32_t far) -> uint64_t {
    statistics_.data_aborts++;
    helpers::apply_effects(cpu_, arm::data_abort(cpu_, cpu_.r[15], fsr, far));
    cpu_.exit_reason = kExitException;
    arm::recompute_pending(cpu_);
    return site->flags & x64::kSiteStandardMxcsr ? 2 : 1;
  };
  const uint32_t align = exclusive ? bytes - 1 : (1u << m.align_log2) - 1;
  if (va & align) return abort(arm::alignment_fault_status(cpu_, store), va);
  const bool privileged = !m.unprivileged && is_privileged(static_cast<Mode>(cpu_.mode));
  mmu::Translation fault;

  if (exclusive && store) {
    uint32_t status = 1;
    const bool armed = cpu_.monitor_armed && cpu_.monitor_address == va && cpu_.monitor_size == bytes;
    mmu::Translation t;
    if (armed) {
      t = mmu_->fill(cpu_, va, mmu::AccessKind::Store);
      if (!t.ok) return abort(t.fsr, t.far);
    }
    // Also where the monitor fails (Cortex-A15 TRM, 10.5.1).
    if (cpu_.debug.watching && watchpoint_hit(va, bytes, true, privileged, fault)) return abort(fault.fsr, fault.far);
    if (armed) {
      if (t.host) {
        uint64_t value, expected = cpu_.monitor_value;
        std::memcpy(&value, cpu_.access_value, 8);  // of which `exchange` takes its part
        const auto exchange = [&](auto type) {
          using T = decltype(type);
          T want = static_cast<T>(expected);
          return __atomic_compare_exchange_n(reinterpret_cast<T*>(t.host), &want, static_cast<T>(value), false,
                                             __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        };
        bool stored = false;
        switch (bytes) {
          case 1: stored = exchange(uint8_t{}); break;
          case 2: stored = exchange(uint16_t{}); break;
          case 4: stored = exchange(uint32_t{}); break;
          default: stored = exchange(uint64_t{}); break;
        }
        status = stored ? 0 : 1;
      } else {
        if (!access_memory(va, bytes, true, privileged, false, cpu_.access_value, fault))
          return abort(fault.fsr, fault.far);
        status = 0;
      }
    }
    cpu_.monitor_armed = 0;
    std::memset(cpu_.access_value, 0, sizeof cpu_.access_value);
    std::memcpy(cpu_.access_value, &status, 4);
  } else {
    uint8_t data[16] = {};
    if (store) std::memcpy(data, cpu_.access_value, sizeof data);
    const bool unaligned = va & m.element_mask();
    if (!access_memory(va, bytes, store, privileged, unaligned, data, fault)) return abort(fault.fsr, fault.far);
    if (!store) {
      if (bytes < 4) finish_narrow_load(data, m);
      std::memcpy(cpu_.access_value, data, 16);
      if (exclusive) {
        cpu_.monitor_armed = 1;
        cpu_.monitor_address = va;
        cpu_.monitor_size = bytes;
        std::memcpy(&cpu_.monitor_value, data, 8);
      }
    }
  }
  cpu_.it = 0;
  // A device access may have asked this CPU to stop, or raised an interrupt: the next poll sees it.
  return 0;
}

bool Engine::handle_fault(void* engine, FaultFrame& frame) { return static_cast<Engine*>(engine)->fault(frame); }

bool Engine::fault(FaultFrame& frame) {
  const auto* host = reinterpret_cast<const uint8_t*>(frame.rip);
  if (!cache_.memory().contains(host)) return false;
  Block* const block = cache_.blocks().find_by_host(host);
  if (!block) return false;
  const x64::FaultSite* const site = block->site_at(host, false);
  if (!site) return false;
  statistics_.window_faults++;
  const uint64_t start = trace::begin(cpu_.trace);
  const uint64_t access =
      frame.gpr[x64::kMemBase] + frame.gpr[site->address_reg] + static_cast<int64_t>(site->displacement);
  uint64_t address = frame.address_valid ? frame.address : access;
  // The metadata names the access's first byte; the host may name a later byte of it, in the next
  // page.
  if (address - access >= site->bytes) return false;
  const int64_t offset = static_cast<int64_t>(address - frame.gpr[x64::kMemBase]);
  const bool write = site->flags & x64::kSiteWrite;
  mmu::Translation t;
  mmu::FaultOutcome outcome =
      mmu_->window_fault(cpu_, offset, site->bytes - static_cast<uint32_t>(address - access), write, t);
  if (!frame.address_valid && (outcome == mmu::FaultOutcome::Installed || outcome == mmu::FaultOutcome::CodeWrite)) {
    // Which page of a crossing access it was is unknown: enter the second one too.
    const uint64_t last = access + site->bytes - 1, second = last & ~uint64_t{0xfff};
    if (second > access)
      outcome = mmu_->window_fault(cpu_, static_cast<int64_t>(second - frame.gpr[x64::kMemBase]),
                                   static_cast<uint32_t>(last - second + 1), write, t);
  }
  trace::end(cpu_.trace, trace::Kind::WindowFault, start, static_cast<uint64_t>(offset), block->guest[site->guest].pc,
             static_cast<uint32_t>(outcome), write);
  if (outcome == mmu::FaultOutcome::Installed || outcome == mmu::FaultOutcome::CodeWrite) return true;

  // The access does not complete in translated code: the guest's registers go back to CpuState.
  for (int n = 0; n < 15; n++)
    if (x64::kPinned[n] >= 0) cpu_.r[n] = static_cast<uint32_t>(frame.gpr[x64::kPinned[n]]);
  block->set_position(cpu_, *site);
  if (outcome == mmu::FaultOutcome::GuestFault) {
    statistics_.data_aborts++;
    // run_once() does the rest: changing the address space is not for fault handlers, which may be
    // outside of the VM.
    fault_effects_ = arm::data_abort(cpu_, cpu_.r[15], t.fsr, t.far);
    cpu_.exit_reason = kExitException;
  } else {
    // Translate the instruction again, with its access out of line, and restart it. From now on if
    // it is a device's or wraps; that RAM could not be entered says nothing of the next access.
    const uint64_t pa = block->key.pa + (cpu_.r[15] - (block->key.va & ~1u));
    if (outcome == mmu::FaultOutcome::Once) {
      statistics_.slow_once++;
      slow_sites_.add_once(pa);
    } else {
      statistics_.slow_sites++;
      slow_sites_.add(pa);
      statistics_.slow_sites_now = slow_sites_.count();
    }
    drop_block(block);
    cpu_.exit_reason = kExitLookup;
  }
  frame.rip = reinterpret_cast<uint64_t>(site->flags & x64::kSiteStandardMxcsr ? thunks_.exit_no_spill_standard
                                                                               : thunks_.exit_no_spill);
  return true;
}

}  // namespace crosswalk::engine
