// SPDX-License-Identifier: GPL-2.0-or-later
// What an emitter sees: the assembler, registers for the current IR instruction, and what emitters
// share.
//
// Host registers: r15 = &CpuState + kStateBias, r14 = window base or software TLB, rsp = the run
// loop's stack. Nine guest registers live in host registers at all times (kPinned); rax, rcx, rdx,
// rsi are temporaries for IR values. xmm0-xmm15 are all temporaries; guest SIMD registers live in
// CpuState and are cached in xmm registers within a block (always written through).
//
// An emitter is `void emit_<Opcode>(EmitContext& e, const ir::Inst& inst)`. It first obtains its
// operands, then defines its result, then emits code. Operand registers stay valid until the
// emitter returns.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>
#include <memory_resource>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/ir.h"
#include "translator/x64/alignment.h"
#include "translator/x64/constant_pool.h"
#include "translator/x64/emit_block.h"
#include "translator/x64/exits.h"
#include "translator/x64/fault_sites.h"
#include "translator/x64/guest_flags.h"
#include "translator/x64/labels.h"
#include "translator/x64/position.h"
#include "translator/x64/register_allocator.h"
#include "translator/x64/state_operands.h"

namespace crosswalk::x64 {

using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

class EmitContext {
 public:
  EmitContext(Xbyak::CodeGenerator& code, const ir::Block& block, const BackendConfig& config, uint32_t first_link);
  EmitContext(const EmitContext&) = delete;
  EmitContext& operator=(const EmitContext&) = delete;

 private:
  // What the emission of one block needs, in one piece and without malloc as long as it fits.
  std::byte first_memory_[24 << 10];
  std::pmr::monotonic_buffer_resource memory_{first_memory_, sizeof first_memory_};
  Position position_;

 public:
  Xbyak::CodeGenerator& code;
  const ir::Block& block;
  const BackendConfig& config;
  Labels labels;
  RegisterAllocator registers;
  GuestFlags flags;
  FaultSites sites;
  Exits exits;
  ConstantPool constants;
  KnownAlignment alignment;

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
  // Gives an operand register or temporary back before the instruction ends.
  void release(Reg64 r) { registers.release(r.getIdx()); }

  // ---- SIMD registers: the same for X32, X64, X128
  Xmm xuse(ir::Value v) { return Xmm(registers.use(File::Simd, v)); }
  Xmm xuse_copy(ir::Value v) { return Xmm(registers.copy(File::Simd, v)); }
  Xmm xdefine() { return Xmm(registers.define(File::Simd, false)); }
  Xmm xdefine_from(ir::Value v) { return Xmm(registers.define_from(File::Simd, v)); }
  Xmm xtemp() { return Xmm(registers.temp(File::Simd)); }

  // Emits `body` (void()) out of line, after the block. The body runs with the same registers; it
  // must end with a jump.
  template <class F>
  void out_of_line(F body) {
    F* const kept = new (memory_.allocate(sizeof(F), alignof(F))) F(std::move(body));
    deferred_.push_back({[](void* p) {
                           F& f = *static_cast<F*>(p);
                           f();
                           f.~F();
                         },
                         kept, position_});
  }

  // The MXCSR that code from here needs. Emits ldmxcsr only on a change within the block.
  void need_mxcsr(Rounding which);

  // The guest instruction that is being emitted.
  const ir::GuestInst& guest() const { return block.guest[position_.inst->guest]; }
  Label label(uint32_t n) const { return block_labels_[n]; }  // of ir::Block

  // ---- for emit_block: around each instruction, and after the last
  void begin(uint32_t index);
  void end();
  void finish();

 private:
  struct Deferred {
    void (*run)(void* body);  // and destroys it
    void* body;
    Position position;
  };
  std::pmr::vector<Label> block_labels_{&memory_};
  std::pmr::vector<Deferred> deferred_{&memory_};
};

#define OP(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#define OPI(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI

}  // namespace crosswalk::x64
