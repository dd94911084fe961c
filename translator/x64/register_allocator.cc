// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/register_allocator.h"

#include <span>
#include <string>

#include "translator/base/panic.h"
#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {
namespace {

using ir::Opcode;
using ir::Type;
using ir::Value;
using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

constexpr int8_t kSimd[kFileRegisters] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

std::span<const int8_t> allocatable(File file) {
  return file == File::General ? std::span<const int8_t>(kTemps) : std::span<const int8_t>(kSimd);
}

constexpr int kHotSlots = sizeof(CpuState::spill) / 8;  // within reach of a byte displacement
static_assert(sizeof(CpuState::spill_more) == 8 * (kSpillSlots - kHotSlots));
static_assert(sizeof(CpuState::vspill) == 16 * kSpillSlots);

constexpr size_t slot_offset(File file, int slot) {
  const auto n = static_cast<size_t>(slot);
  if (file == File::Simd) return offsetof(CpuState, vspill) + 16 * n;
  return slot < kHotSlots ? offsetof(CpuState, spill) + 8 * n : offsetof(CpuState, spill_more) + 8 * (n - kHotSlots);
}

[[noreturn]] void broken(const char* what) { panic(std::string("register allocator: ") + what); }

// A value whose SetReg follows with nothing between that could observe the register early may be
// computed in place.
std::pmr::vector<int8_t> find_hints(const ir::Block& block, std::pmr::memory_resource* memory) {
  std::pmr::vector<int8_t> hints(block.insts.size(), -1, memory);
  for (size_t j = 0; j < block.insts.size(); j++) {
    const ir::Inst& set = block.insts[j];
    if (set.op != Opcode::SetReg || set.imm >= 15 || kPinned[set.imm] < 0 || !set.args[0].is_inst()) continue;
    const size_t i = set.args[0].index();
    bool ok = block.insts[i].op != Opcode::GetReg;
    for (size_t k = i + 1; ok && k < j; k++) {
      const ir::Inst& inst = block.insts[k];
      if (ir::info(inst.op).attributes & (ir::F | ir::X | ir::J | ir::C)) ok = false;
      if ((inst.op == Opcode::GetReg || inst.op == Opcode::SetReg) && inst.imm == set.imm) ok = false;
    }
    if (ok) hints[i] = static_cast<int8_t>(set.imm);
  }
  return hints;
}

uint32_t times_used(const ir::Inst& inst, Value v) {
  uint32_t n = 0;
  for (const Value a : inst.args) n += a == v;
  return n;
}

uint32_t bytes_of(Type type) { return type == Type::X32 ? 4 : type == Type::X64 ? 8 : 16; }

}  // namespace

RegisterAllocator::RegisterAllocator(Xbyak::CodeGenerator& code, const ir::Block& block,
                                     std::pmr::memory_resource* memory)
    : code_(code),
      block_(block),
      memory_(memory),
      places_(block, memory),
      remaining_(block.insts.size(), memory),
      hints_(find_hints(block, memory)) {
  for (size_t i = 0; i < block.insts.size(); i++) remaining_[i] = block.insts[i].uses;
}

void RegisterAllocator::end() {
  locked_[0] = locked_[1] = 0;
  const ir::Inst& done = inst();
  uint32_t* const remaining = remaining_.data();
  for (const Value v : done.args)
    if (v.is_inst() && --remaining[v.index()] == 0) places_.drop(v.index());
  if (remaining[current_] == 0) places_.drop(current_);  // nobody wants its result
}

uint32_t RegisterAllocator::remaining_after(uint32_t value) const {
  return remaining_[value] - times_used(inst(), Value::inst(value));
}

// ---- registers and slots

int RegisterAllocator::allocate(File file) {
  // What is evicted is the value defined first: likely the one not needed soonest.
  int victim = -1;
  for (const int r : allocatable(file)) {
    if (is_locked(file, r)) continue;
    if (places_.owner(file, r) < 0) return r;
    if (victim < 0 || places_.owner(file, r) < places_.owner(file, victim)) victim = r;
  }
  if (victim < 0) broken("one instruction uses all registers");
  evict(file, victim);
  return victim;
}

int RegisterAllocator::take_slot(File file) {
  const int slot = places_.free_slot(file);
  if (slot < 0) broken("out of spill slots");
  return slot;
}

void RegisterAllocator::evict(File file, int reg) {
  const int v = places_.owner(file, reg);
  if (v < 0) return;
  const int slot = take_slot(file);
  if (file == File::General)
    code_.mov(state64(slot_offset(file, slot)), Reg64(reg));
  else
    code_.movups(state128(slot_offset(file, slot)), Xmm(reg));
  places_.put(static_cast<uint32_t>(v), Place::slot(slot));
}

void RegisterAllocator::own(File file, int reg, uint32_t value) {
  places_.put(value, Place::host(reg));
  locked(file) |= 1u << reg;
}

