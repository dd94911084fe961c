// SPDX-License-Identifier: GPL-2.0-or-later
// Emitters of the rows of opcodes.inc that read and write guest state: registers, fields of
// CpuState, NZCV.
#include "translator/x64/emit_integer.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Inst;
using ir::Value;

namespace {

// A SIMD register of `bytes` is element inst.imm of the file.
size_t simd_offset(const Inst& inst, size_t bytes) { return offsetof(CpuState, vreg) + bytes * inst.imm; }
void get_simd(EmitContext& e, const Inst& inst, uint32_t bytes) {
  const size_t offset = simd_offset(inst, bytes);
  const auto carried = e.carried.at(offset);
  e.registers.define_in(carried ? Place::carried(*carried, offset) : Place::guest_simd(offset));
}
void set_simd(EmitContext& e, const Inst& inst, uint32_t bytes) {
  e.guest_registers.set_simd(simd_offset(inst, bytes), bytes, inst.args[0]);
}

// The encodings of Intel SDM volume 2 (CMOVcc, SETcc): Xbyak has a method for each condition.
void conditional_move(Xbyak::CodeGenerator& c, Condition condition, Reg32 to, Reg32 from) {
  const int rex = (to.getIdx() >> 3) << 2 | from.getIdx() >> 3;
  if (rex != 0) c.db(0x40 | rex);
  c.db(0x0f);
  c.db(0x40 | condition);
  c.db(0xc0 | (to.getIdx() & 7) << 3 | (from.getIdx() & 7));
}
void set_if(Xbyak::CodeGenerator& c, Condition condition, Xbyak::Reg8 to) {
  c.db(0x40 | to.getIdx() >> 3);  // without it, 4 to 7 would be AH to BH
  c.db(0x0f);
  c.db(0x90 | condition);
  c.db(0xc0 | (to.getIdx() & 7));
}

// The flags that an arithmetic instruction has left in EFLAGS, and its result.
void produce(EmitContext& e, const Inst& inst, EflagsForm form, const Reg64& result) {
  e.flags.produced(form);
  e.flags.store(inst.flags_live & ir::info(inst.op).flags_written(), result);
}

// An address that nothing but the next instruction uses, a SetReg: how a call sets LR.
bool is_address_for_register(const ir::Block& block, size_t index) {
  const Inst& address = block.insts[index];
  if (address.op != ir::Opcode::GuestAddress || address.uses != 1 || index + 1 == block.insts.size()) return false;
  const Inst& next = block.insts[index + 1];
  return next.op == ir::Opcode::SetReg && next.args[0] == Value::inst(static_cast<uint32_t>(index));
}

void store8(EmitContext& e, size_t offset, Value v) {
  if (v.is_imm())
    e.code.mov(state8(offset), static_cast<uint8_t>(v.imm32()));
  else
    e.code.mov(state8(offset), e.use(v).cvt8());
}

}  // namespace

// ---- guest registers and state
void emit_GetReg(EmitContext& e, const Inst& inst) { e.registers.define_in(Place::guest_register(inst.imm)); }
void emit_GuestAddress(EmitContext& e, const Inst& inst) {
  if (is_address_for_register(e.block, e.values.current())) return;  // emit_SetReg
  e.code.mov(e.define().cvt32(), inst.imm);
  e.relocations.add(Relocation::GuestAddress);
}
void emit_SetReg(EmitContext& e, const Inst& inst) {
  const uint32_t index = e.values.current();
  if (index == 0 || !is_address_for_register(e.block, index - 1)) return e.guest_registers.set(inst.imm, inst.args[0]);
  e.guest_registers.set_constant(inst.imm, e.block.insts[index - 1].imm);
  e.relocations.add(Relocation::GuestAddress);
}
void emit_LoadState8(EmitContext& e, const Inst& inst) { e.code.movzx(e.define().cvt32(), state8(inst.imm)); }
void emit_LoadState32(EmitContext& e, const Inst& inst) { e.code.mov(e.define().cvt32(), state32(inst.imm)); }
void emit_LoadState64(EmitContext& e, const Inst& inst) { e.code.mov(e.define(), state64(inst.imm)); }
void emit_StoreState8(EmitContext& e, const Inst& inst) { store8(e, inst.imm, inst.args[0]); }
void emit_StoreState32(EmitContext& e, const Inst& inst) {
  if (inst.args[0].is_imm())
    e.code.mov(state32(inst.imm), inst.args[0].imm32());
  else
    e.code.mov(state32(inst.imm), e.use(inst.args[0]).cvt32());
}
void emit_StoreState64(EmitContext& e, const Inst& inst) { e.code.mov(state64(inst.imm), e.use(inst.args[0])); }

