// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/x64/interpreter.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/helpers/media_helpers.h"
#include "translator/x64/slow_access.h"

namespace crosswalk::test {
namespace {

using ir::Inst;
using ir::Opcode;
using ir::Value;

struct Flags {
  bool n, z, c, v;
};
Flags flags_of(const CpuState& cpu) {
  const uint32_t f = read_nzcv(cpu);
  return {(f >> 31 & 1) != 0, (f >> 30 & 1) != 0, (f >> 29 & 1) != 0, (f >> 28 & 1) != 0};
}
void set_flags(CpuState& cpu, Flags f) {
  write_nzcv(cpu, uint32_t{f.n} << 31 | uint32_t{f.z} << 30 | uint32_t{f.c} << 29 | uint32_t{f.v} << 28);
}
// N and Z from a result, C from bit 0 of `carry`.
uint32_t shifted(CpuState& cpu, uint32_t result, uint32_t carry) {
  Flags f = flags_of(cpu);
  f.n = result >> 31, f.z = result == 0, f.c = carry & 1;
  set_flags(cpu, f);
  return result;
}

// ARM DDI 0406C, A8.3.
bool condition_holds(const CpuState& cpu, uint32_t condition) {
  const Flags f = flags_of(cpu);
  bool holds = false;
  switch (condition >> 1) {
    case 0: holds = f.z; break;
    case 1: holds = f.c; break;
    case 2: holds = f.n; break;
    case 3: holds = f.v; break;
    case 4: holds = f.c && !f.z; break;
    case 5: holds = f.n == f.v; break;
    case 6: holds = f.n == f.v && !f.z; break;
    default: std::abort();
  }
  return (condition & 1) ? !holds : holds;
}

// A2.2.1, AddWithCarry.
uint32_t add_with_carry(CpuState& cpu, uint32_t a, uint32_t b, bool carry) {
  const uint64_t u = uint64_t{a} + b + carry;
  const int64_t s = int64_t{static_cast<int32_t>(a)} + static_cast<int32_t>(b) + carry;
  const uint32_t r = static_cast<uint32_t>(u);
  set_flags(cpu, {(r >> 31) != 0, r == 0, u >> 32 != 0, s != static_cast<int32_t>(r)});
  return r;
}

enum class Shift { Lsl, Lsr, Asr, Ror };
// A2.2.1, Shift_C, for amounts of 0-255: the result and the carry out.
uint32_t shift(Shift type, uint32_t v, uint32_t amount, bool& carry) {
  for (uint32_t i = 0; i < (amount & 0xff); i++) {
    switch (type) {
      case Shift::Lsl: carry = v >> 31, v <<= 1; break;
      case Shift::Lsr: carry = v & 1, v >>= 1; break;
      case Shift::Asr: carry = v & 1, v = v >> 1 | (v & 0x80000000); break;
      case Shift::Ror: carry = v & 1, v = v >> 1 | v << 31; break;
    }
  }
  return v;
}

uint32_t reverse_bits(uint32_t v) {
  uint32_t r = 0;
  for (int i = 0; i < 32; i++) r |= (v >> i & 1) << (31 - i);
  return r;
}

struct Wide {
  uint64_t low = 0, high = 0;
};

class Machine {
 public:
  Machine(const ir::Block& block, CpuState& cpu, GuestMemory& memory, const std::vector<bool>& followed)
      : block_(block), cpu_(cpu), memory_(memory), followed_(followed), values_(block.insts.size()) {}

  void run(uint32_t stop) {
    for (size_t i = 0; !left_; i++) {
      if (block_.insts[i].guest == stop) return leave(kExitApart, pc_of(block_.insts[i]) | block_.thumb);
      i = !followed_.empty() && followed_[i] ? follow(block_.insts[i], i) - 1 : step(i);
    }
  }

 private:
  uint64_t arg(const Inst& inst, int n) const {
    const Value v = inst.args[n];
    return v.is_imm() ? v.imm64() : values_[v.index()].low;
  }
  Wide wide_arg(const Inst& inst, int n) const { return values_[inst.args[n].index()]; }
  uint32_t pc_of(const Inst& inst) const { return block_.guest[inst.guest].pc; }

