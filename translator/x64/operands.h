// SPDX-License-Identifier: GPL-2.0-or-later
// The host registers of the current IR instruction, as its emitter asks for them. An emitter first
// obtains its operands, then defines its result, then emits code. Operand registers stay valid
// until it returns.
#pragma once

#include "translator/ir/ir.h"
#include "translator/x64/guest_registers.h"
#include "translator/x64/live_values.h"
#include "translator/x64/register_allocator.h"

namespace crosswalk::x64 {

using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

class Operands {
 public:
  Operands(Assembler& code, const ir::Block& block, const CarriedVectors& carried_vectors, Arena& arena)
      : carried(carried_vectors),
        values(code, block, carried, arena),
        registers(values, block, arena),
        guest_registers(code, block, values, registers, carried) {}

  const CarriedVectors carried;
  LiveValues values;
  RegisterAllocator registers;
  GuestRegisters guest_registers;

  // ---- general registers
  // A register that holds the operand (I32: zero-extended; I64: whole). Must not be modified.
  Reg64 use(ir::Value v) { return Reg64(registers.use(File::General, v)); }
  // A temporary that holds a copy of the operand and may be modified.
  Reg64 use_copy(ir::Value v) { return Reg64(registers.copy(File::General, v)); }
  // The register for the result; its old content is undefined and it differs from all operand
  // registers obtained so far that are still needed.
  Reg64 define() { return Reg64(registers.define(File::General, false)); }
  // The same, but it may be the register of an operand: for single instructions that read before
  // they write.
  Reg64 define_overlapping() { return Reg64(registers.define(File::General, true)); }
  // The register for the result, already holding `v`: for two-operand x86 instructions. Obtain the
  // other operands first.
  Reg64 define_from(ir::Value v) { return Reg64(registers.define_from(File::General, v)); }
  // Makes the result live in `r`, a temporary obtained from temp()/use_copy()/take().
  void define_as(Reg64 r) { registers.define_as(File::General, r.getIdx()); }
  // The same, but it returns the register of the SetReg that follows instead if that can be written
  // now.
  Reg64 define_hinted_or(Reg64 r) { return Reg64(registers.define_hinted_or(r.getIdx())); }
  Reg64 temp() { return Reg64(registers.temp(File::General)); }
  // Exactly this temporary (rax, rcx, rdx or rsi), free to modify; a value in it is moved away
  // first. Call before other operands.
  Reg64 take(Reg64 which) {
    registers.take(which.getIdx());
    return which;
  }
  // A copy of the operand in exactly this temporary.
  void move_to(Reg64 which, ir::Value v) { registers.move_to(which.getIdx(), v); }
  // Gives an operand register or temporary back before the instruction ends.
  void release(Reg64 r) { registers.release(r.getIdx()); }

  // ---- SIMD registers: the same for X32, X64, X128
  Xmm xuse(ir::Value v) { return Xmm(registers.use(File::Simd, v)); }
  Xmm xuse_copy(ir::Value v) { return Xmm(registers.copy(File::Simd, v)); }
  Xmm xdefine() { return Xmm(registers.define(File::Simd, false)); }
  Xmm xdefine_from(ir::Value v) { return Xmm(registers.define_from(File::Simd, v)); }
  Xmm xtemp() { return Xmm(registers.temp(File::Simd)); }
};

}  // namespace crosswalk::x64
