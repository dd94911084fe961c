// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/x64/random_block.h"

#include <cstddef>
#include <vector>

#include "tests/translator/x64/interpreter.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exit_reason.h"

namespace crosswalk::test {
namespace {

using ir::Builder;
using ir::Opcode;
using ir::Type;
using ir::Value;

// What a Call may do: anything to the registers, the flags and SIMD registers.
uint64_t change_everything(CpuState* cpu, uint32_t a, uint32_t b, uint32_t c) {
  const uint32_t mix = cpu->r[3] * 31 + cpu->r[9] + a + b * 3 + c * 5 + cpu->r[15];
  cpu->r[mix & 7] ^= 0x9e3779b9;
  cpu->r[8 + (mix >> 3 & 3)] += mix;
  cpu->r[14] -= a;
  write_nzcv(*cpu, read_nzcv(*cpu) ^ (mix << 7 & 0xf0000000));
  cpu->vreg[mix & 0xff] ^= 0x5a;
  return uint64_t{mix} << 32 | (mix ^ b);
}
uint64_t change_registers(CpuState* cpu, uint32_t a, uint32_t b, uint32_t) {
  cpu->r[a & 7] += b;
  cpu->r[8 + (b & 3)] ^= a;
  return a ^ cpu->r[12];
}
uint64_t read_arguments(CpuState*, uint32_t a, uint32_t b, uint32_t c) { return uint64_t{a} * b + c; }
uint64_t leave_sometimes(CpuState* cpu, uint32_t a, uint32_t, uint32_t) {
  if ((a & 7) == 3) {
    cpu->r[15] = 0x1234;
    cpu->t = 0;
    cpu->exit_reason = kExitException;
  }
  return a;
}
uint64_t leave(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  cpu->r[15] = 0x4320;
  cpu->t = 0;
  cpu->exit_reason = kExitException;
  return 0;
}
// As ir::kCallLight demands: what it changes is none of the block's registers.
uint64_t count_light(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  // What the ABI lets it change, it does.
  asm volatile("xorl %%edi, %%edi; xorl %%r8d, %%r8d; xorl %%r9d, %%r9d; xorl %%r10d, %%r10d; xorl %%r11d, %%r11d"
               :
               :
               : "rdi", "r8", "r9", "r10", "r11", "cc");
  return ++cpu->cp15.vbar;
}
uint64_t pure(uint32_t a, uint32_t b, uint32_t c) { return (uint64_t{a} << 32 | b) * 0x9e3779b97f4a7c15u + c; }

struct Known {
  Value value;
  Type type;
};

class Generator {
 public:
  Generator(std::mt19937_64& random, const BlockShape& shape, ir::Block& block)
      : random_(random), shape_(shape), block_(block), ir_(block) {}

  void run() {
    block_.pc = kBlockPc;
    block_.thumb = chance(50);
    new_guest();
    const int n = 1 + static_cast<int>(u32() % static_cast<uint32_t>(shape_.instructions));
    while (static_cast<int>(block_.insts.size()) < n) {
      if (chance(30)) new_guest();
      step();
    }
    while (!scopes_.empty()) close();
    if (shape_.control && chance(30)) ir_.jump_if(pick(14), kBlockPc | block_.thumb);  // a loop
    finish();
    block_.end_pc = block_.guest.back().pc + block_.guest.back().bytes;
  }

 private:
  uint32_t u32() { return static_cast<uint32_t>(random_()); }
  bool chance(uint32_t percent) { return u32() % 100 < percent; }
  uint32_t pick(uint32_t n) { return u32() % n; }

