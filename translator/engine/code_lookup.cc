// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_lookup.h"

#include <cstring>

#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/base/trace.h"
#include "translator/engine/jump_caches.h"
#include "translator/engine/translation_listener.h"

namespace crosswalk::engine {

frontend::CodeFlags CodeLookup::translation_flags(uint32_t va) const {
  frontend::CodeFlags f;
  f.big_endian = cpu_.e;
  f.strict_alignment = cpu_.strict_alignment;
  if (assume_fp_mode_) f.fp_mode = cpu_.fp_mode;
  f.breakpoints = arm::page_may_break(cpu_, va) || (cpu_.host_debug && arm::host_page_may_stop(*cpu_.host_debug, va));
  return f;
}

uint32_t CodeLookup::code_flags(uint32_t va) const {
  return translation_flags(va).pack() | (cpu_.memory_window ? mmu::kCodeFlagWindow : 0);
}

// What the jump cache has. After a flush the page has to be walked again; most often it is the same
// one.
const void* CodeLookup::cached() {
  const uint32_t target = cpu_.r[15] | cpu_.t;
  const JumpCacheEntry* const e = JumpCaches::find(cpu_, target);
  if (!e) return nullptr;
  uint32_t id = cpu_.instruction_pages[target >> 12 & (kInstructionPageEntries - 1)];
  // Another CPU may forget it meanwhile, and fetching may.
  const auto page_id = [e] { return __atomic_load_n(&e->page_id, __ATOMIC_RELAXED); };
  if (mmu::Translation at; id != page_id()) id = mmu_.fetch_page(cpu_, target & ~1u, code_flags(target), at);
  return id == page_id() ? e->code : nullptr;
}

// The code that this link of the block left goes to, which is what cpu.r[15] names; it is linked
// when it was not. Null: find_or_make() must say why, or what is there cannot be linked.
const void* CodeLookup::linked(uint32_t number, uint32_t reason) {
  BlockLinks& links = translations_.links();
  const auto target = [&](bool& exists) -> const Block* {
    const auto lock = translations_.lock();
    const BlockLink link = links.find(number);
    exists = link.from != nullptr;
    return exists ? link.from->linked[link.index].to : nullptr;
  };
  bool exists;
  const Block* const before = target(exists);
  if (!exists) return nullptr;
  // It left only because its page was not entered. Relinking would do too, but x86 punishes a write
  // to code that runs.
  if (before) {
    mmu::Translation at;
    const uint32_t id = mmu_.fetch_page(cpu_, cpu_.r[15], code_flags(cpu_.r[15]), at);
    // unless fetching dropped it
    if (const Block* const to = target(exists); to && to->page_id == id && to->key.va == (cpu_.r[15] | cpu_.t))
      return to->code;
  }
  const Block* const block = find_or_make(reason);
  if (!block) return nullptr;
  const auto lock = translations_.lock();
  // That may have dropped the block that was left, or made a block after making room.
  const BlockLink now = links.find(number);
  if (!now.from || !block->valid) return block->code;
  // Within a page nothing is checked at run time: both must be of the same mapping of it.
  if (now.from->links[now.index].id_offset == 0 && now.from->page_id != block->page_id) return block->code;
  if (now.from->links[now.index].only_itself && now.from != block) return block->code;
  if (const x64::LinkSite& site = now.from->links[now.index]; site.guess_offset != 0) {
    if (site.target == x64::kNoGuess)
      links.guess(now.from, now.index, block->key.va, translations_.thunks().jump_cached);
    else if (site.target != block->key.va)
      return block->code;
  }
  const Block::Link& last = now.from->linked[now.index];
  if (last.to) translations_.unlink(now);
  // A CPU may have compared the last identity, and not jumped yet.
  const mmu::Mmu::Self self = mmu_.self();
  if (last.page_id != 0 && last.page_id != block->page_id && !self.cpus->passed(self.index, last.unlinked))
    return block->code;
  links.link(now.from, now.index, const_cast<Block*>(block));
  statistics_.links++;
  return block->code;
}

const Block* CodeLookup::take_prefetch_abort(const mmu::Translation& fault) {
  statistics_.prefetch_aborts++;
  helpers::apply_effects(cpu_, arm::prefetch_abort(cpu_, cpu_.r[15], fault.fsr, fault.far));
  arm::recompute_pending(cpu_);
  return nullptr;
}

// At cpu.r[15]; null when an exception was taken instead.
const Block* CodeLookup::find_or_make(uint32_t reason) {
  const bool apart = reason == kExitApart;  // one whose accesses share no lookups
  if (!cpu_.t) cpu_.r[15] &= ~3u;
  for (;;) {
    const uint32_t pc = cpu_.r[15];
    const uint32_t flags = code_flags(pc);
    mmu::Translation at;
    uint32_t page_id = mmu_.fetch_page(cpu_, pc, flags, at);
    if (page_id == 0) return take_prefetch_abort(at);
    BlockKey key;
    key.va = pc | cpu_.t;
    key.pa = at.pa;
    key.flags = flags | uint32_t{cpu_.it} << CompileRequest::kItShift | (apart ? CompileRequest::kApart : 0);
    mmu::Translation second;
    uint32_t second_id = 0;
    if (cpu_.t && (pc & 0xfff) == 0xffe) {
      uint16_t half;
      std::memcpy(&half, at.host, 2);
      if (decoder::is_t32(half)) {
        const uint64_t before = translations_.statistics().cache_flushes;
        second_id = mmu_.fetch_page(cpu_, pc + 2, code_flags(pc + 2), second);
        if (second_id == 0) return take_prefetch_abort(second);
        // Fetching the second page may have voided the first one's id. There is room for both now.
        if (translations_.statistics().cache_flushes != before) continue;
        key.second_page = static_cast<uint32_t>(second.pa >> 12);
      }
    }
    {
      const auto lock = translations_.lock();
      Block* block = translations_.blocks().find(key);
      if (!block && assume_fp_mode_) block = translations_.blocks().find(key.for_fp_mode(cpu_.fp_mode));
      if (block && block->second_id != second_id) {
        translations_.drop_locked(block);  // the second page's code flags have changed, which are not in the key
        block = nullptr;
      }
      if (block || translations_.has_room()) {
        if (!block) block = make(key, page_id, at, second_id, second);
        if (reason == kExitFpMode) translations_.unlink_other_fp_modes(*block);
        // With the lock: another CPU that drops the block takes it out of the cache after this.
        if (cpu_.it == 0 && !apart) JumpCaches::enter(cpu_, key.va, page_id, block->code);
        return block;
      }
    }
    make_room();
  }
}

// Afterwards everything is to be looked at anew.
void CodeLookup::make_room() {
  {
    const mmu::Mmu::Self self = mmu_.self();
    const mmu::RunningCpus::Stop stop(*self.cpus, self.index);
    translations_.make_room();
  }
  mmu_.unpark(cpu_);
}

Block* CodeLookup::make(const BlockKey& key, uint32_t page_id, const mmu::Translation& at, uint32_t second_id,
                        const mmu::Translation& second) {
  const uint64_t start = trace::begin(cpu_.trace), ticks = __builtin_ia32_rdtsc();
  CompileRequest request;
  request.key = key;
  request.flags = translation_flags(key.va);
  request.window = cpu_.memory_window;
  request.page_id = page_id;
  request.second_id = second_id;
  request.page = at.host - (at.pa & 0xfff);
  request.second_page = second_id ? second.host - (second.pa & 0xfff) : nullptr;
  Block* const block = translations_.make(request, mmu_);
  if (listener_) listener_->block_translated(*block, is_privileged(static_cast<Mode>(cpu_.mode)));
  mmu_.translated(page_id, __builtin_ia32_rdtsc() - ticks);
  trace::end(cpu_.trace, trace::Kind::Translation, start, key.va, key.pa, 0, 0,
             {block->guest.size(), block->guest_bytes, block->code_size});
  return block;
}

}  // namespace crosswalk::engine
