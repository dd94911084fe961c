// SPDX-License-Identifier: GPL-2.0-or-later
// What an emitter sees: the assembler, and the register allocator for the current IR instruction.
//
// Host registers: r15 = &CpuState + kStateBias, r14 = window base or software TLB, rsp = the run loop's stack. Nine
// guest registers live in host registers at all times (kPinned); rax, rcx, rdx, rsi are temporaries for IR values.
// xmm0-xmm15 are all temporaries; guest SIMD registers live in CpuState and are cached in xmm registers within a block
// (always written through).
//
// An emitter is `void emit_<Opcode>(EmitContext& e, const ir::Inst& inst)`. It first obtains its operands, then defines
// its result, then emits code. Operand registers stay valid until the emitter returns.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"
#include "translator/x64/labels.h"

namespace crosswalk::x64 {

using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

class EmitContext {
 public:
  virtual ~EmitContext() = default;

  Xbyak::CodeGenerator& code;

 private:
  // What the emission of one block needs, in one piece and without malloc as long as it fits.
  std::byte first_memory_[24 << 10];
  std::pmr::monotonic_buffer_resource memory_{first_memory_, sizeof first_memory_};

 public:
  Labels labels{code, &memory_};

  // ---- general registers
  // A register that holds the operand (I32: zero-extended; I64: whole). Must not be modified.
  virtual Reg64 use(ir::Value v) = 0;
  // Register or memory operand (spilled values, guest registers in CpuState): for the second operand of ALU
  // instructions. `bits` 32 or 64. Must not be written.
  virtual const Xbyak::Operand& use_rm(ir::Value v, int bits = 32) = 0;
  // A temporary that holds a copy of the operand and may be modified.
  virtual Reg64 use_copy(ir::Value v) = 0;
  // The register for the result; its old content is undefined and it differs from all operand registers obtained so far
  // that are still needed.
  virtual Reg64 define() = 0;
  // The register for the result, already holding `v`: for two-operand x86 instructions. Obtain the other operands
  // first.
  virtual Reg64 define_from(ir::Value v) = 0;
  // Makes the result live in `r`, a temporary obtained from temp()/use_copy()/take().
  virtual void define_as(Reg64 r) = 0;
  virtual Reg64 temp() = 0;
  // Exactly this temporary (rax, rcx, rdx or rsi), free to modify; a value in it is moved away first. Call before other
  // operands.
  virtual Reg64 take(Reg64 which) = 0;

  // ---- SIMD registers: the same for X32, X64, X128
  virtual Xmm xuse(ir::Value v) = 0;
  virtual Xmm xuse_copy(ir::Value v) = 0;
  virtual Xmm xdefine() = 0;
  virtual Xmm xdefine_from(ir::Value v) = 0;
  virtual void xdefine_as(Xmm x) = 0;
  virtual Xmm xtemp() = 0;

  // ---- memory operands in CpuState
  Xbyak::Address state8(size_t offset) const { return Xbyak::util::byte[Xbyak::util::r15 + disp(offset)]; }
  Xbyak::Address state32(size_t offset) const { return Xbyak::util::dword[Xbyak::util::r15 + disp(offset)]; }
  Xbyak::Address state64(size_t offset) const { return Xbyak::util::qword[Xbyak::util::r15 + disp(offset)]; }
  Xbyak::Address state128(size_t offset) const { return Xbyak::util::xword[Xbyak::util::r15 + disp(offset)]; }
  static int disp(size_t offset) { return static_cast<int>(offset) - kStateBias; }

  // A 16-byte constant in the code cache's constant pool: for pand/pshufb/... operands.
  virtual Xbyak::Address constant128(uint64_t low, uint64_t high) = 0;

  // Emits `body` (void()) out of line, after the block. The body runs with the same registers; it must end with a jump.
  template <class F>
  void out_of_line(F body) {
    F* const kept = new (memory_.allocate(sizeof(F), alignof(F))) F(std::move(body));
    deferred_.push_back({[](void* p) {
                           F& f = *static_cast<F*>(p);
                           f();
                           f.~F();
                         },
                         kept});
  }
  // Inside out_of_line or inline: calls uint64_t f(uint64_t a, uint64_t b, uint64_t c, uint64_t d) from the given
  // general registers or constants with every other register (general, SIMD, flags excepted) preserved; the result goes
  // to `result`. Slow; for rare paths.
  virtual void call_preserving(const void* f, std::initializer_list<Xbyak::Operand> args, Reg64 result) = 0;

  // The MXCSR that code from here needs: guest VFP or Advanced SIMD standard. Emits ldmxcsr only on a change within the
  // block.
  enum class Rounding { Vfp, Standard };
  virtual void need_mxcsr(Rounding which) = 0;

 protected:
  explicit EmitContext(Xbyak::CodeGenerator& c) : code(c) {}
  std::pmr::memory_resource* memory() { return &memory_; }
  void emit_deferred() {
    // Out-of-line pieces may add more.
    for (size_t i = 0; i < deferred_.size(); i++) {
      const Deferred d = deferred_[i];
      d.run(d.body);
    }
  }

 private:
  struct Deferred {
    void (*run)(void* body);  // and destroys it
    void* body;
  };
  std::pmr::vector<Deferred> deferred_{&memory_};
};

#define OP(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#define OPI(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI

}  // namespace crosswalk::x64