  void leave(uint32_t reason, uint32_t target) {
    cpu_.exit_reason = reason;
    cpu_.r[15] = target & ~1u;
    cpu_.t = target & 1;
    left_ = true;
  }
  void fault(const Inst& inst) { leave(kExitException, pc_of(inst) | block_.thumb); }
  void jump(const Inst& inst, uint32_t target) {
    const bool polls = (target & ~1u) <= pc_of(inst);
    leave(polls && cpu_.pending ? kExitPoll : kExitLink, target);
  }
  size_t label(uint32_t n) const {
    for (size_t i = 0; i < block_.insts.size(); i++)
      if (block_.insts[i].op == Opcode::Label && block_.insts[i].imm == n) return i;
    std::abort();
  }
  // Where a jump that `followed` has goes on.
  size_t follow(const Inst& inst, size_t i) const {
    const bool with_flags = inst.op == Opcode::JumpIf;
    const bool taken = with_flags ? condition_holds(cpu_, inst.imm)
                                  : (static_cast<uint32_t>(arg(inst, 0)) == 0) == (inst.op == Opcode::JumpIfZero);
    if (!taken) return i + 1;
    const uint32_t target = (with_flags ? static_cast<uint32_t>(inst.aux) : inst.imm) & ~1u;
    while (pc_of(block_.insts[i]) < target) i++;
    return i;
  }
  void call(const Inst& inst, bool wide, size_t i) {
    using Function = uint64_t (*)(CpuState*, uint32_t, uint32_t, uint32_t);
    cpu_.r[15] = pc_of(inst);
    cpu_.t = block_.thumb;
    const uint64_t r = inst.op == Opcode::RequirePrivileged
                           ? reinterpret_cast<Function>(inst.aux)(&cpu_, 0, 0, 0)
                           : reinterpret_cast<Function>(inst.aux)(&cpu_, static_cast<uint32_t>(arg(inst, 0)),
                                                                  static_cast<uint32_t>(arg(inst, 1)),
                                                                  static_cast<uint32_t>(arg(inst, 2)));
    values_[i].low = wide ? r : static_cast<uint32_t>(r);
    if (cpu_.exit_reason) left_ = true;
  }
  uint64_t call_pure(const Inst& inst) const {
    using Function = uint64_t (*)(uint32_t, uint32_t, uint32_t);
    return reinterpret_cast<Function>(inst.aux)(
        static_cast<uint32_t>(arg(inst, 0)), static_cast<uint32_t>(arg(inst, 1)), static_cast<uint32_t>(arg(inst, 2)));
  }
  void memory_access(const Inst& inst, size_t i, bool store, bool exclusive) {
    const ir::MemAccess m = ir::MemAccess::unpack(inst.imm);
    uint8_t data[16] = {};
    if (store) {
      const Wide w = inst.args[1].is_imm() ? Wide{inst.args[1].imm64(), 0} : wide_arg(inst, 1);
      std::memcpy(data, &w, 16);
    }
    const uint32_t va = static_cast<uint32_t>(arg(inst, 0) + inst.aux);
    const uint32_t kind = x64::access_kind(m, store) | (exclusive ? x64::kAccessExclusive : 0);
    if (!access_memory(cpu_, memory_, va, kind, data)) return fault(inst);
    if (!store || exclusive) std::memcpy(&values_[i], data, 16);
  }
  // The value of a HostSpan is the VA here.
  void host_span(const Inst& inst, size_t i) {
    const ir::SpanCheck check = ir::SpanCheck::unpack(inst.imm);
    const uint32_t va = static_cast<uint32_t>(arg(inst, 0) + inst.aux);
    if (va % kPageBytes + check.bytes > kPageBytes || (va & ((1u << check.align_log2) - 1)) ||
        !GuestMemory::present(va) || is_apart(va))
      return leave(kExitApart, pc_of(inst) | block_.thumb);
    values_[i].low = va;
  }
  size_t step(size_t i);

