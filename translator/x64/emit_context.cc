// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/emit_context.h"

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {

EmitContext::EmitContext(Assembler& c, const ir::Block& b, const BackendConfig& cfg, uint32_t first_link)
    : Operands(c, b, cfg.carry_vectors ? CarriedVectors(b) : CarriedVectors(), arena),
      code(c),
      block(b),
      config(cfg),
      labels(c, arena),
      flags(*this),
      sites(c, position_, arena),
      exits(*this, c.getCurr(), first_link, arena),
      constants(c),
      alignment(b, arena),
      relocations(c, arena),
      block_labels_(arena, b.label_count),
      flags_at_labels_(arena, b.label_count),
      deferred_(arena, 0, 16) {
  for (Label& l : block_labels_) l = labels.make();
}

void EmitContext::need_mxcsr(Rounding which) {
  if (position_.rounding == which) return;
  const auto offset = [](Rounding r) {
    return r == Rounding::Vfp ? offsetof(CpuState, mxcsr) : offsetof(CpuState, mxcsr_standard);
  };
  code.stmxcsr(state32(offset(position_.rounding)));
  code.ldmxcsr(state32(offset(which)));
  position_.rounding = which;
}

void EmitContext::call_thunk(const uint8_t* Thunks::*which) {
  code.call(config.thunks.thunks_->*which);
  relocations.add(Relocation::ToThunk);
}
void EmitContext::call_preserving(const void* f) {
  code.mov(state64(offsetof(CpuState, saved_rax)), Reg64(kRax));
  code.mov(Reg64(kRax), reinterpret_cast<uint64_t>(f));
  call_thunk(&Thunks::call_preserving);
}
void EmitContext::jump_to_thunk(const uint8_t* Thunks::*which) {
  code.jmp_near(config.thunks.thunks_->*which);
  relocations.add(Relocation::ToThunk);
}
void EmitContext::jump_to_thunk_if_not_equal(const uint8_t* Thunks::*which) {
  code.jne(static_cast<const void*>(config.thunks.thunks_->*which));  // always near
  relocations.add(Relocation::ToThunk);
}

void EmitContext::finish() {
  for (size_t i = 0; i < deferred_.size(); i++) {  // they may add more
    const Deferred d = deferred_[i];
    position_ = d.position;
    d.run(d.body);
  }
  constants.emit();
  labels.patch();
}

}  // namespace crosswalk::x64