// ---- modes
namespace {

// r = bank_of() of the current mode, and ZF if that is kBankUser; changes t.
void load_bank(EmitContext& e, Reg32 r, Reg32 t) {
  e.code.movzx(r, state8(offsetof(CpuState, mode)));
  e.code.mov(t, r);
  e.code.shr(t, 1);
  e.code.xor_(r, t);
  e.code.and_(r, 7);
}
Xbyak::Address spsr_of(Reg32 bank) {
  return dword[r15 + bank.cvt64() * 4 + state_displacement(offsetof(CpuState, banked.spsr))];
}

// Where register n of User mode is, unless the current mode is `other`: then in the other one of
// its two places.
struct UserRegister {
  explicit UserRegister(uint32_t number) : n(number) {
    if (n == 13)
      bank = offsetof(CpuState, banked.r13[kBankUser]);
    else if (n == 14)
      bank = offsetof(CpuState, banked.r14[kBankUser]);
    else
      bank = offsetof(CpuState, banked.r8_12_user) + size_t{4} * (n - 8);
  }
  bool mostly_banked() const { return n >= 13; }
  uint8_t other() const { return static_cast<uint8_t>(mostly_banked() ? Mode::System : Mode::Fiq); }
  // Emits `access(banked)` for both, the rarer one out of line. It changes no register but its own.
  template <class Access>
  void emit(EmitContext& e, Access access) const {
    const Label rare = e.labels.make(), done = e.labels.make();
    e.code.cmp(state8(offsetof(CpuState, mode)), other());
    e.labels.jcc(kEqual, rare);
    access(mostly_banked());
    e.labels.bind(done);
    e.out_of_line([&e, rare, done, access, banked = !mostly_banked()] {
      e.labels.bind(rare);
      access(banked);
      e.labels.jmp(done);
    });
  }

  uint32_t n;
  size_t bank;
};

}  // namespace

void emit_Privileged(EmitContext& e, const Inst&) {
  const Reg32 r = e.define().cvt32();
  e.code.xor_(r, r);
  e.code.cmp(state8(offsetof(CpuState, mode)), static_cast<uint8_t>(Mode::User));
  e.code.setne(r.cvt8());
}
void emit_GetSpsr(EmitContext& e, const Inst&) {
  const Reg32 r = e.define().cvt32(), t = e.temp().cvt32();
  load_bank(e, r, t);
  e.code.mov(r, spsr_of(r));
}
void emit_SetSpsr(EmitContext& e, const Inst& inst) {
  const Reg32 v = e.use_copy(inst.args[0]).cvt32(), bank = e.temp().cvt32(), t = e.temp().cvt32();
  const Label none = e.labels.make();
  load_bank(e, bank, t);
  e.labels.jcc(kEqual, none);
  e.code.mov(t, spsr_of(bank));
  e.code.and_(v, inst.imm);
  e.code.and_(t, ~inst.imm);
  e.code.or_(v, t);
  e.code.mov(spsr_of(bank), v);
  e.labels.bind(none);
}
void emit_GetUserReg(EmitContext& e, const Inst& inst) {
  const UserRegister user(inst.imm);
  const Reg32 r = e.define().cvt32();
  user.emit(e, [&e, r, user](bool banked) {
    if (banked)
      e.code.mov(r, state32(user.bank));
    else if (kPinned[user.n] >= 0)
      e.code.mov(r, Reg32(kPinned[user.n]));
    else
      e.code.mov(r, state32(reg_offset(user.n)));
  });
}
void emit_SetUserReg(EmitContext& e, const Inst& inst) {
  const UserRegister user(inst.imm);
  const Reg32 v = e.use(inst.args[0]).cvt32();
  e.guest_registers.vacate(user.n);
  user.emit(e, [&e, v, user](bool banked) {
    if (banked)
      e.code.mov(state32(user.bank), v);
    else if (kPinned[user.n] >= 0)
      e.code.mov(Reg32(kPinned[user.n]), v);
    else
      e.code.mov(state32(reg_offset(user.n)), v);
  });
}

