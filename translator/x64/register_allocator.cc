// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/register_allocator.h"

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {
namespace {

using ir::Opcode;
using ir::Value;

// A value whose SetReg follows with nothing between that could observe the register early may be
// computed in place.
void find_hints(const ir::Block& block, int8_t* hints) {
  // The instruction after the last one that may observe any register, and each of them.
  size_t all_after = 0, after[15] = {};
  size_t j = 0;
  for (const ir::Inst& inst : block.insts) {
    hints[j++] = -1;
    if (inst.op == Opcode::SetReg) {
      if (kPinned[inst.imm] >= 0 && inst.args[0].is_inst()) {
        const size_t i = inst.args[0].index();
        if (block.insts[i].op != Opcode::GetReg && i + 1 >= all_after && i + 1 >= after[inst.imm])
          hints[i] = static_cast<int8_t>(inst.imm);
      }
      after[inst.imm] = j;
    } else if (inst.op == Opcode::GetReg) {
      after[inst.imm] = j;
    } else if (ir::info(inst.op).attributes & (ir::F | ir::X | ir::J | ir::C)) {
      all_after = j;
    }
  }
}

}  // namespace

RegisterAllocator::RegisterAllocator(LiveValues& values, const ir::Block& block, Arena& arena)
    : values_(values), hints_(arena, 0) {
  find_hints(block, hints_.extend(block.insts.size()));
}

// ---- operands

int RegisterAllocator::use(File file, Value v) {
  if (v.is_imm()) {
    const int r = temp(file);
    values_.load(file, r, v);
    return r;
  }
  const Place p = values_.of(v.index());
  if (p.kind == Place::Pinned) return kPinned[p.index];
  if (p.kind == Place::Carried) return p.index;
  if (p.kind == Place::Register) {
    values_.lock(file, p.index);
    return p.index;
  }
  const int r = values_.allocate(file);
  values_.load(file, r, v);
  if (p.sticky)
    values_.lock(file, r);
  else
    values_.own(file, r, v.index());
  if (p.kind == Place::State && file == File::General) values_.note_copy(p.index, v.index());
  return r;
}

std::optional<size_t> RegisterAllocator::in_memory(Value v) const {
  if (!v.is_inst()) return {};
  const Place& p = values_.of(v.index());
  if (p.kind == Place::Slot) return slot_offset(File::General, p.index);
  if (p.kind == Place::State && values_.uses_after(v.index()) == 0) return p.offset;
  return {};
}

int RegisterAllocator::temp(File file) {
  const int r = values_.allocate(file);
  values_.lock(file, r);
  return r;
}

bool RegisterAllocator::is_copied_freely(File file, Value v) const {
  if (!v.is_inst()) return false;
  const Place& p = values_.of(v.index());
  return p.kind == Place::Register && values_.uses_after(v.index()) == 0 && !values_.is_locked(file, p.index) &&
         times_used(values_.inst(), v) == 1;
}

int RegisterAllocator::copy(File file, Value v) {
  if (is_copied_freely(file, v)) {
    const int r = values_.of(v.index()).index;
    values_.drop(v.index());
    values_.lock(file, r);
    return r;
  }
  const int r = temp(file);
  values_.load(file, r, v);
  return r;
}

void RegisterAllocator::take(int reg) {
  constexpr File kFile = File::General;
  if (values_.is_locked(kFile, reg)) allocation_broken("take of a register that the instruction already uses");
  if (const int v = values_.places().owner(kFile, reg); v >= 0) {
    int other = -1;
    for (const int t : kTemps)
      if (t != reg && values_.places().owner(kFile, t) < 0 && !values_.is_locked(kFile, t)) other = t;
    if (other >= 0) {
      values_.load(kFile, other, Value::inst(static_cast<uint32_t>(v)));
      values_.put(static_cast<uint32_t>(v), Place::host(other));
    } else {
      values_.evict(kFile, reg);
    }
  }
  values_.lock(kFile, reg);
}

void RegisterAllocator::move_to(int reg, Value v) {
  const bool there = is_copied_freely(File::General, v) && values_.of(v.index()).index == reg;
  if (there) return values_.lock(File::General, reg);
  take(reg);
  values_.load(File::General, reg, v);
}

// ---- results

int RegisterAllocator::hinted_register(bool overlapping, Value except) const {
  const int n = hint();
  if (n < 0) return -1;
  const Places& places = values_.places();
  for (uint32_t v = places.in_guest_register(static_cast<uint32_t>(n)).first; v != Places::kNone; v = places.next(v))
    if (values_.of(v).kind == Place::Pinned && values_.uses_after(v) > 0) return -1;
  if (!overlapping) {
    bool excepted = false;
    for (const Value& a : values_.inst().args) {
      if (!a.is_inst()) continue;
      const Place& p = values_.of(a.index());
      if (p.kind != Place::Pinned || p.index != n) continue;
      if (a != except || excepted) return -1;
      excepted = true;
    }
  }
  return kPinned[n];
}

int RegisterAllocator::define(File file, bool overlapping) {
  if (const int hinted = hinted_register(overlapping, Value()); hinted >= 0) {
    define_in(Place::guest_register(static_cast<uint32_t>(hint())));
    return hinted;
  }
  if (overlapping) {
    // A register that an operand no longer needs will do.
    for (const Value a : values_.inst().args) {
      if (!a.is_inst() || values_.uses_after(a.index()) > 0) continue;
      const Place p = values_.of(a.index());
      if (p.kind != Place::Register) continue;
      values_.drop(a.index());
      values_.own(file, p.index, values_.current());
      return p.index;
    }
  }
  const int r = values_.allocate(file);
  values_.own(file, r, values_.current());
  return r;
}

// A register that is computed from its own old value, which is needed further: that moves out.
void RegisterAllocator::vacate_hinted(Value v) {
  const int n = hint();
  if (n < 0 || !v.is_inst() || values_.uses_after(v.index()) == 0) return;
  const Place& p = values_.of(v.index());
  if (p.kind != Place::Pinned || p.index != n || times_used(values_.inst(), v) != 1) return;
  const Places& places = values_.places();
  for (uint32_t o = places.in_guest_register(static_cast<uint32_t>(n)).first; o != Places::kNone; o = places.next(o))
    if (o != v.index()) return;
  values_.move_to_register(File::General, v.index());
  values_.lock(File::General, values_.of(v.index()).index);
}

int RegisterAllocator::define_from(File file, Value v) {
  const bool was_there =
      v.is_inst() && values_.of(v.index()).kind == Place::Pinned && values_.of(v.index()).index == hint();
  if (file == File::General) vacate_hinted(v);
  if (const int hinted = hinted_register(false, v); hinted >= 0) {
    const Place guest = Place::guest_register(static_cast<uint32_t>(hint()));
    if (!was_there) values_.load(file, hinted, v);
    define_in(guest);
    return hinted;
  }
  const int r = copy(file, v);
  values_.own(file, r, values_.current());
  return r;
}

void RegisterAllocator::define_as(File file, int reg) {
  if (values_.places().owner(file, reg) >= 0) allocation_broken("the result's register holds another value");
  values_.own(file, reg, values_.current());
}

int RegisterAllocator::define_hinted_or(int reg) {
  const int hinted = hinted_register(true, Value());
  if (hinted < 0) {
    define_as(File::General, reg);
    return reg;
  }
  define_in(Place::guest_register(static_cast<uint32_t>(hint())));
  return hinted;
}

bool RegisterAllocator::prefers(Value v) const {
  if (!v.is_inst()) return false;
  const Place& p = values_.of(v.index());
  if (const int n = hint(); n >= 0) return p.kind == Place::Pinned && p.index == n;
  return p.kind == Place::Register && values_.uses_after(v.index()) == 0;
}

}  // namespace crosswalk::x64
