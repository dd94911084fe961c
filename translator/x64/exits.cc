// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/exits.h"

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;

bool Exits::same_page(uint32_t target) const { return (e_.block.pc ^ target) >> 12 == 0; }

void Exits::set_own_entry() { own_entry_ = static_cast<uint32_t>(e_.code.getCurr() - start_); }

void Exits::leave(uint32_t reason, uint32_t target) {
  load_target(target);
  e_.code.mov(ecx, reason);
  e_.jump_to_thunk(&Thunks::exit_to);
}

void Exits::load_target(uint32_t target) {
  e_.code.mov(eax, target);  // of 5 bytes, whatever it is
  e_.relocations.add(Relocation::GuestAddress);
}

// Nothing after the jump back is executed when it is taken: where an interrupt is pending, this
// goes on to the exit behind it.
void Exits::poll_and_jump(uint32_t target, std::optional<Comparison> flags) {
  const Label stub = e_.labels.make();
  e_.code.cmp(state32(offsetof(CpuState, pending)), 0);
  e_.labels.jcc(kEqual, stub, true);
  add_link(0, target, stub, false, flags);
  if (flags) e_.flags.store_difference_and_leave(*flags);
  leave(kExitPoll, target);
}

void Exits::loop(const Comparison& flags) {
  e_.need_mxcsr(Rounding::Vfp);
  poll_and_jump(e_.block.pc | e_.block.thumb, flags);
}

void Exits::poll(uint32_t target) {
  const Label pending = e_.labels.make();
  e_.code.cmp(state32(offsetof(CpuState, pending)), 0);
  e_.labels.jcc(kNotEqual, pending);
  e_.out_of_line([this, pending, target] {
    e_.labels.bind(pending);
    leave(kExitPoll, target);
  });
}

void Exits::jump(uint32_t target) {
  e_.need_mxcsr(Rounding::Vfp);
  const uint32_t to = target & ~1u;
  if (to <= e_.guest().pc) {  // every loop has a backward or an indirect jump
    if (same_page(to)) return poll_and_jump(target);
    poll(target);
  }
  if (!same_page(to)) return jump_compared(target);
  const Label stub = e_.labels.make();
  e_.labels.jmp(stub, true);
  add_link(0, target, stub);
}

void Exits::jump_anew(uint32_t target) {
  e_.need_mxcsr(Rounding::Vfp);
  jump_compared(target);
}

void Exits::jump_compared(uint32_t target) {
  const Label stub = e_.labels.make();
  e_.code.mov(rax, state64(offsetof(CpuState, instruction_pages)));
  // cmp dword [rax + disp32], imm32, in a fixed form so that the engine can find the immediate
  e_.labels.align_field(6);
  e_.code.db(0x81);
  e_.code.db(0xb8);
  e_.code.dd(instruction_page_offset(target));
  const uint32_t id_offset = static_cast<uint32_t>(e_.code.getCurr() - start_);
  e_.code.dd(kNoPageId);
  e_.labels.jcc(kNotEqual, stub);
  e_.labels.jmp(stub, true);
  add_link(id_offset, target, stub);
}

void Exits::jump_if(Condition condition, uint32_t target) {
  const Label stub = e_.labels.make();
  e_.labels.jcc(condition, stub, true);
  add_link(0, target, stub);
}

// Notes the jump that was just emitted, and emits the stub that it goes to until the engine links
// it.
void Exits::add_link(uint32_t id_offset, uint32_t target, Label stub, bool apart, std::optional<Comparison> flags) {
  const size_t n = links_.size();
  links_.push_back(
      {static_cast<uint32_t>(e_.code.getCurr() - start_) - 4, id_offset, 0, 0, target, own_entry_, flags.has_value()});
  e_.out_of_line([this, n, stub, target, apart, flags] {
    e_.labels.bind(stub);
    links_[n].stub_offset = static_cast<uint32_t>(e_.code.getCurr() - start_);
    if (flags) e_.flags.store_difference_and_leave(*flags);
    load_target(target);
    e_.code.mov(ecx, first_link_ + static_cast<uint32_t>(n));
    links_[n].number_offset = static_cast<uint32_t>(e_.code.getCurr() - start_) - 4;
    if (!apart) return e_.jump_to_thunk(&Thunks::exit_link);
    e_.code.mov(state32(offsetof(CpuState, exit_link)), ecx);
    e_.code.mov(ecx, kExitApart);
    e_.jump_to_thunk(&Thunks::exit_to);
  });
}

void Exits::jump_apart() {
  e_.need_mxcsr(Rounding::Vfp);
  const Label stub = e_.labels.make();
  e_.labels.jmp(stub, true);
  add_link(0, e_.guest().pc | e_.block.thumb, stub, true);
}

void Exits::jump_indirect(ir::Value target) {
  auto& c = e_.code;
  e_.need_mxcsr(Rounding::Vfp);
  e_.take(rax);
  const Reg64 v = e_.use(target);
  c.mov(eax, v.cvt32());
  const auto leave = [this] { e_.jump_to_thunk_if_not_equal(&Thunks::exit_indirect); };
  c.cmp(state32(offsetof(CpuState, pending)), 0);
  leave();
  jump_through_cache(c, e_.config.features.bmi2, leave);
}

}  // namespace crosswalk::x64
