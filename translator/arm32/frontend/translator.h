// SPDX-License-Identifier: GPL-2.0-or-later
// Translates guest instructions to IR. The driver (translator.cc) decodes, emits the condition
// skip, and calls the row's handler (handler.h): one per instruction shape, which A32, T32 and T16
// rows share.
#pragma once

#include <cstdint>
#include <functional>

#include "translator/arm32/decoder/decoder.h"
#include "translator/ir/ir.h"

namespace crosswalk::frontend {

using decoder::Decoded;
using ir::Value;

// The state that changes how code is translated; part of a translation's key, with its VA and PA.
struct CodeFlags {
  bool big_endian = false;        // PSR.E
  bool strict_alignment = false;  // SCTLR.A set, or SCTLR.M clear
  bool breakpoints = false;       // each instruction asks first whether a breakpoint matches it
  // Bit 2 is mmu::kCodeFlagWindow.
  constexpr uint32_t pack() const { return big_endian | strict_alignment << 1 | breakpoints << 3; }
};

struct TranslateConfig {
  uint32_t max_instructions = 64;  // guest instructions in a block
  // Advanced SIMD as vector opcodes where there are any, else always as helper calls
  bool native_simd = true;
};

// Reads guest code: `bytes` is 2 or 4; false when va is in another page than the block's first
// instruction and cannot be fetched (the block then ends before it).
using FetchFunction = std::function<bool(uint32_t va, uint32_t bytes, uint32_t& word)>;

class Translator {
 public:
  Translator(ir::Block& block, CodeFlags flags, const TranslateConfig& config)
      : ir(block), flags(flags), config(config) {}

  // Translates from `pc`; `it` is PSR.IT there. Stops at the first instruction that ends the block,
  // at the page end, or at max_instructions. Precondition: the first instruction can be fetched.
  void translate(uint32_t pc, bool thumb, uint8_t it, const FetchFunction& fetch);

  ir::Builder ir;
  CodeFlags flags;
  TranslateConfig config;

  // ---- of the current instruction
  uint32_t pc = 0;  // its VA
  uint32_t word = 0;
  uint8_t bytes = 4;
  bool thumb = false;
  uint8_t it = 0;  // PSR.IT for this instruction (0 outside IT blocks)
  // its condition; the driver has emitted the skip, except for handlers that test it themselves
  uint32_t cond = 14;
  bool in_it_block() const { return (it & 0xf) != 0; }
  uint32_t next_pc() const { return pc + bytes; }
  // The value R15 reads as: pc + 8 (A32) or pc + 4 (Thumb). pc_aligned: Align(PC, 4).
  uint32_t pc_value() const { return pc + (thumb ? 4 : 8); }
  uint32_t pc_aligned() const { return pc_value() & ~3u; }
  // A branch target as the IR wants it: bit 0 = T.
  uint32_t target(uint32_t va) const { return va | thumb; }

  // ---- guest registers. R15 reads as pc_value().
  Value reg(uint32_t n) { return n == 15 ? ir::Builder::Imm(pc_value()) : ir.GetReg(n); }
  // n != 15.
  void set_reg(uint32_t n, Value v) { ir.SetReg(n, v); }
  // The results of writing to R15: ALUWritePC (interworking in A32, plain in Thumb),
  // BXWritePC/LoadWritePC, BranchWritePC. Each ends the (possibly conditional) path.
  void alu_write_pc(Value v);
  void bx_write_pc(Value v);
  void branch_write_pc(Value v);
  // A direct branch to `va` in the current instruction set, or `target_with_t` verbatim.
  void branch(uint32_t va);
  void branch_exchange(uint32_t target_with_t);

  // Flags of a data-processing result in the S forms that are not arithmetic.
  void set_nz(Value result) { ir.SetNZ(result); }

