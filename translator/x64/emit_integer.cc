// SPDX-License-Identifier: GPL-2.0-or-later
// Emitters of the integer rows of opcodes.inc.
#include "translator/x64/emit_integer.h"

#include <optional>

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Inst;
using ir::Value;

namespace {

template <class Op>
void binary(EmitContext& e, const Inst& inst, bool commutative, Op op) {
  Value a = inst.args[0], b = inst.args[1];
  if (commutative && (a.is_imm() || (!b.is_imm() && e.registers.prefers(b) && !e.registers.prefers(a))))
    std::swap(a, b);
  with_operand(e, b, [&](const auto& rm) { op(e.define_from(a).cvt32(), rm); });
  e.flags.result(Value::inst(e.values.current()));
}

// r = op(r), with the operand in r.
template <class Op>
void unary(EmitContext& e, const Inst& inst, Op op) {
  op(e.define_from(inst.args[0]).cvt32());
}

template <class Op>
void binary64(EmitContext& e, const Inst& inst, Op op) {
  const Reg64 b = e.use(inst.args[1]);
  op(e.define_from(inst.args[0]), b);
}

template <class Op>
void unary64(EmitContext& e, const Inst& inst, Op op) {
  const Reg64 r = e.use_copy(inst.args[0]);
  op(r);
  e.define_as(r);
}

// ecx = the low byte of a register.
void count_in_ecx(EmitContext& e, Value amount) {
  e.take(rcx);
  const Reg64 n = e.use(amount);
  e.code.movzx(ecx, n.getIdx() == Xbyak::Operand::RCX ? Xbyak::Reg8(Xbyak::Operand::CL) : n.cvt8());
}

// For shifts by the low byte of a register, amounts of 32 and more included. x86 masks the count to
// 5 bits; 64-bit shifts mask to 6, so a 64-bit shift of the zero- or sign-extended value is right
// up to 63, and the count is clamped there.
void clamped_count(EmitContext& e, Value amount) {
  count_in_ecx(e, amount);
  Xbyak::Label small;
  e.code.cmp(ecx, 63);
  e.code.jbe(small);
  e.code.mov(ecx, 63);
  e.code.L(small);
}

// shift(r) shifts the operand in r by cl.
template <class F>
void shift_by_register(EmitContext& e, const Inst& inst, F shift) {
  clamped_count(e, inst.args[1]);
  const Reg64 r = e.use_copy(inst.args[0]);
  shift(r);
  e.define_as(r);
}

// Carry out of Shift_C (A2.2.1): the last bit shifted out, which carry(r) leaves in r, or the carry
// in for an amount of 0. The count is in ecx.
template <class F>
void carry_of_shift(EmitContext& e, const Inst& inst, F carry) {
  const Reg64 r = e.use_copy(inst.args[0]);
  const Reg64 in = e.use_copy(inst.args[2]);
  carry(r);
  e.code.test(ecx, ecx);
  e.code.cmovz(r.cvt32(), in.cvt32());
  e.define_as(r);
}

// rax = what quotient() leaves there, or 0 for a divisor of 0, at which x86 would trap.
template <class F>
void divide(EmitContext& e, const Reg64& divisor, F quotient) {
  auto& c = e.code;
  Xbyak::Label zero, done;
  c.test(divisor.cvt32(), divisor.cvt32());
  c.jz(zero);
  quotient();
  c.jmp(done);
  c.L(zero);
  c.xor_(eax, eax);
  c.L(done);
  e.define_as(rax);
}

template <class Set>
void compare(EmitContext& e, const Inst& inst, Set set) {
  const Reg64 a = e.use(inst.args[0]);
  const Reg64 b = e.use(inst.args[1]);
  const Reg64 r = e.temp();
  e.code.cmp(a.cvt32(), b.cvt32());
  set(r.cvt8());
  e.code.movzx(r.cvt32(), r.cvt8());
  e.define_as(r);
}

}  // namespace

