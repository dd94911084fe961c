// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block_compiler.h"

#include <cstring>
#include <functional>
#include <string>
#include <utility>

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
  written_thunks_ = x64::emit_thunks(assembler_, {&SlowPath::enter, &helpers::synchronize, &helpers::send_event});
  thunks_ = written_thunks_.moved(base - cache.memory().writable(base));
  cache.reserve_prefix(assembler_.getSize());
  backend_.count = config.count;
  backend_.soft_tlb_entries = mmu::kSoftTlbEntries;
  backend_.thunks = &written_thunks_;
  backend_.pieces = &pieces_;
  backend_.flag_fusion = config.flag_fusion;
  backend_.chain = config.chain;
}

std::unique_ptr<Block> BlockCompiler::compile(const CompileRequest& request) {
  read_guest_code(request);
  run_passes();
  const bool once = mark_slow_sites(request.key);
  std::unique_ptr<Block> block = emit(request);
  block->once = once;
  if (config_.log.items) log_translation(config_.log, ir_, block->code, block->code_size);
  return block;
}

void BlockCompiler::read_guest_code(const CompileRequest& request) {
  ir_.guest.clear();
  ir_.insts.clear();
  ir_.label_count = 0;
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

void BlockCompiler::run_passes() {
  if (!config_.optimise) {
    ir::count_uses(ir_);
    return;
  }
  for (const ir::Pass& pass : ir::passes()) {
    pass.run(ir_);
    verify_after(pass.name);
  }
}

void BlockCompiler::verify_after(const char* pass) const {
  if (!config_.verify_ir) return;
  if (const std::string error = ir::verify(ir_); !error.empty())
    panic(std::string("IR after ") + pass + ": " + error + "\n" + ir::print(ir_));
}

bool BlockCompiler::mark_slow_sites(const BlockKey& key) {
  if (!slow_sites_.any_in_page(key.pa)) return false;
  bool once = false;
  for (size_t g = 0; g < ir_.guest.size(); g++) {
    const uint64_t pa = key.pa + (ir_.guest[g].pc - (key.va & ~1u));
    const bool taken = slow_sites_.take_once(pa);
    once |= taken;
    if (taken || slow_sites_.contains(pa)) ir::set_out_of_line(ir_, static_cast<uint16_t>(g));
  }
  return once;
}

std::unique_ptr<Block> BlockCompiler::emit(const CompileRequest& request) {
  assembler_.setSize(cache_.used());
  backend_.memory = memory_mode(config_.mode, request.window);
  const uint32_t next_page = (request.key.va & ~0xfffu) + 0x1000;
  x64::CompiledBlock compiled =
      x64::emit_block(assembler_, ir_, backend_, {next_page, request.second_id}, cache_.links().next_number());
  auto block = std::make_unique<Block>();
  block->key = request.key;
  block->page_id = request.page_id;
  block->second_id = request.second_id;
  block->code = cache_.memory().executable(compiled.code);
  block->code_size = compiled.size;
  block->guest_bytes = ir_.end_pc - ir_.pc;
  block->page = request.page;
  block->second_page = request.second_page;
  block->sites = std::move(compiled.sites);
  block->links = std::move(compiled.links);
  block->guest = ir_.guest;
  return block;
}

}  // namespace crosswalk::engine