// ---- NZCV
void emit_AddS(EmitContext& e, const Inst& inst) {
  Value a = inst.args[0], b = inst.args[1];
  if (a.is_imm() || (!b.is_imm() && e.registers.prefers(b) && !e.registers.prefers(a))) std::swap(a, b);
  with_operand(e, b, [&](const auto& rm) {
    const Reg64 r = e.define_from(a);
    e.code.add(r.cvt32(), rm);
    produce(e, inst, EflagsForm::Add, r);
  });
}
void emit_SubS(EmitContext& e, const Inst& inst) {
  const Value a = inst.args[0], b = inst.args[1];
  if (b == Value::imm(0) && !a.is_imm()) {  // C is 1, and V is 0
    const Reg64 r = inst.uses == 0 ? e.use(a) : e.define_from(a);
    e.code.test(r.cvt32(), r.cvt32());
    e.flags.produced(EflagsForm::Sub);
    e.flags.store_no_borrow(inst.flags_live, r);
    return;
  }
  if (inst.uses == 0 && !(inst.flags_live & 1) &&
      !a.is_imm()) {  // a comparison whose N and Z are used from EFLAGS only
    const Reg32 r = e.use(a).cvt32();
    with_operand(e, b, [&](const auto& rm) { e.code.cmp(r, rm); });
    produce(e, inst, EflagsForm::Sub, r.cvt64());
    return;
  }
  with_operand(e, b, [&](const auto& rm) {
    const Reg64 r = e.define_from(a);
    e.code.sub(r.cvt32(), rm);
    produce(e, inst, EflagsForm::Sub, r);
  });
}
void emit_AdcS(EmitContext& e, const Inst& inst) {
  with_carry(e, inst, false, [&](const Reg64& r, const auto& rm) {
    e.code.adc(r.cvt32(), rm);
    produce(e, inst, EflagsForm::Add, r);
  });
}
void emit_SbcS(EmitContext& e, const Inst& inst) {
  with_carry(e, inst, true, [&](const Reg64& r, const auto& rm) {
    e.code.sbb(r.cvt32(), rm);
    produce(e, inst, EflagsForm::Sub, r);
  });
}
void emit_SetNZ(EmitContext& e, const Inst& inst) {
  const Value v = inst.args[0];
  const auto nz = state64(offsetof(CpuState, nz));
  if (v.is_imm()) {  // sign-extended: N is in either half
    e.code.mov(nz, static_cast<uint64_t>(int64_t{static_cast<int32_t>(v.imm32())}));
    return;
  }
  const Reg64 r = e.use(v);
  if (inst.flags_live & 1) e.code.mov(nz, r);
  if (e.flags.set_from(v, EflagsForm::Logic)) return;
  e.code.test(r.cvt32(), r.cvt32());
  e.flags.produced(EflagsForm::Logic);
}
namespace {
// A shift by 1 to 31, whose last bit out x86 leaves in CF (Intel SDM vol. 2, SAL/SAR/SHL/SHR).
template <class F>
void shift_and_set(EmitContext& e, const Inst& inst, F shift) {
  const Reg64 r = e.define_from(inst.args[0]);
  shift(r.cvt32(), static_cast<int>(inst.imm));
  produce(e, inst, EflagsForm::Shift, r);
}
}  // namespace
void emit_LslS(EmitContext& e, const Inst& inst) {
  shift_and_set(e, inst, [&e](const Reg32& r, int n) { e.code.shl(r, n); });
}
void emit_LsrS(EmitContext& e, const Inst& inst) {
  shift_and_set(e, inst, [&e](const Reg32& r, int n) { e.code.shr(r, n); });
}
void emit_AsrS(EmitContext& e, const Inst& inst) {
  shift_and_set(e, inst, [&e](const Reg32& r, int n) { e.code.sar(r, n); });
}
void emit_SetNZ64(EmitContext& e, const Inst& inst) {
  // nz holds Z in its low word and N in bit 63 (or 31): fold the halves for Z, keep bit 63 for N.
  const Reg64 v = e.use(inst.args[0]);
  const Reg64 low = e.temp();
  e.code.mov(low, v);
  e.code.shr(low, 32);
  e.code.or_(low.cvt32(), v.cvt32());
  const Reg64 high = e.temp();
  e.code.mov(state32(offsetof(CpuState, nz)), low.cvt32());
  // Bit 31 of the low word counts as N: replace a nonzero word by 1.
  e.code.xor_(high.cvt32(), high.cvt32());
  e.code.test(low.cvt32(), low.cvt32());
  e.code.setne(high.cvt8());
  e.code.mov(state32(offsetof(CpuState, nz)), high.cvt32());
  e.code.mov(high, v);
  e.code.shr(high, 32);
  e.code.mov(state32(offsetof(CpuState, nz) + 4), high.cvt32());
}
void emit_SetC(EmitContext& e, const Inst& inst) {
  store8(e, offsetof(CpuState, c), inst.args[0]);
  // EFLAGS of an arithmetic producer no longer hold C.
  if (e.flags.form() != EflagsForm::None) e.flags.produced(EflagsForm::Logic);
}
void emit_SetNZCV(EmitContext& e, const Inst& inst) {
  constexpr size_t kTables = offsetof(CpuState, flag_tables);
  if (inst.flags_live & ir::kNzcv) {
    const Reg64 v = e.use(inst.args[0]), t = e.temp();
    auto& c = e.code;
    const auto row = [&](size_t table, int bytes) { return r15 + v * bytes + state_displacement(kTables + table); };
    c.mov(t, qword[row(offsetof(FlagTables, nz), 8)]);
    c.mov(state64(offsetof(CpuState, nz)), t);
    c.movzx(t.cvt32(), word[row(offsetof(FlagTables, cv), 2)]);
    c.mov(state16(offsetof(CpuState, c)), t.cvt16());
  }
  e.flags.set_from(inst.args[0], EflagsForm::Compared);
}
void emit_GetC(EmitContext& e, const Inst&) { e.code.movzx(e.define().cvt32(), state8(offsetof(CpuState, c))); }
void emit_GetNZCV(EmitContext& e, const Inst&) {
  const Reg64 r = e.define();
  const Reg64 s = e.temp();
  auto& c = e.code;
  c.mov(r.cvt32(), state32(offsetof(CpuState, nz)));
  c.mov(s.cvt32(), r.cvt32());
  c.or_(r.cvt32(), state32(offsetof(CpuState, nz) + 4));
  c.and_(r.cvt32(), 0x80000000);
  c.cmp(s.cvt32(), 1);  // CF = (low word == 0) = Z
  c.sbb(s.cvt32(), s.cvt32());
  c.and_(s.cvt32(), 0x40000000);
  c.or_(r.cvt32(), s.cvt32());
  c.movzx(s.cvt32(), state8(offsetof(CpuState, c)));
  c.shl(s.cvt32(), 29);
  c.or_(r.cvt32(), s.cvt32());
  c.movzx(s.cvt32(), state8(offsetof(CpuState, v)));
  c.shl(s.cvt32(), 28);
  c.or_(r.cvt32(), s.cvt32());
}
void emit_Select(EmitContext& e, const Inst& inst) {
  const Reg64 yes = e.use(inst.args[0]);
  const Condition holds = e.flags.condition(inst.imm);
  // Moves, which keep EFLAGS.
  const Reg64 r = e.define_from(inst.args[1]);
  conditional_move(e.code, holds, r.cvt32(), yes.cvt32());
  e.flags.keep();
}
void emit_TestCond(EmitContext& e, const Inst& inst) {
  const Condition holds = e.flags.condition(inst.imm);
  const Reg64 r = e.define();
  set_if(e.code, holds, r.cvt8());
  e.code.movzx(r.cvt32(), r.cvt8());
  e.flags.keep();
}