// Rows of opcodes that are one x86 instruction: of two operands in either order, of one, shifts by
// a constant, extensions of a part, 64-bit ones, and comparisons.
#define EITHER_ORDER(opcode, instruction)                                                      \
  void emit_##opcode(EmitContext& e, const Inst& inst) {                                       \
    binary(e, inst, true, [&](const Reg32& r, const auto& rm) { e.code.instruction(r, rm); }); \
  }
#define ONE_OPERAND(opcode, instruction)                            \
  void emit_##opcode(EmitContext& e, const Inst& inst) {            \
    unary(e, inst, [&](const Reg32& r) { e.code.instruction(r); }); \
  }
#define SHIFT(opcode, instruction)                                                              \
  void emit_##opcode(EmitContext& e, const Inst& inst) {                                        \
    unary(e, inst, [&](const Reg32& r) { e.code.instruction(r, static_cast<int>(inst.imm)); }); \
  }
#define EXTEND(opcode, instruction, part)                         \
  void emit_##opcode(EmitContext& e, const Inst& inst) {          \
    const Reg64 a = e.use(inst.args[0]);                          \
    e.code.instruction(e.define_overlapping().cvt32(), a.part()); \
  }
#define BINARY_64(opcode, instruction)                                    \
  void emit_##opcode(EmitContext& e, const Inst& inst) {                  \
    binary64(e, inst, [&](auto r, auto b) { e.code.instruction(r, b); }); \
  }
#define SHIFT_64(opcode, instruction)                                                             \
  void emit_##opcode(EmitContext& e, const Inst& inst) {                                          \
    unary64(e, inst, [&](const Reg64& r) { e.code.instruction(r, static_cast<int>(inst.imm)); }); \
  }
#define COMPARE(opcode, instruction)                          \
  void emit_##opcode(EmitContext& e, const Inst& inst) {      \
    compare(e, inst, [&](auto r) { e.code.instruction(r); }); \
  }

