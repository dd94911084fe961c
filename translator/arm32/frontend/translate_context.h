// SPDX-License-Identifier: GPL-2.0-or-later
// What handlers translate with: the instruction, the IR that is being built, guest registers, and
// the ways to end a block. Guest memory is in memory.h.
#pragma once

#include <cstdint>
#include <optional>

#include "translator/ir/ir.h"

namespace crosswalk::frontend {

using ir::Value;

// The state that changes how code is translated; part of a translation's key, with its VA and PA.
struct CodeFlags {
  bool big_endian = false;        // PSR.E
  bool strict_alignment = false;  // SCTLR.A set, or SCTLR.M clear
  bool breakpoints = false;       // each instruction asks first whether a breakpoint matches it
  // GuestCpu::fp_mode. Code may rely on it, and then says so (ir::Block::fp_mode), which makes it
  // part of its key; none: code tests it where it matters
  std::optional<uint8_t> fp_mode{};
  // Bit 2 is mmu::kCodeFlagWindow.
  constexpr uint32_t pack() const { return big_endian | strict_alignment << 1 | breakpoints << 3; }
};

struct TranslateConfig {
  uint32_t max_instructions = 64;  // guest instructions in a block
  // Advanced SIMD as vector opcodes where there are any, and parallel arithmetic in line; else
  // always as helper calls
  bool native_simd = true;
};

// The instruction that is being translated. The driver has decoded it.
struct CurrentInstruction {
  uint32_t pc = 0;  // its VA
  uint32_t word = 0;
  uint8_t bytes = 4;
  bool thumb = false;
  uint8_t it = 0;  // PSR.IT for it (0 outside IT blocks)
  // its condition; the driver has emitted the skip, except for handlers that test it themselves
  uint32_t cond = 14;

  bool in_it_block() const { return (it & 0xf) != 0; }
  uint32_t next_pc() const { return pc + bytes; }
  // The value R15 reads as: pc + 8 (A32) or pc + 4 (Thumb). pc_aligned: Align(PC, 4).
  uint32_t pc_value() const { return pc + (thumb ? 4 : 8); }
  uint32_t pc_aligned() const { return pc_value() & ~3u; }
  // A branch target as the IR wants it: bit 0 = T.
  uint32_t target(uint32_t va) const { return va | thumb; }
};

// How the block goes on after an instruction. The driver acts on it.
struct Outcome {
  // The block has been ended unconditionally (or this path of it, when the instruction is
  // conditional).
  bool path_ended = false;
  uint32_t conditional_branches = 0;  // emitted; the block goes on where they fall through
  std::optional<uint8_t> next_it;     // PSR.IT of the next instruction, where it is not it_advance's
};

// What has been checked in the block so far, so that it need not be again.
struct Checks {
  bool privileged = false;        // the mode is not User: only the end of a block changes it
  bool fp = false, simd = false;  // that they are enabled
  bool scalar = false;            // that FPSCR.Len and Stride are 0
};

class TranslateContext : public CurrentInstruction {
 public:
  TranslateContext(ir::Block& block, CodeFlags flags, const TranslateConfig& config)
      : ir(block), flags(flags), config(config) {}

  ir::Builder ir;
  const CodeFlags flags;
  const TranslateConfig config;
  Outcome outcome;
  bool saw_unpredictable = false;  // in any instruction so far; for tests

  // ---- guest registers. R15 reads as pc_value(). What depends on R15 is made from these, or goes
  // to Jump and its like: never a constant.
  Value reg(uint32_t n) { return n == 15 ? ir.GuestAddress(pc_value()) : ir.GetReg(n); }
  Value reg_aligned_pc(uint32_t n) { return n == 15 ? ir.GuestAddress(pc_aligned()) : ir.GetReg(n); }
  // n != 15.
  void set_reg(uint32_t n, Value v) { ir.SetReg(n, v); }
  // The results of writing to R15: ALUWritePC (interworking in A32, plain in Thumb),
  // BXWritePC/LoadWritePC, BranchWritePC. Each ends the (possibly conditional) path.
  enum class Targets : uint8_t { One, Many };  // what it goes to over time, most likely
  void alu_write_pc(Value v, Targets targets = Targets::One);
  void bx_write_pc(Value v, Targets targets = Targets::One);
  void branch_write_pc(Value v, Targets targets = Targets::One);
  // Of a jump through register m: returns and veneers have one, tables and interpreters many.
  static Targets targets_of_register(uint32_t m) { return m >= 12 ? Targets::One : Targets::Many; }
  // A direct branch to `va` in the current instruction set, or `target_with_t` verbatim.
  void branch(uint32_t va);
  void branch_exchange(uint32_t target_with_t);

  // ---- ends of the block
  void undefined();                    // raises Undefined Instruction here
  void undefined_if(Value condition);  // when it is not 0; the instruction goes on otherwise
  void require_privileged();           // in User mode
  // A call that takes an exception or changes the state completely, r[15] included: ends the path.
  template <class F>
  void call_and_leave(F* f, Value a = ir::Builder::Imm(0), Value b = ir::Builder::Imm(0),
                      Value c = ir::Builder::Imm(0)) {
    ir.call(f, ir::kCallPlain, a, b, c);
    ir.ExitException();
    outcome.path_ended = true;
  }
  void unpredictable();  // treated as undefined, as QEMU mostly does; say so where it differs
  // After an instruction that changed system state: continue at next_pc() through the dispatcher.
  void end_block_exit();
  // After one that changed what addresses mean, and nothing else that matters to code.
  void end_block_anew(bool polls = false);
  uint8_t it_after() const;  // PSR.IT after the current instruction

  // ---- VFP/SIMD: emits the enable check once per block (raises Undefined Instruction when off).
  void check_fp_enabled();
  void check_simd_enabled();
  // The same and, for what VFPv2 did on short vectors, that FPSCR.Len and Stride are 0.
  void check_fp_scalar();
  // FPSCR may have another mode for the instructions that follow.
  void fpscr_written();
  Checks checked;
  Checks checked_outside;  // before the skip that is open, if one is (see Translator)

 private:
  // Whether fp_mode is known and has the bits `set`, and not the bits `clear`. Makes the block
  // depend on it.
  bool fp_mode_is(uint8_t set, uint8_t clear);
};

}  // namespace crosswalk::frontend
