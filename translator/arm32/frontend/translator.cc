// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/translator.h"

#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/frontend/handler.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

constexpr uint32_t kAlways = 14;
constexpr uint32_t kPageMask = 0xfff;
// A block goes on after a conditional branch that is not taken, but not for ever.
constexpr uint32_t kMaxConditionalEnds = 4;

// Handlers that test t.cond themselves. BKPT is unconditional even in an IT block (A8.8.24).
bool tests_condition(Handler h) { return h == &B || h == &B_conditional || h == &BKPT; }

// Handlers that mostly are one register move: worth a conditional move rather than a skip.
bool is_move(Handler h) {
  return h == &MOV_immediate || h == &MOV_register || h == &MOV_register_high || h == &MVN_immediate ||
         h == &MVN_register || h == &MOVW;
}

// Whether what was emitted since `first` does nothing but write one register, and turns that write
// into a conditional one.
bool make_conditional(ir::Builder& ir, size_t first, uint32_t condition) {
  auto& insts = ir.block.insts;
  if (insts.size() == first || insts.back().op != ir::Opcode::SetReg) return false;
  for (size_t i = first; i + 1 < insts.size(); i++) {
    const uint32_t attributes = ir::info(insts[i].op).attributes;
    if (insts[i].op != ir::Opcode::GetReg && (!(attributes & ir::P) || (attributes & ir::W))) return false;
  }
  const ir::Inst write = insts.back();
  insts.pop_back();
  ir.SetReg(write.imm, ir.Select(condition, write.args[0], ir.GetReg(write.imm)));
  return true;
}

}  // namespace

void Translator::translate(uint32_t pc, bool thumb, uint8_t it, const FetchFunction& fetch) {
  ir::Block& block = t_.ir.block;
  block.pc = t_.pc = pc;
  block.thumb = t_.thumb = thumb;
  t_.it = it;
  uint32_t conditional_ends = 0;
  bool ended = false;
  for (uint32_t n = 0; !ended && n < t_.config.max_instructions && conditional_ends < kMaxConditionalEnds; n++) {
    if (n != 0 && ((t_.pc ^ pc) & ~kPageMask) != 0) break;
    t_.outcome = {};
    if (!translate_next(fetch, n == 0)) break;
    conditional_ends += t_.outcome.conditional_branches;
    if (t_.outcome.path_ended && condition_open_) {
      conditional_ends++;
      close_condition();
    } else {
      ended = t_.outcome.path_ended;
    }
    t_.it = t_.it_after();
    t_.pc += t_.bytes;
  }
  if (!ended) {
    close_condition();
    // A page end or the limit inside an IT block: the next block is looked up with its IT state.
    if (t_.it) {
      t_.ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(t_.it));
      t_.ir.ExitTo(t_.target(t_.pc));
    } else {
      t_.ir.Jump(t_.target(t_.pc));
    }
  }
  block.end_pc = t_.pc;
}

// Sets what CurrentInstruction says of the instruction at its pc. Nothing when that is not part of
// this block.
std::optional<Decoded> Translator::decode_next(const FetchFunction& fetch, bool first) {
  if (!t_.thumb) {
    if (!fetch(t_.pc, 4, t_.word)) return {};
    t_.bytes = 4;
    const Decoded d = decoder::decode_a32(t_.word);
    // Undefined instructions may heed their condition (A5.1.1), as QEMU has it.
    t_.cond = (d.row ? d.row->conditional : t_.word >> 28 != 15) ? t_.word >> 28 : kAlways;
    return d;
  }
  uint32_t half = 0, second = 0;
  if (!fetch(t_.pc, 2, half)) return {};
  t_.bytes = decoder::is_t32(static_cast<uint16_t>(half)) ? 4 : 2;
  t_.word = half;
  if (t_.bytes == 4) {
    // One that straddles two pages has a block of its own, so that only such blocks depend on two
    // pages.
    if ((t_.pc & kPageMask) == kPageMask - 1 && !first) return {};
    if (!fetch(t_.pc + 2, 2, second)) return {};
    t_.word = half << 16 | second;
  }
  t_.cond = t_.in_it_block() ? t_.it >> 4 : kAlways;
  if (t_.cond == 15) t_.cond = kAlways;
  return t_.bytes == 4 ? decoder::decode_t32(t_.word) : decoder::decode_t16(static_cast<uint16_t>(half));
}

// False when the instruction is not part of this block.
bool Translator::translate_next(const FetchFunction& fetch, bool first) {
  const std::optional<Decoded> d = decode_next(fetch, first);
  if (!d) return false;
  ir::Builder& ir = t_.ir;
  ir.block.guest.push_back({t_.pc, t_.word, t_.it, t_.bytes});
  ir.guest = static_cast<uint16_t>(ir.block.guest.size() - 1);
  if (first && t_.it) {
    // Block::guest has the IT state of each instruction; the CPU's is 0 inside blocks.
    ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(0));
  }
  if (t_.flags.breakpoints) {
    close_condition();
    ir.call(&helpers::check_breakpoints, ir::kCallMayExit);
  }
  if (!d->row) {
    open_condition(t_.cond);
    t_.undefined();
    return true;
  }
  const Handler handler = handler_of(*d);
  if (tests_condition(handler)) {
    close_condition();
    handler(t_, *d);
    return true;
  }
  if (t_.cond < kAlways && !(condition_open_ && open_condition_ == t_.cond) && is_move(handler)) {
    close_condition();
    const size_t start = ir.block.insts.size();
    handler(t_, *d);
    if (!t_.outcome.path_ended && make_conditional(ir, start, t_.cond)) return true;
    ir.block.insts.resize(start);  // flags, R15: these handlers keep no state of their own
    t_.outcome = {};
  }
  open_condition(t_.cond);
  const size_t first_inst = ir.block.insts.size();
  handler(t_, *d);
  if (condition_open_ && !t_.outcome.path_ended && writes_flags_since(first_inst)) close_condition();
  return true;
}

bool Translator::writes_flags_since(size_t first_inst) const {
  const auto& insts = t_.ir.block.insts;
  for (size_t i = first_inst; i < insts.size(); i++)
    if (ir::info(insts[i].op).attributes & ir::W) return true;
  return false;
}

void Translator::open_condition(uint32_t condition) {
  if (condition_open_ && open_condition_ == condition) return;
  close_condition();
  if (condition >= kAlways) return;
  open_condition_ = condition;
  open_label_ = t_.ir.new_label();
  t_.ir.skip_unless(condition, open_label_);
  condition_open_ = true;
  t_.checked_outside = t_.checked;
}

void Translator::close_condition() {
  if (!condition_open_) return;
  t_.ir.Label(open_label_);
  condition_open_ = false;
  t_.checked = t_.checked_outside;
}

}  // namespace crosswalk::frontend