// ---- 32-bit integer
void emit_Add(EmitContext& e, const Inst& inst) {
  Value a = inst.args[0], b = inst.args[1];
  if (a.is_imm()) std::swap(a, b);
  if (inst.keep_eflags || (!e.registers.prefers(a) && !(!b.is_imm() && e.registers.prefers(b)))) {
    // Three operands: LEA reads both before it writes.
    const Reg64 x = e.use(a);
    if (b.is_imm()) {
      const Reg64 r = e.define_overlapping();
      e.code.lea(r.cvt32(), ptr[x + static_cast<int32_t>(b.imm32())]);
    } else {
      const Reg64 y = e.use(b);
      const Reg64 r = e.define_overlapping();
      e.code.lea(r.cvt32(), ptr[x + y]);
    }
    e.flags.keep();
    return;
  }
  binary(e, inst, true, [&](const Reg32& r, const auto& rm) { e.code.add(r, rm); });
}
void emit_Sub(EmitContext& e, const Inst& inst) {
  const Value a = inst.args[0], b = inst.args[1];
  if (b.is_imm() && !a.is_imm() && (inst.keep_eflags || !e.registers.prefers(a))) {
    const Reg64 x = e.use(a);
    const Reg64 r = e.define_overlapping();
    e.code.lea(r.cvt32(), ptr[x + static_cast<int32_t>(0 - b.imm32())]);
    e.flags.keep();
    return;
  }
  binary(e, inst, false, [&](const Reg32& r, const auto& rm) { e.code.sub(r, rm); });
}
void emit_Adc(EmitContext& e, const Inst& inst) {
  with_carry(e, inst, false, [&](const Reg64& r, const auto& rm) { e.code.adc(r.cvt32(), rm); });
}
void emit_Sbc(EmitContext& e, const Inst& inst) {
  with_carry(e, inst, true, [&](const Reg64& r, const auto& rm) { e.code.sbb(r.cvt32(), rm); });
}
EITHER_ORDER(And, and_)
EITHER_ORDER(Or, or_)
EITHER_ORDER(Xor, xor_)
void emit_AndNot(EmitContext& e, const Inst& inst) {
  if (inst.args[1].is_imm()) {
    e.code.and_(e.define_from(inst.args[0]).cvt32(), ~inst.args[1].imm32());
    e.flags.result(Value::inst(e.values.current()));
    return;
  }
  const Reg64 mask = e.use_copy(inst.args[1]);
  e.code.not_(mask.cvt32());
  e.code.and_(e.define_from(inst.args[0]).cvt32(), mask.cvt32());
  e.flags.result(Value::inst(e.values.current()));
}
ONE_OPERAND(Not, not_)
ONE_OPERAND(Neg, neg)
void emit_Mul(EmitContext& e, const Inst& inst) {
  Value a = inst.args[0], b = inst.args[1];
  if (a.is_imm()) std::swap(a, b);
  const Reg64 y = e.use(b);
  e.code.imul(e.define_from(a).cvt32(), y.cvt32());
}
void emit_AddShifted(EmitContext& e, const Inst& inst) {
  const Value a = inst.args[0];
  const Reg64 b = e.use(inst.args[1]);
  const auto shifted = b * (1 << inst.imm);
  if (a.is_imm()) {
    e.code.lea(e.define().cvt32(), ptr[shifted + static_cast<int32_t>(a.imm32())]);
  } else {
    const Reg64 r = e.use(a);
    e.code.lea(e.define().cvt32(), ptr[r + shifted]);
  }
}
SHIFT(Lsl, shl)
SHIFT(Lsr, shr)
SHIFT(Asr, sar)
SHIFT(Ror, ror)
void emit_Rrx(EmitContext& e, const Inst& inst) {
  const Reg64 r = e.define_from(inst.args[0]);
  load_carry(e, false);
  e.code.rcr(r.cvt32(), 1);
}
void emit_Bit(EmitContext& e, const Inst& inst) {
  unary(e, inst, [&](const Reg32& r) {
    if (inst.imm) e.code.shr(r, static_cast<int>(inst.imm));
    if (inst.imm != 31) e.code.and_(r, 1);
  });
}
void emit_LslReg(EmitContext& e, const Inst& inst) {
  shift_by_register(e, inst, [&](const Reg64& r) {
    e.code.shl(r, cl);
    e.code.mov(r.cvt32(), r.cvt32());
  });
}
void emit_LsrReg(EmitContext& e, const Inst& inst) {
  shift_by_register(e, inst, [&](const Reg64& r) { e.code.shr(r, cl); });
}
void emit_AsrReg(EmitContext& e, const Inst& inst) {
  shift_by_register(e, inst, [&](const Reg64& r) {
    e.code.movsxd(r, r.cvt32());
    e.code.sar(r, cl);
    e.code.mov(r.cvt32(), r.cvt32());
  });
}
void emit_RorReg(EmitContext& e, const Inst& inst) {
  e.take(rcx);
  const Reg64 n = e.use(inst.args[1]);
  e.code.mov(ecx, n.cvt32());
  const Reg64 r = e.use_copy(inst.args[0]);
  e.code.ror(r.cvt32(), cl);  // the count modulo 32
  e.define_as(r);
}
// The carry of LSL and LSR is 0 beyond 32.
void emit_LslRegC(EmitContext& e, const Inst& inst) {
  clamped_count(e, inst.args[1]);
  carry_of_shift(e, inst, [&](const Reg64& r) {
    e.code.shl(r, cl);  // bit 32 is the last bit out (0 for more than 32)
    e.code.shr(r, 32);
    e.code.and_(r.cvt32(), 1);
  });
}
void emit_LsrRegC(EmitContext& e, const Inst& inst) {
  clamped_count(e, inst.args[1]);
  carry_of_shift(e, inst, [&](const Reg64& r) {
    e.code.add(r, r);  // bit 0 of (2 * value) >> n is the last bit out
    e.code.shr(r, cl);
    e.code.and_(r.cvt32(), 1);
  });
}
void emit_AsrRegC(EmitContext& e, const Inst& inst) {
  clamped_count(e, inst.args[1]);
  carry_of_shift(e, inst, [&](const Reg64& r) {
    e.code.movsxd(r, r.cvt32());
    e.code.add(r, r);
    e.code.sar(r, cl);
    e.code.and_(r.cvt32(), 1);
  });
}
void emit_RorRegC(EmitContext& e, const Inst& inst) {
  count_in_ecx(e, inst.args[1]);
  carry_of_shift(e, inst, [&](const Reg64& r) {
    e.code.ror(r.cvt32(), cl);
    e.code.shr(r.cvt32(), 31);
  });
}
void emit_SDiv(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  e.take(rax);
  e.take(rdx);
  const Reg64 d = e.use_copy(inst.args[1]);
  const Reg64 n = e.use(inst.args[0]);
  // Divide in 64 bits: INT_MIN / -1 does not trap there and truncates to INT_MIN, as the
  // architecture asks.
  c.movsxd(rax, n.cvt32());
  c.movsxd(d, d.cvt32());
  divide(e, d, [&] {
    c.cqo();
    c.idiv(d);
    c.mov(eax, eax);
  });
}
void emit_UDiv(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  e.take(rax);
  e.take(rdx);
  const Reg64 d = e.use(inst.args[1]);
  const Reg64 n = e.use(inst.args[0]);
  c.mov(eax, n.cvt32());
  c.xor_(edx, edx);
  divide(e, d, [&] { c.div(d.cvt32()); });
}
void emit_Clz(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const Reg64 r = e.use_copy(inst.args[0]);
  const Reg64 t = e.temp();
  c.mov(t.cvt32(), 63);
  c.bsr(r.cvt32(), r.cvt32());  // ZF when the source is 0; the destination is then not relied on
  c.cmovz(r.cvt32(), t.cvt32());
  c.xor_(r.cvt32(), 31);  // 31 - index; 63 ^ 31 = 32
  e.define_as(r);
}
void emit_Rbit(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const Reg32 r = e.use_copy(inst.args[0]).cvt32();
  const Reg32 t = e.temp().cvt32();
  const uint32_t masks[] = {0x55555555, 0x33333333, 0x0f0f0f0f};
  for (int i = 0; i < 3; i++) {
    c.mov(t, r);
    c.shr(t, 1 << i);
    c.and_(t, masks[i]);
    c.and_(r, masks[i]);
    c.shl(r, 1 << i);
    c.or_(r, t);
  }
  c.bswap(r);
  e.define_as(r.cvt64());
}
ONE_OPERAND(Rev, bswap)
void emit_Rev16(EmitContext& e, const Inst& inst) {
  unary(e, inst, [&](const Reg32& r) {
    e.code.bswap(r);
    e.code.ror(r, 16);
  });
}
void emit_RevSh(EmitContext& e, const Inst& inst) {
  unary(e, inst, [&](const Reg32& r) {
    e.code.bswap(r);
    e.code.sar(r, 16);
  });
}
EXTEND(Sxtb, movsx, cvt8)
EXTEND(Sxth, movsx, cvt16)
EXTEND(Uxtb, movzx, cvt8)
EXTEND(Uxth, movzx, cvt16)
COMPARE(Equal, sete)
COMPARE(LessU, setb)
COMPARE(LessS, setl)
void emit_Choose(EmitContext& e, const Inst& inst) {
  // Another operand may not take it to a register in between.
  const bool once = inst.args[0] != inst.args[1] && inst.args[0] != inst.args[2];
  const auto in_memory = once ? e.registers.in_memory(inst.args[0]) : std::nullopt;
  const Reg64 a = in_memory ? Reg64() : e.use(inst.args[0]);
  const Reg64 b = e.use(inst.args[1]);
  const Reg64 r = e.use_copy(inst.args[2]);
  if (in_memory)
    e.code.cmp(state32(*in_memory), 0);
  else
    e.code.test(a.cvt32(), a.cvt32());
  e.code.cmovnz(r.cvt32(), b.cvt32());
  e.define_as(r);
}
void emit_Ssat(EmitContext& e, const Inst& inst) {
  const Reg64 r = e.use_copy(inst.args[0]);
  const Reg64 t = e.temp();
  const int32_t high = static_cast<int32_t>((int64_t{1} << (inst.imm - 1)) - 1), low = -high - 1;
  e.code.mov(t.cvt32(), static_cast<uint32_t>(high));
  e.code.cmp(r.cvt32(), t.cvt32());
  e.code.cmovg(r.cvt32(), t.cvt32());
  e.code.mov(t.cvt32(), static_cast<uint32_t>(low));
  e.code.cmp(r.cvt32(), t.cvt32());
  e.code.cmovl(r.cvt32(), t.cvt32());
  e.define_as(r);
}
void emit_Usat(EmitContext& e, const Inst& inst) {
  const Reg64 r = e.use_copy(inst.args[0]);
  const Reg64 t = e.temp();
  e.code.mov(t.cvt32(), static_cast<uint32_t>((uint64_t{1} << inst.imm) - 1));
  e.code.cmp(r.cvt32(), t.cvt32());
  e.code.cmovg(r.cvt32(), t.cvt32());
  e.code.mov(t.cvt32(), 0);
  e.code.test(r.cvt32(), r.cvt32());
  e.code.cmovs(r.cvt32(), t.cvt32());
  e.define_as(r);
}
void emit_OrQ(EmitContext& e, const Inst& inst) {
  const Reg64 a = e.use(inst.args[0]);
  const Reg64 r = e.temp();
  e.code.test(a.cvt32(), a.cvt32());
  e.code.setne(r.cvt8());
  e.code.or_(state8(offsetof(CpuState, q)), r.cvt8());
}