  const ir::Block& block_;
  CpuState& cpu_;
  GuestMemory& memory_;
  const std::vector<bool>& followed_;
  std::vector<Wide> values_;
  bool left_ = false;
};

size_t Machine::step(size_t i) {
  const Inst& inst = block_.insts[i];
  const int args = ir::info(inst.op).arg_count;
  const auto read = [&](int n) -> uint64_t {
    return n < args && (inst.args[n].is_imm() || inst.args[n].is_inst()) ? arg(inst, n) : 0;
  };
  const uint64_t a = read(0), b = read(1), c = read(2);
  const uint32_t x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
  const auto set = [&](uint64_t v) { values_[i].low = v; };
  const auto set32 = [&](uint64_t v) { values_[i].low = static_cast<uint32_t>(v); };
  const auto field = [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(&cpu_) + inst.imm);
  };
  const auto shift_value = [&](Shift s) {
    bool carry = false;
    set32(shift(s, x, y, carry));
  };
  const auto shift_carry = [&](Shift s) {
    bool carry = c;
    shift(s, x, y, carry);
    // Beyond 32 LSL and LSR give a carry of 0, which shifting one place at a time does too.
    set(carry);
  };
  const auto vreg = [&](uint32_t bytes) { return cpu_.vreg + inst.imm * bytes; };
  const auto get_vreg = [&](uint32_t bytes) {
    values_[i] = {};
    std::memcpy(&values_[i], vreg(bytes), bytes);
  };
  const auto set_vreg = [&](uint32_t bytes) {
    const Wide w = wide_arg(inst, 0);
    std::memcpy(vreg(bytes), &w, bytes);
  };
  const bool carry = flags_of(cpu_).c;
  const int32_t sx = static_cast<int32_t>(x), sy = static_cast<int32_t>(y);

