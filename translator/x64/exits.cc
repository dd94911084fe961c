// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/exits.h"

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/base/panic.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;

uint32_t Exits::here() const { return static_cast<uint32_t>(e_.code.getCurr() - start_); }

bool Exits::same_page(uint32_t target) const { return (e_.block.pc ^ target) >> 12 == 0; }

void Exits::set_own_entry() {
  own_entry_ = here();
  own_mxcsr_ = e_.mxcsr();
}

Rounding Exits::mxcsr_for(uint32_t target) const {
  return target == (e_.block.pc | e_.block.thumb) ? own_mxcsr_ : Rounding::Vfp;
}

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
  add_link(link_to(target), stub, false, flags);
  if (flags) e_.flags.store_difference_and_leave(*flags);
  e_.need_mxcsr(Rounding::Vfp);
  leave(kExitPoll, target);
}

void Exits::loop(const Comparison& flags) { poll_and_jump(e_.block.pc | e_.block.thumb, flags); }

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
  e_.need_mxcsr(mxcsr_for(target));
  const uint32_t to = target & ~1u;
  if (to <= e_.guest().pc) {  // every loop has a backward or an indirect jump
    if (same_page(to)) return poll_and_jump(target);
    poll(target);
  }
  if (!same_page(to)) return jump_compared(target);
  const Label stub = e_.labels.make();
  e_.labels.jmp(stub, true);
  add_link(link_to(target), stub);
}

void Exits::jump_anew(uint32_t target, bool polls) {
  e_.need_mxcsr(Rounding::Vfp);
  if (polls) poll(target);
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
  e_.code.dd(kNoPageId);
  const uint32_t id_offset = field();
  e_.labels.jcc(kNotEqual, stub);
  e_.labels.jmp(stub, true);
  add_link(link_to(target, id_offset), stub);
}

void Exits::jump_if(Condition condition, uint32_t target) {
  const Label stub = e_.labels.make();
  e_.labels.jcc(condition, stub, true);
  add_link(link_to(target), stub);
}

LinkSite Exits::link_to(uint32_t target, uint32_t id_offset) const {
  LinkSite site{};
  site.id_offset = id_offset;
  site.target = target;
  site.own_entry = e_.mxcsr() == own_mxcsr_ ? own_entry_ : 0;
  return site;
}

// Notes the jump that was just emitted, and emits the stub that it goes to until the engine links
// it.
void Exits::add_link(LinkSite site, Label stub, bool apart, std::optional<Comparison> flags) {
  const size_t n = links_.size();
  site.jump_offset = field();
  site.only_itself = flags.has_value();
  links_.push_back(site);
  e_.out_of_line([this, n, stub, apart, flags] {
    e_.labels.bind(stub);
    links_[n].stub_offset = here();
    e_.need_mxcsr(Rounding::Vfp);
    if (flags) e_.flags.store_difference_and_leave(*flags);
    if (links_[n].guess_offset == 0) load_target(links_[n].target);
    e_.code.mov(ecx, first_link_ + static_cast<uint32_t>(n));
    links_[n].number_offset = field();
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
  add_link(link_to(e_.guest().pc | e_.block.thumb), stub, true);
}

// The jump cache is for what was not guessed. Until there is a guess, all go to the stub.
void Exits::jump_guessed() {
  auto& c = e_.code;
  const Label stub = e_.labels.make();
  LinkSite site{};
  site.target = kNoGuess;
  e_.labels.align_field(1);
  c.db(0x3d);  // cmp eax, imm32
  c.dd(kNoGuess);
  site.guess_offset = field();
  e_.labels.jcc(kNotEqual, stub, true);
  site.miss_offset = field();
  // cmp dword [rcx + disp32], imm32, with both fields in one aligned word of 8 bytes
  constexpr uintptr_t kMovBytes = 4, kOpcodeBytes = 2;
  while ((reinterpret_cast<uintptr_t>(c.getCurr()) + kMovBytes + kOpcodeBytes) % 8 != 0) c.db(Labels::kIgnoredPrefix);
  c.mov(rcx, state64(offsetof(CpuState, instruction_pages)));
  c.db(0x81);
  c.db(0xb9);
  if (reinterpret_cast<uintptr_t>(c.getCurr()) % 8 != 0) panic("exits: a guess's fields are not aligned");
  c.dd(instruction_page_offset(kNoGuess));
  c.dd(kNoPageId);
  site.id_offset = field();
  e_.labels.jcc(kNotEqual, stub);
  e_.labels.jmp(stub, true);
  add_link(site, stub);
}

void Exits::jump_indirect(ir::Value target, bool guess) {
  auto& c = e_.code;
  e_.need_mxcsr(Rounding::Vfp);
  e_.move_to(rax, target);
  const auto leave = [this] { e_.jump_to_thunk_if_not_equal(&Thunks::exit_indirect); };
  c.cmp(state32(offsetof(CpuState, pending)), 0);
  leave();
  if (guess && e_.config.guess_targets) return jump_guessed();
  jump_through_cache(c, e_.config.features.bmi2, leave);
}

}  // namespace crosswalk::x64