// ---- 64-bit integer
void emit_UMull(EmitContext& e, const Inst& inst) {
  const Reg64 b = e.use(inst.args[1]);
  // both are zero-extended: the low 64 bits are the product
  e.code.imul(e.define_from(inst.args[0]), b);
}
void emit_SMull(EmitContext& e, const Inst& inst) {
  const Reg64 b = e.use_copy(inst.args[1]);
  const Reg64 a = e.use_copy(inst.args[0]);
  e.code.movsxd(a, a.cvt32());
  e.code.movsxd(b, b.cvt32());
  e.code.imul(a, b);
  e.define_as(a);
}
void emit_Pack(EmitContext& e, const Inst& inst) {
  const Reg64 low = e.use(inst.args[0]);
  const Reg64 high = e.use_copy(inst.args[1]);
  e.code.shl(high, 32);
  e.code.or_(high, low);
  e.define_as(high);
}
EXTEND(Low, mov, cvt32)
void emit_High(EmitContext& e, const Inst& inst) {
  unary64(e, inst, [&](const Reg64& r) { e.code.shr(r, 32); });
}
BINARY_64(Add64, add)
BINARY_64(Sub64, sub)
SHIFT_64(Lsl64, shl)
SHIFT_64(Lsr64, shr)
SHIFT_64(Asr64, sar)
void emit_Sxt64(EmitContext& e, const Inst& inst) {
  unary64(e, inst, [&](const Reg64& r) { e.code.movsxd(r, r.cvt32()); });
}
void emit_Uxt64(EmitContext& e, const Inst& inst) {
  unary64(e, inst, [](const Reg64&) {});  // is zero-extended
}

#undef EITHER_ORDER
#undef ONE_OPERAND
#undef SHIFT
#undef EXTEND
#undef BINARY_64
#undef SHIFT_64
#undef COMPARE

}  // namespace crosswalk::x64
