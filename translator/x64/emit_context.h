// SPDX-License-Identifier: GPL-2.0-or-later
// What an emitter sees: the assembler, the registers of the current IR instruction (Operands), and
// what emitters share.
//
// Host registers: r15 = &CpuState + kStateBias, r14 = window base or software TLB, rsp = the run
// loop's stack. Nine guest registers live in host registers at all times (kPinned); rax, rcx, rdx,
// rsi are temporaries for IR values. xmm0-xmm15 are all temporaries; guest SIMD registers live in
// CpuState and are cached in xmm registers within a block (always written through).
//
// An emitter is `void emit_<Opcode>(EmitContext& e, const ir::Inst& inst)`.
#pragma once

#include <xbyak/xbyak.h>

#include <cstddef>
#include <new>
#include <utility>

#include "translator/ir/ir.h"
#include "translator/x64/alignment.h"
#include "translator/x64/arena.h"
#include "translator/x64/assembler.h"
#include "translator/x64/constant_pool.h"
#include "translator/x64/emit_block.h"
#include "translator/x64/exits.h"
#include "translator/x64/fault_sites.h"
#include "translator/x64/guest_flags.h"
#include "translator/x64/labels.h"
#include "translator/x64/operands.h"
#include "translator/x64/position.h"
#include "translator/x64/relocations.h"
#include "translator/x64/state_operands.h"

namespace crosswalk::x64 {

struct EmissionMemory {  // the first base: the others are made in it
  Arena arena;
};

class EmitContext : private EmissionMemory, public Operands {
 public:
  EmitContext(Assembler& code, const ir::Block& block, const BackendConfig& config, uint32_t first_link);
  EmitContext(const EmitContext&) = delete;
  EmitContext& operator=(const EmitContext&) = delete;

 private:
  Position position_;

 public:
  Assembler& code;
  const ir::Block& block;
  const BackendConfig& config;
  Labels labels;
  GuestFlags flags;
  FaultSites sites;
  Exits exits;
  ConstantPool constants;
  KnownAlignment alignment;
  Relocations relocations;

  // ---- calls and jumps out of the block: to thunks alone
  void call_thunk(const uint8_t* Thunks::*which);
  // f(CpuState*, rsp as it is here), and every register is as before; see Thunks::call_preserving.
  void call_preserving(const void* f);
  void jump_to_thunk(const uint8_t* Thunks::*which);
  void jump_to_thunk_if_not_equal(const uint8_t* Thunks::*which);

  // Emits `body` (void()) out of line, after the block. The body runs with the same registers; it
  // must end with a jump.
  template <class F>
  void out_of_line(F body) {
    static_assert(alignof(F) <= Arena::kAlign);
    F* const kept = new (arena.allocate(sizeof(F))) F(std::move(body));
    deferred_.push_back({[](void* p) {
                           F& f = *static_cast<F*>(p);
                           f();
                           f.~F();
                         },
                         kept, position_});
  }

  // The MXCSR that code from here needs. Emits ldmxcsr only on a change within the block.
  void need_mxcsr(Rounding which);
  Rounding mxcsr() const { return position_.rounding; }
  // A place where code comes to that has this one.
  void mxcsr_is(Rounding which) { position_.rounding = which; }

  // The guest instruction that is being emitted.
  const ir::GuestInst& guest() const { return block.guest[position_.inst->guest]; }
  // By the label's number in ir::Block.
  Label label(uint32_t n) const { return block_labels_[n]; }
  ir::EflagsAtLabel& flags_at_label(uint64_t n) { return flags_at_labels_[n]; }

  // ---- for emit_block: around each instruction, and after the last
  void begin(uint32_t index) {
    values.begin(index);
    position_.inst = &values.inst();
    flags.begin();
  }
  void end() {
    flags.end(ir::info(position_.inst->op).attributes & ir::K);
    values.end();
  }
  void finish();

 private:
  struct Deferred {
    void (*run)(void* body);  // and destroys it
    void* body;
    Position position;
  };
  ArenaVector<Label> block_labels_;
  ArenaVector<ir::EflagsAtLabel> flags_at_labels_;
  ArenaVector<Deferred> deferred_;
};

#define OP(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#define OPI(name, ...) void emit_##name(EmitContext& e, const ir::Inst& inst);
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI

}  // namespace crosswalk::x64
