// SPDX-License-Identifier: GPL-2.0-or-later
// From guest code to a block: the frontend, the passes over the IR, and the backend, which emits at
// the end of the code cache. Knows no CPU; what depends on one is in the request.
#pragma once

#include <cstdint>
#include <memory>

#include "translator/arm32/frontend/translator.h"
#include "translator/engine/block.h"
#include "translator/engine/code_cache.h"
#include "translator/engine/engine_config.h"
#include "translator/engine/slow_sites.h"
#include "translator/ir/ir.h"
#include "translator/x64/assembler.h"
#include "translator/x64/emit_block.h"

namespace crosswalk::engine {

struct CompileRequest {
  // As BlockKey::flags has PSR.IT.
  static constexpr uint32_t kItShift = 8;
  // In BlockKey::flags: no two accesses share a lookup (ir::Opcode::HostSpan).
  static constexpr uint32_t kApart = 1u << 4;

  BlockKey key;
  frontend::CodeFlags flags;
  bool window = false;                  // data is accessed through a window, not a software TLB
  uint32_t page_id = 0, second_id = 0;  // as in Block
  // The host addresses of the block's page and of the page that its last instruction extends into;
  // the second is null when it does not.
  const uint8_t* page = nullptr;
  const uint8_t* second_page = nullptr;
};

class BlockCompiler {
 public:
  // Emits the thunks as the cache's prefix. `cache` and `slow_sites` outlive this.
  BlockCompiler(const EngineConfig& config, CodeCache& cache, SlowSites& slow_sites);

  // The block, which the cache has not taken over yet. Precondition: the cache has room.
  std::unique_ptr<Block> compile(const CompileRequest& request);

  // Whether move() can make the block that is asked for from this one, which was made from the same
  // guest code in the same way (BlockIndex::find_alike).
  bool can_move(const Block& from, const CompileRequest& request) const;
  // compile() by copying a block of other VAs. Precondition: as that, and can_move().
  std::unique_ptr<Block> move(const Block& from, const CompileRequest& request);

  const x64::Thunks& thunks() const { return thunks_; }  // to be executed
  const ir::Block& last_ir() const { return ir_; }       // of the last block

 private:
  void read_guest_code(const CompileRequest& request);  // into ir_
  void run_passes(const CompileRequest& request);
  void verify_after(const char* pass) const;
  // What slow sites the block has, of those that are not so for good.
  struct SlowKinds {
    bool once = false, stores_beside_code = false;
  };
  SlowKinds mark_slow_sites(const BlockKey& key);
  std::unique_ptr<Block> copy(const Block& from, const CompileRequest& request);
  std::unique_ptr<Block> emit(const CompileRequest& request);

  const EngineConfig config_;
  CodeCache& cache_;
  SlowSites& slow_sites_;
  x64::Assembler assembler_;      // over the whole cache, in its writable view
  x64::Thunks written_thunks_{};  // in that view: what emitted code jumps to
  x64::Thunks thunks_{};
  x64::PieceCache pieces_;
  x64::BackendConfig backend_;
  ir::Block ir_;
};

}  // namespace crosswalk::engine
