// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/translator.h"

#include <algorithm>
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
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
    const uint16_t attributes = ir::info(insts[i].op).attributes;
    if (insts[i].op != ir::Opcode::GetReg && (!(attributes & ir::P) || (attributes & ir::W))) return false;
  }
  const ir::Inst write = insts.back();
  insts.pop_back();
  ir.SetReg(write.imm, ir.Select(condition, write.args[0], ir.GetReg(write.imm)));
  return true;
}

}  // namespace

void Translator::translate(uint32_t start, bool is_thumb, uint8_t start_it, const FetchFunction& fetch) {
  ir.block.pc = start;
  ir.block.thumb = is_thumb;
  pc = start_pc_ = start;
  thumb = is_thumb;
  it = start_it;
  bool ended = false;
  for (uint32_t n = 0; n < config.max_instructions && conditional_ends_ < kMaxConditionalEnds; n++) {
    if (n != 0 && ((pc ^ start) & ~kPageMask) != 0) break;
    path_ended_ = it_begun_ = false;
    if (!translate_one(fetch, n == 0)) break;
    if (path_ended_) {
      if (!condition_open_) {
        ended = true;
      } else {
        conditional_ends_++;
        close_condition();
      }
    }
    it = it_after();
    pc += bytes;
    if (ended) break;
  }
  if (!ended) {
    close_condition();
    path_ended_ = false;
    // A page end or the limit inside an IT block: the next block is looked up with its IT state.
    if (it) {
      ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(it));
      ir.ExitTo(target(pc));
    } else {
      ir.Jump(target(pc));
    }
  }
  ir.block.end_pc = pc;
}

// False when the instruction is not part of this block.
bool Translator::translate_one(const FetchFunction& fetch, bool first) {
  Decoded d;
  if (thumb) {
    uint32_t half = 0, second = 0;
    if (!fetch(pc, 2, half)) return false;
    if (decoder::is_t32(static_cast<uint16_t>(half))) {
      // One that straddles two pages has a block of its own, so that only such blocks depend on two
      // pages.
      if ((pc & kPageMask) == kPageMask - 1 && !first) return false;
      if (!fetch(pc + 2, 2, second)) return false;
      bytes = 4;
      word = half << 16 | second;
      d = decoder::decode_t32(word);
    } else {
      bytes = 2;
      word = half;
      d = decoder::decode_t16(static_cast<uint16_t>(half));
    }
    cond = in_it_block() ? it >> 4 : kAlways;
    if (cond == 15) cond = kAlways;
  } else {
    if (!fetch(pc, 4, word)) return false;
    bytes = 4;
    d = decoder::decode_a32(word);
    // Undefined instructions may heed their condition (A5.1.1), as QEMU has it.
    cond = (d.row ? d.row->conditional : word >> 28 != 15) ? word >> 28 : kAlways;
  }

  ir.block.guest.push_back({pc, word, it, bytes});
  ir.guest = static_cast<uint16_t>(ir.block.guest.size() - 1);
  if (first && it) {
    // Block::guest has the IT state of each instruction; the CPU's is 0 inside blocks.
    ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(0));
  }
  if (flags.breakpoints) {
    close_condition();
    ir.call(&helpers::check_breakpoints, ir::kCallMayExit);
  }
  if (!d.row) {
    open_condition(cond);
    undefined();
    return true;
  }
  if (tests_condition(handler_of(d))) {
    close_condition();
    handler_of(d)(*this, d);
    return true;
  }
  if (cond < kAlways && !(condition_open_ && open_condition_ == cond) && is_move(handler_of(d))) {
    close_condition();
    const size_t start = ir.block.insts.size();
    handler_of(d)(*this, d);
    if (!path_ended_ && make_conditional(ir, start, cond)) return true;
    ir.block.insts.resize(start);  // flags, R15: these handlers keep no state of their own
    path_ended_ = false;
  }
  open_condition(cond);
  const size_t first_inst = ir.block.insts.size();
  handler_of(d)(*this, d);
  if (condition_open_ && !path_ended_ && writes_flags_since(first_inst)) close_condition();
  return true;
}

uint8_t Translator::it_after() const { return it_begun_ ? next_it_ : it_advance(it); }

bool Translator::writes_flags_since(size_t first_inst) const {
  for (size_t i = first_inst; i < ir.block.insts.size(); i++)
    if (ir::info(ir.block.insts[i].op).attributes & ir::W) return true;
  return false;
}

void Translator::open_condition(uint32_t condition) {
  if (condition_open_ && open_condition_ == condition) return;
  close_condition();
  if (condition >= kAlways) return;
  open_condition_ = condition;
  open_label_ = ir.new_label();
  ir.skip_unless(condition, open_label_);
  condition_open_ = true;
  fp_checked_outside_ = fp_checked_;
  simd_checked_outside_ = simd_checked_;
  scalar_checked_outside_ = scalar_checked_;
}

void Translator::close_condition() {
  if (!condition_open_) return;
  ir.Label(open_label_);
  condition_open_ = false;
  fp_checked_ = fp_checked_outside_;
  simd_checked_ = simd_checked_outside_;
  scalar_checked_ = scalar_checked_outside_;
}

