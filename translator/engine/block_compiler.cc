// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block_compiler.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/base/panic.h"
#include "translator/engine/slow_path.h"

namespace crosswalk::engine {
namespace {

x64::MemoryMode memory_mode(mmu::Mode mode, bool window) {
  if (window) return x64::MemoryMode::Window;
  return mode.lookup == mmu::Lookup::Call ? x64::MemoryMode::SoftCall : x64::MemoryMode::SoftInline;
}

}  // namespace

BlockCompiler::BlockCompiler(const EngineConfig& config, CodeCache& cache, SlowSites& slow_sites)
    : config_(config),
      cache_(cache),
      slow_sites_(slow_sites),
      assembler_(cache.memory().capacity(), cache.memory().writable(cache.memory().base())) {
  const uint8_t* const base = cache.memory().base();
  written_thunks_ = x64::emit_thunks(assembler_, {&SlowPath::enter, &helpers::synchronize, &helpers::send_event,
                                                  config.chain && config.log.items == 0});
  thunks_ = written_thunks_.moved(base - cache.memory().writable(base));
  cache.reserve_prefix(assembler_.getSize());
  backend_.count = config.count;
  backend_.thunks = &written_thunks_;
  backend_.pieces = &pieces_;
  backend_.flag_fusion = config.flag_fusion;
  backend_.chain = config.chain;
  backend_.guess_targets = config.chain && config.guess_targets;
  backend_.carry_vectors = config.carry_vectors;
}

std::unique_ptr<Block> BlockCompiler::compile(const CompileRequest& request) {
  read_guest_code(request);
  const SlowKinds slow = mark_slow_sites(request.key);
  run_passes(request);
  std::unique_ptr<Block> block = emit(request);
  block->once = slow.once;
  block->stores_beside_code = slow.stores_beside_code;
  if (config_.log.items) log_translation(config_.log, ir_, block->code, block->code_size);
  return block;
}

// Where the target of a branch lies beyond the end of the address space, it may be ahead of its
// branch for one VA and behind it for another.
bool BlockCompiler::can_move(const Block& from, const CompileRequest& request) const {
  if (!config_.relocate || config_.log.items != 0 || from.once || from.stores_beside_code ||
      request.flags.breakpoints || slow_sites_.any_in_page(request.key.pa))
    return false;
  return std::ranges::all_of(from.links, [&](const x64::LinkSite& link) {
    if (link.guess_offset != 0) return true;
    const int64_t distance = static_cast<int32_t>(link.target - from.key.va);
    const auto is_inside = [&](uint32_t va) { return va + distance >= 0 && va + distance <= UINT32_MAX; };
    return is_inside(from.key.va) && is_inside(request.key.va);
  });
}

std::unique_ptr<Block> BlockCompiler::move(const Block& from, const CompileRequest& request) {
  if (!config_.verify_ir) return copy(from, request);
  // It must be what would be made anew.
  const std::unique_ptr<Block> made = compile(request);
  const std::vector<uint8_t> code(made->code, made->code + made->code_size);
  std::unique_ptr<Block> copied = copy(from, request);
  const bool same_guest = std::ranges::equal(made->guest, copied->guest, {}, &ir::GuestInst::pc, &ir::GuestInst::pc);
  const bool same_links =
      std::ranges::equal(made->links, copied->links, {}, &x64::LinkSite::target, &x64::LinkSite::target);
  if (!same_guest || !same_links || !std::ranges::equal(code, std::span(copied->code, copied->code_size)))
    panic("a copied block differs from a new one\n" + ir::print(ir_));
  return copied;
}

namespace {

// Fields of code have no alignment.
void add_to_field(uint8_t* field, uint32_t delta) {
  uint32_t value;
  std::memcpy(&value, field, sizeof value);
  value += delta;
  std::memcpy(field, &value, sizeof value);
}
void set_field(uint8_t* field, uint32_t value) { std::memcpy(field, &value, sizeof value); }

}  // namespace

std::unique_ptr<Block> BlockCompiler::copy(const Block& from, const CompileRequest& request) {
  auto block = std::make_unique<Block>();
  block->key = request.key;
  block->key.flags = from.key.flags;  // with its fp_mode
  block->page_id = request.page_id;
  block->code = cache_.memory().base() + cache_.used();
  block->code_size = from.code_size;
  block->guest_bytes = from.guest_bytes;
  block->page = request.page;
  static_cast<x64::BlockTables&>(*block) = {from.sites, from.links, from.relocations, from.guest};
  const uint32_t va_delta = request.key.va - from.key.va;
  for (ir::GuestInst& inst : block->guest) inst.pc += va_delta;

  uint8_t* const code = cache_.memory().writable(block->code);
  std::memcpy(code, from.code, from.code_size);
  const auto code_delta = static_cast<uint32_t>(block->code - from.code);
  for (const x64::Relocation& r : from.relocations)
    add_to_field(code + r.offset(), r.kind() == x64::Relocation::GuestAddress ? va_delta : 0 - code_delta);
  uint32_t number = cache_.links().next_number();
  for (x64::LinkSite& link : block->links) {  // none is linked
    if (link.guess_offset != 0) {
      link.target = x64::kNoGuess;
      set_field(code + link.guess_offset, x64::kNoGuess);
      set_field(code + link.miss_offset, link.stub_offset - (link.miss_offset + 4));
    } else {
      link.target += va_delta;
    }
    set_field(code + link.jump_offset, link.stub_offset - (link.jump_offset + 4));
    set_field(code + link.number_offset, number++);
    if (link.id_offset == 0) continue;
    set_field(code + link.id_offset, x64::kNoPageId);
    set_field(code + link.id_offset - x64::kPageBeforeId, instruction_page_offset(link.target));
  }
  return block;
}

void BlockCompiler::read_guest_code(const CompileRequest& request) {
  ir_.guest.clear();
  ir_.insts.clear();
  ir_.label_count = 0;
  ir_.fp_mode.reset();
  ir_.in_window = request.window;
  const BlockKey& key = request.key;
  const uint32_t page = key.va & ~0xfffu;
  const auto fetch = [&](uint32_t va, uint32_t bytes, uint32_t& word) {
    const uint8_t* const base = (va & ~0xfffu) == page ? request.page : request.second_page;
    if (!base) return false;
    word = 0;
    std::memcpy(&word, base + (va & 0xfff), bytes);
    return true;
  };
  frontend::Translator translator(ir_, request.flags, config_.translate);
  translator.translate(key.va & ~1u, key.va & 1, static_cast<uint8_t>(key.flags >> CompileRequest::kItShift),
                       std::cref(fetch));
  verify_after("the frontend");
}

void BlockCompiler::run_passes(const CompileRequest& request) {
  if (!config_.optimise) {
    ir::count_uses(ir_);
    return;
  }
  // With breakpoints, an instruction that begins anew would meet its own a second time.
  const bool shares_lookups = config_.share_lookups && !(request.key.flags & CompileRequest::kApart) &&
                              !request.flags.breakpoints &&
                              memory_mode(config_.mode, request.window) == x64::MemoryMode::SoftInline;
  for (const ir::Pass& pass : ir::passes()) {
    if ((pass.shares_lookups && !shares_lookups) || (pass.fuses_flags && !config_.flag_fusion)) continue;
    pass.run(ir_);
    verify_after(pass.name);
  }
}

void BlockCompiler::verify_after(const char* pass) const {
  if (!config_.verify_ir) return;
  if (const std::string error = ir::verify(ir_); !error.empty())
    panic(std::string("IR after ") + pass + ": " + error + "\n" + ir::print(ir_));
}

BlockCompiler::SlowKinds BlockCompiler::mark_slow_sites(const BlockKey& key) {
  SlowKinds kinds;
  if (!slow_sites_.any_in_page(key.pa)) return kinds;
  for (size_t g = 0; g < ir_.guest.size(); g++) {
    const uint64_t pa = key.pa + (ir_.guest[g].pc - (key.va & ~1u));
    const bool taken = slow_sites_.take_once(pa);
    kinds.once |= taken;
    kinds.stores_beside_code |= slow_sites_.is_store(pa);
    if (taken || slow_sites_.contains(pa)) ir::set_out_of_line(ir_, static_cast<uint16_t>(g));
  }
  return kinds;
}

std::unique_ptr<Block> BlockCompiler::emit(const CompileRequest& request) {
  assembler_.setSize(cache_.used());
  backend_.memory = memory_mode(config_.mode, request.window);
  const uint32_t next_page = (request.key.va & ~0xfffu) + 0x1000;
  x64::CompiledBlock compiled =
      x64::emit_block(assembler_, ir_, backend_, {next_page, request.second_id}, cache_.links().next_number());
  auto block = std::make_unique<Block>();
  block->key = ir_.fp_mode ? request.key.for_fp_mode(*ir_.fp_mode) : request.key;
  block->page_id = request.page_id;
  block->second_id = request.second_id;
  block->code = cache_.memory().executable(compiled.code);
  block->code_size = compiled.size;
  block->guest_bytes = ir_.end_pc - ir_.pc;
  block->page = request.page;
  block->second_page = request.second_page;
  static_cast<x64::BlockTables&>(*block) = std::move(compiled);
  return block;
}

}  // namespace crosswalk::engine