// ---- SIMD registers, and moves between the integer and the SIMD side
void emit_GetS(EmitContext& e, const Inst& inst) { get_simd(e, inst, 4); }
void emit_GetD(EmitContext& e, const Inst& inst) { get_simd(e, inst, 8); }
void emit_GetQ(EmitContext& e, const Inst& inst) { get_simd(e, inst, 16); }
void emit_SetS(EmitContext& e, const Inst& inst) { set_simd(e, inst, 4); }
void emit_SetD(EmitContext& e, const Inst& inst) { set_simd(e, inst, 8); }
void emit_SetQ(EmitContext& e, const Inst& inst) { set_simd(e, inst, 16); }
void emit_X32FromI32(EmitContext& e, const Inst& inst) {
  const Reg64 a = e.use(inst.args[0]);
  e.code.movd(e.xdefine(), a.cvt32());
}
void emit_I32FromX32(EmitContext& e, const Inst& inst) {
  const Xmm x = e.xuse(inst.args[0]);
  e.code.movd(e.define().cvt32(), x);
}
void emit_X64FromI64(EmitContext& e, const Inst& inst) {
  const Reg64 a = e.use(inst.args[0]);
  e.code.movq(e.xdefine(), a);
}
void emit_I64FromX64(EmitContext& e, const Inst& inst) {
  const Xmm x = e.xuse(inst.args[0]);
  e.code.movq(e.define(), x);
}

}  // namespace crosswalk::x64