// Not locked: it may be evicted again.
int RegisterAllocator::move_to_register(File file, uint32_t value) {
  const int r = allocate(file);
  load(file, r, Value::inst(value));
  places_.put(value, Place::host(r));
  return r;
}

void RegisterAllocator::load(File file, int reg, Value v) {
  const Reg64 r(reg);
  const Xmm x(reg);
  if (v.is_imm()) {
    if (file == File::Simd) broken("constant SIMD operand");
    if (v.imm64() <= UINT32_MAX)
      code_.mov(r.cvt32(), v.imm32());
    else
      code_.mov(r, v.imm64());
    return;
  }
  const Place& p = places_.of(v.index());
  switch (p.kind) {
    case Place::Nowhere: broken("operand without a place");
    case Place::Pinned: code_.mov(r.cvt32(), Reg32(kPinned[p.index])); break;
    case Place::Register:
      if (p.index == reg) break;
      if (file == File::General)
        code_.mov(r, Reg64(p.index));
      else
        code_.movaps(x, Xmm(p.index));
      break;
    case Place::Slot:
      if (file == File::General)
        code_.mov(r, state64(slot_offset(file, p.index)));
      else
        code_.movups(x, state128(slot_offset(file, p.index)));
      break;
    case Place::State:
      switch (ir::info(block_.insts[v.index()].op).result) {
        case Type::X32: code_.movss(x, state32(p.offset)); break;
        case Type::X64: code_.movsd(x, state64(p.offset)); break;
        case Type::X128: code_.movups(x, state128(p.offset)); break;
        default: code_.mov(r.cvt32(), state32(p.offset)); break;
      }
      break;
  }
}

// ---- operands

int RegisterAllocator::use(File file, Value v) {
  if (v.is_imm()) {
    const int r = temp(file);
    load(file, r, v);
    return r;
  }
  const Place p = places_.of(v.index());
  if (p.kind == Place::Pinned) return kPinned[p.index];
  if (p.kind == Place::Register) {
    locked(file) |= 1u << p.index;
    return p.index;
  }
  const int r = allocate(file);
  load(file, r, v);
  if (p.sticky)
    locked(file) |= 1u << r;
  else
    own(file, r, v.index());
  return r;
}

std::optional<size_t> RegisterAllocator::in_memory(Value v) const {
  if (!v.is_inst()) return {};
  const Place& p = places_.of(v.index());
  if (p.kind == Place::Slot) return slot_offset(File::General, p.index);
  if (p.kind == Place::State && remaining_after(v.index()) == 0) return p.offset;
  return {};
}

int RegisterAllocator::temp(File file) {
  const int r = allocate(file);
  locked(file) |= 1u << r;
  return r;
}

int RegisterAllocator::copy(File file, Value v) {
  if (v.is_inst()) {
    const Place p = places_.of(v.index());
    if (p.kind == Place::Register && remaining_after(v.index()) == 0 && !is_locked(file, p.index) &&
        times_used(inst(), v) == 1) {
      places_.drop(v.index());
      locked(file) |= 1u << p.index;
      return p.index;
    }
  }
  const int r = temp(file);
  load(file, r, v);
  return r;
}

void RegisterAllocator::take(int reg) {
  constexpr File kFile = File::General;
  if (is_locked(kFile, reg)) broken("take of a register that the instruction already uses");
  if (const int v = places_.owner(kFile, reg); v >= 0) {
    int other = -1;
    for (const int t : kTemps)
      if (t != reg && places_.owner(kFile, t) < 0 && !is_locked(kFile, t)) other = t;
    if (other >= 0) {
      code_.mov(Reg64(other), Reg64(reg));
      places_.put(static_cast<uint32_t>(v), Place::host(other));
    } else {
      evict(kFile, reg);
    }
  }
  locked(kFile) |= 1u << reg;
}

// ---- results

int RegisterAllocator::hinted_register(bool overlapping, Value except) const {
  const int n = hints_[current_];
  if (n < 0) return -1;
  for (const uint32_t v : places_.in_guest_register(static_cast<uint32_t>(n)))
    if (places_.of(v).kind == Place::Pinned && remaining_after(v) > 0) return -1;
  if (!overlapping) {
    bool excepted = false;
    for (const Value a : inst().args) {
      if (!a.is_inst()) continue;
      const Place& p = places_.of(a.index());
      if (p.kind != Place::Pinned || p.index != n) continue;
      if (a != except || excepted) return -1;
      excepted = true;
    }
  }
  return kPinned[n];
}

int RegisterAllocator::define(File file, bool overlapping) {
  if (const int hint = hinted_register(overlapping, Value()); hint >= 0) {
    define_in(Place::guest_register(static_cast<uint32_t>(hints_[current_])));
    return hint;
  }
  if (overlapping) {
    // A register that an operand no longer needs will do.
    for (const Value a : inst().args) {
      if (!a.is_inst() || remaining_after(a.index()) > 0) continue;
      const Place p = places_.of(a.index());
      if (p.kind != Place::Register) continue;
      places_.drop(a.index());
      own(file, p.index, current_);
      return p.index;
    }
  }
  const int r = allocate(file);
  own(file, r, current_);
  return r;
}

