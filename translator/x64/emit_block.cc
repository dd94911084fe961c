// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/emit_block.h"

#include <algorithm>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {
namespace {

using namespace Xbyak::util;

using EmitFunction = void (*)(EmitContext&, const ir::Inst&);
constexpr EmitFunction kEmitters[] = {
#define OP(name, ...) emit_##name,
#define OPI(name, ...) emit_##name,
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI
};

// The last instruction extends into another page: its mapping must be the one this code was made
// from.
void check_second_page(EmitContext& e, const SecondPage& page) {
  const Label miss = e.labels.make();
  e.code.mov(rax, state64(offsetof(CpuState, instruction_pages)));
  e.code.cmp(dword[rax + instruction_page_offset(page.va)], page.id);
  e.labels.jcc(kNotEqual, miss);
  e.out_of_line([&e, miss] {
    e.labels.bind(miss);
    e.exits.leave(kExitSecondPage, e.block.pc | e.block.thumb);
  });
}

void check_fp_mode(EmitContext& e, uint8_t mode) {
  const Label miss = e.labels.make();
  e.code.cmp(state8(offsetof(CpuState, fp_mode)), mode);
  e.labels.jcc(kNotEqual, miss);
  e.out_of_line([&e, miss] {
    e.labels.bind(miss);
    e.exits.leave(kExitFpMode, e.block.pc | e.block.thumb);
  });
}

bool is_branch_target(const ir::Inst& inst) { return inst.op == ir::Opcode::Label && inst.aux == ir::kBranch; }

// The guest instruction after the next one that may go on elsewhere, or that a branch goes to; they
// are at IR instruction `index` or later.
uint32_t next_way_out(const ir::Block& block, uint32_t index) {
  const auto size = static_cast<uint32_t>(block.guest.size());
  for (size_t i = index; i < block.insts.size(); i++) {
    const ir::Inst& inst = block.insts[i];
    if (is_branch_target(inst)) return inst.guest;
    if ((ir::info(inst.op).attributes & ir::X) || (ir::skips(inst.op) && (inst.imm & ir::kBranch)))
      return std::min(size, uint32_t{inst.guest} + 1);
  }
  return size;
}

// Counts the guest instructions from `first` to before `end`. Keeps the x86 flags, which may hold
// the guest's.
void count(EmitContext& e, uint32_t first, uint32_t end) {
  const Reg64 sum = e.temp();
  e.code.mov(sum, state64(offsetof(CpuState, instructions)));
  e.code.lea(sum, ptr[sum + static_cast<int>(end - first)]);
  e.code.mov(state64(offsetof(CpuState, instructions)), sum);
  e.release(sum);
}

}  // namespace

CompiledBlock emit_block(Assembler& code, const ir::Block& block, const BackendConfig& config,
                         const SecondPage& second_page, uint32_t first_link) {
  EmitContext e(code, block, config, first_link);
  const uint8_t* const start = code.getCurr();
  // A loop of one block does not change what it relies on: it comes back behind this.
  if (block.fp_mode) check_fp_mode(e, *block.fp_mode);
  e.guest_registers.load_carried();
  if (e.carried.of_loop() && second_page.id == 0 && loops_in_standard_rounding(block)) e.need_mxcsr(Rounding::Standard);
  e.exits.set_own_entry();
  if (second_page.id != 0) check_second_page(e, second_page);
  if (config.count) code.inc(state64(offsetof(CpuState, blocks)));
  for (uint32_t i = 0, counted = 0; i < block.insts.size(); i++) {
    const ir::Inst& inst = block.insts[i];
    if (config.count && inst.guest >= counted) {
      const uint32_t end = next_way_out(block, i);
      if (end > counted) count(e, counted, end);
      counted = end;
    }
    e.begin(i);
    kEmitters[static_cast<size_t>(inst.op)](e, inst);
    e.end();
  }
  e.finish();
  return {{e.sites.all(), e.exits.links(), e.relocations.all(), block.guest},
          start,
          static_cast<uint32_t>(code.getCurr() - start)};
}

}  // namespace crosswalk::x64