  switch (inst.op) {
    case Opcode::GuestAddress: set(inst.imm); break;
    case Opcode::GetReg: set(cpu_.r[inst.imm]); break;
    case Opcode::SetReg: cpu_.r[inst.imm] = x; break;
    case Opcode::Privileged: set(cpu_.mode != static_cast<uint8_t>(Mode::User)); break;
    case Opcode::RequirePrivileged:
      if (cpu_.mode == static_cast<uint8_t>(Mode::User)) call(inst, false, i);
      break;
    case Opcode::GetSpsr: set(cpu_.banked.spsr[bank_of(static_cast<Mode>(cpu_.mode))]); break;
    case Opcode::SetSpsr:
      if (const BankIndex bank = bank_of(static_cast<Mode>(cpu_.mode)); bank != kBankUser)
        cpu_.banked.spsr[bank] = (cpu_.banked.spsr[bank] & ~inst.imm) | (x & inst.imm);
      break;
    case Opcode::GetUserReg: set(arm::user_register(cpu_, inst.imm)); break;
    case Opcode::SetUserReg: arm::user_register(cpu_, inst.imm) = x; break;
    case Opcode::LoadState8: set(*field(static_cast<uint8_t*>(nullptr))); break;
    case Opcode::LoadState32: set(*field(static_cast<uint32_t*>(nullptr))); break;
    case Opcode::LoadState64: set(*field(static_cast<uint64_t*>(nullptr))); break;
    case Opcode::StoreState8: *field(static_cast<uint8_t*>(nullptr)) = static_cast<uint8_t>(x); break;
    case Opcode::StoreState32: *field(static_cast<uint32_t*>(nullptr)) = x; break;
    case Opcode::StoreState64: *field(static_cast<uint64_t*>(nullptr)) = a; break;

    case Opcode::AddS: set(add_with_carry(cpu_, x, y, false)); break;
    case Opcode::SubS: set(add_with_carry(cpu_, x, ~y, true)); break;
    case Opcode::AdcS: set(add_with_carry(cpu_, x, y, carry)); break;
    case Opcode::SbcS: set(add_with_carry(cpu_, x, ~y, carry)); break;
    case Opcode::SetNZ: {
      Flags f = flags_of(cpu_);
      f.n = x >> 31, f.z = x == 0;
      set_flags(cpu_, f);
      break;
    }
    case Opcode::SetNZ64: {
      Flags f = flags_of(cpu_);
      f.n = a >> 63, f.z = a == 0;
      set_flags(cpu_, f);
      break;
    }
    case Opcode::SetC: {
      Flags f = flags_of(cpu_);
      f.c = x & 1;
      set_flags(cpu_, f);
      break;
    }
    case Opcode::SetNZCV: write_nzcv(cpu_, x << 28); break;
    case Opcode::LslS: set(shifted(cpu_, x << inst.imm, x >> (32 - inst.imm))); break;
    case Opcode::LsrS: set(shifted(cpu_, x >> inst.imm, x >> (inst.imm - 1))); break;
    case Opcode::AsrS: set(shifted(cpu_, static_cast<uint32_t>(sx >> inst.imm), x >> (inst.imm - 1))); break;
    case Opcode::GetC: set(carry); break;
    case Opcode::GetNZCV: set(read_nzcv(cpu_)); break;
    case Opcode::Select: set(condition_holds(cpu_, inst.imm) ? x : y); break;
    case Opcode::TestCond: set(condition_holds(cpu_, inst.imm)); break;

    case Opcode::Add: set32(x + y); break;
    case Opcode::AddShifted: set32(x + (y << inst.imm)); break;
    case Opcode::Sub: set32(x - y); break;
    case Opcode::Adc: set32(x + y + carry); break;
    case Opcode::Sbc: set32(x - y - !carry); break;
    case Opcode::And: set(x & y); break;
    case Opcode::Or: set(x | y); break;
    case Opcode::Xor: set(x ^ y); break;
    case Opcode::AndNot: set(x & ~y); break;
    case Opcode::Not: set32(~x); break;
    case Opcode::Neg: set32(0 - x); break;
    case Opcode::Mul: set32(uint64_t{x} * y); break;
    case Opcode::Lsl: set32(x << inst.imm); break;
    case Opcode::Lsr: set(x >> inst.imm); break;
    case Opcode::Asr: set32(static_cast<uint32_t>(sx >> inst.imm)); break;
    case Opcode::Ror: set(std::rotr(x, static_cast<int>(inst.imm))); break;
    case Opcode::Rrx: set(x >> 1 | uint32_t{carry} << 31); break;
    case Opcode::Bit: set(x >> inst.imm & 1); break;
    case Opcode::LslReg: shift_value(Shift::Lsl); break;
    case Opcode::LsrReg: shift_value(Shift::Lsr); break;
    case Opcode::AsrReg: shift_value(Shift::Asr); break;
    case Opcode::RorReg: shift_value(Shift::Ror); break;
    case Opcode::LslRegC: shift_carry(Shift::Lsl); break;
    case Opcode::LsrRegC: shift_carry(Shift::Lsr); break;
    case Opcode::AsrRegC: shift_carry(Shift::Asr); break;
    case Opcode::RorRegC: shift_carry(Shift::Ror); break;
    case Opcode::SDiv: set32(sy == 0 ? 0 : static_cast<uint64_t>(int64_t{sx} / sy)); break;
    case Opcode::UDiv: set(y == 0 ? 0 : x / y); break;
    case Opcode::Clz: set(static_cast<uint64_t>(std::countl_zero(x))); break;
    case Opcode::Rbit: set(reverse_bits(x)); break;
    case Opcode::Rev: set(x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24); break;
    case Opcode::Rev16: set((x >> 8 & 0x00ff00ff) | (x << 8 & 0xff00ff00)); break;
    case Opcode::RevSh: set32(static_cast<uint32_t>(static_cast<int16_t>((x >> 8 & 0xff) | x << 8))); break;
    case Opcode::Sxtb: set32(static_cast<uint32_t>(static_cast<int8_t>(x))); break;
    case Opcode::Sxth: set32(static_cast<uint32_t>(static_cast<int16_t>(x))); break;
    case Opcode::Uxtb: set(x & 0xff); break;
    case Opcode::Uxth: set(x & 0xffff); break;
    case Opcode::Equal: set(x == y); break;
    case Opcode::LessU: set(x < y); break;
    case Opcode::LessS: set(sx < sy); break;
    case Opcode::Choose: set(x ? y : c); break;
    case Opcode::Ssat: {
      const int64_t high = (int64_t{1} << (inst.imm - 1)) - 1;
      set32(static_cast<uint64_t>(sx > high ? high : sx < -high - 1 ? -high - 1 : sx));
      break;
    }
    case Opcode::Usat: {
      const int64_t high = (int64_t{1} << inst.imm) - 1;
      set32(static_cast<uint64_t>(sx > high ? high : sx < 0 ? 0 : sx));
      break;
    }
    case Opcode::OrQ: cpu_.q |= x != 0; break;

    case Opcode::GetGe: set(cpu_.ge_mask); break;
    case Opcode::SetGe: cpu_.ge_mask = x; break;
    case Opcode::Parallel: set32(helpers::parallel_function(ir::Parallel::unpack(inst.imm))(x, y, 0)); break;
    case Opcode::ParallelGe: set(helpers::parallel_function(ir::Parallel::unpack(inst.imm))(x, y, 0) >> 32); break;
    case Opcode::SumAbsDiff: set(helpers::sum_of_absolute_differences(x, y, 0)); break;

    case Opcode::UMull: set(uint64_t{x} * y); break;
    case Opcode::SMull: set(static_cast<uint64_t>(int64_t{sx} * sy)); break;
    case Opcode::Pack: set(uint64_t{y} << 32 | x); break;
    case Opcode::Low: set(x); break;
    case Opcode::High: set(a >> 32); break;
    case Opcode::Add64: set(a + b); break;
    case Opcode::Sub64: set(a - b); break;
    case Opcode::Lsl64: set(a << inst.imm); break;
    case Opcode::Lsr64: set(a >> inst.imm); break;
    case Opcode::Asr64: set(static_cast<uint64_t>(static_cast<int64_t>(a) >> inst.imm)); break;
    case Opcode::Sxt64: set(static_cast<uint64_t>(int64_t{sx})); break;
    case Opcode::Uxt64: set(x); break;

    case Opcode::HostSpan: host_span(inst, i); break;
    case Opcode::HostLoad:
    case Opcode::HostLoad64:
    case Opcode::HostLoadX32:
    case Opcode::HostLoadX64:
    case Opcode::HostLoadX128:
    case Opcode::Load:
    case Opcode::Load64:
    case Opcode::LoadX32:
    case Opcode::LoadX64:
    case Opcode::LoadX128: memory_access(inst, i, false, false); break;
    case Opcode::HostStore:
    case Opcode::HostStore64:
    case Opcode::HostStoreX32:
    case Opcode::HostStoreX64:
    case Opcode::HostStoreX128:
    case Opcode::Store:
    case Opcode::Store64:
    case Opcode::StoreX32:
    case Opcode::StoreX64:
    case Opcode::StoreX128: memory_access(inst, i, true, false); break;
    case Opcode::LoadExclusive:
    case Opcode::LoadExclusive64: memory_access(inst, i, false, true); break;
    case Opcode::StoreExclusive:
    case Opcode::StoreExclusive64: memory_access(inst, i, true, true); break;
    case Opcode::ClearExclusive: cpu_.monitor_armed = 0; break;
    case Opcode::MemoryBarrier:
    case Opcode::SynchronizationBarrier:
    case Opcode::SendEvent: break;

    case Opcode::GetS: get_vreg(4); break;
    case Opcode::GetD: get_vreg(8); break;
    case Opcode::GetQ: get_vreg(16); break;
    case Opcode::SetS: set_vreg(4); break;
    case Opcode::SetD: set_vreg(8); break;
    case Opcode::SetQ: set_vreg(16); break;
    case Opcode::X32FromI32:
    case Opcode::X64FromI64: set(a); break;
    case Opcode::I32FromX32: set(static_cast<uint32_t>(a)); break;
    case Opcode::I64FromX64: set(a); break;

    // What passes make of reads of overlapping registers.
    case Opcode::VecLow: set(wide_arg(inst, 0).low); break;
    case Opcode::VecHigh: set(wide_arg(inst, 0).high); break;
    case Opcode::VecPair: values_[i] = {wide_arg(inst, 0).low, wide_arg(inst, 1).low}; break;

    case Opcode::Call: call(inst, false, i); break;
    case Opcode::Call64: call(inst, true, i); break;
    case Opcode::CallPure: set32(call_pure(inst)); break;
    case Opcode::CallPure64: set(call_pure(inst)); break;

    case Opcode::SkipUnless:
      if (!condition_holds(cpu_, inst.imm & 15)) return label(static_cast<uint32_t>(inst.aux));
      break;
    case Opcode::SkipIfZero:
      if (x == 0) return label(static_cast<uint32_t>(inst.aux));
      break;
    case Opcode::SkipIfNotZero:
      if (x != 0) return label(static_cast<uint32_t>(inst.aux));
      break;
    case Opcode::Label: break;
    case Opcode::Jump: jump(inst, inst.imm); break;
    case Opcode::JumpAnew: leave(inst.aux && cpu_.pending ? kExitPoll : kExitLink, inst.imm); break;
    case Opcode::JumpIf:
      if (condition_holds(cpu_, inst.imm)) jump(inst, static_cast<uint32_t>(inst.aux));
      break;
    case Opcode::JumpIfCompare:
      add_with_carry(cpu_, inst.imm & ir::kOfDifference ? x + y : x, ~y, true);
      if (condition_holds(cpu_, inst.imm & 15)) jump(inst, static_cast<uint32_t>(inst.aux));
      break;
    case Opcode::JumpIfZero:
      if (x == 0) jump(inst, inst.imm);
      break;
    case Opcode::JumpIfNotZero:
      if (x != 0) jump(inst, inst.imm);
      break;
    case Opcode::JumpIndirect: leave(inst.imm & ir::kOneTarget && !cpu_.pending ? kExitLink : kExitIndirect, x); break;
    case Opcode::ExitTo: leave(kExitLookup, inst.imm); break;
    default: std::fprintf(stderr, "the interpreter has no %s\n", ir::info(inst.op).name); std::abort();
  }
  return i;
}

}  // namespace