int RegisterAllocator::define_from(File file, Value v) {
  if (const int hint = hinted_register(false, v); hint >= 0) {
    const Place guest = Place::guest_register(static_cast<uint32_t>(hints_[current_]));
    if (!v.is_inst() || places_.of(v.index()).kind != Place::Pinned || places_.of(v.index()).index != guest.index)
      load(file, hint, v);
    define_in(guest);
    return hint;
  }
  const int r = copy(file, v);
  own(file, r, current_);
  return r;
}

void RegisterAllocator::define_as(File file, int reg) {
  if (places_.owner(file, reg) >= 0) broken("the result's register holds another value");
  own(file, reg, current_);
}

int RegisterAllocator::define_hinted_or(int reg) {
  const int hint = hinted_register(true, Value());
  if (hint < 0) {
    define_as(File::General, reg);
    return reg;
  }
  define_in(Place::guest_register(static_cast<uint32_t>(hints_[current_])));
  return hint;
}

bool RegisterAllocator::prefers(Value v) const {
  if (!v.is_inst()) return false;
  const Place& p = places_.of(v.index());
  const int n = hints_[current_];
  if (n >= 0) return p.kind == Place::Pinned && p.index == n;
  return p.kind == Place::Register && remaining_after(v.index()) == 0;
}

void RegisterAllocator::define_in(Place guest) { places_.put(current_, guest); }

// ---- guest registers

// Guest register n is about to change: values that are still in it move out. `except` is the new
// content.
void RegisterAllocator::displace(uint32_t n, Value except) {
  for (const uint32_t v : Places::Values(places_.in_guest_register(n), memory_)) {
    const bool excepted = except == Value::inst(v);
    if (excepted && places_.of(v).kind == Place::Pinned) continue;
    if (!excepted && remaining_after(v) == 0) {
      places_.drop(v);
      continue;
    }
    const int r = move_to_register(File::General, v);
    if (excepted) locked(File::General) |= 1u << r;
  }
}

void RegisterAllocator::set_reg(uint32_t n, Value v) {
  displace(n, v);
  if (kPinned[n] >= 0) {
    const Place p = v.is_inst() ? places_.of(v.index()) : Place();
    if (p.kind == Place::Pinned && p.index == n) return;
    load(File::General, kPinned[n], v);
    if (p.kind == Place::Register && remaining_after(v.index()) > 0) places_.put(v.index(), Place::guest_register(n));
    return;
  }
  if (v.is_imm())
    code_.mov(state32(reg_offset(n)), v.imm32());
  else
    code_.mov(state32(reg_offset(n)), Reg32(use(File::General, v)));
}

void RegisterAllocator::set_simd(size_t offset, uint32_t bytes, Value v) {
  const Xmm x(use(File::Simd, v));
  for (const uint32_t u : Places::Values(places_.in_guest_simd(), memory_)) {
    const size_t at = places_.of(u).offset;
    if (at < offset + bytes && offset < at + bytes_of(ir::info(block_.insts[u].op).result))
      move_to_register(File::Simd, u);
  }
  if (bytes == 4)
    code_.movss(state32(offset), x);
  else if (bytes == 8)
    code_.movsd(state64(offset), x);
  else
    code_.movups(state128(offset), x);
}

// ---- calls and merges

void RegisterAllocator::spill_across_call(bool guest_registers_change) {
  const auto evict_live = [this](File file) {
    for (const int r : allocatable(file))
      if (const int v = places_.owner(file, r); v >= 0 && remaining_after(static_cast<uint32_t>(v)) > 0) evict(file, r);
  };
  evict_live(File::General);
  if (guest_registers_change) {
    for (uint32_t n = 0; n < 15; n++) {
      for (const uint32_t v : Places::Values(places_.in_guest_register(n), memory_)) {
        if (remaining_after(v) == 0) continue;
        const int slot = take_slot(File::General);
        places_.put(v, Place::slot(slot));
        int r = kPinned[n];
        if (r < 0) {
          r = allocate(File::General);
          code_.mov(Reg32(r), state32(reg_offset(n)));
        }
        code_.mov(state64(slot_offset(File::General, slot)), Reg64(r));
      }
    }
  }
  evict_live(File::Simd);
  // The callee may change SIMD registers that values still refer to.
  for (const uint32_t u : Places::Values(places_.in_guest_simd(), memory_))
    if (remaining_after(u) > 0) evict(File::Simd, move_to_register(File::Simd, u));
}

void RegisterAllocator::spill_for_merge() {
  spill_across_call(true);
  places_.make_slots_sticky();
}

}  // namespace crosswalk::x64
