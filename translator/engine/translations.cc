// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/translations.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>

#include "translator/base/host_cpus.h"
#include "translator/base/trace.h"
#include "translator/engine/translation_listener.h"

namespace crosswalk::engine {

Result<std::unique_ptr<Translations>> Translations::create(const EngineConfig& config) {
  auto memory = CodeMemory::create(config.code_cache_bytes);
  if (!memory) return memory.take_error();
  return std::unique_ptr<Translations>(new Translations(config, std::move(*memory)));
}

Translations::Translations(const EngineConfig& config, CodeMemory memory)
    : recycle_(config.recycle),
      mixed_pages_(config.mixed_pages),
      cache_(std::move(memory), config.bookkeeping_bytes),
      compiler_(config, cache_, slow_sites_) {
  if (config.listener) config.listener->thunks_emitted(thunks(), cache_.memory().base(), cache_.used());
}

void Translations::attach(const User& user) {
  users_.push_back(user);
  cpus_ = user.cpus;
  // While each has a host CPU of its own, the holder of a lock needs none of the waiters'.
  constexpr uint32_t kLooks = 30, kLooksAlone = 500;
  events_.looks = each_has_host_cpu(static_cast<unsigned>(users_.size())) ? kLooksAlone : kLooks;
}

void Translations::detach(const CpuState& cpu) {
  std::erase_if(users_, [&](const User& user) { return user.cpu == &cpu; });
}

Block* Translations::make(const CompileRequest& request, mmu::CodeProtection& pages) {
  // Protected before it is read: what is written from now on is seen.
  const uint64_t page = request.key.pa & ~uint64_t{0xfff}, second_page = uint64_t{request.key.second_page} << 12;
  if (!blocks().of_page(page)) pages.protect_code_page(page);
  if (second_page && !blocks().of_page(second_page)) pages.protect_code_page(second_page);
  std::unique_ptr<Block> made;
  const Block* alike = blocks().find_alike(request.key);
  if (!alike && request.flags.fp_mode) alike = blocks().find_alike(request.key.for_fp_mode(*request.flags.fp_mode));
  if (alike && compiler_.can_move(*alike, request)) {
    made = compiler_.move(*alike, request);
    statistics_.blocks_copied++;
  } else {
    made = compiler_.compile(request);
    statistics_.blocks_translated++;
    statistics_.guest_instructions_translated += made->guest.size();
  }
  statistics_.code_bytes += made->code_size;
  Block* const block = cache_.add(std::move(made));
  mixed_.add(*block);
  statistics_.most_bookkeeping_bytes =
      std::max<uint64_t>(statistics_.most_bookkeeping_bytes, cache_.bookkeeping_bytes());
  return block;
}

void Translations::drop_locked(Block* block) {
  if (!block->valid) return;
  for (const User& user : users_) user.jump_caches->forget(*block);
  cache_.drop(block, next_epoch());
  begin_epoch();
  statistics_.blocks_dropped++;
}

void Translations::unlink_other_fp_modes(const Block& block) {
  constexpr uint8_t kMostMisses = 16;
  const auto* const in_page = blocks().of_page(block.key.pa);
  if (!in_page) return;
  for (Block* const other : *in_page) {
    if (other == &block || other->key.for_any_fp_mode() != block.key.for_any_fp_mode()) continue;
    if (other->fp_mode_misses == kMostMisses) continue;
    other->fp_mode_misses++;
    const std::vector<BlockLink> incoming = other->incoming;
    for (const BlockLink& link : incoming) unlink(link);
  }
}

void Translations::clear() {
  const auto lock = this->lock();
  statistics_.cache_flushes++;
  trace::instant(trace(), trace::Kind::CacheClear, blocks().count());
  for (const User& user : users_) {
    blocks().for_each_page([&](uint64_t pa) { user.pages->unprotect_code_page(pa); });
    user.jump_caches->clear();
  }
  cache_.clear();
  mixed_.clear();
  slow_sites_.clear();
  statistics_.slow_sites_now = 0;
}

void Translations::recycle(Block* block) {
  if (block->valid) {
    statistics_.blocks_recycled++;
    drop_locked(block);
    const auto free_page = [&](uint64_t page) {
      if (blocks().of_page(page)) return;
      for (const User& user : users_) user.pages->unprotect_code_page(page);
      slow_sites_.forget_page(page);
    };
    free_page(block->key.pa & ~uint64_t{0xfff});
    if (block->key.second_page) free_page(uint64_t{block->key.second_page} << 12);
  }
  cache_.recycle_oldest();
}

void Translations::make_room() {
  {
    const auto lock = this->lock();
    if (has_room()) return;  // another CPU was first
    if (recycle_) {
      const uint64_t before = statistics_.blocks_recycled;
      while (Block* const block = cache_.next_to_recycle()) recycle(block);
      statistics_.recyclings++;
      statistics_.slow_sites_now = slow_sites_.count();
      trace::instant(trace(), trace::Kind::CacheClear, statistics_.blocks_recycled - before);
      return;
    }
  }
  clear();
}

void Translations::put_out_of_line(uint64_t pa, Block* block, OutOfLine when) {
  const auto lock = this->lock();
  if (when == OutOfLine::Once) {
    statistics_.slow_once++;
    slow_sites_.add_once(pa);
  } else {
    statistics_.slow_sites++;
    if (when == OutOfLine::Always)
      slow_sites_.add(pa);
    else
      slow_sites_.add_store(pa);
    statistics_.slow_sites_now = slow_sites_.count();
  }
  drop_locked(block);
}

void Translations::stored_by_hand(Block* block, bool beside_code) {
  const std::atomic_ref<uint32_t> others(block->other_stores);
  if (beside_code) {
    others.store(0, std::memory_order_relaxed);
    return;
  }
  const uint32_t now = others.load(std::memory_order_relaxed) + 1;
  others.store(now, std::memory_order_relaxed);
  if (now < MixedPages::kStoresOfBlock) return;
  const auto lock = this->lock();
  slow_sites_.forget(block->key.pa, block->guest_bytes, true);
  statistics_.slow_sites_now = slow_sites_.count();
  drop_locked(block);
}

bool Translations::code_written(uint64_t pa, uint32_t bytes) {
  if (const auto* in_page = blocks().of_page(pa); mixed_pages_ && in_page && !mixed_.drops_all(pa, bytes, *in_page))
    return drop_touched(pa, bytes);
  const uint64_t before = statistics_.blocks_dropped;
  while (const auto* in_page = blocks().of_page(pa)) {
    Block* const block = in_page->back();
    // An instruction that begins in the page before is another one now.
    if (block->key.second_page == pa >> 12) slow_sites_.forget_page(block->key.pa);
    drop_locked(block);
  }
  slow_sites_.forget_page(pa);
  statistics_.slow_sites_now = slow_sites_.count();
  note_invalidation(pa, statistics_.blocks_dropped - before);
  return true;
}

void Translations::note_invalidation(uint64_t pa, uint64_t blocks) {
  statistics_.code_invalidations += blocks != 0;
  trace::instant(trace(), trace::Kind::CodeInvalidation, pa, blocks);
}

// Whether that were all blocks of the page.
bool Translations::drop_touched(uint64_t pa, uint32_t bytes) {
  statistics_.stores_beside_code++;
  if (!mixed_.may_touch(pa, bytes)) return false;
  std::vector<Block*> touched;
  std::ranges::copy_if(*blocks().of_page(pa), std::back_inserter(touched),
                       [&](const Block* block) { return MixedPages::touches(*block, pa, bytes); });
  for (Block* const block : touched) {
    slow_sites_.forget(block->key.pa, block->guest_bytes, false);
    drop_locked(block);
  }
  if (!touched.empty()) note_invalidation(pa, touched.size());
  const auto* const left = blocks().of_page(pa);
  mixed_.set(pa, left ? *left : std::vector<Block*>{});
  if (!left) slow_sites_.forget_page(pa);
  statistics_.slow_sites_now = slow_sites_.count();
  return left == nullptr;
}

void Translations::check_code(uint64_t pa) {
  const auto lock = this->lock();
  const auto* const in_page = blocks().of_page(pa);
  if (!in_page) return;
  std::vector<Block*> changed;
  std::ranges::copy_if(*in_page, std::back_inserter(changed), [](const Block* block) { return !block->is_current(); });
  for (Block* const block : changed) {
    slow_sites_.forget_page(block->key.pa);
    drop_locked(block);
  }
}

}  // namespace crosswalk::engine