  void new_guest() {
    const uint32_t pc = block_.guest.empty() ? kBlockPc : block_.guest.back().pc + 4;
    block_.guest.push_back({pc, 0, 0, 4});
    ir_.guest = static_cast<uint16_t>(block_.guest.size() - 1);
  }
  uint32_t constant() {
    static constexpr uint32_t kInteresting[] = {0,          1,          2,          31,         32,        33,
                                                0x7f,       0x80,       0xff,       0x7fff,     0x8000,    0xffff,
                                                0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    switch (pick(3)) {
      case 0: return kInteresting[pick(std::size(kInteresting))];
      case 1: return pick(300);
      default: return u32();
    }
  }
  Value keep(Value v, Type type) {
    known_.push_back({v, type});
    return v;
  }
  // A visible value of a type, recent ones more often; made when there is none.
  Value value(Type type) {
    if (type == Type::I32 && chance(20)) return Builder::Imm(constant());
    if (type == Type::I64 && chance(10)) return Builder::Imm64(uint64_t{constant()} << 32 | constant());
    for (int tries = 0; tries < 8 && !known_.empty(); tries++) {
      const size_t back = chance(50) ? pick(4) : pick(static_cast<uint32_t>(known_.size()));
      if (back >= known_.size()) continue;
      const Known& k = known_[known_.size() - 1 - back];
      if (k.type == type) return k.value;
    }
    switch (type) {
      case Type::I64: return keep(ir_.Pack(value(Type::I32), value(Type::I32)), type);
      case Type::X32: return keep(ir_.GetS(pick(32)), type);
      case Type::X64: return keep(ir_.GetD(pick(32)), type);
      case Type::X128: return keep(ir_.GetQ(pick(16)), type);
      default: return keep(ir_.GetReg(pick(15)), type);
    }
  }
  Value i32() { return value(Type::I32); }
  Value i64() { return value(Type::I64); }
  Value zero_or_one() { return chance(30) ? Builder::Imm(pick(2)) : ir_.Bit(pick(32), i32()); }

  // An address in the test's memory, mostly, through additions that forward() may fold.
  Value address(uint32_t align) {
    uint32_t mask = kPages * kPageBytes - 1;
    if (chance(70)) mask &= ~(align - 1);
    Value v = ir_.Or(ir_.And(i32(), Builder::Imm(mask)), Builder::Imm(kBase));
    while (chance(40)) {
      const Value delta = Builder::Imm(chance(70) ? pick(16) * align : pick(64));
      v = chance(70) ? ir_.Add(v, delta) : ir_.Sub(v, delta);
    }
    if (chance(30)) keep(v, Type::I32);
    return v;
  }
  uint32_t access(uint32_t log2_bytes) {
    ir::MemAccess m;
    m.log2_bytes = static_cast<uint8_t>(log2_bytes);
    m.sign_extend = log2_bytes < 2 && chance(50);
    if (chance(25)) m.align_log2 = static_cast<uint8_t>(pick(5));
    m.unprivileged = chance(5);
    m.out_of_line = chance(10);
    return m.pack();
  }

  void open() {
    const uint32_t label = ir_.new_label();
    if (chance(50))
      ir_.skip_unless(pick(14), label);
    else
      ir_.skip_if_zero(chance(50) ? zero_or_one() : i32(), label);
    scopes_.push_back({label, known_.size()});
  }
  void close() {
    ir_.Label(scopes_.back().label);
    known_.resize(scopes_.back().visible);
    scopes_.pop_back();
  }
  uint32_t target() {
    uint32_t va = 0;
    switch (pick(4)) {
      case 0: va = kBlockPc; break;                   // back
      case 1: va = kBlockPc + 4 * pick(1000); break;  // the same page
      case 2: va = block_.guest.back().pc; break;     // to itself
      default: va = u32(); break;
    }
    return (va & ~3u) | block_.thumb;
  }
  void finish() {
    switch (pick(5)) {
      case 0: ir_.JumpIndirect(pick(2), i32()); break;
      case 1: ir_.ExitTo(target()); break;
      case 2: ir_.append(Opcode::JumpAnew, target(), pick(2), {}); break;
      default: ir_.Jump(target()); break;
    }
  }
  void step() {
    const uint32_t kind = pick(104);
    if (kind >= 100) {
      parallel();
    } else if (kind < 15) {
      ir_.SetReg(pick(15), i32());
    } else if (kind < 22) {
      keep(ir_.GetReg(pick(15)), Type::I32);
    } else if (kind < 34) {
      produce_flags();
    } else if (kind < 42) {
      consume_flags();
    } else if (kind < 45) {
      state();
    } else if (kind < 57 && shape_.memory) {
      memory();
    } else if (kind < 60 && shape_.calls) {
      call();
    } else if (kind < 66 && shape_.control) {
      control();
    } else if (kind < 72 && shape_.simd) {
      simd();
    } else if (kind < 82) {
      wide();
    } else {
      pure_operation();
    }
  }
  void produce_flags() {
    switch (pick(12)) {
      case 9: keep(ir_.LslS(1 + pick(31), i32()), Type::I32); break;
      case 10: keep(ir_.LsrS(1 + pick(31), i32()), Type::I32); break;
      case 11: keep(ir_.AsrS(1 + pick(31), i32()), Type::I32); break;
      case 0:
      case 1: keep(ir_.AddS(i32(), i32()), Type::I32); break;
      case 2:
      case 3: keep(ir_.SubS(i32(), i32()), Type::I32); break;
      case 4: keep(ir_.AdcS(i32(), i32()), Type::I32); break;
      case 5: keep(ir_.SbcS(i32(), i32()), Type::I32); break;
      case 6: ir_.SetNZ(i32()); break;
      case 7: chance(50) ? ir_.SetNZ64(i64()) : ir_.SetNZCV(ir_.And(i32(), Builder::Imm(15))); break;
      default: ir_.SetC(zero_or_one()); break;
    }
  }
  void consume_flags() {
    switch (pick(7)) {
      case 0: keep(ir_.GetC(), Type::I32); break;
      case 1: keep(ir_.GetNZCV(), Type::I32); break;
      case 2: keep(ir_.Select(pick(14), i32(), i32()), Type::I32); break;
      case 3: keep(ir_.TestCond(pick(14)), Type::I32); break;
      case 4: keep(ir_.Adc(i32(), i32()), Type::I32); break;
      case 5: keep(ir_.Sbc(i32(), i32()), Type::I32); break;
      default: keep(ir_.Rrx(i32()), Type::I32); break;
    }
  }
  void state() {
    switch (pick(8)) {
      case 0: keep(ir_.LoadState32(offsetof(CpuState, cp15.tpidrurw)), Type::I32); break;
      case 1: ir_.StoreState32(offsetof(CpuState, cp15.tpidrurw), i32()); break;
      case 2: keep(ir_.LoadState64(offsetof(CpuState, cp15.par)), Type::I64); break;
      case 3: ir_.StoreState64(offsetof(CpuState, cp15.par), i64()); break;
      case 4: keep(ir_.GetGe(), Type::I32); break;
      case 5: ir_.SetGe(i32()); break;
      case 6: mode(); break;
      default: ir_.OrQ(i32()); break;
    }
  }
  void mode() {
    switch (pick(6)) {
      case 0: keep(ir_.Privileged(), Type::I32); break;
      case 1: keep(ir_.GetSpsr(), Type::I32); break;
      case 2: ir_.SetSpsr(chance(50) ? 0xff0fffff : u32(), i32()); break;
      default:
        if (!shape_.calls) break;
        ir_.append(Opcode::RequirePrivileged, 0, reinterpret_cast<uint64_t>(&leave), {});
        if (chance(50))
          keep(ir_.GetUserReg(8 + pick(7)), Type::I32);
        else
          ir_.SetUserReg(8 + pick(7), i32());
        break;
    }
  }
  // Accesses at constant distances from one address, mostly by one guest instruction each, with
  // other things between.
  void neighbours() {
    const Value base = chance(15) ? Builder::Imm(kBase + pick(kPages * kPageBytes)) : address(8);
    const bool near = chance(80);
    for (uint32_t n = 2 + pick(8); n > 0; n--) {
      if (chance(60)) new_guest();
      const uint32_t log2_bytes = pick(5);
      uint32_t distance = near ? pick(64) : pick(2048);
      if (chance(70)) distance &= ~((1u << log2_bytes) - 1);
      const Value va = chance(80) ? ir_.Add(base, Builder::Imm(distance)) : ir_.Sub(base, Builder::Imm(distance));
      const bool store = chance(50), to_simd = chance(30);
      ir::MemAccess m;
      m.log2_bytes = static_cast<uint8_t>(log2_bytes);
      m.sign_extend = log2_bytes < 2 && chance(50);
      if (chance(25)) m.align_log2 = static_cast<uint8_t>(pick(3));
      m.out_of_line = chance(3);
      neighbour(m, va, store, to_simd);
      if (chance(20)) ir_.SetReg(pick(15), i32());
      if (chance(10)) pure_operation();
      if (chance(5)) exclusive(2);
      if (chance(5) && shape_.control) ir_.jump_if(pick(14), target());
    }
  }
  void neighbour(const ir::MemAccess& m, Value va, bool store, bool to_simd) {
    switch (m.log2_bytes) {
      case 2:
        if (to_simd && store) return static_cast<void>(ir_.StoreX32(m.pack(), va, value(Type::X32)));
        if (to_simd) return static_cast<void>(keep(ir_.LoadX32(m.pack(), va), Type::X32));
        [[fallthrough]];
      case 0:
      case 1:
        if (store) return static_cast<void>(ir_.Store(m.pack(), va, i32()));
        return static_cast<void>(keep(ir_.Load(m.pack(), va), Type::I32));
      case 3:
        if (to_simd && store) return static_cast<void>(ir_.StoreX64(m.pack(), va, value(Type::X64)));
        if (to_simd) return static_cast<void>(keep(ir_.LoadX64(m.pack(), va), Type::X64));
        if (store) return static_cast<void>(ir_.Store64(m.pack(), va, i64()));
        return static_cast<void>(keep(ir_.Load64(m.pack(), va), Type::I64));
      default:
        if (store) return static_cast<void>(ir_.StoreX128(m.pack(), va, value(Type::X128)));
        return static_cast<void>(keep(ir_.LoadX128(m.pack(), va), Type::X128));
    }
  }
  void memory() {
    if (shape_.neighbours && chance(20)) return neighbours();
    const uint32_t log2_bytes = pick(3);
    switch (pick(14)) {
      case 0:
      case 1:
      case 2: keep(ir_.Load(access(log2_bytes), address(1 << log2_bytes)), Type::I32); break;
      case 3:
      case 4: {
        const Value v = i32();
        ir_.Store(access(log2_bytes), address(1 << log2_bytes), v);
        break;
      }
      case 5: keep(ir_.Load64(access(3), address(4)), Type::I64); break;
      case 6: ir_.Store64(access(3), address(4), i64()); break;
      case 7: simd_memory(); break;
      case 8:
      case 9: exclusive(log2_bytes); break;
      case 10: ir_.MemoryBarrier(); break;
      case 11: ir_.SynchronizationBarrier(); break;
      case 12: ir_.SendEvent(); break;
      default: ir_.ClearExclusive(); break;
    }
  }
  void simd_memory() {
    switch (pick(6)) {
      case 0: keep(ir_.LoadX32(access(2), address(4)), Type::X32); break;
      case 1: keep(ir_.LoadX64(access(3), address(8)), Type::X64); break;
      case 2: keep(ir_.LoadX128(access(4), address(8)), Type::X128); break;
      case 3: ir_.StoreX32(access(2), address(4), value(Type::X32)); break;
      case 4: ir_.StoreX64(access(3), address(8), value(Type::X64)); break;
      default: ir_.StoreX128(access(4), address(8), value(Type::X128)); break;
    }
  }
  void exclusive(uint32_t log2_bytes) {
    ir::MemAccess m;
    m.log2_bytes = m.align_log2 = static_cast<uint8_t>(log2_bytes);
    const Value va = address(1 << log2_bytes);
    if (chance(30)) {
      m.log2_bytes = m.align_log2 = 3;
      keep(ir_.LoadExclusive64(m.pack(), va), Type::I64);
      if (chance(30)) ir_.Store(access(2), va, i32());
      if (chance(80)) keep(ir_.StoreExclusive64(m.pack(), va, i64()), Type::I32);
      return;
    }
    keep(ir_.LoadExclusive(m.pack(), va), Type::I32);
    if (chance(30)) ir_.Store(access(2), va, i32());
    if (chance(80)) keep(ir_.StoreExclusive(m.pack(), va, i32()), Type::I32);
    if (chance(10)) keep(ir_.StoreExclusive(m.pack(), address(1 << log2_bytes), i32()), Type::I32);
  }
  void call() {
    switch (pick(7)) {
      case 0: keep(ir_.call(&change_everything, ir::kCallPlain, i32(), i32(), i32()), Type::I32); break;
      case 1: keep(ir_.call64(&change_everything, ir::kCallPlain, i32(), i32(), i32()), Type::I64); break;
      case 2: keep(ir_.call(&change_registers, ir::kCallNoFlags, i32(), i32()), Type::I32); break;
      case 3:
        keep(ir_.call64(&read_arguments, ir::kCallNoFlags | ir::kCallNoRegs, i32(), i32(), i32()), Type::I64);
        break;
      case 4: keep(ir_.call(&leave_sometimes, ir::kCallMayExit, i32()), Type::I32); break;
      case 5: keep(ir_.call(&count_light, ir::kCallLight | ir::kCallNoFlags | ir::kCallNoRegs), Type::I32); break;
      default:
        if (chance(50))
          keep(ir_.call_pure(&pure, i32(), i32(), i32()), Type::I32);
        else
          keep(ir_.call_pure64(&pure, i32(), i32(), i32()), Type::I64);
        break;
    }
  }
  // CMP; CMPEQ; BNE, and its like.
  void compare_twice() {
    ir_.SubS(i32(), chance(30) ? Builder::Imm(0) : i32());
    new_guest();
    const uint32_t label = ir_.new_label(), condition = pick(14);
    const size_t visible = known_.size();
    ir_.skip_unless(condition, label);
    if (chance(20)) ir_.SetReg(pick(15), i32());
    ir_.SubS(i32(), i32());
    ir_.Label(label);
    known_.resize(visible);
    while (chance(30)) {
      new_guest();
      if (chance(50)) pure_operation();
      ir_.SetReg(pick(15), i32());
    }
    new_guest();
    ir_.jump_if(chance(70) ? condition ^ pick(2) : pick(14), target());
  }
  // STRHI; SUB; STMLS; LDRHHI, and its like.
  void conditional_run() {
    const Value result = chance(80) ? ir_.SubS(i32(), i32()) : ir_.AddS(i32(), i32());
    if (chance(30)) keep(result, Type::I32);
    const uint32_t condition = chance(80) ? 8 + pick(6) : pick(14);
    for (uint32_t n = 2 + pick(5); n > 0; n--) {
      if (chance(40)) {
        new_guest();
        if (chance(50)) pure_operation();
        ir_.SetReg(pick(15), i32());
      }
      new_guest();
      const uint32_t label = ir_.new_label();
      const size_t visible = known_.size();
      ir_.skip_unless(chance(90) ? condition ^ pick(2) : pick(14), label);
      if (shape_.memory && chance(40)) {
        if (chance(50))
          ir_.SetReg(pick(15), ir_.Load(access(2), address(4)));
        else
          ir_.Store(access(2), address(4), i32());
      }
      if (chance(5)) produce_flags();
      if (chance(70)) ir_.SetReg(pick(15), chance(50) ? ir_.Add(i32(), i32()) : i32());
      ir_.Label(label);
      known_.resize(visible);
    }
    new_guest();
  }
  // A branch over a few guest instructions, for skip_branches().
  void branch_ahead() {
    const size_t visible = known_.size();
    if (chance(30)) ir_.SubS(i32(), i32());
    const auto end = static_cast<uint32_t>(block_.guest.size()) + pick(3);
    const uint32_t to = (kBlockPc + 4 * end) | block_.thumb;
    switch (pick(3)) {
      case 0: ir_.jump_if(pick(14), to); break;
      case 1: ir_.JumpIfZero(to, zero_or_one()); break;
      default: ir_.JumpIfNotZero(to, i32()); break;
    }
    while (block_.guest.size() < end) {
      new_guest();
      switch (pick(5)) {
        case 0: ir_.SetReg(pick(15), i32()); break;
        case 1: produce_flags(); break;
        case 2: pure_operation(); break;
        case 3: compare_twice(); break;
        default:
          if (shape_.memory) keep(ir_.Load(access(2), address(4)), Type::I32);
      }
    }
    known_.resize(visible);
    new_guest();
    if (chance(50)) ir_.SubS(i32(), i32());
  }
  void control() {
    switch (pick(9)) {
      case 8: conditional_run(); break;
      case 7: branch_ahead(); break;
      case 6: compare_twice(); break;
      case 0:
      case 1:
        if (scopes_.size() < 3) open();
        break;
      case 2:
        if (!scopes_.empty()) close();
        break;
      case 3:
        if (chance(60)) ir_.SubS(i32(), i32());  // for fuse_compares()
        ir_.jump_if(pick(14), target());
        break;
      case 4: ir_.JumpIfZero(target(), i32()); break;
      default: ir_.JumpIfNotZero(target(), zero_or_one()); break;
    }
  }
  void simd() {
    switch (pick(10)) {
      case 0: keep(ir_.GetS(pick(8)), Type::X32); break;
      case 1: keep(ir_.GetD(pick(6)), Type::X64); break;
      case 2: keep(ir_.GetQ(pick(4)), Type::X128); break;
      case 3: ir_.SetS(pick(8), value(Type::X32)); break;
      case 4: ir_.SetD(pick(6), value(Type::X64)); break;
      case 5: ir_.SetQ(pick(4), value(Type::X128)); break;
      case 6: keep(ir_.X32FromI32(i32()), Type::X32); break;
      case 7: keep(ir_.I32FromX32(value(Type::X32)), Type::I32); break;
      case 8: keep(ir_.X64FromI64(i64()), Type::X64); break;
      default: keep(ir_.I64FromX64(value(Type::X64)), Type::I64); break;
    }
  }
  void wide() {
    switch (pick(12)) {
      case 0: keep(ir_.UMull(i32(), i32()), Type::I64); break;
      case 1: keep(ir_.SMull(i32(), i32()), Type::I64); break;
      case 2: keep(ir_.Pack(i32(), i32()), Type::I64); break;
      case 3: keep(ir_.Low(i64()), Type::I32); break;
      case 4: keep(ir_.High(i64()), Type::I32); break;
      case 5: keep(ir_.Add64(i64(), i64()), Type::I64); break;
      case 6: keep(ir_.Sub64(i64(), i64()), Type::I64); break;
      case 7: keep(ir_.Lsl64(pick(64), i64()), Type::I64); break;
      case 8: keep(ir_.Lsr64(pick(64), i64()), Type::I64); break;
      case 9: keep(ir_.Asr64(pick(64), i64()), Type::I64); break;
      case 10: keep(ir_.Sxt64(i32()), Type::I64); break;
      default: keep(ir_.Uxt64(i32()), Type::I64); break;
    }
  }
  // GE of S and U prefixes, results of all.
  void parallel() {
    ir::Parallel p{static_cast<ir::Parallel::Prefix>(pick(6)), static_cast<ir::Parallel::Operation>(pick(6))};
    const Value a = i32(), b = chance(10) ? a : i32();
    switch (pick(4)) {
      case 0:
        p.prefix = chance(50) ? ir::Parallel::S : ir::Parallel::U;
        ir_.SetGe(keep(ir_.ParallelGe(p.pack(), a, b), Type::I32));
        break;
      case 1: keep(ir_.SumAbsDiff(a, b), Type::I32); break;
      default: keep(ir_.Parallel(p.pack(), a, b), Type::I32); break;
    }
  }
  void pure_operation() {
    // Every opcode of the table's 32-bit section, with the argument count that the table gives.
    static constexpr Opcode kOps[] = {
        Opcode::Add,    Opcode::Add,     Opcode::Sub,     Opcode::And,     Opcode::Or,        Opcode::Xor,
        Opcode::AndNot, Opcode::Not,     Opcode::Neg,     Opcode::Mul,     Opcode::Lsl,       Opcode::Lsr,
        Opcode::Asr,    Opcode::Ror,     Opcode::Bit,     Opcode::LslReg,  Opcode::LsrReg,    Opcode::AsrReg,
        Opcode::RorReg, Opcode::LslRegC, Opcode::LsrRegC, Opcode::AsrRegC, Opcode::RorRegC,   Opcode::SDiv,
        Opcode::UDiv,   Opcode::Clz,     Opcode::Rbit,    Opcode::Rev,     Opcode::Rev16,     Opcode::RevSh,
        Opcode::Sxtb,   Opcode::Sxth,    Opcode::Uxtb,    Opcode::Uxth,    Opcode::Equal,     Opcode::LessU,
        Opcode::LessS,  Opcode::Choose,  Opcode::Ssat,    Opcode::Usat,    Opcode::AddShifted};
    const Opcode op = kOps[pick(std::size(kOps))];
    uint32_t imm = 0;
    if (ir::info(op).has_imm)
      imm = op == Opcode::AddShifted ? 1 + pick(3) : op == Opcode::Ssat ? 1 + pick(32) : pick(32);
    const bool carry = op >= Opcode::LslRegC && op <= Opcode::RorRegC;
    switch (ir::info(op).arg_count) {
      case 1: keep(ir_.append(op, imm, 0, {i32()}), Type::I32); break;
      case 2: {
        const Value a = i32();
        keep(ir_.append(op, imm, 0, {a, chance(10) ? a : i32()}), Type::I32);
        break;
      }
      default: {
        const Value a = i32(), b = i32();
        keep(ir_.append(op, imm, 0, {a, b, carry ? zero_or_one() : i32()}), Type::I32);
        break;
      }
    }
  }

  struct Scope {
    uint32_t label;
    size_t visible;
  };
  std::mt19937_64& random_;
  const BlockShape& shape_;
  ir::Block& block_;
  Builder ir_;
  std::vector<Known> known_;
  std::vector<Scope> scopes_;
};

}  // namespace

ir::Block random_block(std::mt19937_64& random, const BlockShape& shape) {
  ir::Block block;
  Generator(random, shape, block).run();
  return block;
}

}  // namespace crosswalk::test
