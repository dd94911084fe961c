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

#include <cstdint>
#include <optional>

#include "translator/x64/live_values.h"
#include "translator/x64/places.h"

namespace crosswalk::x64 {

// Registers for the current instruction, by number as in instruction encodings. Operands is how
// emitters see this.
class RegisterAllocator {
 public:
  // `values` are the block's, and outlive this.
  RegisterAllocator(LiveValues& values, const ir::Block& block, Arena& arena);

  // ---- operands; their registers are valid until the instruction's end, or until released
  int use(File file, ir::Value v);
  // Offset in CpuState of a 32-bit operand that is there and need not be loaded.
  std::optional<size_t> in_memory(ir::Value v) const;
  int copy(File file, ir::Value v);  // a register that may be modified
  // copy() would only take over the register that the value is in.
  bool is_copied_freely(File file, ir::Value v) const;
  int temp(File file);
  void take(int reg);
  void move_to(int reg, ir::Value v);  // exactly this general register
  void release(int reg) { values_.release(File::General, reg); }

  // ---- the result
  // With `overlapping`, it may be in the register of an operand.
  int define(File file, bool overlapping);
  int define_from(File file, ir::Value v);  // already holds v
  void define_as(File file, int reg);       // a register of temp(), copy() or take()
  // where SetReg wants it if that can be written now, else as define_as
  int define_hinted_or(int reg);
  bool prefers(ir::Value v) const;  // define_from(v) would need no copy
  // it is what a guest register holds
  void define_in(Place guest) { values_.put(values_.current(), guest); }

 private:
  int hint() const { return hints_[values_.current()]; }
  void vacate_hinted(ir::Value v);
  int hinted_register(bool overlapping, ir::Value except) const;

  LiveValues& values_;
  // by value: the guest register that it is to be computed in, or -1
  ArenaVector<int8_t> hints_;
};

}  // namespace crosswalk::x64
