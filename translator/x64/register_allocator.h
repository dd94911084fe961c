// SPDX-License-Identifier: GPL-2.0-or-later
// Register allocation, in one pass with emission, over both register files of the host by the same
// rules: an operand is loaded when an instruction uses it, a value that is not needed again gives
// its register back, and where registers run out the value that was defined first moves to a slot
// in CpuState.
//
// Guest registers that have a host register (kPinned) are always there; a value read from one stays
// in it until the guest register changes. A value that the next SetReg puts into such a register is
// computed there if it can be.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <vector>

#include "translator/x64/places.h"

namespace crosswalk::x64 {

// Registers are numbers as in instruction encodings. EmitContext is how emitters see this.
class RegisterAllocator {
 public:
  RegisterAllocator(Xbyak::CodeGenerator& code, const ir::Block& block, std::pmr::memory_resource* memory);

  // Around the emission of each instruction of the block, in order.
  void begin(uint32_t index) { current_ = index; }
  void end();

  // ---- operands of the current instruction; their registers are valid until its end, or until
  // released
  int use(File file, ir::Value v);
  // Offset in CpuState of a 32-bit operand that is there and need not be loaded.
  std::optional<size_t> in_memory(ir::Value v) const;
  int copy(File file, ir::Value v);  // a register that may be modified
  int temp(File file);
  void take(int reg);  // exactly this general register
  void release(int reg) { locked(File::General) &= ~(1u << reg); }

  // ---- the result of the current instruction
  // With `overlapping`, it may be in the register of an operand.
  int define(File file, bool overlapping);
  int define_from(File file, ir::Value v);  // already holds v
  void define_as(File file, int reg);       // a register of temp(), copy() or take()
  // where SetReg wants it if that can be written now, else as define_as
  int define_hinted_or(int reg);
  bool prefers(ir::Value v) const;  // define_from(v) would need no copy
  void define_in(Place guest);      // it is what a guest register holds

  // ---- guest registers
  void set_reg(uint32_t n, ir::Value v);
  // bytes of CpuState; 4, 8 or 16 of them
  void set_simd(size_t offset, uint32_t bytes, ir::Value v);

  // ---- calls and merges What is needed later goes to slots. With `guest_registers_change`, what
  // guest registers hold too.
  void spill_across_call(bool guest_registers_change);
  // Before a skip or at a label: what is live across goes to slots that both paths agree on.
  void spill_for_merge();

 private:
  uint32_t& locked(File file) { return locked_[static_cast<int>(file)]; }
  bool is_locked(File file, int reg) const { return locked_[static_cast<int>(file)] >> reg & 1; }
  const ir::Inst& inst() const { return block_.insts[current_]; }
  uint32_t remaining_after(uint32_t value) const;  // uses left once the current instruction is done
  int allocate(File file);
  void own(File file, int reg, uint32_t value);
  int move_to_register(File file, uint32_t value);
  void evict(File file, int reg);
  int take_slot(File file);
  void load(File file, int reg, ir::Value v);
  int hinted_register(bool overlapping, ir::Value except) const;
  void displace(uint32_t n, ir::Value except);

  Xbyak::CodeGenerator& code_;
  const ir::Block& block_;
  std::pmr::memory_resource* const memory_;
  Places places_;
  std::pmr::vector<uint32_t> remaining_;  // uses, by value
  // by value: the guest register that it is to be computed in, or -1
  std::pmr::vector<int8_t> hints_;
  uint32_t locked_[2] = {};  // by file: registers that the current instruction uses
  uint32_t current_ = 0;
};

}  // namespace crosswalk::x64