bool access_memory(CpuState& cpu, GuestMemory& memory, uint32_t va, uint32_t kind, uint8_t* data) {
  const ir::MemAccess m = ir::MemAccess::unpack(kind);
  const uint32_t bytes = 1u << m.log2_bytes;
  const bool store = kind & x64::kAccessStore, exclusive = kind & x64::kAccessExclusive;
  if (va & ((1u << m.align_log2) - 1)) return false;
  uint8_t* const at = memory.at(va, bytes);
  if (exclusive && store) {
    uint32_t status = 1;
    if (cpu.monitor_armed && cpu.monitor_address == va && cpu.monitor_size == bytes) {
      if (!at) return false;
      if (std::memcmp(at, &cpu.monitor_value, bytes) == 0) {
        std::memcpy(at, data, bytes);
        status = 0;
      }
    }
    cpu.monitor_armed = 0;
    std::memset(data, 0, 16);
    std::memcpy(data, &status, 4);
    return true;
  }
  if (!at) return false;
  if (store) {
    std::memcpy(at, data, bytes);
    return true;
  }
  std::memset(data, 0, 16);
  std::memcpy(data, at, bytes);
  if (m.sign_extend && bytes < 4) {
    const int32_t v = bytes == 1 ? static_cast<int8_t>(data[0]) : static_cast<int16_t>(data[0] | data[1] << 8);
    std::memcpy(data, &v, 4);
  }
  if (exclusive) {
    cpu.monitor_armed = 1;
    cpu.monitor_address = va;
    cpu.monitor_size = bytes;
    std::memcpy(&cpu.monitor_value, data, 8);
  }
  return true;
}

void interpret(const ir::Block& block, CpuState& cpu, GuestMemory& memory, uint32_t stop,
               const std::vector<bool>& followed) {
  Machine(block, cpu, memory, followed).run(stop);
}

}  // namespace crosswalk::test