// ---- writes to R15 (A2.3.1)
// --------------------------------------------------------------------------------

void Translator::alu_write_pc(Value v) {
  if (thumb)
    branch_write_pc(v);
  else
    bx_write_pc(v);
}

void Translator::bx_write_pc(Value v) {
  if (v.is_imm()) {
    branch_exchange(v.imm32() & (v.imm32() & 1 ? ~0u : ~3u));
    return;
  }
  ir.JumpIndirect(v);
  end_path();
}

void Translator::branch_write_pc(Value v) {
  if (v.is_imm()) {
    branch(v.imm32() & (thumb ? ~1u : ~3u));
    return;
  }
  ir.JumpIndirect(thumb ? ir.Or(v, ir::Builder::Imm(1)) : ir.AndNot(v, ir::Builder::Imm(3)));
  end_path();
}

void Translator::branch(uint32_t va) { branch_exchange(target(va)); }

void Translator::branch_exchange(uint32_t target_with_t) {
  ir.Jump(target_with_t);
  end_path();
}

// ---- memory
// ------------------------------------------------------------------------------------------------

uint32_t Translator::mem(uint32_t log2_bytes, uint8_t align_log2) const {
  ir::MemAccess m;
  m.log2_bytes = static_cast<uint8_t>(log2_bytes);
  m.align_log2 = align_log2;
  if (flags.strict_alignment && m.align_log2 < m.log2_bytes) m.align_log2 = m.log2_bytes;
  return m.pack();
}

Value Translator::load(uint32_t log2_bytes, Value va, bool sign_extend, uint8_t align_log2, bool unprivileged) {
  ir::MemAccess m = ir::MemAccess::unpack(mem(log2_bytes, align_log2));
  m.unprivileged = unprivileged;
  const bool swap = flags.big_endian && log2_bytes != 0;
  m.sign_extend = sign_extend && !swap;
  const Value v = ir.Load(m.pack(), va);
  if (!swap) return v;
  if (log2_bytes == 2) return ir.Rev(v);
  return sign_extend ? ir.RevSh(v) : ir.Uxth(ir.Rev16(v));
}

void Translator::store(uint32_t log2_bytes, Value va, Value v, uint8_t align_log2, bool unprivileged) {
  ir::MemAccess m = ir::MemAccess::unpack(mem(log2_bytes, align_log2));
  m.unprivileged = unprivileged;
  if (flags.big_endian && log2_bytes == 1) v = ir.Rev16(v);
  if (flags.big_endian && log2_bytes == 2) v = ir.Rev(v);
  ir.Store(m.pack(), va, v);
}

namespace {
uint32_t mem64(const CodeFlags& flags, uint8_t align_log2, uint8_t element_log2) {
  ir::MemAccess m;
  m.log2_bytes = 3;
  m.align_log2 = flags.strict_alignment ? std::max(align_log2, element_log2) : align_log2;
  if (element_log2 != 2) m.element = element_log2 + 1;
  return m.pack();
}
}  // namespace

Value Translator::load64(Value va, uint8_t align_log2, uint8_t element_log2) {
  const Value v = ir.Load64(mem64(flags, align_log2, element_log2), va);
  if (!flags.big_endian) return v;
  return ir.Pack(ir.Rev(ir.Low(v)), ir.Rev(ir.High(v)));
}

void Translator::store64(Value va, Value v, uint8_t align_log2, uint8_t element_log2) {
  if (flags.big_endian) v = ir.Pack(ir.Rev(ir.Low(v)), ir.Rev(ir.High(v)));
  ir.Store64(mem64(flags, align_log2, element_log2), va, v);
}

// ---- ends of the block
// -------------------------------------------------------------------------------------

void Translator::undefined() { call_and_leave(&helpers::undefined_instruction); }

void Translator::undefined_if(Value condition) {
  const uint32_t label = ir.new_label();
  ir.skip_if_zero(condition, label);
  ir.call(&helpers::undefined_instruction, ir::kCallPlain);
  ir.ExitException();
  ir.Label(label);
}

void Translator::unpredictable() {
  saw_unpredictable_ = true;
  undefined();
}

void Translator::end_block_exit() {
  if (const uint8_t next = it_after()) ir.StoreState8(offsetof(CpuState, it), ir::Builder::Imm(next));
  ir.ExitTo(target(next_pc()));
  end_path();
}

void Translator::check_fp_enabled() {
  if (fp_checked_) return;
  fp_checked_ = true;
  undefined_if(ir.Equal(ir.LoadState8(offsetof(CpuState, fp_enabled)), ir::Builder::Imm(0)));
}

void Translator::check_simd_enabled() {
  if (simd_checked_) return;
  fp_checked_ = simd_checked_ = true;
  undefined_if(ir.Equal(ir.LoadState8(offsetof(CpuState, simd_enabled)), ir::Builder::Imm(0)));
}

}  // namespace crosswalk::frontend