  // ---- memory with the access rules that all loads and stores share (endianness, SCTLR.A).
  // `align` as MemAccess.
  Value load(uint32_t log2_bytes, Value va, bool sign_extend = false, uint8_t align_log2 = 0,
             bool unprivileged = false);
  void store(uint32_t log2_bytes, Value va, Value v, uint8_t align_log2 = 0, bool unprivileged = false);
  // One 64-bit access, of two words or of one element; the low word is at va whatever the
  // endianness.
  Value load64(Value va, uint8_t align_log2 = 0, uint8_t element_log2 = 2);
  void store64(Value va, Value v, uint8_t align_log2 = 0, uint8_t element_log2 = 2);
  uint32_t mem(uint32_t log2_bytes,
               // MemAccess for the X forms, with strict_alignment applied
               uint8_t align_log2 = 0) const;

  // ---- ends of the block
  void undefined();                    // raises Undefined Instruction here
  void undefined_if(Value condition);  // when it is not 0; the instruction goes on otherwise
  // A call that takes an exception or changes the state completely, r[15] included: ends the path.
  template <class F>
  void call_and_leave(F* f, Value a = ir::Builder::Imm(0), Value b = ir::Builder::Imm(0),
                      Value c = ir::Builder::Imm(0)) {
    ir.call(f, ir::kCallPlain, a, b, c);
    ir.ExitException();
    end_path();
  }
  void unpredictable();  // treated as undefined, as QEMU mostly does; say so where it differs
  // in any instruction so far; for tests
  bool saw_unpredictable() const { return saw_unpredictable_; }
  // After an instruction that changed system state: continue at next_pc() through the dispatcher.
  void end_block_exit();
  // The block has been ended unconditionally (or this path of it, when the instruction is
  // conditional).
  void end_path() { path_ended_ = true; }
  // A conditional branch was emitted: the block goes on where it falls through.
  void branched_conditionally() { conditional_ends_++; }

  // VFP/SIMD: emits the enable check once per block (raises Undefined Instruction when off).
  void check_fp_enabled();
  void check_simd_enabled();
  // The same and, for what VFPv2 did on short vectors, that FPSCR.Len and Stride are 0.
  void check_fp_scalar();
  void fpscr_written() { scalar_checked_ = scalar_checked_outside_ = false; }

  // T16/T32 IT: sets the condition state for the following instructions (called by the IT handler
  // only).
  void begin_it(uint8_t itstate) { it_begun_ = true, next_it_ = itstate; }

 private:
  bool translate_one(const FetchFunction& fetch, bool first);
  void open_condition(uint32_t condition);
  void close_condition();
  bool writes_flags_since(size_t first_inst) const;
  uint8_t it_after() const;  // PSR.IT after the current instruction

  bool path_ended_ = false;
  bool saw_unpredictable_ = false;
  uint32_t start_pc_ = 0;
  uint32_t conditional_ends_ = 0;  // conditional branches so far
  // The skip around conditional instructions is shared by neighbours with the same condition.
  bool condition_open_ = false;
  uint32_t open_condition_ = 14, open_label_ = 0;
  bool fp_checked_ = false, simd_checked_ = false;
  bool fp_checked_outside_ = false, simd_checked_outside_ = false;  // before the open skip
  bool scalar_checked_ = false, scalar_checked_outside_ = false;
  bool it_begun_ = false;
  uint8_t next_it_ = 0;
};

// PSR.IT after an instruction (A2.5.2, ITAdvance).
constexpr uint8_t it_advance(uint8_t it) { return it & 7 ? static_cast<uint8_t>((it & 0xe0) | (it << 1 & 0x1f)) : 0; }

using Handler = void (*)(Translator&, const Decoded&);
// Of the row that the word matches; d.row is not null.
Handler handler_of(const Decoded& d);

// Every handler named in the tables; a missing one is a link error.
#define INST(isa, handler, name, pattern) void handler(Translator& t, const Decoded& d);
#include "translator/arm32/decoder/all_rows.inc"
#undef INST

}  // namespace crosswalk::frontend
