// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/live_values.h"

#include <algorithm>
#include <bit>
#include <span>
#include <string>

#include "translator/base/panic.h"
#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {
namespace {

using ir::Type;
using ir::Value;
using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

constexpr uint32_t mask_of(std::span<const int8_t> registers) {
  uint32_t mask = 0;
  for (const int8_t r : registers) mask |= 1u << r;
  return mask;
}

// f(index of each bit that is set), from the lowest up.
template <class F>
void for_each_bit(uint32_t mask, F f) {
  for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
}

}  // namespace

void allocation_broken(const char* what) { panic(std::string("register allocator: ") + what); }

LiveValues::LiveValues(Assembler& code, const ir::Block& block, const CarriedVectors& carried, Arena& arena)
    : code_(code), block_(block), carried_(carried), places_(block, arena), remaining_(arena, 0) {
  std::ranges::fill(copies_, Places::kNone);
  uint32_t* uses = remaining_.extend(block.insts.size());
  for (const ir::Inst& inst : block.insts) *uses++ = inst.uses;
}

void LiveValues::end() {
  locked_[0] = locked_[1] = 0;
  uint32_t* const remaining = remaining_.begin();
  for (const Value& v : inst().args) {
    if (v.is_none()) break;
    if (v.is_inst() && --remaining[v.index()] == 0) places_.drop(v.index());
  }
  if (remaining[current_] == 0) places_.drop(current_);  // nobody wants its result
}

uint32_t LiveValues::allocatable(File file) const {
  return file == File::General ? mask_of(kTemps) : ((1u << kFileRegisters) - 1) & ~carried_.xmm_mask();
}

int LiveValues::allocate(File file) {
  const uint32_t unlocked = allocatable(file) & ~locked_[static_cast<int>(file)];
  if (const uint32_t free = unlocked & ~places_.owned(file)) return std::countr_zero(free);
  // What is evicted is the value defined first: likely the one not needed soonest.
  int victim = -1;
  for_each_bit(unlocked, [&](int r) {
    if (victim < 0 || places_.owner(file, r) < places_.owner(file, victim)) victim = r;
  });
  if (victim < 0) allocation_broken("one instruction uses all registers");
  evict(file, victim);
  return victim;
}

int LiveValues::take_slot(File file) {
  const int slot = places_.free_slot(file);
  if (slot < 0) allocation_broken("out of spill slots");
  return slot;
}

void LiveValues::evict(File file, int reg) {
  const int v = places_.owner(file, reg);
  if (v < 0) return;
  if (file == File::General) {
    const auto* const copy = std::ranges::find(copies_, static_cast<uint32_t>(v));
    if (copy != std::end(copies_))
      return places_.put(static_cast<uint32_t>(v), Place::guest_register(static_cast<uint32_t>(copy - copies_)));
  }
  const int slot = take_slot(file);
  if (file == File::General)
    code_.mov(state64(slot_offset(file, slot)), Reg64(reg));
  else
    code_.movups(state128(slot_offset(file, slot)), Xmm(reg));
  places_.put(static_cast<uint32_t>(v), Place::slot(slot));
}

void LiveValues::own(File file, int reg, uint32_t value) {
  places_.put(value, Place::host(reg));
  lock(file, reg);
}

int LiveValues::move_to_register(File file, uint32_t value) {
  const int r = allocate(file);
  load(file, r, Value::inst(value));
  places_.put(value, Place::host(r));
  return r;
}

void LiveValues::load(File file, int reg, Value v) {
  const Reg64 r(reg);
  const Xmm x(reg);
  if (v.is_imm()) {
    if (file == File::Simd) allocation_broken("constant SIMD operand");
    if (v.imm64() <= UINT32_MAX)
      code_.mov(r.cvt32(), v.imm32());
    else
      code_.mov(r, v.imm64());
    return;
  }
  const Place& p = places_.of(v.index());
  switch (p.kind) {
    case Place::Nowhere: allocation_broken("operand without a place");
    case Place::Pinned: code_.mov(r.cvt32(), Reg32(kPinned[p.index])); break;
    case Place::Carried:
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

// ---- calls and merges

void LiveValues::evict_live(File file) {
  for_each_bit(places_.owned(file), [&](int r) {
    if (uses_after(static_cast<uint32_t>(places_.owner(file, r))) > 0) evict(file, r);
  });
}

// The values that are still in guest register n.
void LiveValues::spill_guest_register(uint32_t n) {
  places_.for_each(places_.in_guest_register(n), [&](uint32_t v) {
    if (uses_after(v) == 0) return;
    const int slot = take_slot(File::General);
    places_.put(v, Place::slot(slot));
    int r = kPinned[n];
    if (r < 0) {
      r = allocate(File::General);
      code_.mov(Reg32(r), state32(reg_offset(n)));
    }
    code_.mov(state64(slot_offset(File::General, slot)), Reg64(r));
  });
}

void LiveValues::spill_across_call(bool guest_registers_change) {
  if (guest_registers_change) std::ranges::fill(copies_, Places::kNone);
  evict_live(File::General);
  if (guest_registers_change)
    for_each_bit(places_.read_guest_registers(), [&](int n) { spill_guest_register(static_cast<uint32_t>(n)); });
  evict_live(File::Simd);
  // The callee may change SIMD registers that values still refer to.
  places_.for_each(places_.in_guest_simd(), [&](uint32_t u) {
    if (uses_after(u) > 0) evict(File::Simd, move_to_register(File::Simd, u));
  });
}

void LiveValues::spill_for_merge() {
  spill_across_call(true);
  places_.make_slots_sticky();
}

}  // namespace crosswalk::x64
